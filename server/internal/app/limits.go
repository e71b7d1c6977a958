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
		Handshakes:            s.gate,
		Commands:              s.commands,
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

// setGates puts the limits of c on what an address, or a token's holder, may do in a
// short time.
func (s *server) setGates(c *config.Limits) {
	s.gate.SetLimits(
		gate.Limits{PerSecond: c.HandshakesPerSecond, Burst: c.HandshakeBurst},
		gate.Limits{PerSecond: c.SubjectHandshakesPerSecond, Burst: c.SubjectHandshakeBurst})
	s.commands.SetLimits(
		gate.Limits{PerSecond: c.AddressCommandsPerSecond, Burst: c.AddressCommandBurst},
		gate.Limits{PerSecond: c.SubjectCommandsPerSecond, Burst: c.SubjectCommandBurst})
}

// openGates limits how often one address, and one token's holder, may begin a session
// or a publication, and send commands.
func (s *server) openGates() {
	s.gate = gate.New(gate.Options{Kind: gate.Handshakes, Exempt: s.shared, Refused: s.refusedAtGate})
	s.commands = gate.New(gate.Options{Kind: gate.Commands, Exempt: s.shared, Refused: s.refusedAtGate})
	s.setGates(&s.opts.Config.Limits)
}

// shared reports whether clients of this address are not to be taken for one: from
// loopback come all whose proxy on this machine is not configured as one, and from a
// trusted proxy those that it does not tell.
func (s *server) shared(a netip.Addr) bool { return a.IsLoopback() || s.proxies.Trusts(a) }

// refusedAtGate counts each refusal, and tells people of the first.
func (s *server) refusedAtGate(what string, from netip.Addr, r *gate.Refusal) {
	if r.First {
		s.log.Warn("a client is refused that asks too often; see limits in the configuration", "remote", from.String(), "what", what, "reason", r.Unwrap())
	}
	s.refused(what, "", "", from.String(), r)
}
