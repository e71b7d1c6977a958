package h264

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/media"
)

// ErrNoParameterSets reports a configuration without SPS or PPS: the stream
// carries them in band.
var ErrNoParameterSets = errors.New("H.264: no parameter sets")

// Config is an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1).
type Config struct {
	// LengthSize is the number of bytes of the NAL unit lengths in samples: 1, 2
	// or 4. Marshal takes 0 for 4.
	LengthSize int

	// SPS, PPS and SPSExtensions are NAL units without start codes.
	SPS, PPS, SPSExtensions [][]byte
}

// ParseConfig parses the payload of an avcC box. The units share its memory. A
// record without parameter sets is legal.
func ParseConfig(avcC []byte) (Config, error) {
	if len(avcC) < 6 {
		return Config{}, fmt.Errorf("avcC: %d bytes are no record", len(avcC))
	}
	if avcC[0] != 1 {
		return Config{}, fmt.Errorf("avcC: version %d", avcC[0])
	}
	c := Config{LengthSize: int(avcC[4]&3) + 1}
	if c.LengthSize == 3 {
		return Config{}, errors.New("avcC: NAL unit lengths of 3 bytes")
	}
	profile, rest := avcC[1], avcC[5:]
	var err error
	if c.SPS, rest, err = takeUnits(rest, 0x1f, TypeSPS); err != nil {
		return Config{}, fmt.Errorf("avcC: SPS: %w", err)
	}
	if c.PPS, rest, err = takeUnits(rest, 0xff, TypePPS); err != nil {
		return Config{}, fmt.Errorf("avcC: PPS: %w", err)
	}
	if codesChroma(profile) && len(rest) >= 4 { // some writers leave this part out
		if c.SPSExtensions, _, err = takeUnits(rest[3:], 0xff, TypeSPSExtension); err != nil {
			return Config{}, fmt.Errorf("avcC: SPS extension: %w", err)
		}
	}
	return c, nil
}

func takeUnits(data []byte, countMask byte, kind int) (units [][]byte, rest []byte, err error) {
	if len(data) == 0 {
		return nil, nil, bits.ErrOverrun
	}
	count := int(data[0] & countMask)
	data = data[1:]
	for i := range count {
		if len(data) < 2 {
			return nil, nil, bits.ErrOverrun
		}
		size := int(binary.BigEndian.Uint16(data))
		if size > len(data)-2 {
			return nil, nil, fmt.Errorf("unit %d: %d bytes with %d left", i, size, len(data)-2)
		}
		nal := data[2 : 2+size : 2+size]
		data = data[2+size:]
		if size == 0 {
			continue
		}
		if Type(nal) != kind {
			return nil, nil, fmt.Errorf("unit %d is of type %d", i, Type(nal))
		}
		units = append(units, nal)
	}
	return units, data, nil
}

// Marshal returns the record.
func (c Config) Marshal() ([]byte, error) {
	if len(c.SPS) == 0 || len(c.PPS) == 0 {
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
		return nil, fmt.Errorf("avcC: NAL unit lengths of %d bytes", lengthSize)
	}
	out := []byte{1, s.Profile, s.Constraints, s.Level, 0xfc | byte(lengthSize-1)}
	if out, err = putUnits(out, c.SPS, 0xe0, 31); err != nil {
		return nil, fmt.Errorf("avcC: SPS: %w", err)
	}
	if out, err = putUnits(out, c.PPS, 0, 255); err != nil {
		return nil, fmt.Errorf("avcC: PPS: %w", err)
	}
	switch s.Profile { // the condition in 5.3.3.1.2
	case 100, 110, 122, 144, 244, 44:
		out = append(out, 0xfc|s.ChromaFormat, 0xf8|(s.BitDepth-8), 0xf8|(s.ChromaBitDepth-8))
		if out, err = putUnits(out, c.SPSExtensions, 0, 255); err != nil {
			return nil, fmt.Errorf("avcC: SPS extension: %w", err)
		}
	}
	return out, nil
}

func putUnits(out []byte, units [][]byte, countBits byte, most int) ([]byte, error) {
	if len(units) > most {
		return nil, fmt.Errorf("%d units exceed %d", len(units), most)
	}
	out = append(out, countBits|byte(len(units)))
	for _, nal := range units {
		if len(nal) == 0 || len(nal) > 0xffff {
			return nil, fmt.Errorf("unit of %d bytes", len(nal))
		}
		out = binary.BigEndian.AppendUint16(out, uint16(len(nal)))
		out = append(out, nal...)
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
		return media.Track{}, fmt.Errorf("H.264: picture of %dx%d", s.Width, s.Height)
	}
	width, height := s.DisplaySize()
	return media.Track{
		Codec: media.H264, CodecString: s.CodecString(), Config: record,
		Width: width, Height: height, FrameRate: s.FrameRate,
	}, nil
}

// ShowsAtOnce returns c with WithoutReordering applied to every SPS.
func (c Config) ShowsAtOnce() (Config, error) {
	rewritten := make([][]byte, len(c.SPS))
	for i, sps := range c.SPS {
		var err error
		if rewritten[i], err = WithoutReordering(sps); err != nil {
			return Config{}, err
		}
	}
	c.SPS = rewritten
	return c, nil
}
