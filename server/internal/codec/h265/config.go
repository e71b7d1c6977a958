package h265

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/media"
)

// ErrNoParameterSets reports a configuration without VPS, SPS or PPS: the stream
// carries them in band.
var ErrNoParameterSets = errors.New("H.265: no parameter sets")

// Config is an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 8.3.3.1).
type Config struct {
	// LengthSize is the number of bytes of the NAL unit lengths in samples: 1, 2
	// or 4. Marshal takes 0 for 4.
	LengthSize int

	// VPS, SPS and PPS are NAL units without start codes. Other units of a record
	// (SEI messages) are not kept.
	VPS, SPS, PPS [][]byte
}

// fixedBytes is the length of the record up to numOfArrays.
const fixedBytes = 22

// ParseConfig parses the payload of an hvcC box. The units share its memory. A
// record without parameter sets is legal.
func ParseConfig(hvcC []byte) (Config, error) {
	if len(hvcC) < fixedBytes+1 {
		return Config{}, fmt.Errorf("hvcC: %d bytes are no record", len(hvcC))
	}
	if hvcC[0] > 1 { // files with version 0 exist
		return Config{}, fmt.Errorf("hvcC: version %d", hvcC[0])
	}
	c := Config{LengthSize: int(hvcC[21]&3) + 1}
	if c.LengthSize == 3 {
		return Config{}, errors.New("hvcC: NAL unit lengths of 3 bytes")
	}
	rest := hvcC[fixedBytes+1:]
	for array := range int(hvcC[fixedBytes]) {
		if len(rest) < 3 {
			return Config{}, fmt.Errorf("hvcC: array %d: %w", array, bits.ErrOverrun)
		}
		count := int(binary.BigEndian.Uint16(rest[1:]))
		rest = rest[3:]
		for i := range count {
			if len(rest) < 2 {
				return Config{}, fmt.Errorf("hvcC: array %d: %w", array, bits.ErrOverrun)
			}
			size := int(binary.BigEndian.Uint16(rest))
			if size > len(rest)-2 {
				return Config{}, fmt.Errorf("hvcC: array %d: unit %d: %d bytes with %d left", array, i, size, len(rest)-2)
			}
			nal := rest[2 : 2+size : 2+size]
			rest = rest[2+size:]
			switch Type(nal) {
			case TypeVPS:
				c.VPS = append(c.VPS, nal)
			case TypeSPS:
				c.SPS = append(c.SPS, nal)
			case TypePPS:
				c.PPS = append(c.PPS, nal)
			}
		}
	}
	return c, nil
}

// Marshal returns the record. All parameter sets are declared complete, as hvc1
// demands.
func (c Config) Marshal() ([]byte, error) {
	if len(c.VPS) == 0 || len(c.SPS) == 0 || len(c.PPS) == 0 {
		return nil, ErrNoParameterSets
	}
	s, err := ParseSPS(c.SPS[0])
	if err != nil {
		return nil, err
	}
	lengthSize := c.LengthSize
	if lengthSize == 0 {
		lengthSize = 4
	}
	if lengthSize != 1 && lengthSize != 2 && lengthSize != 4 {
		return nil, fmt.Errorf("hvcC: NAL unit lengths of %d bytes", lengthSize)
	}
	var w bits.Writer
	w.Bits(1, 8)
	w.Bits(uint64(s.Space), 2)
	w.Flag(s.High)
	w.Bits(uint64(s.IDC), 5)
	w.Bits(uint64(s.Compatibility), 32)
	for _, b := range s.Constraints {
		w.Bits(uint64(b), 8)
	}
	w.Bits(uint64(s.Level), 8)
	w.Bits(0xf000, 16) // min_spatial_segmentation_idc: none
	w.Bits(0xfc, 8)    // parallelismType: unknown
	w.Bits(0xfc|uint64(s.ChromaFormat), 8)
	w.Bits(0xf8|uint64(s.BitDepth-8), 8)
	w.Bits(0xf8|uint64(s.ChromaBitDepth-8), 8)
	w.Bits(0, 16) // avgFrameRate: unknown
	w.Bits(0, 2)  // constantFrameRate: unknown
	w.Bits(uint64(s.SubLayers), 3)
	w.Flag(s.TemporalNesting)
	w.Bits(uint64(lengthSize-1), 2)
	w.Bits(3, 8) // numOfArrays
	out := w.Bytes()
	for _, array := range []struct {
		kind  byte
		units [][]byte
	}{{TypeVPS, c.VPS}, {TypeSPS, c.SPS}, {TypePPS, c.PPS}} {
		if len(array.units) > 0xffff {
			return nil, fmt.Errorf("hvcC: %d units of type %d", len(array.units), array.kind)
		}
		out = append(out, 0x80|array.kind) // array_completeness
		out = binary.BigEndian.AppendUint16(out, uint16(len(array.units)))
		for _, nal := range array.units {
			if len(nal) < headerBytes || len(nal) > 0xffff {
				return nil, fmt.Errorf("hvcC: unit of %d bytes", len(nal))
			}
			out = binary.BigEndian.AppendUint16(out, uint16(len(nal)))
			out = append(out, nal...)
		}
	}
	return out, nil
}

// Track describes the stream. Its record says lengths of 4 bytes, whatever c
// says: that is what samples carry everywhere. ID and Timescale are left to the
// caller.
func (c Config) Track() (media.Track, error) {
	c.LengthSize = 4
	record, err := c.Marshal()
	if err != nil {
		return media.Track{}, err
	}
	s, err := ParseSPS(c.SPS[0])
	if err != nil {
		return media.Track{}, err
	}
	if s.Width < 1 || s.Height < 1 {
		return media.Track{}, fmt.Errorf("H.265: picture of %dx%d", s.Width, s.Height)
	}
	width, height := s.DisplaySize()
	return media.Track{
		Codec: media.H265, CodecString: s.CodecString(), Config: record,
		Width: width, Height: height, FrameRate: s.FrameRate,
	}, nil
}
