package desk

import (
	"cmp"
	"slices"
	"time"

	"github.com/framewire/framewire/server/internal/publish"
)

// Publisher is what an operator may know of a publisher.
type Publisher struct {
	Stream   string
	Protocol publish.Protocol
	Remote   string // address, empty when unknown
	Client   string // what it calls itself
	Subject  string // who its token names, empty for one with a key
	Opened   time.Time
	// Bytes and Samples of media received.
	Bytes, Samples uint64
}

// Hooks are told of publishers, for the operator. They are called with locks
// held: they must neither block nor call the desk. Nil ones are not called.
type Hooks struct {
	// Opened: a publisher was let in.
	Opened func(Publisher)
	// Closed: it left. reason is nil for one that ended in good order.
	Closed func(p Publisher, reason error)
	// Refused: one was not let in.
	Refused func(r publish.Request, reason error)
}

func (h Hooks) withDefaults() Hooks {
	if h.Opened == nil {
		h.Opened = func(Publisher) {}
	}
	if h.Closed == nil {
		h.Closed = func(Publisher, error) {}
	}
	if h.Refused == nil {
		h.Refused = func(publish.Request, error) {}
	}
	return h
}

// Publishers returns the publishers, the oldest first.
func (d *Desk) Publishers() []Publisher {
	d.mu.Lock()
	slots := make([]*slot, 0, len(d.slots))
	for _, s := range d.slots {
		slots = append(slots, s)
	}
	d.mu.Unlock()
	list := make([]Publisher, 0, len(slots))
	for _, s := range slots {
		s.mu.Lock()
		if s.current != nil {
			list = append(list, s.current.describeLocked())
		}
		s.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b Publisher) int {
		return cmp.Or(a.Opened.Compare(b.Opened), cmp.Compare(a.Stream, b.Stream))
	})
	return list
}

func (p *publication) describeLocked() Publisher {
	d := Publisher{
		Stream:   p.request.Stream,
		Protocol: p.request.Protocol,
		Client:   p.request.Client,
		Subject:  p.grant.Subject,
		Opened:   p.opened,
		Bytes:    p.total,
		Samples:  p.frames,
	}
	if p.request.Remote.IsValid() {
		d.Remote = p.request.Remote.String()
	}
	return d
}
