// Package vp8 reads what a player must know of a VP8 stream (RFC 6386).
package vp8

import (
	"errors"
	"fmt"

	"github.com/framewire/framewire/server/internal/codec/vp9"
	"github.com/framewire/framewire/server/internal/media"
)

// ErrNotKeyframe reports a frame that is broken or does not tell its size.
var ErrNotKeyframe = errors.New("VP8: not a keyframe")

// keyframeHeader is the length of frame tag, start code and sizes (9.1).
const keyframeHeader = 10

// IsKeyframe reports whether decoding can start at a frame.
func IsKeyframe(frame []byte) bool {
	return len(frame) >= keyframeHeader && frame[0]&1 == 0 &&
		frame[3] == 0x9d && frame[4] == 0x01 && frame[5] == 0x2a
}

// Size returns the picture's size in pixels from a keyframe.
func Size(keyframe []byte) (width, height int, err error) {
	if !IsKeyframe(keyframe) {
		return 0, 0, ErrNotKeyframe
	}
	// the two bits above are a hint for scaling
	width = int(keyframe[6]) | int(keyframe[7]&0x3f)<<8
	height = int(keyframe[8]) | int(keyframe[9]&0x3f)<<8
	if width == 0 || height == 0 {
		return 0, 0, fmt.Errorf("VP8: picture of %dx%d", width, height)
	}
	return width, height, nil
}

// NewTrack describes a stream by its first keyframe. ID and Timescale are left to
// the caller.
func NewTrack(keyframe []byte) (media.Track, error) {
	width, height, err := Size(keyframe)
	if err != nil {
		return media.Track{}, err
	}
	return TrackOf(width, height), nil
}

// TrackOf describes a stream by its picture size, which containers know.
func TrackOf(width, height int) media.Track {
	// RFC 6386 knows one format: profile 0, 4:2:0, 8 bits. Levels are VP9's.
	c := vp9.Config{Level: 10, BitDepth: 8, Chroma: 1, Primaries: 2, Transfer: 2, Matrix: 2}
	return media.Track{
		Codec: media.VP8, CodecString: c.CodecString("vp08"), Config: c.Marshal(), Width: width, Height: height,
	}
}
