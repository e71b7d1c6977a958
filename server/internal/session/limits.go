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
		g := s.closing.late()
		return &g
	case v.peer.Refusal != nil:
		return v.peer.Refusal
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

// subjectFull tells the client of ErrSubjectFull.
const subjectFull = "Your token's holder has as many sessions as it may. Please close one, or come back later."

// place is one more session of a subject that is counted, until it is taken or left.
type place struct {
	v       *Viewer
	subject string
}

// enroll finds a place among the sessions of the subject of v's token, besides that
// which v may have with another. Where there is none it tells so, and reports false.
func (s *Sessions) enroll(v *Viewer, stream, subject string) (place, bool) {
	if !s.reserve(v, subject) {
		s.opts.Hooks.Refused(v.id, stream, v.peer.Address, ErrSubjectFull)
		return place{}, false
	}
	return place{v, subject}, true
}

// reserve counts one more session of the subject, unless it is v's already.
func (s *Sessions) reserve(v *Viewer, subject string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if subject == v.subject || subject == "" {
		return true
	}
	if most := s.limits.Load().SessionsPerSubject; most > 0 && s.crowd.subjects[subject] >= most {
		return false
	}
	if s.crowd.subjects == nil {
		s.crowd.subjects = make(map[string]int)
	}
	s.crowd.subjects[subject]++
	return true
}

// take has v sit there, in place of where it sat.
func (p place) take() {
	s := p.v.host
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.subject != p.v.subject {
		s.dismiss(p.v.subject)
		p.v.subject = p.subject
	}
}

// leave gives the place back.
func (p place) leave() {
	s := p.v.host
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.subject != p.v.subject {
		s.dismiss(p.subject)
	}
}

// dismiss counts one session of the subject less. The caller holds mu.
func (s *Sessions) dismiss(subject string) {
	if subject == "" {
		return
	}
	if s.crowd.subjects[subject]--; s.crowd.subjects[subject] == 0 {
		delete(s.crowd.subjects, subject)
	}
}

// addressOf is what v counts as, the zero value when its address is not known.
func addressOf(v *Viewer) netip.Addr {
	return gate.Network(remoteOf(v))
}

// remoteOf is v's address, the zero value when it is not known.
func remoteOf(v *Viewer) netip.Addr {
	remote, _ := netip.ParseAddrPort(v.peer.Address)
	return remote.Addr()
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
