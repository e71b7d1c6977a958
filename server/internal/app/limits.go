package app

import (
	"time"

	"github.com/framewire/framewire/server/internal/session"
)

// sessionOptions are the configuration's limits, and who is told of sessions.
func (s *server) sessionOptions() session.Options {
	l := &s.opts.Config.Limits
	return session.Options{
		Server:                "framewire " + s.opts.Version,
		MaxSessions:           l.Viewers,
		MaxViewersPerStream:   l.ViewersPerStream,
		MaxSessionsPerAddress: l.ViewersPerAddress,
		MaxSessionsPerSubject: l.ViewersPerSubject,
		HandshakeTimeout:      time.Duration(l.HandshakeTimeout),
		IdleTimeout:           time.Duration(l.IdleTimeout),
		MessageBytes:          int(l.MessageBytes),
		CommandsPerSecond:     l.CommandsPerSecond,
		CommandBurst:          l.CommandBurst,
		ViewerBytes:           int(l.ViewerBytes),
		MaxWaitingBytes:       int64(l.WaitingBytes),
		Hooks:                 s.sessionHooks(),
		Publisher:             s.sessionPublisher(),
	}
}
