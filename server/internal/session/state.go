package session

import (
	"slices"
	"time"

	"github.com/framewire/framewire/server/internal/wire"
)

// state returns what the server holds of the session, and whether that is other
// than what was told last; if so it counts as told. The caller holds mu.
func (v *Viewer) state() (wire.State, bool) {
	s := v.present()
	changed := !sameState(&s, &v.told)
	if changed {
		v.told = s
	}
	return s, changed
}

func (v *Viewer) present() wire.State {
	p := &v.play
	s := wire.State{
		Stream:      p.name,
		Playback:    p.mode(),
		Settings:    v.settings,
		Degradation: v.climb.rung.degradation(),
		Live:        p.live,
	}
	if p.cursor != nil {
		s.Video, s.Audio, s.Undecodable = p.video, p.audio, p.undecodable
		s.Position = p.position()
	}
	if p.stream != nil {
		s.WindowStart, s.WindowEnd, _ = p.stream.Range()
	}
	return s
}

func sameState(a, b *wire.State) bool {
	return a.Stream == b.Stream && a.Playback == b.Playback && a.Settings == b.Settings &&
		a.Video == b.Video && a.Audio == b.Audio && a.Degradation == b.Degradation &&
		a.Live == b.Live && slices.Equal(a.Undecodable, b.Undecodable)
}

// Snapshot is what an operator may know of a session.
type Snapshot struct {
	ID, Address               string
	ClientName, ClientVersion string // empty before the handshake
	Subprotocol               string
	// Subject is who the token names, and Expires when it ends, if ever.
	Subject    string
	Expires    time.Time
	Opened     time.Time
	State      wire.State
	Report     wire.Report
	ReportedAt time.Time // zero before the first report
	// Lag is how much media waits on the server to be sent.
	Lag time.Duration
	// Bytes and Fragments have been handed to the connection.
	Bytes, Fragments uint64
}

// Client is what the client calls itself, empty before the handshake.
func (s *Snapshot) Client() string { return joinVersion(s.ClientName, s.ClientVersion) }

// Opened is when the session's connection came.
func (v *Viewer) Opened() time.Time { return v.opened }

// Degradation is how far the stream is thinned out for the viewer.
func (v *Viewer) Degradation() wire.Degradation {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.climb.rung.degradation()
}

// Snapshot returns the session's figures of the moment.
func (v *Viewer) Snapshot() Snapshot {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := Snapshot{
		ID:         v.id,
		Address:    v.peer.Address,
		Opened:     v.opened,
		State:      v.present(),
		Report:     v.report,
		ReportedAt: v.reportedAt,
		Lag:        v.lag(),
		Bytes:      v.play.bytes,
		Fragments:  v.play.fragments,
	}
	s.Subprotocol = v.peer.Encoding.String()
	if v.grant != nil {
		s.Subject, s.Expires = v.grant.Subject, v.grant.Expires
	}
	if v.hello != nil {
		s.ClientName, s.ClientVersion = v.hello.ClientName, v.hello.ClientVersion
	}
	return s
}
