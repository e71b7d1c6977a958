package h264

import (
	"fmt"

	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/codec/vui"
)

// parseVUI parses vui_parameters of E.1.1.
func (s *SPS) parseVUI(r *bits.Reader) error {
	s.Look = vui.Parse(r)
	if r.Flag() { // timing_info_present_flag
		units, scale := r.Uint(32), r.Uint(32)
		r.Skip(1)
		if units > 0 && scale > 0 { // a tick is a field
			s.FrameRate = float64(scale) / float64(units) / 2
		}
	}
	if err := skipHRDs(r); err != nil {
		return err
	}
	r.Skip(1) // pic_struct_present_flag
	s.marks.restrictionFlag = r.Pos()
	if r.Flag() {
		r.Skip(1)
		for range 4 {
			r.UE()
		}
		if n := r.UE(); r.Err() == nil {
			if n > maxRefFrames {
				return fmt.Errorf("max_num_reorder_frames %d exceeds %d", n, maxRefFrames)
			}
			s.Reorder = int(n)
		}
		r.UE() // max_dec_frame_buffering
	}
	return r.Err()
}

// skipHRDs passes over both hrd_parameters and the flag that follows them.
func skipHRDs(r *bits.Reader) error {
	present := false
	for range 2 { // NAL, VCL
		if !r.Flag() {
			continue
		}
		present = true
		n := r.UE() + 1
		if n > maxCPBCount || n == 0 {
			return fmt.Errorf("cpb_cnt_minus1 exceeds %d", maxCPBCount-1)
		}
		r.Skip(8)
		for range n {
			r.UE()
			r.UE()
			r.Skip(1)
		}
		r.Skip(20)
	}
	if present {
		r.Skip(1) // low_delay_hrd_flag
	}
	return r.Err()
}

// WithoutReordering returns the SPS with bitstream_restriction saying that no
// picture is output later than it is decoded: max_num_reorder_frames 0, and
// max_dec_frame_buffering no more than the reference frames need. Decoders that
// otherwise fill their whole picture buffer first then show each picture at
// once.
//
// It is for streams known to hold no B-frames; told so of others, a decoder
// shows pictures in the wrong order. A unit that already says it is returned as
// it is. The other restrictions are kept, or written as "no limit".
func WithoutReordering(nal []byte) ([]byte, error) {
	if Type(nal) != TypeSPS {
		return nil, fmt.Errorf("H.264 SPS: NAL unit of type %d", Type(nal))
	}
	rbsp := annexb.Unescape(nal)
	s, err := parseSPS(rbsp)
	if err != nil {
		return nil, fmt.Errorf("H.264 SPS: %w", err)
	}
	if s.Reorder == 0 {
		return nal, nil
	}
	r := bits.NewReader(rbsp)
	var w bits.Writer
	restricted := false
	if s.marks.restrictionFlag < 0 {
		w.Copy(r, s.marks.vuiFlag)
		w.Flag(true)
		w.Bits(0, 8) // no aspect ratio, overscan, signal type, chroma location, timing, HRDs, picture structure
	} else {
		w.Copy(r, s.marks.restrictionFlag)
		restricted = r.Flag()
	}
	w.Flag(true)
	// motion_vectors_over_pic_boundaries_flag, max_bytes_per_pic_denom,
	// max_bits_per_mb_denom, log2_max_mv_length_{horizontal,vertical}
	unrestricted := []uint32{0, 0, 15, 15}
	w.Flag(!restricted || r.Flag())
	for _, v := range unrestricted {
		if restricted {
			v = r.UE()
		}
		w.UE(v)
	}
	w.UE(0)
	w.UE(uint32(s.RefFrames))
	w.Flag(true) // rbsp_stop_one_bit
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("H.264 SPS: %w", err)
	}
	return annexb.Escape(w.Bytes()), nil
}
