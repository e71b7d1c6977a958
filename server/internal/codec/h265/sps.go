package h265

import (
	"fmt"
	"strings"

	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/codec/vui"
)

// Bounds of ITU-T H.265 7.4.3.2.1 and A.4.1.
const (
	maxSubLayers    = 7
	maxSPSID        = 15
	maxSide         = 16888      // sqrt(MaxLumaPs * 8) of level 6.2
	maxLumaSamples  = 35_651_584 // MaxLumaPs of level 6.2
	maxDPB          = 16         // MaxDpbSize
	maxShortTermRPS = 64         // num_short_term_ref_pic_sets
	maxLongTermRefs = 32         // num_long_term_ref_pics_sps
	maxLog2POC      = 12         // log2_max_pic_order_cnt_lsb_minus4
	maxBitDepth     = 16         // of any profile
)

// Profile is general_profile_tier_level (7.3.3), the 12 bytes that hvcC repeats.
type Profile struct {
	Space, IDC    uint8
	High          bool // tier
	Compatibility uint32
	Constraints   [6]byte
	Level         uint8
}

// SPS is what a sequence parameter set says of the pictures.
type SPS struct {
	Profile
	vui.Look
	ID              uint8
	SubLayers       uint8 // sps_max_sub_layers_minus1 + 1
	TemporalNesting bool
	ChromaFormat    uint8 // chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4
	BitDepth        uint8 // of luma
	ChromaBitDepth  uint8
	Width, Height   int // in samples, conformance window applied
	Reorder         int // sps_max_num_reorder_pics of the highest sub-layer

	// FrameRate is in frames a second, 0 when not coded.
	FrameRate float64
}

// CodecString returns the string of ISO/IEC 14496-15 annex E.3, such as
// "hvc1.1.6.L93.90".
func (p *Profile) CodecString() string {
	var s strings.Builder
	s.WriteString("hvc1.")
	if p.Space > 0 {
		s.WriteByte('A' + p.Space - 1)
	}
	tier := 'L'
	if p.High {
		tier = 'H'
	}
	var reversed uint32
	for i := range 32 {
		reversed |= p.Compatibility >> i & 1 << (31 - i)
	}
	fmt.Fprintf(&s, "%d.%X.%c%d", p.IDC, reversed, tier, p.Level)
	last := len(p.Constraints)
	for last > 0 && p.Constraints[last-1] == 0 {
		last--
	}
	for _, b := range p.Constraints[:last] {
		fmt.Fprintf(&s, ".%X", b)
	}
	return s.String()
}

// DisplaySize is the picture's size with its sample aspect ratio applied to the
// width.
func (s *SPS) DisplaySize() (width, height int) {
	return s.Display(s.Width), s.Height
}

// ParseSPS parses a sequence parameter set NAL unit, header included, without
// start code (7.3.2.2).
func ParseSPS(nal []byte) (*SPS, error) {
	if Type(nal) != TypeSPS {
		return nil, fmt.Errorf("H.265 SPS: NAL unit of type %d", Type(nal))
	}
	s := &SPS{Look: vui.Plain()}
	if err := s.parse(bits.NewReader(annexb.Unescape(nal))); err != nil {
		return nil, fmt.Errorf("H.265 SPS: %w", err)
	}
	return s, nil
}

func (s *SPS) parse(r *bits.Reader) error {
	r.Skip(headerBytes*8 + 4) // sps_video_parameter_set_id
	s.SubLayers = uint8(r.Int(3)) + 1
	if s.SubLayers > maxSubLayers {
		return fmt.Errorf("sps_max_sub_layers_minus1 is %d", s.SubLayers-1)
	}
	s.TemporalNesting = r.Flag()
	s.Profile.parse(r, int(s.SubLayers))
	id := r.UE()
	if id > maxSPSID {
		return fmt.Errorf("id %d exceeds %d", id, maxSPSID)
	}
	s.ID = uint8(id)
	if err := s.parseSize(r); err != nil {
		return err
	}
	if err := s.parseCoding(r); err != nil {
		return err
	}
	if r.Flag() { // vui_parameters_present_flag
		s.parseVUI(r)
	}
	return r.Err()
}

func (p *Profile) parse(r *bits.Reader, subLayers int) {
	p.Space = uint8(r.Int(2))
	p.High = r.Flag()
	p.IDC = uint8(r.Int(5))
	p.Compatibility = r.Uint(32)
	for i := range p.Constraints {
		p.Constraints[i] = uint8(r.Int(8))
	}
	p.Level = uint8(r.Int(8))
	if subLayers == 1 {
		return
	}
	skip := 0
	for range subLayers - 1 {
		if r.Flag() {
			skip += 88
		}
		if r.Flag() {
			skip += 8
		}
	}
	r.Skip(2 * (8 - (subLayers - 1))) // reserved_zero_2bits up to eight layers
	r.Skip(skip)
}

func (s *SPS) parseSize(r *bits.Reader) error {
	chroma := r.UE()
	if chroma > 3 {
		return fmt.Errorf("chroma_format_idc %d exceeds 3", chroma)
	}
	s.ChromaFormat = uint8(chroma)
	if chroma == 3 {
		r.Skip(1) // separate_colour_plane_flag
	}
	width, height := int64(r.UE()), int64(r.UE())
	if width > maxSide || height > maxSide || width*height > maxLumaSamples {
		return fmt.Errorf("picture of %dx%d exceeds level 6.2", width, height)
	}
	if r.Flag() { // conformance_window_flag
		unitX, unitY := int64(1), int64(1)
		if chroma == 1 || chroma == 2 {
			unitX = 2
		}
		if chroma == 1 {
			unitY = 2
		}
		x := (int64(r.UE()) + int64(r.UE())) * unitX
		y := (int64(r.UE()) + int64(r.UE())) * unitY
		if x >= width || y >= height {
			return fmt.Errorf("cropping %dx%d leaves nothing of %dx%d", x, y, width, height)
		}
		width, height = width-x, height-y
	}
	s.Width, s.Height = int(width), int(height)
	luma, depth := uint64(r.UE())+8, uint64(r.UE())+8
	if luma > maxBitDepth || depth > maxBitDepth {
		return fmt.Errorf("bit depths %d and %d exceed %d", luma, depth, maxBitDepth)
	}
	s.BitDepth, s.ChromaBitDepth = uint8(luma), uint8(depth)
	return r.Err()
}

// parseCoding reads what stands between the size and the VUI.
func (s *SPS) parseCoding(r *bits.Reader) error {
	log2POC := r.UE()
	if log2POC > maxLog2POC {
		return fmt.Errorf("log2_max_pic_order_cnt_lsb_minus4 %d exceeds %d", log2POC, maxLog2POC)
	}
	layers := 1
	if r.Flag() { // sps_sub_layer_ordering_info_present_flag
		layers = int(s.SubLayers)
	}
	for range layers {
		r.UE()
		reorder := r.UE()
		r.UE()
		if reorder > maxDPB {
			return fmt.Errorf("sps_max_num_reorder_pics %d exceeds %d", reorder, maxDPB)
		}
		s.Reorder = int(reorder)
	}
	for range 6 { // block sizes and transform depths
		r.UE()
	}
	if r.Flag() { // scaling_list_enabled_flag
		if r.Flag() { // sps_scaling_list_data_present_flag
			skipScalingLists(r)
		}
	}
	r.Skip(2)     // amp_enabled_flag, sample_adaptive_offset_enabled_flag
	if r.Flag() { // pcm_enabled_flag
		r.Skip(8)
		r.UE()
		r.UE()
		r.Skip(1)
	}
	if err := skipShortTermSets(r); err != nil {
		return err
	}
	if r.Flag() { // long_term_ref_pics_present_flag
		n := r.UE()
		if n > maxLongTermRefs {
			return fmt.Errorf("num_long_term_ref_pics_sps %d exceeds %d", n, maxLongTermRefs)
		}
		r.Skip(int(n) * (int(log2POC) + 4 + 1))
	}
	r.Skip(2) // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
	return r.Err()
}

// skipScalingLists follows 7.3.4.
func skipScalingLists(r *bits.Reader) {
	for size := range 4 {
		step := 1
		if size == 3 {
			step = 3
		}
		for matrix := 0; matrix < 6; matrix += step {
			if !r.Flag() {
				r.UE()
				continue
			}
			if size > 1 {
				r.SE()
			}
			for range min(64, 1<<(4+size<<1)) {
				r.SE()
			}
		}
	}
}

// skipShortTermSets follows st_ref_pic_set of 7.3.7. The number of pictures in
// each set decides how long one predicted from it is.
func skipShortTermSets(r *bits.Reader) error {
	count := r.UE()
	if count > maxShortTermRPS {
		return fmt.Errorf("num_short_term_ref_pic_sets %d exceeds %d", count, maxShortTermRPS)
	}
	previous := 0
	for i := range count {
		if i > 0 && r.Flag() { // inter_ref_pic_set_prediction_flag
			r.Skip(1)
			r.UE()
			pictures := 0
			for range previous + 1 {
				used := r.Flag() // used_by_curr_pic_flag
				if !used {
					used = r.Flag() // use_delta_flag
				}
				if used {
					pictures++
				}
			}
			previous = pictures
			continue
		}
		negative, positive := r.UE(), r.UE()
		if negative > maxDPB || positive > maxDPB {
			return fmt.Errorf("short-term reference set %d of %d and %d pictures exceeds %d", i, negative, positive, maxDPB)
		}
		previous = int(negative + positive)
		for range previous {
			r.UE()
			r.Skip(1)
		}
	}
	return r.Err()
}
