package app

import (
	"net/netip"
	"time"

	"github.com/framewire/framewire/server/internal/config"
	"github.com/framewire/framewire/server/internal/desk"
	"github.com/framewire/framewire/server/internal/gate"
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

// limits are those that hold from one moment to the next.
func limits(c *config.Config) session.Limits {
	return session.Limits{
		Sessions:           c.Limits.Viewers,
		ViewersPerStream:   c.Limits.ViewersPerStream,
		SessionsPerAddress: c.Limits.ViewersPerAddress,
		SessionsPerSubject: c.Limits.ViewersPerSubject,
	}
}

// publisherLimits are those of publishers.
func publisherLimits(c *config.Publish) desk.Limits {
	return desk.Limits{
		Publishers: c.MaxPublishers,
		PerAddress: c.MaxPublishersPerAddress,
		PerSubject: c.MaxPublishersPerSubject,
		Bitrate:    c.MaxBitrate,
	}
}

func handshakeLimits(c *config.Limits) gate.Limits {
	return gate.Limits{PerSecond: c.HandshakesPerSecond, Burst: c.HandshakeBurst}
}

// openGate limits how often one address may begin a session or a publication. From
// loopback come all whose proxy on this machine is not configured as one, and from a
// trusted proxy those that it does not tell: they are not to be taken for one.
func (s *server) openGate() {
	s.gate = gate.New(gate.Options{
		Limits:  handshakeLimits(&s.opts.Config.Limits),
		Exempt:  func(a netip.Addr) bool { return a.IsLoopback() || s.proxies.Trusts(a) },
		Refused: s.refusedAtGate,
	})
}

// refusedAtGate counts each refusal, and tells people of the first.
func (s *server) refusedAtGate(what string, from netip.Addr, r *gate.Refusal) {
	if r.First {
		s.log.Warn("an address is refused that connects too often; see limits.handshakes_per_second", "remote", from.String(), "what", what)
	}
	s.refused(what, "", "", from.String(), r)
}
