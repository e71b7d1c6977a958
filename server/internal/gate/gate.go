// Package gate keeps any one network address from beginning too many
// conversations in a short time, whatever their protocol.
//
//	WebSocket upgrade, WHIP offer, HTTP push, RTMP connection --> Admit --> nil
//	                                                                    --> *Refusal
//
// Each address has a bucket of its own. Those who find theirs empty are told so in
// the terms of their protocol, for as long as that costs the server less than what
// it lets in; beyond that they get the cheapest answer there is.
package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// ErrTooOften is wrapped by all refusals.
var ErrTooOften = errors.New("too many connections from this address in a short time")

const (
	// maxAddresses bounds what is remembered: about 2 MB. More than so many at the
	// same time are an attack of many, and no limit by address helps against it.
	maxAddresses = 16384

	// minWait is the least that a refused client is asked to wait: less is no relief.
	minWait = time.Second

	// networkBits is the part of an IPv6 address that one customer has as a rule.
	networkBits = 64
)

// Refusal says how a client was refused. It wraps ErrTooOften.
type Refusal struct {
	// Wait is when the client should try again. Those refused one after the other
	// are given later and later times, so that they do not come back at once.
	Wait time.Duration
	// Curt: too many of this address were refused as well, so that nothing more
	// should be spent on it than a word.
	Curt bool
	// First tells that nobody of this address was refused since its bucket was last
	// full: the rest is for counting, and this for people.
	First bool
}

// Error implements error.
func (r *Refusal) Error() string {
	return fmt.Sprintf("%v; try again in %v", ErrTooOften, r.Wait.Round(time.Second))
}

// Unwrap returns ErrTooOften.
func (r *Refusal) Unwrap() error { return ErrTooOften }

// Limits are the size of a bucket, and how fast it fills.
type Limits struct {
	// PerSecond conversations may begin for ever; 0 is no limit.
	PerSecond int
	// Burst conversations may begin at once.
	Burst int
}

// Options are what a Gate needs.
type Options struct {
	Limits Limits

	// Exempt names the addresses that are not limited. Nil: none.
	Exempt func(netip.Addr) bool

	// Refused is told of each refusal: what was asked for, and by whom. It must not
	// block. Nil: nobody is told.
	Refused func(what string, from netip.Addr, r *Refusal)
}

// Gate limits addresses. A nil one lets everybody in. Its methods may be called
// from any goroutine.
type Gate struct {
	opts Options

	mu        sync.Mutex
	limits    Limits
	addresses map[netip.Addr]*bucket
}

// New returns a Gate.
func New(opts Options) *Gate {
	return &Gate{opts: opts, limits: opts.Limits, addresses: make(map[netip.Addr]*bucket)}
}

// SetLimits replaces Options.Limits.
func (g *Gate) SetLimits(l Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits = l
}

// bucket counts what an address has taken and not got back yet.
type bucket struct {
	let, refused float64 // conversations
	at           time.Time
	told         bool
}

// fill gives back what the time since the last look has brought.
func (b *bucket) fill(now time.Time, perSecond int) {
	back := now.Sub(b.at).Seconds() * float64(perSecond)
	b.let, b.refused, b.at = max(0, b.let-back), max(0, b.refused-back), now
	if b.let == 0 {
		b.told = false
	}
}

// Admit lets a conversation begin, or returns a *Refusal. what is what the client
// wants, for Options.Refused. An address that is not known is not limited.
func (g *Gate) Admit(what string, from netip.Addr) *Refusal {
	if g == nil || !from.IsValid() || g.opts.Exempt != nil && g.opts.Exempt(from.Unmap()) {
		return nil
	}
	r := g.take(Network(from), time.Now())
	if r != nil && g.opts.Refused != nil {
		g.opts.Refused(what, from.Unmap(), r)
	}
	return r
}

func (g *Gate) take(from netip.Addr, now time.Time) *Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	rate, burst := g.limits.PerSecond, float64(g.limits.Burst)
	if rate <= 0 {
		return nil
	}
	b := g.addresses[from]
	if b == nil {
		if len(g.addresses) >= maxAddresses {
			g.forget(now)
		}
		b = &bucket{at: now}
		g.addresses[from] = b
	}
	b.fill(now, rate)
	if b.let+1 <= burst {
		b.let++
		return nil
	}
	r := &Refusal{First: !b.told, Curt: b.refused+1 > burst}
	b.told = true
	if !r.Curt {
		b.refused++
	}
	after := b.let + b.refused - burst // who is to be let in before
	r.Wait = max(minWait, time.Duration(after/float64(rate)*float64(time.Second)))
	return r
}

// forget drops those whose buckets are full again. When that is not enough, it
// drops those who are not refused, and then anyone.
func (g *Gate) forget(now time.Time) {
	for address, b := range g.addresses {
		if b.fill(now, g.limits.PerSecond); b.let == 0 {
			delete(g.addresses, address)
		}
	}
	for _, all := range []bool{false, true} {
		for address, b := range g.addresses {
			if len(g.addresses) < maxAddresses*3/4 {
				return
			}
			if all || b.let+1 <= float64(g.limits.Burst) {
				delete(g.addresses, address)
			}
		}
	}
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
