package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/wire"
)

// Sessions are the viewers of a server. Its methods may be called from any
// goroutine.
type Sessions struct {
	hub  Hub
	opts Options
	log  *slog.Logger
	list directory
	sent sent

	latencies latencies

	commandLimits gate.Limits // of one session

	limits atomic.Pointer[Limits]

	mu      sync.Mutex
	viewers map[string]*Viewer
	staying int      // those of viewers that did not begin with their end
	closing *closing // set once new ones are refused
	gone    sync.Cond
	crowd   crowd

	rows      sync.WaitGroup // the goroutines of audiences
	rowsMu    sync.Mutex
	audiences map[Stream]*audience // guarded by rowsMu
}

// closing is how sessions are ended, those that are still to come included.
type closing struct {
	reason wire.GoodbyeReason
	spread time.Duration
}

// New returns an empty set of sessions on the streams of hub.
func New(hub Hub, opts Options, log *slog.Logger) *Sessions {
	s := &Sessions{
		hub:     hub,
		opts:    opts.withDefaults(),
		log:     log,
		viewers: make(map[string]*Viewer),
	}
	s.list = directory{hub: hub, latencies: &s.latencies}
	s.gone.L = &s.mu
	s.commandLimits = gate.Limits{PerSecond: s.opts.CommandsPerSecond, Burst: s.opts.CommandBurst}
	s.SetLimits(Limits{
		Sessions:           opts.MaxSessions,
		SessionsPerAddress: opts.MaxSessionsPerAddress,
		SessionsPerSubject: opts.MaxSessionsPerSubject,
		ViewersPerStream:   opts.MaxViewersPerStream,
	})
	return s
}

// Peer is what is known of a client before it says anything.
type Peer struct {
	// Address is the client's network address, for logs and the console.
	Address  string
	Encoding wire.Encoding
	// Token is the access token that came with the connection, for a Hello that
	// brings none.
	Token string
	// Play is a stream to start after the handshake, when Hello does not resume
	// another; or empty.
	Play string
	// Refusal has the session begin with its end. Whoever refuses counts that. Nil:
	// it may begin.
	Refusal *wire.Goodbye
}

// Serve runs one session to its end, with conn closed and no goroutine left, and
// returns why it ended.
func (s *Sessions) Serve(conn Conn, peer Peer) wire.GoodbyeReason {
	v := newViewer(s, conn, peer)
	s.add(v)
	defer s.remove(v)
	s.log.Debug("session opened", "session", v.id, "remote", peer.Address, "subprotocol", peer.Encoding)
	end := v.run()
	s.log.Debug("session ended", "session", v.id, "stream", end.Stream, "remote", peer.Address, "reason", end.Reason, "after", end.After)
	return end.Reason
}

// add registers v, or lets it begin with its end.
func (s *Sessions) add(v *Viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.refuse(v); g != nil {
		v.refused = true
		v.Goodbye(*g)
	} else {
		s.staying++
	}
	s.count(v, 1)
	s.viewers[v.id] = v
}

func (s *Sessions) remove(v *Viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.viewers, v.id)
	if !v.refused {
		s.staying--
	}
	s.count(v, -1)
	s.dismiss(v.subject)
	v.subject = ""
	s.gone.Broadcast()
}

// Lookup returns the session with that ID, or nil.
func (s *Sessions) Lookup(id string) *Viewer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewers[id]
}

// All returns the sessions, the oldest first.
func (s *Sessions) All() []*Viewer {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Viewer, 0, len(s.viewers))
	for _, v := range s.viewers {
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b *Viewer) int {
		return cmp.Or(a.opened.Compare(b.opened), cmp.Compare(a.id, b.id))
	})
	return all
}

// Refuse has sessions that come from now on begin with their end. Clients are asked
// to come back at times spread over the given span.
func (s *Sessions) Refuse(reason wire.GoodbyeReason, spread time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = &closing{reason, spread}
}

// Drain ends all sessions with the reason, those included that come while it
// runs and afterwards, and waits until those that were there are gone or ctx is
// done: who comes back meanwhile, and again, holds nobody up. Clients are asked to
// come back at times spread over the given span.
func (s *Sessions) Drain(ctx context.Context, reason wire.GoodbyeReason, spread time.Duration) error {
	s.Refuse(reason, spread)
	end := &closing{reason, spread}
	all := s.All()
	by := time.Now().Add(farewellWait)
	for i, v := range all {
		v.depart(end.goodbye(i, len(all)), by)
	}
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gone.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.staying > 0 && ctx.Err() == nil {
		s.gone.Wait()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.rows.Wait() // nobody is left in them
	return nil
}

// lateTurns is how many different times to come back there are for those who come
// while the server goes: it is not known how many there will be.
const lateTurns = 32

// late is the goodbye of one of them.
func (c *closing) late() wire.Goodbye { return c.goodbye(mathrand.IntN(lateTurns), lateTurns) }

// goodbye is that of the i-th of n sessions.
func (c *closing) goodbye(i, n int) wire.Goodbye {
	g := wire.Goodbye{Reason: c.reason, Message: "The server is shutting down."}
	if c.reason == wire.Restarting {
		g.Message = "The server restarts and will be back in a moment."
		g.RetryAfter = c.spread * time.Duration(min(i, n)+1) / time.Duration(n+1)
	}
	return g
}

func newID() string { return rand.Text()[:16] }
