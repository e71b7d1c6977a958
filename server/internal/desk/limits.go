package desk

import (
	"cmp"
	"fmt"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/publish"
)

// Limits bound publishers. The zero value of a field means its default.
type Limits struct {
	// Publishers at the same time. Default 100.
	Publishers int
	// PerAddress and PerSubject are publishers from one network address, and whose
	// tokens name the same subject. Default 0: no bound. Those who are let in by a
	// key, or whose token names nobody, are of no subject.
	PerAddress, PerSubject int
	// Bitrate of one publisher in bits per second, over five seconds. Default
	// 100 Mb/s.
	Bitrate int64
}

func (l Limits) withDefaults() Limits {
	l.Publishers = cmp.Or(l.Publishers, 100)
	l.Bitrate = cmp.Or(l.Bitrate, 100_000_000)
	return l
}

// SetLimits replaces Options.Limits. Publishers who are in stay.
func (d *Desk) SetLimits(l Limits) {
	l = l.withDefaults()
	d.limits.Store(&l)
}

// roomLocked refuses a publisher for whom the limits leave no room. Whoever has the
// stream that it asks for would make room. d.mu is held.
func (d *Desk) roomLocked(r publish.Request, grant *auth.Grant) error {
	l := d.limits.Load()
	anybody := func(*publication) bool { return true }
	if d.publishers >= l.Publishers && d.slots[r.Stream].countIf(anybody) == 0 {
		return fmt.Errorf("%w: the limit is %d", publish.ErrTooManyPublishers, l.Publishers)
	}
	if from := gate.Network(r.Remote.Addr()); l.PerAddress > 0 && from.IsValid() {
		if d.countLocked(r.Stream, func(p *publication) bool { return p.address == from }) >= l.PerAddress {
			return fmt.Errorf("%w: the limit is %d", publish.ErrAddressFull, l.PerAddress)
		}
	}
	return d.subjectLocked(r.Stream, grant)
}

// subjectLocked refuses a token for a stream whose subject has as many publishers of
// other streams as it may. d.mu is held.
func (d *Desk) subjectLocked(stream string, grant *auth.Grant) error {
	most := d.limits.Load().PerSubject
	if most == 0 || grant.Subject == "" {
		return nil
	}
	if d.countLocked(stream, func(p *publication) bool { return p.grant.Subject == grant.Subject }) >= most {
		return fmt.Errorf("%w: the limit is %d", publish.ErrSubjectFull, most)
	}
	return nil
}

// countLocked counts the publishers of other streams than one. Publishers are few,
// and begin rarely: to count them takes no books that could be wrong. d.mu is held.
func (d *Desk) countLocked(but string, is func(*publication) bool) (n int) {
	for name, s := range d.slots {
		if name != but {
			n += s.countIf(is)
		}
	}
	return n
}

// countIf is 1 where the slot has such a publisher, and 0 otherwise. A nil slot has
// none.
func (s *slot) countIf(is func(*publication) bool) int {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && is(s.current) {
		return 1
	}
	return 0
}
