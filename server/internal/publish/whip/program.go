package whip

import (
	"fmt"
	"time"

	"github.com/framewire/framewire/server/internal/codec/h264"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
)

const (
	// startWait is how long the first samples wait for the other track to be
	// known. Both begin together, unless one is switched off.
	startWait = time.Second

	// maxHeld bounds the samples that wait.
	maxHeld = 500
)

// program hands the samples of a session's tracks to its publication, and
// announces the tracks: once all are known, or some are and the others take too
// long, and anew whenever one joins or changes.
type program struct {
	out       media.Sink
	expected  int
	tracks    []*member
	announced bool
	held      []media.Sample
	first     time.Time // capture of the first sample held
}

// member is a track as it was announced.
type member struct {
	of        *track
	source    media.Track // as the stream describes it
	track     media.Track // as it is announced
	reordered bool        // pictures are shown in another order than they come
}

func (p *program) write(t *track, s media.Sample) error {
	m, changed, err := p.member(t)
	if err != nil {
		return err
	}
	m.reordered = m.reordered || s.Offset < 0
	if m.reordered && s.Keyframe && !m.track.Equal(&m.source) {
		m.track, changed = m.source, true // from here on; a new epoch needs a keyframe
	}
	switch {
	case p.announced && changed:
		if err := p.announce(); err != nil {
			return err
		}
	case !p.announced:
		if len(p.held) == 0 {
			p.first = s.CapturedAt
		}
		p.held = append(p.held, s)
		if len(p.tracks) < p.expected && len(p.held) < maxHeld && s.CapturedAt.Sub(p.first) < startWait {
			return nil
		}
		return p.begin()
	}
	return p.out.Write(s)
}

// member returns what is known of a track, and whether that is new.
func (p *program) member(t *track) (*member, bool, error) {
	source, known := t.stream.Track()
	if !known {
		return nil, false, fmt.Errorf("%w: sample of a track that is not known", publish.ErrMalformed)
	}
	for _, m := range p.tracks {
		if m.of != t {
			continue
		}
		if m.source.Equal(&source) {
			return m, false, nil
		}
		m.source = source
		m.track = m.present()
		return m, true, nil
	}
	m := &member{of: t, source: source}
	m.track = m.present()
	p.tracks = append(p.tracks, m)
	return m, true, nil
}

// present returns the track with the promise that pictures are shown in the order
// in which they come, so that decoders show each at once. WebRTC has no others,
// save for publishers that should know better; see reordered.
func (m *member) present() media.Track {
	if m.source.Codec != media.H264 || m.reordered {
		return m.source
	}
	config, err := h264.ParseConfig(m.source.Config)
	if err != nil {
		return m.source
	}
	if config, err = config.ShowsAtOnce(); err != nil {
		return m.source
	}
	track, err := config.Track()
	if err != nil {
		return m.source
	}
	track.ID, track.Timescale, track.FrameRate = m.source.ID, m.source.Timescale, m.source.FrameRate
	return track
}

func (p *program) announce() error {
	tracks := make([]media.Track, len(p.tracks))
	for i, m := range p.tracks {
		tracks[i] = m.track
	}
	return p.out.Start(tracks)
}

func (p *program) begin() error {
	p.announced = true
	if err := p.announce(); err != nil {
		return err
	}
	held := p.held
	p.held = nil
	for _, s := range held {
		if err := p.out.Write(s); err != nil {
			return err
		}
	}
	return nil
}
