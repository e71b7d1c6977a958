package app

import (
	"context"
	"errors"
	"time"

	"github.com/framewire/framewire/server/internal/admin"
	"github.com/framewire/framewire/server/internal/desk"
	"github.com/framewire/framewire/server/internal/events"
	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/origin"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/wire"
)

// sessionHooks tells the event log and the metrics of sessions.
func (s *server) sessionHooks() session.Hooks {
	return session.Hooks{
		Opened: func(id, address, client string) {
			s.metrics.SessionOpened()
			s.events.Emit(events.Event{Session: id, Body: events.SessionOpened{Remote: address, Client: client}})
		},
		Closed: func(c session.Closed) {
			s.metrics.SessionClosed(c.ID, c.Reason)
			if c.Welcomed {
				s.events.Emit(events.Event{Stream: c.Stream, Session: c.ID, Body: events.SessionClosed{Reason: c.Reason, After: c.After}})
			}
		},
		Gap: func(id string, g wire.Gap) {
			s.metrics.Gap(g.Reason)
			s.events.Emit(events.Event{Stream: g.Stream, Session: id, Body: events.Gap{Reason: g.Reason, From: g.From, To: g.To}})
		},
		Moved:    func(_, _ string, down bool) { s.metrics.Moved(down) },
		Reported: func(id, _ string, r *wire.Report, lag time.Duration) { s.metrics.Reported(id, r, lag) },
		Refused: func(id, stream, address string, err error) {
			s.refused("watch", stream, id, address, err)
		},
		Hurried: func(id, address string, r *gate.Refusal) { s.refused("command", "", id, address, r) },
	}
}

// refused tells the event log and the metrics of who was turned away.
func (s *server) refused(what, stream, id, remote string, err error) {
	s.metrics.Refused(what, err)
	var page *origin.Error
	var often *gate.Refusal
	if errors.As(err, &page) && !page.First || errors.As(err, &often) && !often.First {
		return // who is refused tries again and again
	}
	s.events.Emit(events.Event{Stream: stream, Session: id, Body: events.Refused{What: what, Reason: err.Error(), Remote: remote}})
}

// deskHooks tells the event log and the metrics of publishers.
func (s *server) deskHooks() desk.Hooks {
	return desk.Hooks{
		Opened: func(p desk.Publisher) {
			s.events.Emit(events.Event{Stream: p.Stream, Body: events.PublisherOpened{Protocol: string(p.Protocol), Remote: p.Remote}})
		},
		Closed: func(p desk.Publisher, reason error) {
			s.metrics.PublisherClosed(p)
			var text string
			if reason != nil {
				text = reason.Error()
			}
			s.events.Emit(events.Event{Stream: p.Stream, Body: events.PublisherClosed{Reason: text}})
		},
		Refused: func(r publish.Request, err error) {
			s.refused("publish", "", "", r.Remote.String(), err)
		},
	}
}

// streamPause joins changes that follow each other closely, such as a source that
// is lost and back at once.
const streamPause = 200 * time.Millisecond

// watchStreams tells the event log what becomes of streams, until ctx is done.
func (s *server) watchStreams(ctx context.Context) error {
	known := make(map[string]hub.Status)
	for {
		changed := s.hub.Changed()
		s.compareStreams(known)
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(streamPause):
		}
	}
}

func (s *server) compareStreams(known map[string]hub.Status) {
	gone := make(map[string]bool, len(known))
	for name := range known {
		gone[name] = true
	}
	for _, stream := range s.hub.Streams() {
		name, status := stream.Name(), stream.Status()
		delete(gone, name)
		if before, ok := known[name]; ok && before.State == status.State && before.Message == status.Message {
			continue
		}
		known[name] = status
		message := status.Message
		if entry, ok := s.roster.Get(name); ok && status.State == hub.Lost && entry.Err != nil {
			message = entry.Err.Error()
		}
		s.events.Emit(events.Event{Stream: name, Body: events.StreamStatus{Status: admin.Status(status.State), Message: message}})
	}
	for name := range gone {
		delete(known, name)
		s.events.Emit(events.Event{Stream: name, Body: events.StreamStatus{Message: "removed"}})
	}
}
