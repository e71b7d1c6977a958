package h264

import (
	"fmt"

	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/codec/vui"
)

// Bounds of ITU-T H.264 7.4.2.1 and A.3.1. A value beyond them is a broken or
// hostile parameter set, never a picture that a decoder takes.
const (
	maxSPSID          = 31
	maxPPSID          = 255
	maxLog2           = 12      // log2_max_frame_num_minus4, ..._poc_lsb_minus4
	maxRefFrames      = 16      // max_num_ref_frames
	maxPOCCycle       = 255     // num_ref_frames_in_pic_order_cnt_cycle
	maxMacroblocks    = 139_264 // MaxFS of level 6.2
	maxMacroblockSide = 1055    // sqrt(MaxFS*8)
	maxCPBCount       = 32      // cpb_cnt_minus1 + 1
)

// SPS is what a sequence parameter set says of the pictures.
type SPS struct {
	vui.Look
	Profile, Constraints, Level uint8 // profile_idc, the flags behind it, level_idc
	ID                          uint8

	ChromaFormat   uint8 // chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4
	BitDepth       uint8 // of luma
	ChromaBitDepth uint8
	Width, Height  int // in samples, cropping applied
	Interlaced     bool
	RefFrames      uint8 // max_num_ref_frames

	// FrameRate is in frames a second, 0 when not coded.
	FrameRate float64

	// Reorder is the number of frames that may precede another in decoding and
	// follow it in output: -1 when the stream does not bound it.
	Reorder int

	marks marks
}

// marks are bit positions in the unescaped unit that the VUI rewrite needs.
type marks struct {
	vuiFlag         int // of vui_parameters_present_flag
	restrictionFlag int // of bitstream_restriction_flag, -1 without VUI
}

// ParseSPS parses a sequence parameter set NAL unit, header byte included,
// without start code (7.3.2.1.1).
func ParseSPS(nal []byte) (*SPS, error) {
	if Type(nal) != TypeSPS {
		return nil, fmt.Errorf("H.264 SPS: NAL unit of type %d", Type(nal))
	}
	s, err := parseSPS(annexb.Unescape(nal))
	if err != nil {
		return nil, fmt.Errorf("H.264 SPS: %w", err)
	}
	return s, nil
}

func parseSPS(rbsp []byte) (*SPS, error) {
	r := bits.NewReader(rbsp)
	r.Skip(8)
	s := &SPS{ChromaFormat: 1, BitDepth: 8, ChromaBitDepth: 8, Look: vui.Plain(), Reorder: -1}
	s.Profile, s.Constraints, s.Level = uint8(r.Int(8)), uint8(r.Int(8)), uint8(r.Int(8))
	id := r.UE()
	if id > maxSPSID {
		return nil, fmt.Errorf("id %d exceeds %d", id, maxSPSID)
	}
	s.ID = uint8(id)
	if codesChroma(s.Profile) {
		if err := s.parseChroma(r); err != nil {
			return nil, err
		}
	}
	if err := s.parseFrameOrder(r); err != nil {
		return nil, err
	}
	if err := s.parseSize(r); err != nil {
		return nil, err
	}
	s.marks = marks{vuiFlag: r.Pos(), restrictionFlag: -1}
	if r.Flag() {
		if err := s.parseVUI(r); err != nil {
			return nil, err
		}
	}
	return s, r.Err()
}

// codesChroma reports whether the SPS of the profile holds chroma format and bit
// depths (the condition in 7.3.2.1.1).
func codesChroma(profile uint8) bool {
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		return true
	}
	return false
}

func (s *SPS) parseChroma(r *bits.Reader) error {
	format := r.UE()
	if format > 3 {
		return fmt.Errorf("chroma_format_idc %d exceeds 3", format)
	}
	s.ChromaFormat = uint8(format)
	if format == 3 {
		r.Skip(1) // separate_colour_plane_flag
	}
	luma, chroma := r.UE(), r.UE()
	if luma > 6 || chroma > 6 {
		return fmt.Errorf("bit depths %d and %d exceed 14", uint64(luma)+8, uint64(chroma)+8)
	}
	s.BitDepth, s.ChromaBitDepth = uint8(luma)+8, uint8(chroma)+8
	r.Skip(1) // qpprime_y_zero_transform_bypass_flag
	if !r.Flag() {
		return r.Err()
	}
	lists := 8
	if format == 3 {
		lists = 12
	}
	for i := range lists {
		if r.Flag() {
			size := 16
			if i >= 6 {
				size = 64
			}
			skipScalingList(r, size)
		}
	}
	return r.Err()
}

// skipScalingList follows 7.3.2.1.1.1.
func skipScalingList(r *bits.Reader, size int) {
	last, next := int64(8), int64(8)
	for range size {
		if next != 0 {
			next = (last + int64(r.SE()) + 256) & 255
		}
		if next != 0 {
			last = next
		}
	}
}

func (s *SPS) parseFrameOrder(r *bits.Reader) error {
	if v := r.UE(); v > maxLog2 {
		return fmt.Errorf("log2_max_frame_num_minus4 %d exceeds %d", v, maxLog2)
	}
	switch kind := r.UE(); kind {
	case 0:
		if v := r.UE(); v > maxLog2 {
			return fmt.Errorf("log2_max_pic_order_cnt_lsb_minus4 %d exceeds %d", v, maxLog2)
		}
	case 1:
		r.Skip(1)
		r.SE()
		r.SE()
		n := r.UE()
		if n > maxPOCCycle {
			return fmt.Errorf("num_ref_frames_in_pic_order_cnt_cycle %d exceeds %d", n, maxPOCCycle)
		}
		for range n {
			r.SE()
		}
	case 2:
	default:
		return fmt.Errorf("pic_order_cnt_type %d exceeds 2", kind)
	}
	refs := r.UE()
	if refs > maxRefFrames {
		return fmt.Errorf("max_num_ref_frames %d exceeds %d", refs, maxRefFrames)
	}
	s.RefFrames = uint8(refs)
	r.Skip(1) // gaps_in_frame_num_value_allowed_flag
	return r.Err()
}

func (s *SPS) parseSize(r *bits.Reader) error {
	columns, rows := int64(r.UE())+1, int64(r.UE())+1
	frames := int64(1) // fields in a map unit
	if !r.Flag() {     // frame_mbs_only_flag
		s.Interlaced = true
		frames = 2
		r.Skip(1) // mb_adaptive_frame_field_flag
	}
	r.Skip(1) // direct_8x8_inference_flag
	rows *= frames
	if columns > maxMacroblockSide || rows > maxMacroblockSide || columns*rows > maxMacroblocks {
		return fmt.Errorf("picture of %d x %d macroblocks exceeds level 6.2", columns, rows)
	}
	width, height := columns*16, rows*16
	if r.Flag() { // frame_cropping_flag
		unitX, unitY := int64(1), frames
		if s.ChromaFormat == 1 || s.ChromaFormat == 2 {
			unitX = 2
		}
		if s.ChromaFormat == 1 {
			unitY *= 2
		}
		x := (int64(r.UE()) + int64(r.UE())) * unitX
		y := (int64(r.UE()) + int64(r.UE())) * unitY
		if x >= width || y >= height {
			return fmt.Errorf("cropping %d x %d leaves nothing of %d x %d", x, y, width, height)
		}
		width, height = width-x, height-y
	}
	s.Width, s.Height = int(width), int(height)
	return r.Err()
}
