// Package mp4 writes the fragmented MP4 that browsers play (ISO/IEC 14496-12,
// CMAF), and reads MP4 and QuickTime in all the forms that sources have it.
//
//	tracks  -> InitSegment    -> ftyp moov
//	samples -> AppendFragment -> moof mdat
//
//	io.ReaderAt -> Open  -> File   -> samples    whole files, any layout
//	io.Reader   -> Demux -> Sink                 live fragmented streams
//
// What is read may be hostile: sizes, counts and nesting are checked against
// the bytes that are really there, and memory follows those bytes, not what
// they claim.
package mp4
