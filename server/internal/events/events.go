// Package events holds what an operator wants to know of: who came and went, what
// was missed and refused, and what became of the streams.
//
//	session, desk, web, app --Emit--> [ ring ] <--Next-- Watcher (console, log)
//
// Emit never waits: a watcher is a place in the ring, and one that reads too
// slowly loses the oldest events and is told how many.
package events

import (
	"context"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/wire"
)

// Capacity is how many events are kept: an hour of a busy server's comings and
// goings, in about a megabyte.
const Capacity = 4096

// Event is something that happened.
type Event struct {
	At time.Time
	// Stream and Session are what it is about, or empty.
	Stream, Session string
	Body            Body
}

// Body is one of the types below.
type Body interface{ body() }

type (
	// SessionOpened: a viewer was welcomed.
	SessionOpened struct{ Remote, Client string }
	// SessionClosed: a session ended.
	SessionClosed struct {
		Reason wire.GoodbyeReason
		After  time.Duration
	}
	// Gap: a viewer missed media.
	Gap struct {
		Reason   wire.GapReason
		From, To time.Duration
	}
	// StreamStatus: a stream's status changed. Status 0: it was removed.
	StreamStatus struct {
		Status  wire.StreamStatus
		Message string
	}
	// PublisherOpened: a publisher came.
	PublisherOpened struct{ Protocol, Remote string }
	// PublisherClosed: a publisher left. Reason is empty for one that said so.
	PublisherClosed struct{ Reason string }
	// Refused: somebody was refused What ("watch", "publish", "origin", "admin").
	Refused struct{ What, Reason, Remote string }
	// ConfigurationRead: the configuration was read again. Error is empty when it
	// was taken; TakesRestart are settings that are not in force yet.
	ConfigurationRead struct {
		Error        string
		TakesRestart []string
	}
	// OperatorActed: an operator called Method.
	OperatorActed struct{ Method, Subject, Remote string }
)

func (SessionOpened) body()     {}
func (SessionClosed) body()     {}
func (Gap) body()               {}
func (StreamStatus) body()      {}
func (PublisherOpened) body()   {}
func (PublisherClosed) body()   {}
func (Refused) body()           {}
func (ConfigurationRead) body() {}
func (OperatorActed) body()     {}

// Log keeps the newest events. Its methods may be called from any goroutine.
type Log struct {
	mu      sync.Mutex
	ring    []Event // of fixed length; that with number n is at n modulo it
	next    uint64  // number of the next event
	watched bool    // changed was handed out
	changed chan struct{}
}

// New returns a log that keeps the given number of events.
func New(capacity int) *Log {
	return &Log{ring: make([]Event, capacity), changed: make(chan struct{})}
}

// Emit adds an event, with the present time where it has none. It never blocks.
func (l *Log) Emit(e Event) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring[l.next%uint64(len(l.ring))] = e
	l.next++
	if l.watched {
		close(l.changed)
		l.changed = make(chan struct{})
		l.watched = false
	}
}

// Watcher reads the log from some point on. It is used by one goroutine at a
// time, and needs no end.
type Watcher struct {
	log  *Log
	next uint64
}

// Watch returns a watcher that begins with at most recent events of the past.
func (l *Log) Watch(recent int) *Watcher {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := min(l.next, uint64(len(l.ring)))
	return &Watcher{log: l, next: l.next - min(held, uint64(max(0, recent)))}
}

// Next waits for the next event. missed is the number of those before it that
// were lost since the last call.
func (w *Watcher) Next(ctx context.Context) (e Event, missed uint64, err error) {
	for {
		e, missed, changed := w.take()
		if changed == nil {
			return e, missed, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Event{}, 0, ctx.Err()
		}
	}
}

// take returns the next event, or a channel that is closed when there is one.
func (w *Watcher) take() (e Event, missed uint64, changed <-chan struct{}) {
	l := w.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.next == l.next {
		l.watched = true
		return Event{}, 0, l.changed
	}
	if oldest := l.next - min(l.next, uint64(len(l.ring))); w.next < oldest {
		missed = oldest - w.next
		w.next = oldest
	}
	e = l.ring[w.next%uint64(len(l.ring))]
	w.next++
	return e, missed, nil
}
