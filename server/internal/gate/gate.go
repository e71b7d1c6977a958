// Package gate keeps any one network address, and the holder of any one token, from
// doing something too often: beginning conversations, whatever their protocol, or
// sending commands.
//
//	WebSocket upgrade, WHIP offer, HTTP push, RTMP connection --> Admit        --> nil
//	hello, request with a token                               --> AdmitSubject --> *Refusal
//
// Each address and each subject has a bucket of its own. Those who find theirs empty
// are told so in the terms of their protocol, for as long as that costs the server
// less than what it lets in; beyond that they get the cheapest answer there is.
package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

var (
	// ErrTooOften is wrapped by all refusals.
	ErrTooOften = errors.New("too often")

	// What a Refusal wraps, by what is limited and for whom. They wrap ErrTooOften.
	ErrHandshakes          = fmt.Errorf("%w: too many connections from this address in a short time", ErrTooOften)
	ErrHandshakesOfSubject = fmt.Errorf("%w: too many connections of this token's holder in a short time", ErrTooOften)
	ErrCommands            = fmt.Errorf("%w: too many commands in this session in a short time", ErrTooOften)
	ErrCommandsOfAddress   = fmt.Errorf("%w: too many commands from this address in a short time", ErrTooOften)
	ErrCommandsOfSubject   = fmt.Errorf("%w: too many commands of this token's holder in a short time", ErrTooOften)
)

const (
	// maxRemembered bounds what is remembered of addresses, and of subjects: about
	// 2 MB each. More than so many at the same time are an attack of many, and no
	// limit of each helps against it.
	maxRemembered = 16384

	// minWait is the least that a refused client is asked to wait: less is no relief.
	minWait = time.Second

	// maxWait is the most: whoever comes back later than that is not missed, and
	// neighbours of an attacker are not kept away for longer than it lasts.
	maxWait = time.Minute

	// networkBits is the part of an IPv6 address that one customer has as a rule.
	networkBits = 64
)

// Kind says what a Gate limits, by the errors that its refusals wrap.
type Kind struct{ Address, Subject error }

// The kinds of gates.
var (
	Handshakes = Kind{ErrHandshakes, ErrHandshakesOfSubject}
	Commands   = Kind{ErrCommandsOfAddress, ErrCommandsOfSubject}
)

// Refusal says how a client was refused. It wraps one of this package's errors.
type Refusal struct {
	// Wait is when the client should try again. Those refused one after the other
	// are given later and later times, so that they do not come back at once.
	Wait time.Duration
	// Curt: too many were refused as well, so that nothing more should be spent on
	// it than a word.
	Curt bool
	// First tells that nobody was refused since the bucket was last full: the rest
	// is for counting, and this for people.
	First bool
	// Err is which bucket was empty. Nil counts as ErrHandshakes.
	Err error
}

// Error implements error.
func (r *Refusal) Error() string {
	return fmt.Sprintf("%v; try again in %v", r.Unwrap(), (r.Wait + time.Second - 1).Truncate(time.Second))
}

// Unwrap returns Err.
func (r *Refusal) Unwrap() error {
	if r.Err == nil {
		return ErrHandshakes
	}
	return r.Err
}

// Limits are the size of a bucket, and how fast it fills.
type Limits struct {
	// PerSecond of whatever is limited is for ever; 0 is no limit.
	PerSecond int
	// Burst is at once.
	Burst int
}

// Options are what a Gate needs.
type Options struct {
	// Kind of what is limited. Default Handshakes.
	Kind Kind

	// Limits of an address, and SubjectLimits of all tokens that name one subject.
	Limits, SubjectLimits Limits

	// Exempt names the addresses that are not limited. Nil: none. Subjects are
	// limited wherever they come from.
	Exempt func(netip.Addr) bool

	// Refused is told of each refusal: what was asked for, and by whom. It must not
	// block. Nil: nobody is told.
	Refused func(what string, from netip.Addr, r *Refusal)
}

// Gate limits addresses and subjects. A nil one lets everybody in. Its methods may be
// called from any goroutine.
type Gate struct {
	opts Options

	mu        sync.Mutex
	addresses ledger[netip.Addr]
	subjects  ledger[string]
}

// New returns a Gate.
func New(opts Options) *Gate {
	if opts.Kind == (Kind{}) {
		opts.Kind = Handshakes
	}
	g := &Gate{opts: opts}
	g.SetLimits(opts.Limits, opts.SubjectLimits)
	return g
}

// SetLimits replaces Options.Limits and SubjectLimits.
func (g *Gate) SetLimits(address, subject Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.addresses.limits, g.subjects.limits = address, subject
}

// Admit lets an address go on, or returns a *Refusal. what is what the client wants,
// for Options.Refused. An address that is not known is not limited.
func (g *Gate) Admit(what string, from netip.Addr) *Refusal {
	if g == nil || !from.IsValid() || g.opts.Exempt != nil && g.opts.Exempt(from.Unmap()) {
		return nil
	}
	g.mu.Lock()
	r := g.addresses.take(Network(from), time.Now())
	g.mu.Unlock()
	return g.tell(r, what, from, g.opts.Kind.Address)
}

// AdmitSubject lets the holder of a token go on, who comes from some address, or
// returns a *Refusal. Whoever is not named is not limited.
func (g *Gate) AdmitSubject(what, subject string, from netip.Addr) *Refusal {
	if g == nil || subject == "" {
		return nil
	}
	g.mu.Lock()
	r := g.subjects.take(subject, time.Now())
	g.mu.Unlock()
	return g.tell(r, what, from, g.opts.Kind.Subject)
}

func (g *Gate) tell(r *Refusal, what string, from netip.Addr, err error) *Refusal {
	if r == nil {
		return nil
	}
	r.Err = err
	if g.opts.Refused != nil {
		g.opts.Refused(what, from.Unmap(), r)
	}
	return r
}

// Network is what counts as one address: an IPv4 address, or the 64 bits of an IPv6
// address that one customer has to itself.
func Network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if prefix, err := a.Prefix(networkBits); a.Is6() && err == nil {
		return prefix.Addr()
	}
	return a
}
