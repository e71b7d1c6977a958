package web

import (
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/session"
)

// streams shows a hub as sessions want to see it.
type streams struct{ *hub.Hub }

func (s streams) Lookup(name string) session.Stream {
	if found := s.Hub.Lookup(name); found != nil {
		return stream{found}
	}
	return nil
}

func (s streams) Streams() []session.Stream {
	all := s.Hub.Streams()
	list := make([]session.Stream, len(all))
	for i := range all {
		list[i] = stream{all[i]}
	}
	return list
}

type stream struct{ *hub.Stream }

func (s stream) Subscribe() session.Cursor { return s.Stream.Subscribe() }

func (s stream) Tail() session.Cursor { return s.Stream.Tail() }

func (s stream) Bitrate() float64 { return s.Stats().Bitrate }

func (s stream) Status() session.Status {
	status := s.Stream.Status()
	return session.Status{State: states[status.State], Since: status.Since, Message: status.Message}
}

var states = map[hub.State]session.StreamState{
	hub.Starting: session.StreamStarting,
	hub.Live:     session.StreamLive,
	hub.Lost:     session.StreamLost,
	hub.Offline:  session.StreamOffline,
	hub.Closed:   session.StreamClosed,
	hub.Finished: session.StreamFinished,
}
