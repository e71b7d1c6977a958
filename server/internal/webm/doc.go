// Package webm reads live WebM and Matroska (RFC 9559, EBML: RFC 8794), as
// browsers' recorders, ffmpeg and GStreamer write them.
//
//	io.Reader -> Demux -> elementary.Program -> media.Sink
//
// A live stream has one segment and clusters of unknown size: elements are taken
// one by one as they come, and nothing is held but the block at hand. What is
// read may be hostile: sizes are bounded, and memory follows the bytes that are
// really there, not what they claim.
package webm
