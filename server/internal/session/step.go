package session

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/wire"
)

const (
	// flushWait is how long one step waits for a connection that takes nothing,
	// and so how soon a blocked viewer's place on the ladder is looked at again.
	flushWait = 250 * time.Millisecond

	// partingWait is how long a session's last messages may take to leave.
	partingWait = time.Second

	// maxHold bounds how long sound waits for a picture to leave with. Half a
	// frame's time bounds it too.
	maxHold = 20 * time.Millisecond

	// quietStep is how often a viewer is stepped at the least. What else ends a
	// wait tells of itself.
	quietStep = time.Second
)

// outbound is what the stepper of a viewer keeps from step to step.
type outbound struct {
	left     int       // bytes that Send has taken and Flush has not sent
	moved    time.Time // when left last became less
	last     bool      // no batch follows the one that was sent last
	parting  time.Time // when the end was first seen to be held up; zero before
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
	left, err := v.conn.Flush(flushWait)
	if err != nil {
		return Next{Done: true}
	}
	if left < o.left {
		o.moved = now
	}
	o.left = left
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
	if now.Sub(v.out.moved) >= v.host.opts.Ladder.stall() {
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
	if v.hello != nil && v.goodbye == nil {
		v.refresh(now)
		v.judge(now)
		v.pushList(now, &next)
	}
	v.queue.drain(b)
	v.room.Broadcast()
	if v.goodbye != nil {
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

var tooSlow = wire.Goodbye{
	Reason:     wire.TooSlow,
	RetryAfter: 2 * time.Second,
	Message:    "The connection was too slow for the stream, even for its sound alone.",
}

// lag is how much media waits on the server for this viewer.
func (v *Viewer) lag() time.Duration {
	if v.play.cursor == nil {
		return 0
	}
	return v.play.cursor.Lag() + time.Duration(v.inFlight.Load())
}

// judge moves a live viewer along the ladder. The caller holds mu.
func (v *Viewer) judge(now time.Time) {
	p := &v.play
	if !p.live || p.mode() != wire.Playing || v.goodbye != nil {
		return
	}
	move := v.climb.observe(&v.host.opts.Ladder, now, v.lag())
	if move != 0 {
		v.host.opts.Hooks.Moved(v.id, p.name, move > 0)
	}
	switch move {
	case 1:
		if v.climb.rung == rungClosed {
			v.endLocked(tooSlow)
			return
		}
		skipped := p.skipTo(wire.GapTooSlow, p.cursor.SeekLive)
		if !skipped && v.climb.rung > rungProbation && !p.needKey {
			// The group that is being sent is the newest. Before now it might
			// still have been caught up with; to leave out the rest of it loses
			// all pictures up to the next.
			p.needKey = true
			p.mark(&gap{reason: wire.GapTooSlow, from: p.position(), video: true})
		}
		v.climb.settle(v.lag())
		v.sendState()
	case -1:
		v.sendState()
	}
}

// pushList sends the list of streams to a subscriber when it has changed.
func (v *Viewer) pushList(now time.Time, next *Next) {
	if !v.subscribed || v.queue.full() {
		return
	}
	if due := v.listedAt.Add(listInterval); now.Before(due) {
		next.sooner(due)
		return
	}
	v.listedAt = now
	if l := v.host.list.get(now); l != v.listed {
		v.listed = l
		v.queue.push(l.message(v.peer.Encoding))
	}
}

// media adds the fragments that are due. The caller holds mu.
func (v *Viewer) media(now time.Time, b *Batch, next *Next) {
	p := &v.play
	control := len(b.messages)
	if p.live && v.climb.rung > rungSteady {
		b.limit = slowBatchBytes
		if v.climb.rung == rungAudio && p.cursor.Lag() > v.host.opts.Ladder.Skip {
			// Sound with gaps is better than none. A link that carries nothing
			// at all does not get here.
			p.skipTo(wire.GapTooSlow, p.cursor.SeekLive)
		}
	}
	from, to := time.Duration(-1), time.Duration(0)
	for !b.full() {
		n, evicted := p.cursor.Read(b.packets[:])
		if evicted {
			v.evicted()
			continue
		}
		if n == 0 {
			v.exhausted(b)
			break
		}
		if from < 0 {
			from = b.packets[0].Time
			if control == 0 && v.holds(now, b.packets[:n], next) {
				p.cursor.SeekExact(b.packets[0].Sequence)
				break
			}
		}
		for _, packet := range b.packets[:n] {
			if b.full() || !v.packet(packet, b) {
				if p.cursor != nil {
					p.cursor.SeekExact(packet.Sequence)
				}
				next.Now = true
				break
			}
			to = packet.End()
		}
		if next.Now || n < len(b.packets) {
			break
		}
	}
	clear(b.packets[:])
	if len(b.messages) > control {
		v.inFlight.Store(int64(max(0, to-from)))
	}
	next.Now = next.Now || b.full()
}

// holds reports whether sound that has come by itself had better wait for the
// next picture, and until when: a system call for two instead of one for each is
// a good part of what a viewer costs.
func (v *Viewer) holds(now time.Time, packets []*media.Packet, next *Next) bool {
	p := &v.play
	alone := !slices.ContainsFunc(packets, func(p *media.Packet) bool { return p.Kind == media.Video })
	if !alone || p.frame == 0 || p.video == 0 || p.needKey || v.climb.rung > rungProbation || len(packets) == readAhead {
		p.holdUntil = time.Time{}
		return false
	}
	if p.holdUntil.IsZero() {
		p.holdUntil = now.Add(min(p.frame/2, maxHold))
	}
	if !now.Before(p.holdUntil) {
		p.holdUntil = time.Time{}
		return false
	}
	next.sooner(p.holdUntil)
	return true
}

// packet adds one fragment, and what has to be told before it, or leaves it out.
// It reports false when playback cannot go on with this packet now.
func (v *Viewer) packet(packet *media.Packet, b *Batch) bool {
	p := &v.play
	if packet.Epoch != p.announced && !v.announce(packet.Epoch, b) {
		return false
	}
	p.end = packet.End()
	video := p.video
	if !v.wants(packet) {
		return true
	}
	if g := p.gap; g != nil && (!g.video || packet.Kind == media.Video) {
		p.gap = nil
		told := wire.Gap{Stream: p.name, Reason: g.reason, From: min(g.from, packet.Time), To: packet.Time}
		v.add(b, told)
		v.host.opts.Hooks.Gap(v.id, told)
	}
	if p.video != video { // another track has taken over
		s, _ := v.state()
		v.add(b, s)
	}
	b.add(Message{Data: packet.Message})
	p.bytes += uint64(len(packet.Message))
	p.fragments++
	return true
}

func (v *Viewer) add(b *Batch, m wire.ServerMessage) {
	e := v.peer.Encoding
	b.add(Message{Data: e.Encode(m), Text: e.Text()})
}

// announce tells the tracks of an epoch. It reports false when the viewer can
// decode none of them, and then begins to wait for one that it can.
func (v *Viewer) announce(id uint32, b *Batch) bool {
	p := &v.play
	epoch := p.stream.EpochByID(id)
	if epoch == nil {
		return false // evicted this moment; the next step finds out
	}
	if !p.adopt(epoch, v.hello.Families) {
		p.cursor.Close()
		p.cursor, p.from, p.live = nil, wire.PositionLive{}, true
		v.wait(wire.WaitingNothingDecodable, p.stream.Status())
		v.sendState()
		return false
	}
	started, err := v.peer.Encoding.Recode(epoch.Message)
	if err != nil {
		v.endLocked(wire.Goodbye{Reason: wire.GoodbyeInternalError, Message: "The server could not describe the stream."})
		v.host.log.Error("session ended", "session", v.id, "stream", p.name, "error", err)
		return false
	}
	if p.announced != 0 {
		p.needKey = true
	}
	p.announced = id
	b.add(Message{Data: started, Text: v.peer.Encoding.Text()})
	if s, changed := v.state(); changed {
		v.add(b, s)
	}
	return true
}

// wants reports whether a packet is to be sent, and follows the track switches
// that depend on keyframes.
func (v *Viewer) wants(packet *media.Packet) bool {
	p := &v.play
	if packet.Kind != media.Video {
		return packet.TrackID == p.audio && v.settings.Audible()
	}
	if p.nextVideo != 0 && packet.TrackID == p.nextVideo && packet.Keyframe {
		p.video, p.nextVideo = p.nextVideo, 0
	}
	if packet.TrackID != p.video {
		return false
	}
	dropped := v.climb.rung == rungAudio || v.climb.rung == rungKeyframes && !packet.Keyframe
	if dropped || p.needKey && !packet.Keyframe {
		p.needKey = true
		return false
	}
	p.needKey = false
	p.frame = packet.Duration
	return true
}

// evicted goes on after the viewer's position has left the window.
func (v *Viewer) evicted() {
	p := &v.play
	reason, move := wire.GapTooSlow, p.cursor.SeekLive
	if !p.live {
		reason, move = wire.GapLeftWindow, func() bool { return p.cursor.SeekTime(0) }
	}
	p.mark(&gap{reason: reason, from: p.end})
	p.needKey = true
	move()
	v.climb.settle(v.lag())
}

// exhausted begins to wait when the stream has broken off and all of it is sent.
func (v *Viewer) exhausted(b *Batch) {
	p := &v.play
	status := p.stream.Status()
	if status.State == StreamLive || p.cursor.Lag() > 0 {
		return
	}
	v.wait(waitingReason(status.State), status)
	v.sendState()
	v.queue.drain(b)
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

// drive steps the viewer until its session ends, and closes the connection.
func (v *Viewer) drive() {
	var b Batch
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		stream, hub := v.Watch()
		next := v.Step(time.Now(), &b)
		if next.Done {
			break
		}
		if next.Now {
			continue
		}
		timer.Reset(time.Until(next.At))
		select {
		case <-stream:
		case <-hub:
		case <-v.wake:
		case <-timer.C:
		}
	}
	v.close()
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
	if v.out.pingStop != nil {
		v.out.pingStop()
	}
	v.out.pings.Wait()
}
