package av1

import (
	"errors"
	"fmt"

	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/media"
)

// ErrNoSequenceHeader reports a configuration record without sequence header:
// the stream carries it in band.
var ErrNoSequenceHeader = errors.New("av1C: no sequence header")

// configBytes is the length of av1C before configOBUs.
const configBytes = 4

// Config is an AV1CodecConfigurationRecord (AV1 in ISOBMFF 2.3.3).
type Config struct {
	Profile, Level, BitDepth   uint8
	HighTier, Monochrome       bool
	SubsamplingX, SubsamplingY bool
	ChromaSample               uint8

	// SequenceHeader is the sequence header OBU, nil where the record has none.
	// It shares the record's memory.
	SequenceHeader []byte
}

// ParseConfig parses the payload of an av1C box. An empty one, as ffmpeg writes it
// ahead of an encoder that has not told its parameters yet, says nothing and is no
// error.
func ParseConfig(av1C []byte) (Config, error) {
	if len(av1C) == 0 {
		return Config{}, nil
	}
	if len(av1C) < configBytes {
		return Config{}, fmt.Errorf("av1C: %d bytes are no record", len(av1C))
	}
	r := bits.NewReader(av1C)
	if marker, version := r.Flag(), r.Int(7); !marker || version != 1 {
		return Config{}, fmt.Errorf("av1C: first byte %#02x", av1C[0])
	}
	c := Config{Profile: uint8(r.Int(3)), Level: uint8(r.Int(5)), BitDepth: 8}
	c.HighTier = r.Flag()
	high, twelve := r.Flag(), r.Flag()
	if high {
		c.BitDepth = 10
		if twelve {
			c.BitDepth = 12
		}
	}
	c.Monochrome, c.SubsamplingX, c.SubsamplingY = r.Flag(), r.Flag(), r.Flag()
	c.ChromaSample = uint8(r.Int(2))
	for o, err := range Split(av1C[configBytes:]) {
		if err != nil {
			return Config{}, fmt.Errorf("av1C: configOBUs: %w", err)
		}
		if o.Type == TypeSequenceHeader {
			c.SequenceHeader = o.Raw
			break
		}
	}
	return c, nil
}

// Track describes the stream. It needs the sequence header; without one the
// error is ErrNoSequenceHeader. ID and Timescale are left to the caller.
func (c Config) Track() (media.Track, error) {
	if c.SequenceHeader == nil {
		return media.Track{}, ErrNoSequenceHeader
	}
	return NewTrack(c.SequenceHeader)
}

// FromExtradata returns the sequence header OBU, with a size field, of what
// containers hold beside the stream: av1C, or OBUs as encoders give them out. It is
// nil where that holds none and the stream carries it in band.
func FromExtradata(data []byte) ([]byte, error) {
	if len(data) == 0 || data[0]&0x80 != 0 { // the marker of av1C, the forbidden bit of an OBU
		config, err := ParseConfig(data)
		if err != nil {
			return nil, err
		}
		data = config.SequenceHeader
	}
	unit, err := FromUnit(data)
	return unit.SequenceHeader, err
}

// marshal returns the record for a sequence header OBU.
func (s *SequenceHeader) marshal(obu []byte) []byte {
	var w bits.Writer
	w.Bits(0x81, 8)
	w.Bits(uint64(s.Profile), 3)
	w.Bits(uint64(s.Level), 5)
	w.Flag(s.HighTier)
	w.Flag(s.BitDepth > 8)
	w.Flag(s.BitDepth > 10)
	w.Flag(s.Monochrome)
	w.Flag(s.SubsamplingX)
	w.Flag(s.SubsamplingY)
	w.Bits(uint64(s.ChromaSample), 2)
	w.Bits(0, 8) // no initial_presentation_delay
	out := w.Bytes()
	for o, err := range Split(obu) {
		if err == nil && o.Type == TypeSequenceHeader {
			out = o.appendSized(out)
		}
		break
	}
	return out
}
