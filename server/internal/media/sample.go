package media

import (
	"context"
	"errors"
	"time"
)

// Sample is one access unit: a coded picture, or one frame of coded sound.
type Sample struct {
	// TrackID names the Track it belongs to.
	TrackID uint32

	// DTS is the decode time in ticks of the track's timescale. Within a track
	// it grows from sample to sample; its origin is the source's own.
	DTS int64

	// Offset is added to DTS to give the presentation time. It may be negative.
	Offset int32

	// Duration in ticks, 0 when the source does not tell; it is then taken from
	// the next sample, or from the track's frame rate.
	Duration uint32

	// Keyframe marks a sample at which decoding can start (a sync sample). For
	// audio every sample is one.
	Keyframe bool

	// Data is the access unit as an MP4 sample: NAL units behind 4-byte lengths
	// for H.264 and H.265, a temporal unit without its delimiter for AV1, a raw
	// frame without ADTS header for AAC. Whoever receives the sample owns Data.
	Data []byte

	// CapturedAt is when the server received the sample, or the publisher's own
	// figure where it tells one. Zero means now.
	CapturedAt time.Time
}

// PTS is the presentation time in ticks.
func (s *Sample) PTS() int64 { return s.DTS + int64(s.Offset) }

// Sink takes what a source or publisher produces. Its methods are called from
// one goroutine. An error means that the sink takes no more; the source returns
// it.
type Sink interface {
	// Start announces the tracks of all samples that follow, until the next
	// Start. It is called before the first Write, and again when a track is
	// added, lost or changes its configuration.
	Start(tracks []Track) error

	// Write hands over one sample. It does not block.
	Write(s Sample) error
}

// Source connects somewhere, reads, and fills a Sink.
type Source interface {
	// Run reads until the source ends (nil), fails, or ctx is done. It leaves
	// no goroutine, process or descriptor behind. Starting it again is its
	// caller's decision.
	Run(ctx context.Context, sink Sink) error
}

// ErrFinished is what the Run of a Source returns that came to its end and is not
// meant to run again by itself.
var ErrFinished = errors.New("the source has come to its end")

// KeyframeRequester is a Source that can be asked for a keyframe before the
// next one is due. RequestKeyframe does not block, and may be called at any
// time from any goroutine.
type KeyframeRequester interface {
	RequestKeyframe()
}
