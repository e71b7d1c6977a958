// Package flv takes Flash Video apart: the file and stream format, and the
// bodies of its audio and video tags, which RTMP carries as its messages.
//
//	io.Reader -> Demux -----> Demuxer -> media.Sink
//	RTMP message ----------->
//
// It reads the legacy forms (Video File Format Specification 10.1, annex E) of
// H.264, AAC and MP3, the unofficial codec number 12 for H.265, and the enhanced
// forms (Enhanced RTMP v2) of H.264, H.265, AV1, VP9, VP8, AAC, Opus, FLAC and
// MP3. Everything else is refused by name.
package flv

import "errors"

var (
	// ErrMalformed reports bytes that break the format.
	ErrMalformed = errors.New("malformed FLV")

	// ErrUnsupported reports a codec or feature that is not carried. Its text
	// names it, and says what to use instead.
	ErrUnsupported = errors.New("not supported")
)
