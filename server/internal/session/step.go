package session

import (
	"context"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/wire"
)

const (
	// flushWait is how long one step waits for a connection that takes nothing,
	// and so how soon a blocked viewer's place on the ladder is looked at again.
	flushWait = 250 * time.Millisecond

	// partingWait is how long a session's last messages may take to leave.
	partingWait = time.Second

	// farewellWait is how long viewers may take for what their stream holds when
	// the server ends, and farewellStep how often that is looked at.
	farewellWait = time.Second
	farewellStep = 2 * time.Millisecond

	// quietStep is how often a viewer is stepped at the least. What else ends a
	// wait tells of itself.
	quietStep = time.Second
)

// outbound is what the stepper of a viewer keeps from step to step.
type outbound struct {
	left     int       // bytes that Send has taken and Flush has not sent
	counted  int       // of left, in crowd.waiting
	moved    time.Time // when left last became less
	last     bool      // no batch follows the one that was sent last
	parting  time.Time // when the end was first seen to be held up; zero before
	done     bool      // nothing is to be sent any more
	pinged   time.Time
	pings    sync.WaitGroup
	pingStop context.CancelFunc // of the ping on its way
}

// Next says when to step again: at once, at a time, or never. A change of what
// Watch returns, or a wake, may come sooner.
type Next struct {
	Done, Now bool
	At        time.Time
}

// Step sends what is due. It uses b for the time of the call. A viewer is
// stepped by one goroutine at a time.
func (v *Viewer) Step(now time.Time, b *Batch) Next {
	o := &v.out
	next := Next{Now: true}
	if o.left == 0 {
		b.reset()
		b.limit = v.host.opts.ViewerBytes
		next = v.gather(now, b)
		o.last = next.Done
		if len(b.messages) == 0 {
			return next
		}
		o.left, o.moved = b.bytes, now
		err := v.conn.Send(b.messages)
		b.reset()
		if err != nil {
			return Next{Done: true}
		}
	} else {
		v.blocked(now)
	}
	wait := flushWait
	if b.impatient {
		wait = 0
	}
	left, err := v.conn.Flush(wait)
	if err != nil {
		return Next{Done: true}
	}
	if left < o.left {
		o.moved = now
	}
	o.left = left
	v.waits(left)
	if left == 0 {
		v.inFlight.Store(0)
		next.Done = o.last
		return next
	}
	return Next{Now: true, Done: v.parted(now)}
}

// blocked looks after a viewer whose connection has not taken the last batch.
func (v *Viewer) blocked(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.judge(now)
	if f := v.farewell; f != nil && !now.Before(f.by) {
		v.endLocked(f.goodbye)
	}
	if now.Sub(v.out.moved) >= v.host.opts.Ladder.stall() || v.crowdedOut() {
		v.endLocked(tooSlow)
	}
}

// parted reports whether a session that is to end has waited long enough for its
// last messages to leave.
func (v *Viewer) parted(now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.goodbye == nil && !v.left {
		return false
	}
	if v.out.parting.IsZero() {
		v.out.parting = now
	}
	return v.left || now.Sub(v.out.parting) >= partingWait
}

// gather fills b with what is due.
func (v *Viewer) gather(now time.Time, b *Batch) Next {
	v.mu.Lock()
	defer v.mu.Unlock()
	next := Next{At: now.Add(quietStep)}
	v.deadlines(now, &next)
	v.departs(now, &next)
	if v.hello != nil && v.goodbye == nil {
		v.refresh(now)
		v.judge(now)
		v.pushList(now, &next)
	}
	v.queue.drain(b)
	v.room.Broadcast()
	if v.goodbye != nil && !v.shut { // no message follows a close frame (RFC 6455 5.5.1)
		e := v.peer.Encoding
		b.add(Message{Data: e.Encode(*v.goodbye), Text: e.Text()})
	}
	if v.goodbye != nil || v.left {
		return Next{Done: true}
	}
	if v.play.mode() == wire.Playing {
		v.media(now, b, &next)
	}
	return next
}

// deadlines ends sessions that say nothing, and asks quiet ones for a sign of
// life.
func (v *Viewer) deadlines(now time.Time, next *Next) {
	opts := &v.host.opts
	if v.hello == nil {
		due := v.opened.Add(opts.HandshakeTimeout)
		if !now.Before(due) {
			v.endLocked(wire.Goodbye{Reason: wire.HandshakeTimeout, Message: "No hello came within the handshake timeout."})
		}
		next.sooner(due)
		return
	}
	seen := time.Unix(0, v.seen.Load())
	if now.Sub(seen) >= opts.IdleTimeout {
		v.endLocked(wire.Goodbye{Reason: wire.Idle, Message: "Nothing came from the client for the idle timeout."})
		return
	}
	quiet := opts.IdleTimeout / 3
	due := seen.Add(quiet)
	if again := v.out.pinged.Add(quiet); again.After(due) {
		due = again
	}
	if !now.Before(due) {
		v.ping(now, opts.IdleTimeout)
		due = now.Add(quiet)
	}
	next.sooner(due)
	next.sooner(seen.Add(opts.IdleTimeout))
}

func (n *Next) sooner(t time.Time) {
	if t.Before(n.At) {
		n.At = t
	}
}

// ping notes when the client has answered.
func (v *Viewer) ping(now time.Time, timeout time.Duration) {
	o := &v.out
	o.pinged = now
	if o.pingStop != nil {
		o.pingStop()
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	o.pingStop = cancel
	o.pings.Go(func() {
		defer cancel()
		if v.conn.Ping(ctx) == nil {
			v.seen.Store(time.Now().UnixNano())
		}
	})
}

// Watch returns channels of which one is closed when a step may have something
// to do. It is to be called before the step. Nil channels never are.
func (v *Viewer) Watch() (stream, hub <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := &v.play
	if v.subscribed || p.name != "" && (p.stream == nil || p.paused) {
		hub = v.host.hub.Changed()
	}
	if p.stream != nil && !p.paused {
		stream = p.stream.Changed()
	}
	return stream, hub
}

// drive steps the viewer until it keeps up with a stream, and then leaves it to
// the stream's audience; or until its session ends, and then closes the
// connection.
func (v *Viewer) drive() {
	if !v.stepAlone() {
		v.close()
		v.driver.Done()
	}
}

// stepAlone reports whether the viewer has been seated in an audience.
func (v *Viewer) stepAlone() (seated bool) {
	defer v.guard()
	var b Batch
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !v.out.done {
		stream, hub := v.Watch()
		next := v.Step(time.Now(), &b)
		if next.Done {
			return false
		}
		if next.Now {
			continue
		}
		if v.takeSeat() {
			return true
		}
		timer.Reset(time.Until(next.At))
		select {
		case <-stream:
		case <-hub:
		case <-v.wake:
		case <-timer.C:
		}
	}
	return false
}

// close ends the connection, and with it the goroutine that receives.
func (v *Viewer) close() {
	v.mu.Lock()
	reason, message := wire.ClientLeft, ""
	if v.goodbye != nil {
		reason, message = v.goodbye.Reason, v.goodbye.Message
	}
	v.left = true
	v.room.Broadcast()
	v.mu.Unlock()
	v.conn.Close(wire.CloseCode(reason), message)
	v.waits(0)
	if v.out.pingStop != nil {
		v.out.pingStop()
	}
	v.out.pings.Wait()
}
