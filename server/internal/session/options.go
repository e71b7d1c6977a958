package session

import (
	"cmp"
	"time"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/gate"
)

// Defaults of Options.
const (
	DefaultHandshakeTimeout  = 10 * time.Second
	DefaultIdleTimeout       = 60 * time.Second
	DefaultMessageBytes      = 64 << 10
	DefaultCommandBurst      = 40
	DefaultCommandsPerSecond = 20
	DefaultViewerBytes       = 64 << 10
	DefaultResumeWithin      = 3 * time.Second
)

// Options bounds sessions. The zero value of a field means its default.
type Options struct {
	// Server is the name and version that Welcome tells.
	Server string

	// HandshakeTimeout is how long a client may take to send Hello. Default
	// 10 s.
	HandshakeTimeout time.Duration

	// IdleTimeout ends a session from which nothing came, answers to pings
	// included. Default 60 s. Pings are sent after a third of it.
	IdleTimeout time.Duration

	// MessageBytes is the size above which a client's message is refused. Default
	// 64 KiB. The connection must tell such messages; see Conn.
	MessageBytes int

	// CommandBurst commands may follow each other at once, and CommandsPerSecond
	// for ever. Defaults 40 and 20.
	CommandBurst, CommandsPerSecond int

	// Handshakes limits how often the holder of a token may begin a session: what
	// goes by the address was looked at before. Commands limits commands by address
	// and by holder, besides those of each session. Nil ones do not.
	Handshakes, Commands *gate.Gate

	// ResumeWithin is how far behind live a session that broke off may be for
	// its resumption to go on where it stood. Default 3 s.
	ResumeWithin time.Duration

	// MaxSessions ends further sessions as overloaded. Default 0: no bound.
	MaxSessions int

	// MaxSessionsPerAddress ends further sessions of a client's address as
	// overloaded. Default 0: no bound. Behind a proxy all have its address.
	MaxSessionsPerAddress int

	// MaxSessionsPerSubject ends further sessions whose tokens name the same
	// subject as GOODBYE_REASON_OVERLOADED. 0 is no bound.
	MaxSessionsPerSubject int

	// ViewerBytes is how much is handed to a viewer's connection at once, and so
	// what may wait for a slow one; a single larger message counts as one.
	// Default 64 KiB.
	ViewerBytes int

	// MaxWaitingBytes bounds what waits for all viewers together. Above it, those
	// for whom something waits are closed as too slow. Default 0: no bound but
	// ViewerBytes for each.
	MaxWaitingBytes int64

	// MaxViewersPerStream refuses further play commands. Default 0: no bound.
	MaxViewersPerStream int

	// Ladder says when a viewer is too slow.
	Ladder Ladder

	// Publisher makes what takes the publications of one session, when its client
	// first asks to publish. It is called with locks held and must not call back.
	// Nil: nobody may publish over a session.
	Publisher func(o Outlet) Publisher

	// Verifier reads tokens. Nil: everybody may watch everything.
	Verifier auth.Verifier

	// Hooks are told what happens.
	Hooks Hooks
}

func (o Options) withDefaults() Options {
	o.Server = cmp.Or(o.Server, "framewire")
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, DefaultHandshakeTimeout)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, DefaultIdleTimeout)
	o.MessageBytes = cmp.Or(o.MessageBytes, DefaultMessageBytes)
	o.CommandBurst = cmp.Or(o.CommandBurst, DefaultCommandBurst)
	o.CommandsPerSecond = cmp.Or(o.CommandsPerSecond, DefaultCommandsPerSecond)
	o.ViewerBytes = cmp.Or(o.ViewerBytes, DefaultViewerBytes)
	o.ResumeWithin = cmp.Or(o.ResumeWithin, DefaultResumeWithin)
	o.Ladder = o.Ladder.withDefaults()
	o.Hooks = o.Hooks.withDefaults()
	return o
}
