package flv

import (
	"bytes"

	"github.com/framewire/framewire/server/internal/codec/av1"
	"github.com/framewire/framewire/server/internal/codec/flac"
	"github.com/framewire/framewire/server/internal/codec/h264"
	"github.com/framewire/framewire/server/internal/codec/h265"
	"github.com/framewire/framewire/server/internal/codec/mp3"
	"github.com/framewire/framewire/server/internal/codec/opus"
	"github.com/framewire/framewire/server/internal/codec/vp8"
	"github.com/framewire/framewire/server/internal/codec/vp9"
	"github.com/framewire/framewire/server/internal/media"
)

// unit is an access unit taken out of its packet.
type unit struct {
	data     []byte
	keyframe bool
	duration uint32 // in ticks, 0 when unknown
}

// units appends the access units of a frame packet to dst, and reports whether
// the track's description changed with them. There is one unit as a rule, none
// when nothing is left of it, several where a packet holds several MP3 frames.
func (t *track) units(dst []unit, p *Packet) (units []unit, changed bool, err error) {
	var u unit
	data := p.Data
	switch t.codec {
	case media.MP3:
		return t.mp3(dst, data)
	case media.H264:
		u, changed, err = t.h264(data)
	case media.H265:
		u, changed, err = t.h265(data)
	case media.AV1:
		u, changed, err = t.av1(data, p.Keyframe)
	case media.VP9:
		u, changed, err = t.vp9(data)
	case media.VP8:
		u, changed, err = t.vp8(data)
	default:
		u, err = t.sound(data)
	}
	if err != nil {
		return dst, false, malformed(t.codec, err)
	}
	if len(u.data) > 0 {
		dst = append(dst, u)
	}
	return dst, changed, nil
}

func (t *track) h264(data []byte) (u unit, changed bool, err error) {
	if t.lengthSize == 0 {
		return u, false, nil // without a configuration nothing can be read
	}
	a, err := h264.FromSample(data, t.lengthSize)
	if err != nil {
		return u, false, err
	}
	if a.IDR && len(a.SPS) > 0 && len(a.PPS) > 0 && !t.knows(a.SPS, a.PPS) {
		info, err := h264.NewTrack(a.SPS, a.PPS)
		if err != nil {
			return u, false, err
		}
		changed = t.set(info)
	}
	return unit{data: a.Data, keyframe: a.Keyframe()}, changed, nil
}

func (t *track) h265(data []byte) (u unit, changed bool, err error) {
	if t.lengthSize == 0 {
		return u, false, nil
	}
	a, err := h265.FromSample(data, t.lengthSize)
	if err != nil {
		return u, false, err
	}
	if a.IRAP && len(a.VPS) > 0 && len(a.SPS) > 0 && len(a.PPS) > 0 && !t.knows(a.VPS, a.SPS, a.PPS) {
		info, err := h265.NewTrack(a.VPS, a.SPS, a.PPS)
		if err != nil {
			return u, false, err
		}
		changed = t.set(info)
	}
	return unit{data: a.Data, keyframe: a.Keyframe()}, changed, nil
}

// knows reports whether the configuration holds all these parameter sets: most
// encoders repeat them in band, some only those that a picture uses.
func (t *track) knows(groups ...[][]byte) bool {
	for _, group := range groups {
		for _, nal := range group {
			if !bytes.Contains(t.info.Config, nal) {
				return false
			}
		}
	}
	return true
}

func (t *track) av1(data []byte, keyframe bool) (u unit, changed bool, err error) {
	a, err := av1.FromUnit(data)
	if err == nil && keyframe && a.SequenceHeader == nil && t.sequenceHeader != nil {
		// Decoding starts at a sequence header in band, which a publisher may
		// leave out because its configuration has it.
		a, err = av1.FromUnit(append(bytes.Clone(t.sequenceHeader), data...))
	}
	if err != nil {
		return u, false, err
	}
	if a.Keyframe && !bytes.Contains(t.info.Config, a.SequenceHeader) {
		info, err := av1.NewTrack(a.SequenceHeader)
		if err != nil {
			return u, false, err
		}
		changed = t.set(info)
	}
	return unit{data: a.Data, keyframe: a.Keyframe}, changed, nil
}

func (t *track) vp9(data []byte) (u unit, changed bool, err error) {
	u = unit{data: data, keyframe: vp9.IsKeyframe(data)}
	if u.keyframe {
		info, err := vp9.NewTrack(data, 0)
		if err != nil {
			return u, false, err
		}
		changed = t.set(info)
	}
	return u, changed, nil
}

func (t *track) vp8(data []byte) (u unit, changed bool, err error) {
	u = unit{data: data, keyframe: vp8.IsKeyframe(data)}
	if u.keyframe {
		info, err := vp8.NewTrack(data)
		if err != nil {
			return u, false, err
		}
		changed = t.set(info)
	}
	return u, changed, nil
}

// sound takes a frame of AAC, Opus or FLAC.
func (t *track) sound(data []byte) (unit, error) {
	if len(data) == 0 || !t.ready() {
		return unit{}, nil
	}
	samples := t.frameSamples
	var err error
	switch t.codec {
	case media.Opus:
		samples, err = opus.PacketSamples(data)
	case media.FLAC:
		samples, err = flac.FrameSamples(data)
	}
	return unit{data: data, keyframe: true, duration: uint32(samples)}, err
}

func (t *track) mp3(dst []unit, data []byte) (units []unit, changed bool, err error) {
	for f, err := range mp3.Split(data) {
		if err != nil {
			return dst, changed, malformed(t.codec, err)
		}
		changed = t.set(f.Track()) || changed
		dst = append(dst, unit{data: f.Data, keyframe: true, duration: uint32(f.Samples)})
	}
	return dst, changed, nil
}
