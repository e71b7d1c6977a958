// Package vui reads what H.264 and H.265 say alike of how pictures are shown:
// the beginning of vui_parameters, which both specifications have in Annex E.
package vui

import "github.com/framewire/framewire/server/internal/codec/bits"

// Colour holds the code points of ITU-T H.273.
type Colour struct {
	Primaries, Transfer, Matrix uint8
	FullRange                   bool
}

// Look is how pictures are shown.
type Look struct {
	// SARWidth and SARHeight are the sample aspect ratio; 1:1 when not told.
	SARWidth, SARHeight int

	// Colour is present when the stream describes it.
	Colour *Colour
}

// Plain is the look of a stream that tells nothing.
func Plain() Look {
	return Look{SARWidth: 1, SARHeight: 1}
}

// Display applies the sample aspect ratio to a width in samples.
func (l Look) Display(width int) int {
	return max(1, (width*l.SARWidth+l.SARHeight/2)/l.SARHeight)
}

// sampleAspects is Table E-1, from aspect_ratio_idc 1 on.
var sampleAspects = [...][2]int{
	{1, 1}, {12, 11}, {10, 11}, {16, 11}, {40, 33}, {24, 11}, {20, 11}, {32, 11},
	{80, 33}, {18, 11}, {15, 11}, {64, 33}, {160, 99}, {4, 3}, {3, 2}, {2, 1},
}

const extendedSAR = 255

// Parse reads vui_parameters up to and with the location of chroma samples. What
// follows differs between the two. Errors stay in r.
func Parse(r *bits.Reader) Look {
	look := Plain()
	if r.Flag() { // aspect_ratio_info_present_flag
		look.aspect(r)
	}
	if r.Flag() { // overscan_info_present_flag
		r.Skip(1)
	}
	if r.Flag() { // video_signal_type_present_flag
		r.Skip(3)
		full := r.Flag()
		if r.Flag() {
			look.Colour = &Colour{uint8(r.Int(8)), uint8(r.Int(8)), uint8(r.Int(8)), full}
		}
	}
	if r.Flag() { // chroma_loc_info_present_flag
		r.UE()
		r.UE()
	}
	return look
}

func (l *Look) aspect(r *bits.Reader) {
	idc := r.Int(8)
	w, h := 0, 0
	if idc == extendedSAR {
		w, h = r.Int(16), r.Int(16)
	} else if idc >= 1 && idc <= len(sampleAspects) {
		w, h = sampleAspects[idc-1][0], sampleAspects[idc-1][1]
	}
	if w > 0 && h > 0 {
		l.SARWidth, l.SARHeight = w, h
	}
}
