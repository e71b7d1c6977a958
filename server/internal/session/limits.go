package session

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/wire"
)

// overloadRetry is when a refused client may ask again: late enough to be no
// load of its own.
const overloadRetry = 15 * time.Second

// What Hooks.Refused is told of those for whom Limits leave no room.
var (
	ErrServerFull  = errors.New("the server has as many sessions as it may")
	ErrAddressFull = errors.New("the address has as many sessions as it may")
	ErrSubjectFull = errors.New("the token's holder has as many sessions as it may")
	ErrStreamFull  = errors.New("the stream has as many viewers as it may")
)

// Limits bound how many sessions there may be; 0 is no bound.
type Limits struct {
	// Sessions in all, and from one client's address.
	Sessions, SessionsPerAddress int
	// SessionsPerSubject is for all sessions whose tokens name the same subject.
	// Tokens that name none are not bounded by it.
	SessionsPerSubject int
	// ViewersPerStream refuses further play commands.
	ViewersPerStream int
}

// SetLimits replaces those of Options. Sessions that are there stay.
func (s *Sessions) SetLimits(l Limits) { s.limits.Store(&l) }

// crowd counts what Options bounds.
type crowd struct {
	addresses map[netip.Addr]int // sessions; guarded by Sessions.mu
	subjects  map[string]int     // likewise
	waiting   atomic.Int64       // bytes that connections have not taken
}

// refuse returns how v's session begins with its end, or nil. The caller holds
// mu.
func (s *Sessions) refuse(v *Viewer) *wire.Goodbye {
	overloaded := func(why error, message string) *wire.Goodbye {
		s.opts.Hooks.Refused(v.id, v.peer.Play, v.peer.Address, why)
		return &wire.Goodbye{Reason: wire.GoodbyeOverloaded, RetryAfter: overloadRetry, Message: message}
	}
	limits := s.limits.Load()
	switch {
	case s.closing != nil:
		g := s.closing.goodbye(0, 1)
		return &g
	case v.peer.Refusal != nil:
		return &wire.Goodbye{Reason: wire.GoodbyeOverloaded, RetryAfter: v.peer.Refusal.Wait, Message: "Your address connects too often. Please come back a little later."}
	case limits.Sessions > 0 && len(s.viewers) >= limits.Sessions:
		return overloaded(ErrServerFull, "The server has as many viewers as it may. Please come back later.")
	case limits.SessionsPerAddress > 0 && s.crowd.addresses[addressOf(v)] >= limits.SessionsPerAddress:
		return overloaded(ErrAddressFull, "Your address has as many sessions as it may. Please close one, or come back later.")
	}
	return nil
}

// count adds n sessions of v's address. The caller holds mu.
func (s *Sessions) count(v *Viewer, n int) {
	if s.crowd.addresses == nil {
		s.crowd.addresses = make(map[netip.Addr]int)
	}
	a := addressOf(v)
	if s.crowd.addresses[a] += n; s.crowd.addresses[a] == 0 {
		delete(s.crowd.addresses, a)
	}
}

// enroll counts v for the subject of its token, in place of the one before. Where
// that is not possible it tells so, and returns how the client is told.
func (s *Sessions) enroll(v *Viewer, stream, subject string) (refusal string) {
	if s.enlist(v, subject) {
		return ""
	}
	s.opts.Hooks.Refused(v.id, stream, v.peer.Address, ErrSubjectFull)
	return "Your token's holder has as many sessions as it may. Please close one, or come back later."
}

func (s *Sessions) enlist(v *Viewer, subject string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if subject == v.subject {
		return true
	}
	if most := s.limits.Load().SessionsPerSubject; subject != "" && most > 0 && s.crowd.subjects[subject] >= most {
		return false
	}
	s.dismiss(v)
	if subject != "" {
		if s.crowd.subjects == nil {
			s.crowd.subjects = make(map[string]int)
		}
		s.crowd.subjects[subject]++
		v.subject = subject
	}
	return true
}

// dismiss undoes enroll. The caller holds mu.
func (s *Sessions) dismiss(v *Viewer) {
	if v.subject == "" {
		return
	}
	if s.crowd.subjects[v.subject]--; s.crowd.subjects[v.subject] == 0 {
		delete(s.crowd.subjects, v.subject)
	}
	v.subject = ""
}

// addressOf is what v counts as, the zero value when its address is not known.
func addressOf(v *Viewer) netip.Addr {
	remote, _ := netip.ParseAddrPort(v.peer.Address)
	return gate.Network(remote.Addr())
}

// waits notes how many bytes the connection has not taken.
func (v *Viewer) waits(left int) {
	if left != v.out.counted {
		v.host.crowd.waiting.Add(int64(left - v.out.counted))
		v.out.counted = left
	}
}

// crowdedOut reports whether more bytes wait in all than may, so that whoever
// holds any of them has to go.
func (v *Viewer) crowdedOut() bool {
	most := v.host.opts.MaxWaitingBytes
	return most > 0 && v.host.crowd.waiting.Load() > most
}
