// Package av1 reads what a player must know of an AV1 stream (AV1 bitstream
// specification, AV1 in ISOBMFF): its sequence header, its configuration
// record, and which of its temporal units are keyframes.
package av1

import (
	"errors"
	"fmt"
	"iter"

	"github.com/framewire/framewire/server/internal/codec/bits"
)

// The OBU types that matter here (6.2.2).
const (
	TypeSequenceHeader    = 1
	TypeTemporalDelimiter = 2
	TypeFrameHeader       = 3
	TypeTileGroup         = 4
	TypeMetadata          = 5
	TypeFrame             = 6
	TypeRedundantHeader   = 7
	TypeTileList          = 8
	TypePadding           = 15
)

// ErrOBU reports an OBU whose header is broken or that exceeds its unit.
var ErrOBU = errors.New("invalid OBU")

// OBU is one open bitstream unit.
type OBU struct {
	Type    int
	Raw     []byte // header included
	Payload []byte
}

const (
	hasExtension = 0x04
	hasSize      = 0x02
)

// Split yields the OBUs of a temporal unit in the low overhead format (5.2).
// They share data's memory. An OBU without a size field extends to the end of
// data. It ends after yielding an error.
func Split(data []byte) iter.Seq2[OBU, error] {
	return func(yield func(OBU, error) bool) {
		for at := 0; at < len(data); {
			o, size, err := first(data[at:])
			if err != nil {
				yield(OBU{}, fmt.Errorf("at byte %d: %w", at, err))
				return
			}
			if !yield(o, nil) {
				return
			}
			at += size
		}
	}
}

func first(data []byte) (OBU, int, error) {
	header := data[0]
	if header&0x80 != 0 {
		return OBU{}, 0, fmt.Errorf("%w: forbidden bit set", ErrOBU)
	}
	start := 1
	if header&hasExtension != 0 {
		start++
	}
	if start > len(data) {
		return OBU{}, 0, fmt.Errorf("%w: header cut off", ErrOBU)
	}
	end := len(data)
	if header&hasSize != 0 {
		size, n := leb128(data[start:])
		if n == 0 {
			return OBU{}, 0, fmt.Errorf("%w: size is no leb128", ErrOBU)
		}
		start += n
		if size > uint64(len(data)-start) {
			return OBU{}, 0, fmt.Errorf("%w: %d bytes with %d left", ErrOBU, size, len(data)-start)
		}
		end = start + int(size)
	}
	return OBU{Type: int(header >> 3 & 15), Raw: data[:end:end], Payload: data[start:end:end]}, end, nil
}

// leb128 reads the code of 4.10.5 and its length, 0 when it is broken.
func leb128(data []byte) (value uint64, n int) {
	for n < len(data) && n < 8 {
		b := data[n]
		value |= uint64(b&0x7f) << (7 * n)
		n++
		if b&0x80 == 0 {
			return value, n
		}
	}
	return 0, 0
}

func appendLEB128(dst []byte, v int) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// appendSized appends the OBU with a size field.
func (o OBU) appendSized(dst []byte) []byte {
	if o.Raw[0]&hasSize != 0 {
		return append(dst, o.Raw...)
	}
	dst = append(dst, o.Raw[0]|hasSize)
	if o.Raw[0]&hasExtension != 0 {
		dst = append(dst, o.Raw[1])
	}
	return append(appendLEB128(dst, len(o.Payload)), o.Payload...)
}

// TemporalUnit is one temporal unit, ready for MP4.
type TemporalUnit struct {
	// Data holds the OBUs, each with a size field, without temporal delimiters,
	// padding, tile lists and redundant frame headers. Nil when nothing is left.
	Data []byte

	// SequenceHeader is the sequence header OBU found, with a size field, or
	// nil. It stays in Data as well.
	SequenceHeader []byte

	// Keyframe reports whether decoding can start here: a key frame is shown,
	// behind a sequence header.
	Keyframe bool
}

// FromUnit converts a temporal unit in the low overhead format. Data is new
// memory.
func FromUnit(unit []byte) (TemporalUnit, error) {
	t := TemporalUnit{Data: make([]byte, 0, len(unit)+8)}
	var scan scan
	for o, err := range Split(unit) {
		if err != nil {
			return TemporalUnit{}, fmt.Errorf("AV1 temporal unit: %w", err)
		}
		switch o.Type {
		case TypeTemporalDelimiter, TypePadding, TypeTileList, TypeRedundantHeader:
			continue
		}
		t.Data = o.appendSized(t.Data)
		scan.see(o)
		if o.Type == TypeSequenceHeader && t.SequenceHeader == nil {
			t.SequenceHeader = o.appendSized(nil)
		}
	}
	t.Keyframe = scan.keyframe
	if len(t.Data) == 0 {
		t.Data = nil
	}
	return t, nil
}

// IsKeyframe reports whether decoding can start at a temporal unit. A malformed
// one is none.
func IsKeyframe(unit []byte) bool {
	var scan scan
	for o, err := range Split(unit) {
		if err != nil || scan.sawFrame {
			break
		}
		scan.see(o)
	}
	return scan.keyframe
}

// HasDelimiter reports whether a unit begins with a temporal delimiter, which
// MP4 samples must not.
func HasDelimiter(unit []byte) bool {
	return len(unit) > 0 && unit[0]>>3&15 == TypeTemporalDelimiter
}

// scan decides whether a temporal unit is a keyframe from its first frame header.
type scan struct {
	sequence           bool
	stillPicture       bool
	sawFrame, keyframe bool
}

func (s *scan) see(o OBU) {
	switch o.Type {
	case TypeSequenceHeader:
		s.sequence = true
		// reduced_still_picture_header: its frames have no type, they are key
		s.stillPicture = len(o.Payload) > 0 && o.Payload[0]&0x08 != 0
	case TypeFrameHeader, TypeFrame:
		if s.sawFrame {
			return
		}
		s.sawFrame = true
		s.keyframe = s.sequence && (s.stillPicture || showsKeyFrame(o.Payload))
	}
}

// showsKeyFrame reads the beginning of uncompressed_header (5.9.2).
func showsKeyFrame(payload []byte) bool {
	r := bits.NewReader(payload)
	if r.Flag() { // show_existing_frame
		return false
	}
	const keyFrame = 0
	kind := r.Int(2)
	shown := r.Flag()
	return r.Err() == nil && kind == keyFrame && shown
}
