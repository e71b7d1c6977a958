package h265

import "github.com/framewire/framewire/server/internal/codec/bits"

// sampleAspects is Table E-1, from aspect_ratio_idc 1 on.
var sampleAspects = [...][2]int{
	{1, 1}, {12, 11}, {10, 11}, {16, 11}, {40, 33}, {24, 11}, {20, 11}, {32, 11},
	{80, 33}, {18, 11}, {15, 11}, {64, 33}, {160, 99}, {4, 3}, {3, 2}, {2, 1},
}

const extendedSAR = 255

// parseVUI parses vui_parameters of E.2.1 up to the timing.
func (s *SPS) parseVUI(r *bits.Reader) {
	if r.Flag() { // aspect_ratio_info_present_flag
		idc := r.Int(8)
		w, h := 0, 0
		if idc == extendedSAR {
			w, h = r.Int(16), r.Int(16)
		} else if idc >= 1 && idc <= len(sampleAspects) {
			w, h = sampleAspects[idc-1][0], sampleAspects[idc-1][1]
		}
		if w > 0 && h > 0 {
			s.SARWidth, s.SARHeight = w, h
		}
	}
	if r.Flag() { // overscan_info_present_flag
		r.Skip(1)
	}
	if r.Flag() { // video_signal_type_present_flag
		r.Skip(3)
		full := r.Flag()
		if r.Flag() {
			s.Colour = &Colour{uint8(r.Int(8)), uint8(r.Int(8)), uint8(r.Int(8)), full}
		}
	}
	if r.Flag() { // chroma_loc_info_present_flag
		r.UE()
		r.UE()
	}
	r.Skip(3)     // neutral_chroma_indication, field_seq, frame_field_info_present
	if r.Flag() { // default_display_window_flag
		for range 4 {
			r.UE()
		}
	}
	if r.Flag() { // vui_timing_info_present_flag
		units, scale := r.Uint(32), r.Uint(32)
		if units > 0 && scale > 0 {
			s.FrameRate = float64(scale) / float64(units)
		}
	}
}
