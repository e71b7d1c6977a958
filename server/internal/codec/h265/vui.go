package h265

import (
	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/codec/vui"
)

// parseVUI parses vui_parameters of E.2.1 up to the timing.
func (s *SPS) parseVUI(r *bits.Reader) {
	s.Look = vui.Parse(r)
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
