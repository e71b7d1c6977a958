// Package h264 reads what a player must know of an H.264 stream (ITU-T H.264,
// ISO/IEC 14496-15): its parameter sets, its configuration record, and which of
// its pictures are keyframes.
package h264

import (
	"fmt"

	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/media"
)

// The NAL unit types that matter here (Table 7-1).
const (
	TypeSlice         = 1
	TypePartitionA    = 2
	TypeIDR           = 5
	TypeSEI           = 6
	TypeSPS           = 7
	TypePPS           = 8
	TypeDelimiter     = 9
	TypeEndOfSequence = 10
	TypeEndOfStream   = 11
	TypeFiller        = 12
	TypeSPSExtension  = 13
)

// Type returns the nal_unit_type, 0 for an empty unit.
func Type(nal []byte) int {
	if len(nal) == 0 {
		return 0
	}
	return int(nal[0] & 0x1f)
}

// CodecString returns the RFC 6381 string, such as "avc1.64001f".
func (s *SPS) CodecString() string {
	return fmt.Sprintf("avc1.%02x%02x%02x", s.Profile, s.Constraints, s.Level)
}

// DisplaySize is the picture's size with its sample aspect ratio applied to the
// width.
func (s *SPS) DisplaySize() (width, height int) {
	return s.Display(s.Width), s.Height
}

// NewTrack describes a stream by its parameter sets. ID and Timescale are left
// to the caller.
func NewTrack(sps, pps [][]byte) (media.Track, error) {
	return Config{SPS: sps, PPS: pps}.Track()
}

// AccessUnit is one coded picture, ready for MP4.
type AccessUnit struct {
	// Data holds the NAL units behind 4-byte lengths, without delimiters, filler
	// and parameter sets. Nil when nothing is left.
	Data []byte

	// SPS and PPS are the parameter sets found, in memory of the input.
	SPS, PPS [][]byte

	// IDR marks a picture at which decoding can start afresh. RecoveryPoint
	// marks one from which all pictures that follow in output order are right
	// (an I picture behind a recovery point message without a delay); browsers
	// do not start at it.
	IDR, RecoveryPoint bool
}

// Keyframe reports whether decoding can start here.
func (a *AccessUnit) Keyframe() bool { return a.IDR || a.RecoveryPoint }

// FromAnnexB converts one access unit in byte stream format. Data is new memory.
func FromAnnexB(unit []byte) AccessUnit {
	var a AccessUnit
	point := false
	a.Data = make([]byte, 0, len(unit)+16)
	for nal := range annexb.Split(unit) {
		a.add(nal, &point)
	}
	return a.finish()
}

// FromUnits converts the NAL units of one access unit, as RTP depacketizers give
// them. Data is new memory.
func FromUnits(units [][]byte) AccessUnit {
	var a AccessUnit
	point := false
	for _, nal := range units {
		a.add(nal, &point)
	}
	return a.finish()
}

// FromSample converts an access unit whose lengths take lengthSize bytes, as
// FLV and MP4 carry it. Data is new memory.
func FromSample(sample []byte, lengthSize int) (AccessUnit, error) {
	var a AccessUnit
	point := false
	a.Data = make([]byte, 0, len(sample)+16)
	for nal, err := range annexb.Units(sample, lengthSize) {
		if err != nil {
			return AccessUnit{}, fmt.Errorf("H.264 sample: %w", err)
		}
		a.add(nal, &point)
	}
	return a.finish(), nil
}

func (a *AccessUnit) finish() AccessUnit {
	if len(a.Data) == 0 {
		a.Data = nil
	}
	return *a
}

func (a *AccessUnit) add(nal []byte, point *bool) {
	switch Type(nal) {
	case 0, TypeDelimiter, TypeFiller, TypeEndOfSequence, TypeEndOfStream, TypeSPSExtension:
		return
	case TypeSPS:
		a.SPS = annexb.AppendNew(a.SPS, nal)
		return
	case TypePPS:
		a.PPS = annexb.AppendNew(a.PPS, nal)
		return
	case TypeIDR:
		a.IDR = true
	case TypeSEI:
		*point = *point || isRecoveryPoint(nal)
	case TypeSlice, TypePartitionA:
		a.RecoveryPoint = a.RecoveryPoint || *point && isIntra(nal)
	}
	a.Data = annexb.AppendUnit(a.Data, nal)
}

// IsKeyframe reports whether decoding can start at a sample with 4-byte lengths.
// A malformed sample is none.
func IsKeyframe(sample []byte) bool {
	point := false
	for nal, err := range annexb.Units(sample, 4) {
		if err != nil {
			return false
		}
		switch Type(nal) {
		case TypeIDR:
			return true
		case TypeSEI:
			point = point || isRecoveryPoint(nal)
		case TypeSlice, TypePartitionA:
			return point && isIntra(nal)
		}
	}
	return false
}

// isIntra reports whether a slice holds only intra macroblocks (slice_type I or
// SI, 7.4.3).
func isIntra(nal []byte) bool {
	const headerBytes = 16 // more than first_mb_in_slice and slice_type can take
	r := bits.NewReader(annexb.Unescape(nal[:min(len(nal), headerBytes)]))
	r.Skip(8)
	r.UE()
	kind := r.UE()
	return r.Err() == nil && (kind%5 == 2 || kind%5 == 4) && kind < 10
}

const seiRecoveryPoint = 6

// isRecoveryPoint reports whether an SEI unit holds a recovery point whose
// recovery_frame_cnt is 0 (D.1.8).
func isRecoveryPoint(nal []byte) bool {
	rbsp := annexb.Unescape(nal)
	at := 1
	number := func() int { // a run of 0xff bytes and one that ends it
		n := 0
		for at < len(rbsp) {
			b := rbsp[at]
			at++
			n += int(b)
			if b != 0xff {
				break
			}
		}
		return n
	}
	for at+2 < len(rbsp) {
		kind, size := number(), number()
		if size > len(rbsp)-at {
			return false
		}
		if kind == seiRecoveryPoint {
			r := bits.NewReader(rbsp[at : at+size])
			return r.UE() == 0 && r.Err() == nil
		}
		at += size
	}
	return false
}
