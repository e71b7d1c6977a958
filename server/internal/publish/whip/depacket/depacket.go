// Package depacket turns the RTP payloads of one picture or frame of sound back
// into an access unit: H.264 (RFC 6184), VP9 (RFC 9628), AV1 (RTP payload format
// for AV1, 1.0) and Opus (RFC 7587).
//
// It is given all payloads of a frame in order and keeps no state, so that what
// a lost packet has broken ends with its frame.
package depacket

import (
	"errors"

	"github.com/framewire/framewire/server/internal/media"
)

// ErrPayload reports payloads that do not make up an access unit.
var ErrPayload = errors.New("invalid RTP payload")

// Format is how a codec is carried.
type Format interface {
	// Begins reports whether payload can be the first of a keyframe. It is asked
	// where it is not known where frames begin: at the start and after a loss.
	Begins(payload []byte) bool

	// Join returns the access unit that the payloads carry, in the form that the
	// elementary stream has in other containers: NAL units behind start codes,
	// OBUs with size fields. It may share the payloads' memory.
	Join(payloads [][]byte) ([]byte, error)
}

// For returns the format of a codec, nil for those that are not carried.
func For(codec media.Codec) Format {
	switch codec {
	case media.H264:
		return h264Format{}
	case media.VP9:
		return vp9Format{}
	case media.AV1:
		return av1Format{}
	case media.Opus:
		return opusFormat{}
	default:
		return nil
	}
}

// opusFormat has one packet of Opus in each of RTP.
type opusFormat struct{}

func (opusFormat) Begins([]byte) bool { return true }

func (opusFormat) Join(payloads [][]byte) ([]byte, error) {
	if len(payloads) != 1 || len(payloads[0]) == 0 {
		return nil, errors.Join(ErrPayload, errors.New("opus: not one packet"))
	}
	return payloads[0], nil
}

func size(payloads [][]byte) int {
	n := 0
	for _, p := range payloads {
		n += len(p)
	}
	return n
}
