package session

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

const (
	// rowSize is how many viewers fill a row before the next one is opened: one
	// that is small is passed through in less time than waking another takes.
	rowSize = 64

	// holdFrom is the number of viewers in a row from which sound waits for a
	// picture to leave with: where few watch, the system calls that this saves
	// are not worth the delay.
	holdFrom = rowSize / 2

	// clockStride is how many viewers are served by one look at the clock.
	clockStride = 32
)

// audience is those who watch one stream and keep up with it. They sit in rows,
// one for each processor at the most, and each row is served by one goroutine:
// waking one for each viewer would cost as much as what it has to do.
//
// A viewer takes a seat once its Step has nothing left to do, and leaves it when
// there is more to do than writing what has just come: when its connection does
// not take all of it, when it pauses, or when its session ends. Then it has a
// goroutine of its own; see Viewer.drive.
type audience struct {
	host   *Sessions
	stream Stream

	mu   sync.Mutex
	rows []*row // guarded by mu; those that are open
}

// row is some of an audience.
type row struct {
	of   *audience
	wake chan struct{} // capacity 1: arrivals or due have become more

	mu sync.Mutex
	// Guarded by mu.
	seats    int // taken, arrivals included
	arrivals []*Viewer
	due      []*Viewer // who have more to do than following the stream
	shut     bool      // its goroutine has ended or is about to

	// Of the goroutine.
	viewers []*Viewer
	press   press
	batch   Batch
	state   StreamState   // as seen last
	took    time.Duration // by the last sweep
	hold    time.Time     // sound waits for a picture until then; zero while none does
}

// audienceOf returns the audience of a stream.
func (s *Sessions) audienceOf(stream Stream) *audience {
	s.rowsMu.Lock()
	defer s.rowsMu.Unlock()
	a := s.audiences[stream]
	if a == nil {
		if s.audiences == nil {
			s.audiences = make(map[Stream]*audience)
		}
		a = &audience{host: s, stream: stream}
		s.audiences[stream] = a
	}
	return a
}

// seat gives v a place. From then on its row steps it.
func (a *audience) seat(v *Viewer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var best *row
	least := 0
	for _, r := range a.rows {
		r.mu.Lock()
		n, shut := r.seats, r.shut
		r.mu.Unlock()
		if shut {
			continue
		}
		if n < rowSize {
			best = r
			break
		}
		if best == nil || n < least {
			best, least = r, n
		}
	}
	if best == nil || len(a.rows) < runtime.GOMAXPROCS(0) && least >= rowSize {
		best = nil
	}
	if best != nil && best.admit(v) {
		return
	}
	r := &row{of: a, wake: make(chan struct{}, 1)}
	a.rows = append(slices.DeleteFunc(a.rows, (*row).isShut), r)
	r.admit(v)
	a.host.rows.Go(r.serve)
}

// forget lets go of an audience that has nobody left. Who takes a seat at this
// moment may find it forgotten, which does no harm: another is made beside it.
func (a *audience) forget() {
	a.mu.Lock()
	empty := !slices.ContainsFunc(a.rows, func(r *row) bool { return !r.isShut() })
	a.mu.Unlock()
	a.host.rowsMu.Lock()
	defer a.host.rowsMu.Unlock()
	if empty && a.host.audiences[a.stream] == a {
		delete(a.host.audiences, a.stream)
	}
}

func (r *row) isShut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shut
}

// admit reports false when the row is shut.
func (r *row) admit(v *Viewer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return false
	}
	v.row.Store(r)
	r.seats++
	r.arrivals = append(r.arrivals, v)
	r.signal()
	return true
}

// call makes the row step v soon.
func (r *row) call(v *Viewer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v.row.Load() == r && !v.called {
		v.called = true
		r.due = append(r.due, v)
		r.signal()
	}
}

func (r *row) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// serve steps the row's viewers until there are none.
func (r *row) serve() {
	r.press.open(r.of.stream)
	timer := time.NewTimer(quietStep)
	defer timer.Stop()
	called := make([]*Viewer, 0, rowSize)
	for {
		changed := r.of.stream.Changed()
		now := time.Now()
		wait := r.waitFor(now)
		if wait == 0 {
			r.sweep()
			wait = quietStep
		}
		var open bool
		if called, open = r.collect(called[:0]); !open {
			r.of.forget()
			return
		}
		for _, v := range called {
			r.step(v, time.Now())
		}
		clear(called)
		if len(r.viewers) == 0 {
			continue
		}
		timer.Reset(wait)
		select {
		case <-changed:
		case <-r.wake:
		case <-timer.C:
			r.press.quiet = wait == quietStep
		}
	}
}

// waitFor returns how long it is until a sweep is due: not at all when a picture
// has come. Sound alone waits for the next picture, half a frame at the most: a
// system call for two instead of one for each is a good part of what a viewer
// costs. maxHold bounds it too, unless passing through the row takes longer.
func (r *row) waitFor(now time.Time) time.Duration {
	p := &r.press
	p.load()
	if state := r.of.stream.Status().State; state != r.state {
		r.state = state
		p.quiet = true
	}
	switch {
	case p.quiet || p.stale:
	case p.empty():
		return quietStep
	case p.frame == 0 || hasVideo(p.packets):
	case len(r.viewers) < holdFrom:
	case r.hold.IsZero():
		hold := min(p.frame/2, max(maxHold, r.took))
		r.hold = now.Add(hold)
		return hold
	case now.Before(r.hold):
		return r.hold.Sub(now)
	}
	r.hold = time.Time{}
	return 0
}

// collect takes in who has arrived, and returns those who were called. It
// reports false, and shuts the row, when nobody is left.
func (r *row) collect(called []*Viewer) ([]*Viewer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.arrivals {
		v.called = false
		called = append(called, v)
	}
	r.viewers = append(r.viewers, r.arrivals...)
	clear(r.arrivals)
	r.arrivals = r.arrivals[:0]
	for _, v := range r.due {
		if v.row.Load() == r && v.called {
			v.called = false
			called = append(called, v)
		}
	}
	clear(r.due)
	r.due = r.due[:0]
	if len(r.viewers) == 0 {
		r.shut = true
		return nil, false
	}
	return called, true
}

// sweep serves everybody.
func (r *row) sweep() {
	begun := time.Now()
	now := begun
	for i := 0; i < len(r.viewers); i++ {
		if i%clockStride == clockStride-1 {
			now = time.Now()
		}
		if !r.attend(r.viewers[i], now) {
			r.dismiss(i)
			i--
		}
	}
	r.press.done()
	r.took = time.Since(begun)
}

// attend sends v what has come, and reports whether it keeps its seat.
func (r *row) attend(v *Viewer, now time.Time) (seated bool) {
	defer v.guard()
	seated, done := v.follow(now, &r.press)
	if !done {
		seated = r.stepSeated(v, now)
	}
	return seated
}

// step steps one viewer of the row.
func (r *row) step(v *Viewer, now time.Time) {
	if v.row.Load() != r { // left in the meantime
		return
	}
	if !r.stepSeated(v, now) {
		if i := slices.Index(r.viewers, v); i >= 0 {
			r.dismiss(i)
		}
	}
}

// stepSeated steps v and reports whether it keeps its seat.
func (r *row) stepSeated(v *Viewer, now time.Time) (seated bool) {
	defer v.guard()
	r.batch.impatient = true
	next := v.Step(now, &r.batch)
	v.out.done = next.Done
	return !next.Done && !next.Now && v.keepsUp(r.of.stream)
}

// dismiss lets the i-th viewer go on by itself.
func (r *row) dismiss(i int) {
	v := r.viewers[i]
	last := len(r.viewers) - 1
	r.viewers[i], r.viewers[last] = r.viewers[last], nil
	r.viewers = r.viewers[:last]
	r.mu.Lock()
	r.seats--
	v.called = false
	v.row.Store(nil)
	r.mu.Unlock()
	go v.drive() // Viewer.run waits for it
}

// hasVideo reports whether a picture is among packets.
func hasVideo(packets []*media.Packet) bool {
	return slices.ContainsFunc(packets, func(p *media.Packet) bool { return p.Kind == media.Video })
}
