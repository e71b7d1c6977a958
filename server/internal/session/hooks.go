package session

import (
	"time"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/wire"
)

// Hooks are told what happens in sessions, for the operator. They are called with
// locks held: they must neither block nor call a session. Nil ones are not
// called.
type Hooks struct {
	// Opened: a client was welcomed.
	Opened func(id, address, client string)
	// Closed: a session ended, welcomed or not.
	Closed func(Closed)
	// Gap: a viewer misses media.
	Gap func(id string, gap wire.Gap)
	// Moved: a viewer was moved along the ladder, down or up.
	Moved func(id, stream string, down bool)
	// Reported: a player told how playback goes. lag is the media that waits on
	// the server for it.
	Reported func(id, stream string, report *wire.Report, lag time.Duration)
	// Refused: a client, or what it asked for, was turned away.
	Refused func(id, stream, address string, err error)
	// Hurried: a client sends more commands than its session may.
	Hurried func(id, address string, r *gate.Refusal)
}

// Closed says how a session ended.
type Closed struct {
	ID, Address string
	// Stream is what was chosen last, or empty.
	Stream string
	Reason wire.GoodbyeReason
	After  time.Duration
	// Welcomed is false for one that did not get past the handshake.
	Welcomed bool
}

func (h Hooks) withDefaults() Hooks {
	if h.Opened == nil {
		h.Opened = func(string, string, string) {}
	}
	if h.Closed == nil {
		h.Closed = func(Closed) {}
	}
	if h.Gap == nil {
		h.Gap = func(string, wire.Gap) {}
	}
	if h.Moved == nil {
		h.Moved = func(string, string, bool) {}
	}
	if h.Reported == nil {
		h.Reported = func(string, string, *wire.Report, time.Duration) {}
	}
	if h.Hurried == nil {
		h.Hurried = func(string, string, *gate.Refusal) {}
	}
	if h.Refused == nil {
		h.Refused = func(string, string, string, error) {}
	}
	return h
}

// joinVersion writes a client's name and version as one.
func joinVersion(name, version string) string {
	if version == "" {
		return name
	}
	return name + " " + version
}
