package flv

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/framewire/framewire/server/internal/codec/aac"
	"github.com/framewire/framewire/server/internal/codec/av1"
	"github.com/framewire/framewire/server/internal/codec/flac"
	"github.com/framewire/framewire/server/internal/codec/h264"
	"github.com/framewire/framewire/server/internal/codec/h265"
	"github.com/framewire/framewire/server/internal/codec/opus"
	"github.com/framewire/framewire/server/internal/media"
)

// videoTimescale resolves milliseconds and the common frame rates exactly.
const videoTimescale = 90_000

const (
	nanosecondScale = 1_000_000_000

	// roundingMillis is how far timestamps in milliseconds may stray from evenly
	// spaced frames: a millisecond from rounding each, and one for encoders that
	// add up rounded durations.
	roundingMillis = 2

	// stepBackMillis is how far a decode time may step back and still be taken
	// for disorder, not for a clock that was set anew.
	stepBackMillis = 500
)

// track is the state of one elementary stream.
type track struct {
	// info is valid, and handed to the sink, once its ID is set.
	info media.Track

	codec  media.Codec
	config []byte // the last configuration packet, to tell repetitions

	lengthSize   int // of NAL units, H.264 and H.265
	frameSamples int // of AAC, 0 when it varies

	sequenceHeader []byte // the OBU in the configuration of AV1

	// Once there was a frame: its decode time, and when the next one is due (0
	// when unknown), in ticks.
	hasFrame      bool
	lastDTS, next int64
}

func malformed(what media.Codec, err error) error {
	return fmt.Errorf("%w: %v: %w", ErrMalformed, what, err)
}

// ready reports whether the track can be announced.
func (t *track) ready() bool { return t.info.ID != 0 }

// set takes a description that was just read, and reports whether it differs
// from the one before.
func (t *track) set(info media.Track) bool {
	info.ID = idVideo
	info.Timescale = videoTimescale
	if info.Kind() == media.Audio {
		info.ID = idAudio
		info.Timescale = uint32(info.SampleRate)
	}
	if t.ready() && t.info.Equal(&info) {
		return false
	}
	if info.Timescale != t.info.Timescale { // times are counted anew
		t.hasFrame = false
	}
	t.info = info
	return true
}

// use turns to the codec of a packet. A change forgets what was known.
func (t *track) use(codec media.Codec) {
	if t.codec != codec {
		*t = track{codec: codec}
	}
}

// configure reads a configuration packet, and reports whether the track's
// description changed. A configuration without parameters leaves the track
// waiting for those in band.
func (t *track) configure(data []byte) (changed bool, err error) {
	if t.config != nil && bytes.Equal(t.config, data) {
		return false, nil
	}
	data = bytes.Clone(data) // it outlives the tag
	var info media.Track
	switch t.codec {
	case media.H264:
		var c h264.Config
		if c, err = h264.ParseConfig(data); err == nil {
			t.lengthSize = c.LengthSize
			info, err = c.Track()
		}
		if errors.Is(err, h264.ErrNoParameterSets) {
			return false, nil
		}
	case media.H265:
		var c h265.Config
		if c, err = h265.ParseConfig(data); err == nil {
			t.lengthSize = c.LengthSize
			info, err = c.Track()
		}
		if errors.Is(err, h265.ErrNoParameterSets) {
			return false, nil
		}
	case media.AV1:
		var c av1.Config
		if c, err = av1.ParseConfig(data); err == nil {
			t.sequenceHeader = c.SequenceHeader
			info, err = c.Track()
		}
		if errors.Is(err, av1.ErrNoSequenceHeader) {
			return false, nil
		}
	case media.VP9, media.VP8: // keyframes say all of it, and the size besides
		return false, nil
	case media.AAC:
		var c aac.Config
		if c, err = aac.ParseConfig(data); err == nil {
			t.frameSamples = c.FrameSamples()
			info, err = aac.NewTrack(data)
		}
	case media.Opus:
		var c opus.Config
		if c, err = opus.ParseHead(data); err == nil {
			info, err = c.Track()
		}
	case media.FLAC:
		info, err = flac.NewTrack(data)
	case media.MP3:
		return false, nil
	}
	if err != nil {
		return false, malformed(t.codec, err)
	}
	t.config = data
	return t.set(info), nil
}

// time returns the decode time of a frame in ticks, from its timestamp in
// nanoseconds.
//
// Timestamps count milliseconds, by which frames of sound seem to overlap and
// leave gaps. Where one is as near to its predecessor's end as rounding explains,
// it is put there.
func (t *track) time(timestamp int64) int64 {
	dts := media.Rescale(timestamp, nanosecondScale, t.info.Timescale)
	if !t.hasFrame {
		return dts
	}
	if t.next != 0 {
		slack := int64(t.info.Timescale) * roundingMillis / 1000
		if off := dts - t.next; -slack <= off && off <= slack {
			return t.next
		}
	}
	// Equal timestamps come from rounding too, and from frames the encoder made
	// late. A real step back is the timeline's to deal with.
	stepBack := int64(t.info.Timescale) * stepBackMillis / 1000
	if dts <= t.lastDTS && t.lastDTS-dts < stepBack {
		return t.lastDTS + 1
	}
	return dts
}

// passed notes a frame that was handed on.
func (t *track) passed(dts int64, duration uint32) {
	t.hasFrame, t.lastDTS, t.next = true, dts, 0
	if duration > 0 {
		t.next = dts + int64(duration)
	}
}
