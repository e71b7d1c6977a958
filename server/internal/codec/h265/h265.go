// Package h265 reads what a player must know of an H.265 stream (ITU-T H.265,
// ISO/IEC 14496-15): its parameter sets, its configuration record, and which of
// its pictures are keyframes.
package h265

import (
	"fmt"

	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/media"
)

// The NAL unit types that matter here (Table 7-1).
const (
	TypeBLA           = 16 // BLA_W_LP, the first IRAP
	TypeIDRWithLeads  = 19 // IDR_W_RADL
	TypeIDR           = 20 // IDR_N_LP
	TypeCRA           = 21
	typeLastIRAP      = 23
	TypeVPS           = 32
	TypeSPS           = 33
	TypePPS           = 34
	TypeDelimiter     = 35
	TypeEndOfSequence = 36
	TypeEndOfStream   = 37
	TypeFiller        = 38
	headerBytes       = 2
)

// Type returns the nal_unit_type, -1 for a unit without a whole header.
func Type(nal []byte) int {
	if len(nal) < headerBytes {
		return -1
	}
	return int(nal[0] >> 1 & 0x3f)
}

// layer returns the nuh_layer_id. What is above the base layer is no part of the
// picture that browsers show.
func layer(nal []byte) int { return int(nal[0]&1)<<5 | int(nal[1]>>3) }

// IsIRAP reports whether a NAL unit belongs to an intra random access point
// picture (IDR, CRA or BLA).
func IsIRAP(nal []byte) bool {
	t := Type(nal)
	return t >= TypeBLA && t <= typeLastIRAP
}

// NewTrack describes a stream by its parameter sets. ID and Timescale are left
// to the caller.
func NewTrack(vps, sps, pps [][]byte) (media.Track, error) {
	return Config{VPS: vps, SPS: sps, PPS: pps}.Track()
}

// AccessUnit is one coded picture, ready for MP4.
type AccessUnit struct {
	// Data holds the NAL units behind 4-byte lengths, without delimiters, filler
	// and parameter sets. Nil when nothing is left.
	Data []byte

	// VPS, SPS and PPS are the parameter sets found, in memory of the input.
	VPS, SPS, PPS [][]byte

	// IRAP marks an intra random access point, at which decoding can start.
	IRAP bool
}

// Keyframe reports whether decoding can start here.
func (a *AccessUnit) Keyframe() bool { return a.IRAP }

// FromAnnexB converts one access unit in byte stream format. Data is new memory.
func FromAnnexB(unit []byte) AccessUnit {
	a := AccessUnit{Data: make([]byte, 0, len(unit)+16)}
	for nal := range annexb.Split(unit) {
		a.add(nal)
	}
	return a.finish()
}

// FromUnits converts the NAL units of one access unit, as RTP depacketizers give
// them. Data is new memory.
func FromUnits(units [][]byte) AccessUnit {
	var a AccessUnit
	for _, nal := range units {
		a.add(nal)
	}
	return a.finish()
}

// FromSample converts an access unit whose lengths take lengthSize bytes, as
// FLV and MP4 carry it. Data is new memory.
func FromSample(sample []byte, lengthSize int) (AccessUnit, error) {
	a := AccessUnit{Data: make([]byte, 0, len(sample)+16)}
	for nal, err := range annexb.Units(sample, lengthSize) {
		if err != nil {
			return AccessUnit{}, fmt.Errorf("H.265 sample: %w", err)
		}
		a.add(nal)
	}
	return a.finish(), nil
}

func (a *AccessUnit) finish() AccessUnit {
	if len(a.Data) == 0 {
		a.Data = nil
	}
	return *a
}

func (a *AccessUnit) add(nal []byte) {
	kind := Type(nal)
	if kind < 0 || layer(nal) > 0 {
		return
	}
	switch kind {
	case TypeDelimiter, TypeFiller, TypeEndOfSequence, TypeEndOfStream:
		return
	case TypeVPS:
		a.VPS = annexb.AppendNew(a.VPS, nal)
		return
	case TypeSPS:
		a.SPS = annexb.AppendNew(a.SPS, nal)
		return
	case TypePPS:
		a.PPS = annexb.AppendNew(a.PPS, nal)
		return
	}
	a.IRAP = a.IRAP || IsIRAP(nal)
	a.Data = annexb.AppendUnit(a.Data, nal)
}

// IsKeyframe reports whether decoding can start at a sample with 4-byte lengths.
// A malformed sample is none.
func IsKeyframe(sample []byte) bool {
	for nal, err := range annexb.Units(sample, 4) {
		if err != nil {
			return false
		}
		if t := Type(nal); t >= 0 && t < TypeVPS {
			return IsIRAP(nal)
		}
	}
	return false
}
