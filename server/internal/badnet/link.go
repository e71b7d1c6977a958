package badnet

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// segment is how many bytes take their turn on a link with a rate; about what
// an Ethernet frame carries, so that connections share it evenly.
const segment = 1400

// catchUp is how far a sender may lag behind the rate and still make up for it.
// Timers fire late by about a millisecond; without it a fast link would be
// slower than its rate.
const catchUp = 5 * time.Millisecond

// link times the bytes of one direction, for all connections.
type link struct {
	seed uint64

	mu      sync.Mutex
	profile Link
	since   time.Time     // when profile was set; the origin of stall slots
	free    time.Time     // when the last byte that was granted will have left
	changed chan struct{} // closed when profile is replaced
}

func newLink(profile Link, seed uint64) *link {
	return &link{seed: seed, profile: profile, since: time.Now(), changed: make(chan struct{})}
}

// set replaces the profile. Whoever waits looks again at once.
func (l *link) set(profile Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.profile, l.since, l.free = profile, time.Now(), time.Time{}
	close(l.changed)
	l.changed = make(chan struct{})
}

// queue returns the bound of a connection's queue, and a channel that is closed
// when it may be another.
func (l *link) queue() (int, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.profile.queue(), l.changed
}

// await returns when bytes that arrived at the given time are due. chance, from
// 0 to 1, is their share of the jitter.
func (l *link) await(ctx context.Context, arrived time.Time, chance float64) error {
	for {
		due, held, changed := l.due(arrived, chance)
		if !held && !due.After(time.Now()) {
			return ctx.Err()
		}
		if err := sleep(ctx, due, held, changed); err != nil {
			return err
		}
	}
}

// due tells when bytes may go on: at a time, or (held) not before the profile
// changes.
func (l *link) due(arrived time.Time, chance float64) (at time.Time, held bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at = arrived.Add(l.profile.Delay + time.Duration(chance*float64(l.profile.Jitter)))
	if now := time.Now(); at.Before(now) {
		at = now
	}
	return l.afterStall(at), l.profile.Hold, l.changed
}

// afterStall returns t, or the end of the stall in which t falls. A stall that
// runs into the next one is seen when that one is reached. It needs mu.
func (l *link) afterStall(t time.Time) time.Time {
	p := &l.profile
	if p.StallProbability == 0 {
		return t
	}
	elapsed := t.Sub(l.since)
	last := int64(elapsed / StallSlot)
	first := max(0, int64((elapsed-p.StallLength)/StallSlot))
	for slot := last; slot >= first; slot-- {
		end := time.Duration(slot)*StallSlot + p.StallLength
		if end > elapsed && l.stalls(slot) {
			return l.since.Add(end)
		}
	}
	return t
}

func (l *link) stalls(slot int64) bool {
	return rand.New(rand.NewPCG(l.seed, uint64(slot))).Float64() < l.profile.StallProbability
}

// limited reports whether the link has a rate.
func (l *link) limited() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.profile.Rate > 0
}

// pass returns when n bytes have had their turn at the link's rate. A change of
// profile lets them go at once.
func (l *link) pass(ctx context.Context, n int) error {
	l.mu.Lock()
	if l.profile.Rate == 0 {
		l.mu.Unlock()
		return nil
	}
	if floor := time.Now().Add(-catchUp); l.free.Before(floor) {
		l.free = floor
	}
	l.free = l.free.Add(time.Duration(n) * time.Second / time.Duration(l.profile.Rate))
	at, changed := l.free, l.changed
	l.mu.Unlock()
	return sleep(ctx, at, false, changed)
}

// sleep returns at the time at (never, if held is set), when changed is closed,
// or with ctx's error.
func sleep(ctx context.Context, at time.Time, held bool, changed <-chan struct{}) error {
	var due <-chan time.Time
	if !held {
		wait := time.Until(at)
		if wait <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-changed:
	case <-ctx.Done():
	}
	return ctx.Err()
}
