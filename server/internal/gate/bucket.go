package gate

import (
	"math/rand/v2"
	"time"
)

// Bucket counts what somebody has taken and not got back yet. Its zero value is a
// full one. It is used by one goroutine at a time.
type Bucket struct {
	let     float64 // what was let through
	refused float64 // of those refused in full
	curt    float64 // of those refused curtly
	at      time.Time
	told    bool
}

// Take lets one more through, or returns a *Refusal whose Err is left to the caller.
func (b *Bucket) Take(l Limits, now time.Time) *Refusal {
	if l.PerSecond <= 0 {
		return nil
	}
	b.fill(now, l.PerSecond)
	burst := float64(l.Burst)
	if b.let+1 <= burst {
		b.let++
		return nil
	}
	r := &Refusal{First: !b.told, Curt: b.refused+1 > burst}
	b.told = true
	waiting := &b.refused
	if r.Curt {
		waiting = &b.curt
	}
	*waiting++
	// Whoever is to be let through before this one takes its time.
	after := time.Duration((b.let + b.refused + b.curt - burst) / float64(l.PerSecond) * float64(time.Second))
	r.Wait = max(minWait, after)
	if after > maxWait {
		*waiting-- // so that a flood is forgotten maxWait after it
		r.Wait = maxWait - rand.N(maxWait/4)
	}
	return r
}

// fill gives back what the time since the last look has brought.
func (b *Bucket) fill(now time.Time, perSecond int) {
	back := now.Sub(b.at).Seconds() * float64(perSecond)
	b.let, b.refused, b.curt, b.at = max(0, b.let-back), max(0, b.refused-back), max(0, b.curt-back), now
	if b.let == 0 {
		b.told = false
	}
}

// ledger has a bucket for each of many, up to maxRemembered.
type ledger[K comparable] struct {
	limits  Limits
	buckets map[K]*Bucket
}

func (l *ledger[K]) take(who K, now time.Time) *Refusal {
	if l.limits.PerSecond <= 0 {
		return nil
	}
	b := l.buckets[who]
	if b == nil {
		if l.buckets == nil {
			l.buckets = make(map[K]*Bucket)
		}
		if len(l.buckets) >= maxRemembered {
			l.forget(now)
		}
		b = &Bucket{at: now}
		l.buckets[who] = b
	}
	return b.Take(l.limits, now)
}

// forget drops those whose buckets are full again. When that is not enough, it drops
// those who are not refused, and then anyone.
func (l *ledger[K]) forget(now time.Time) {
	for who, b := range l.buckets {
		if b.fill(now, l.limits.PerSecond); b.let == 0 {
			delete(l.buckets, who)
		}
	}
	for _, all := range []bool{false, true} {
		for who, b := range l.buckets {
			if len(l.buckets) < maxRemembered*3/4 {
				return
			}
			if all || b.let+1 <= float64(l.limits.Burst) {
				delete(l.buckets, who)
			}
		}
	}
}
