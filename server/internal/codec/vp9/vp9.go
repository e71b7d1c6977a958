// Package vp9 reads what a player must know of a VP9 stream (VP9 bitstream
// specification, VP codec ISO media file format binding): the headers of its
// frames, and its configuration record.
package vp9

import (
	"errors"
	"fmt"

	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/media"
)

// ErrFrame reports bytes that are no VP9 frame.
var ErrFrame = errors.New("invalid VP9 frame")

// ErrNotKeyframe reports a frame that does not tell size and format.
var ErrNotKeyframe = errors.New("VP9: not a keyframe")

// Header is the beginning of uncompressed_header (6.2).
type Header struct {
	Profile      uint8
	ShowExisting bool // repeats a frame; nothing else is known then
	Keyframe     bool
	Shown        bool

	// What follows is known of keyframes only.

	BitDepth      uint8
	ColourSpace   uint8 // color_space of 7.2.2
	FullRange     bool
	SubsamplingX  bool
	SubsamplingY  bool
	Width, Height int // in samples, without any scaling of the container's

	// RenderWidth and RenderHeight are the size to show, where it differs.
	RenderWidth, RenderHeight int
}

const (
	frameMarker = 2
	syncCode    = 0x498342
	spaceRGB    = 7
)

// ParseHeader parses the header of a frame.
func ParseHeader(frame []byte) (Header, error) {
	r := bits.NewReader(frame)
	if r.Int(2) != frameMarker {
		return Header{}, fmt.Errorf("%w: no frame marker", ErrFrame)
	}
	low, high := r.Int(1), r.Int(1)
	h := Header{Profile: uint8(high<<1 | low)}
	if h.Profile == 3 {
		r.Skip(1)
	}
	if h.ShowExisting = r.Flag(); h.ShowExisting {
		return h, r.Err()
	}
	h.Keyframe = !r.Flag()
	h.Shown = r.Flag()
	r.Skip(1) // error_resilient_mode
	if h.Keyframe && r.Err() == nil {
		if r.Int(24) != syncCode {
			return Header{}, fmt.Errorf("%w: no sync code", ErrFrame)
		}
		h.parseColour(r)
		h.Width, h.Height = r.Int(16)+1, r.Int(16)+1
		h.RenderWidth, h.RenderHeight = h.Width, h.Height
		if r.Flag() { // render_and_frame_size_different
			h.RenderWidth, h.RenderHeight = r.Int(16)+1, r.Int(16)+1
		}
	}
	if err := r.Err(); err != nil {
		return Header{}, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	return h, nil
}

// parseColour follows color_config (6.2.2).
func (h *Header) parseColour(r *bits.Reader) {
	h.BitDepth = 8
	if h.Profile >= 2 {
		h.BitDepth = 10
		if r.Flag() {
			h.BitDepth = 12
		}
	}
	h.ColourSpace = uint8(r.Int(3))
	odd := h.Profile&1 == 1
	if h.ColourSpace == spaceRGB {
		h.FullRange = true
		if odd {
			r.Skip(1)
		}
		return
	}
	h.FullRange = r.Flag()
	h.SubsamplingX, h.SubsamplingY = true, true
	if odd {
		h.SubsamplingX, h.SubsamplingY = r.Flag(), r.Flag()
		r.Skip(1)
	}
}

// Frames returns the frames of a superframe (annex B), or the sample itself when
// it is none. They share its memory.
func Frames(sample []byte) ([][]byte, error) {
	if len(sample) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrFrame)
	}
	last := sample[len(sample)-1]
	const marker, most = 0b110, 8
	if last>>5 != marker {
		return [][]byte{sample}, nil
	}
	count, width := int(last&7)+1, int(last>>3&3)+1
	index := 2 + count*width
	if index > len(sample) || sample[len(sample)-index] != last {
		return [][]byte{sample}, nil
	}
	sizes, data := sample[len(sample)-index+1:len(sample)-1], sample[:len(sample)-index]
	frames := make([][]byte, 0, most)
	for i := range count {
		size := 0
		for b := range width {
			size |= int(sizes[i*width+b]) << (8 * b)
		}
		if size > len(data) {
			return nil, fmt.Errorf("%w: superframe: frame %d of %d bytes with %d left", ErrFrame, i, size, len(data))
		}
		if size == 0 {
			continue
		}
		frames = append(frames, data[:size:size])
		data = data[size:]
	}
	if len(frames) == 0 {
		return nil, fmt.Errorf("%w: superframe without frames", ErrFrame)
	}
	return frames, nil
}

// IsKeyframe reports whether decoding can start at a sample. A malformed sample
// is none.
func IsKeyframe(sample []byte) bool {
	frames, err := Frames(sample)
	if err != nil {
		return false
	}
	h, err := ParseHeader(frames[0])
	return err == nil && h.Keyframe
}

// NewTrack describes a stream by a keyframe sample. The frame rate, 0 when
// unknown, bears on the level alone. ID and Timescale are left to the caller.
func NewTrack(keyframe []byte, frameRate float64) (media.Track, error) {
	frames, err := Frames(keyframe)
	if err != nil {
		return media.Track{}, err
	}
	h, err := ParseHeader(frames[0])
	if err != nil {
		return media.Track{}, err
	}
	if !h.Keyframe {
		return media.Track{}, ErrNotKeyframe
	}
	t, err := h.config(frameRate).Track(h.RenderWidth, h.RenderHeight)
	t.FrameRate = frameRate
	return t, err
}
