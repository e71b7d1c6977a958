package av1

import (
	"fmt"

	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/media"
)

// SequenceHeader is what sequence_header_obu (5.5) says of the pictures.
type SequenceHeader struct {
	Profile       uint8
	Level         uint8 // seq_level_idx of the first operating point
	HighTier      bool
	BitDepth      uint8
	Monochrome    bool
	SubsamplingX  bool
	SubsamplingY  bool
	ChromaSample  uint8 // chroma_sample_position
	Width, Height int   // largest, in samples
	FrameRate     float64

	// Colour holds the code points of ITU-T H.273; 2 means unspecified.
	Colour Colour
}

// Colour holds the code points of ITU-T H.273.
type Colour struct {
	Described                   bool // color_description_present_flag
	Primaries, Transfer, Matrix uint8
	FullRange                   bool
}

const unspecified = 2

// ParseSequenceHeader parses a sequence header OBU, header included.
func ParseSequenceHeader(obu []byte) (*SequenceHeader, error) {
	for o, err := range Split(obu) {
		if err != nil {
			return nil, fmt.Errorf("AV1 sequence header: %w", err)
		}
		if o.Type != TypeSequenceHeader {
			return nil, fmt.Errorf("AV1 sequence header: OBU of type %d", o.Type)
		}
		s := &SequenceHeader{}
		if err := s.parse(bits.NewReader(o.Payload)); err != nil {
			return nil, fmt.Errorf("AV1 sequence header: %w", err)
		}
		return s, nil
	}
	return nil, fmt.Errorf("AV1 sequence header: %w", bits.ErrOverrun)
}

func (s *SequenceHeader) parse(r *bits.Reader) error {
	s.Profile = uint8(r.Int(3))
	if s.Profile > 2 {
		return fmt.Errorf("profile %d", s.Profile)
	}
	r.Skip(1)           // still_picture
	reduced := r.Flag() // reduced_still_picture_header
	if reduced {
		s.Level = uint8(r.Int(5))
	} else {
		s.parseOperatingPoints(r)
	}
	widthBits, heightBits := r.Int(4)+1, r.Int(4)+1
	s.Width, s.Height = r.Int(widthBits)+1, r.Int(heightBits)+1
	if !reduced && r.Flag() { // frame_id_numbers_present_flag
		r.Skip(4 + 3)
	}
	r.Skip(3) // superblock size, filter intra, intra edge filter
	if !reduced {
		r.Skip(4)     // interintra, masked compound, warped motion, dual filter
		if r.Flag() { // enable_order_hint
			r.Skip(2)
			s.skipScreenContent(r)
			r.Skip(3) // order_hint_bits_minus_1
		} else {
			s.skipScreenContent(r)
		}
	}
	r.Skip(3) // superres, cdef, restoration
	s.parseColour(r)
	return r.Err()
}

// skipScreenContent passes over the choice of screen content tools, which says
// whether the choice of integer motion vectors follows.
func (s *SequenceHeader) skipScreenContent(r *bits.Reader) {
	force := true
	if !r.Flag() { // seq_choose_screen_content_tools
		force = r.Flag()
	}
	if force && !r.Flag() { // seq_choose_integer_mv
		r.Skip(1)
	}
}

func (s *SequenceHeader) parseOperatingPoints(r *bits.Reader) {
	delayBits := 0
	decoderModel := false
	if r.Flag() { // timing_info_present_flag
		units, scale := r.Uint(32), r.Uint(32)
		ticks := uint64(1)
		equal := r.Flag() // equal_picture_interval
		if equal {
			ticks += uint64(readUVLC(r))
		}
		if equal && units > 0 && scale > 0 {
			s.FrameRate = float64(scale) / (float64(units) * float64(ticks))
		}
		if decoderModel = r.Flag(); decoderModel {
			delayBits = r.Int(5) + 1
			r.Skip(32 + 5 + 5)
		}
	}
	displayDelay := r.Flag()
	points := r.Int(5) + 1
	for i := range points {
		r.Skip(12) // operating_point_idc
		level, high := uint8(r.Int(5)), false
		if level > 7 {
			high = r.Flag()
		}
		if i == 0 {
			s.Level, s.HighTier = level, high
		}
		if decoderModel && r.Flag() {
			r.Skip(2*delayBits + 1)
		}
		if displayDelay && r.Flag() {
			r.Skip(4)
		}
	}
}

// readUVLC reads the code of 4.10.3.
func readUVLC(r *bits.Reader) uint32 {
	zeros := 0
	for r.Err() == nil && !r.Flag() {
		zeros++
	}
	if zeros >= 32 {
		return 1<<32 - 1
	}
	return uint32(r.Bits(zeros) + 1<<zeros - 1)
}

// parseColour follows color_config (5.5.2).
func (s *SequenceHeader) parseColour(r *bits.Reader) {
	s.BitDepth = 8
	if r.Flag() { // high_bitdepth
		s.BitDepth = 10
		if s.Profile == 2 && r.Flag() {
			s.BitDepth = 12
		}
	}
	if s.Profile != 1 {
		s.Monochrome = r.Flag()
	}
	c := Colour{Primaries: unspecified, Transfer: unspecified, Matrix: unspecified}
	if c.Described = r.Flag(); c.Described {
		c.Primaries, c.Transfer, c.Matrix = uint8(r.Int(8)), uint8(r.Int(8)), uint8(r.Int(8))
	}
	const bt709, sRGB, identity = 1, 13, 0
	switch {
	case s.Monochrome:
		c.FullRange = r.Flag()
		s.SubsamplingX, s.SubsamplingY = true, true
	case c.Described && c.Primaries == bt709 && c.Transfer == sRGB && c.Matrix == identity:
		c.FullRange = true
	default:
		c.FullRange = r.Flag()
		switch {
		case s.Profile == 0:
			s.SubsamplingX, s.SubsamplingY = true, true
		case s.Profile == 2 && s.BitDepth == 12:
			if s.SubsamplingX = r.Flag(); s.SubsamplingX {
				s.SubsamplingY = r.Flag()
			}
		case s.Profile == 2:
			s.SubsamplingX = true
		}
		if s.SubsamplingX && s.SubsamplingY {
			s.ChromaSample = uint8(r.Int(2))
		}
	}
	s.Colour = c
}

// CodecString returns the string of AV1 in ISOBMFF 5, such as "av01.0.04M.08".
// The optional part is left out where all of it has its default value.
func (s *SequenceHeader) CodecString() string {
	tier := 'M'
	if s.HighTier {
		tier = 'H'
	}
	short := fmt.Sprintf("av01.%d.%02d%c.%02d", s.Profile, s.Level, tier, s.BitDepth)
	c := s.Colour
	usual := !s.Monochrome && s.SubsamplingX && s.SubsamplingY && s.ChromaSample == 0 && !c.FullRange &&
		(!c.Described || c.Primaries == 1 && c.Transfer == 1 && c.Matrix == 1)
	if usual {
		return short
	}
	if !c.Described {
		c.Primaries, c.Transfer, c.Matrix = 1, 1, 1
	}
	return fmt.Sprintf("%s.%d.%d%d%d.%02d.%02d.%02d.%d", short, bit(s.Monochrome), bit(s.SubsamplingX),
		bit(s.SubsamplingY), s.ChromaSample, c.Primaries, c.Transfer, c.Matrix, bit(c.FullRange))
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// NewTrack describes a stream by its sequence header OBU. ID and Timescale are
// left to the caller.
func NewTrack(sequenceHeader []byte) (media.Track, error) {
	s, err := ParseSequenceHeader(sequenceHeader)
	if err != nil {
		return media.Track{}, err
	}
	return media.Track{
		Codec: media.AV1, CodecString: s.CodecString(), Config: s.marshal(sequenceHeader),
		Width: s.Width, Height: s.Height, FrameRate: s.FrameRate,
	}, nil
}
