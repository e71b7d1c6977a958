package elementary

import (
	"bytes"
	"slices"

	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/codec/av1"
	"github.com/framewire/framewire/server/internal/codec/h264"
	"github.com/framewire/framewire/server/internal/codec/h265"
	"github.com/framewire/framewire/server/internal/codec/vp9"
	"github.com/framewire/framewire/server/internal/media"
)

// maxSets bounds the parameter sets of one kind that come one by one, without
// the others.
const maxSets = 16

// picture makes the sample of a whole access unit.
func picture(p Packet, data []byte, keyframe bool) []media.Sample {
	if len(data) == 0 {
		return nil
	}
	offset := min(max(p.PTS-p.DTS, -1<<31), 1<<31-1)
	return []media.Sample{{DTS: p.DTS, Offset: int32(offset), Keyframe: keyframe, Data: data}}
}

// merge adds the parameter sets found in an access unit to those known. A unit
// with the leading kind brings all of them anew; one with others only adds.
func merge(known *[][]byte, found [][]byte, anew bool) (changed bool) {
	for _, set := range found {
		if slices.ContainsFunc(*known, func(k []byte) bool { return bytes.Equal(k, set) }) {
			continue
		}
		changed = true
	}
	if !changed {
		return false
	}
	if anew || len(*known)+len(found) > maxSets {
		*known = nil
	}
	for _, set := range found {
		*known = append(*known, bytes.Clone(set))
	}
	return true
}

// h264Parser keeps the parameter sets seen last.
type h264Parser struct {
	scale      uint32
	lengthSize int // of NAL units in packets, 0 for start codes
	sps, pps   [][]byte
	track      media.Track
	known      bool
}

func (h *h264Parser) configure(config []byte) error {
	if annexb.IsStream(config) {
		unit := h264.FromAnnexB(config)
		return h.learn(unit.SPS, unit.PPS)
	}
	c, err := h264.ParseConfig(config)
	if err != nil {
		return err
	}
	h.lengthSize = c.LengthSize
	return h.learn(c.SPS, c.PPS)
}

func (h *h264Parser) learn(sps, pps [][]byte) error {
	anew := len(sps) > 0
	changed := merge(&h.sps, sps, true)
	changed = merge(&h.pps, pps, anew) || changed
	if !changed || len(h.sps) == 0 || len(h.pps) == 0 {
		return nil
	}
	track, err := h264.NewTrack(h.sps, h.pps)
	if err != nil {
		return err
	}
	track.Timescale = h.scale
	h.track, h.known = track, true
	return nil
}

func (h *h264Parser) split(p Packet) ([]media.Sample, error) {
	var unit h264.AccessUnit
	if h.lengthSize == 0 || annexb.IsStream(p.Data) && !validLengths(p.Data, h.lengthSize) {
		unit = h264.FromAnnexB(p.Data)
	} else {
		var err error
		if unit, err = h264.FromSample(p.Data, h.lengthSize); err != nil {
			return nil, err
		}
	}
	err := h.learn(unit.SPS, unit.PPS)
	return picture(p, unit.Data, unit.Keyframe()), err
}

func (h *h264Parser) describe() (media.Track, bool) { return h.track, h.known }

// validLengths reports whether data divides into NAL units behind lengths. The
// bytes 0 0 0 1 may begin either form.
func validLengths(data []byte, lengthSize int) bool {
	for _, err := range annexb.Units(data, lengthSize) {
		if err != nil {
			return false
		}
	}
	return true
}

// h265Parser keeps the parameter sets seen last.
type h265Parser struct {
	scale         uint32
	lengthSize    int
	vps, sps, pps [][]byte
	track         media.Track
	known         bool
}

func (h *h265Parser) configure(config []byte) error {
	if annexb.IsStream(config) {
		unit := h265.FromAnnexB(config)
		return h.learn(unit.VPS, unit.SPS, unit.PPS)
	}
	c, err := h265.ParseConfig(config)
	if err != nil {
		return err
	}
	h.lengthSize = c.LengthSize
	return h.learn(c.VPS, c.SPS, c.PPS)
}

func (h *h265Parser) learn(vps, sps, pps [][]byte) error {
	anew := len(sps) > 0
	changed := merge(&h.vps, vps, true)
	changed = merge(&h.sps, sps, true) || changed
	changed = merge(&h.pps, pps, anew) || changed
	if !changed || len(h.vps) == 0 || len(h.sps) == 0 || len(h.pps) == 0 {
		return nil
	}
	track, err := h265.NewTrack(h.vps, h.sps, h.pps)
	if err != nil {
		return err
	}
	track.Timescale = h.scale
	h.track, h.known = track, true
	return nil
}

func (h *h265Parser) split(p Packet) ([]media.Sample, error) {
	var unit h265.AccessUnit
	if h.lengthSize == 0 || annexb.IsStream(p.Data) && !validLengths(p.Data, h.lengthSize) {
		unit = h265.FromAnnexB(p.Data)
	} else {
		var err error
		if unit, err = h265.FromSample(p.Data, h.lengthSize); err != nil {
			return nil, err
		}
	}
	err := h.learn(unit.VPS, unit.SPS, unit.PPS)
	return picture(p, unit.Data, unit.Keyframe()), err
}

func (h *h265Parser) describe() (media.Track, bool) { return h.track, h.known }

// av1Parser keeps the sequence header seen last.
type av1Parser struct {
	scale    uint32
	sequence []byte
	track    media.Track
	known    bool
}

func (a *av1Parser) configure(config []byte) error {
	sequence, err := av1.FromExtradata(config)
	if err != nil {
		return err
	}
	return a.learn(sequence)
}

func (a *av1Parser) learn(sequence []byte) error {
	if len(sequence) == 0 || bytes.Equal(sequence, a.sequence) {
		return nil
	}
	track, err := av1.NewTrack(sequence)
	if err != nil {
		return err
	}
	track.Timescale = a.scale
	a.sequence, a.track, a.known = bytes.Clone(sequence), track, true
	return nil
}

func (a *av1Parser) split(p Packet) ([]media.Sample, error) {
	unit, err := av1.FromUnit(p.Data)
	if err != nil {
		return nil, err
	}
	err = a.learn(unit.SequenceHeader)
	return picture(p, unit.Data, unit.Keyframe), err
}

func (a *av1Parser) describe() (media.Track, bool) { return a.track, a.known }

// vp9Parser learns from each keyframe; VP9 has nothing out of band that counts.
type vp9Parser struct {
	scale uint32
	track media.Track
	known bool
}

func (v *vp9Parser) configure([]byte) error { return nil }

func (v *vp9Parser) split(p Packet) ([]media.Sample, error) {
	keyframe := vp9.IsKeyframe(p.Data)
	if keyframe {
		track, err := vp9.NewTrack(p.Data, 0)
		if err != nil {
			return nil, err
		}
		track.Timescale = v.scale
		v.track, v.known = track, true
	}
	return picture(p, p.Data, keyframe), nil
}

func (v *vp9Parser) describe() (media.Track, bool) { return v.track, v.known }
