package app

import (
	"github.com/framewire/framewire/server/internal/publish/ws"
	"github.com/framewire/framewire/server/internal/session"
)

// sessionPublisher lets the clients of sessions publish, or is nil where nobody
// may.
func (s *server) sessionPublisher() func(session.Outlet) session.Publisher {
	c := &s.opts.Config
	if !c.Publishing() {
		return nil
	}
	server := ws.New(ws.Options{
		Desk:    s.publishing.desk,
		Viewers: s.viewers,
		Brake:   &s.publishing.brake,
		Log:     s.log,
	})
	return func(o session.Outlet) session.Publisher {
		return server.Open(ws.Client{
			SessionID: o.SessionID,
			Address:   o.Address,
			Name:      o.Client,
			Token:     o.Token,
			Send:      o.Send,
			Latency:   o.Latency,
		})
	}
}

// viewers is the number of viewers of a stream.
func (s *server) viewers(name string) int {
	stream := s.hub.Lookup(name)
	if stream == nil {
		return 0
	}
	return stream.Viewers()
}
