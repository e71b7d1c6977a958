package session

import (
	"time"

	"github.com/framewire/framewire/server/internal/wire"
)

// open tries to begin with the chosen stream, and tells how that went. The
// caller holds mu.
func (v *Viewer) open(now time.Time) {
	v.begin(now)
	v.sendState()
}

// begin places a cursor in the chosen stream, or tells why that has to wait. The
// caller holds mu.
func (v *Viewer) begin(now time.Time) {
	p := &v.play
	if p.stream == nil {
		p.stream = v.host.hub.Lookup(p.name)
	}
	if p.stream == nil {
		v.wait(wire.WaitingUnknownStream, Status{Since: now})
		return
	}
	status := p.stream.Status()
	if status.State == StreamFinished {
		v.finish(wire.EndFinished, status.Message)
		return
	}
	if status.State != StreamLive {
		v.wait(waitingReason(status.State), status)
		return
	}
	epoch := p.stream.Epoch()
	if epoch == nil {
		v.wait(wire.WaitingStarting, status)
		return
	}
	if !anyDecodable(epoch, v.hello.Families) {
		v.wait(wire.WaitingNothingDecodable, status)
		return
	}
	p.cursor = p.stream.Subscribe()
	p.needKey = true
	if !v.place(p.from) {
		p.cursor.Close()
		p.cursor = nil
		v.wait(wire.WaitingStarting, status)
		return
	}
	if first := p.cursor.Peek(); first != nil {
		if e := p.stream.EpochByID(first.Epoch); e != nil {
			epoch = e
		}
	}
	p.adopt(epoch, v.hello.Families)
	p.announced = 0
	p.waiting = 0
	v.climb = climber{base: v.lag()}
}

// place moves the cursor to where playback is to begin. It reports false when
// there is nothing yet to begin with.
func (v *Viewer) place(from wire.Position) bool {
	p := &v.play
	c := p.cursor
	switch from := from.(type) {
	case wire.PositionTime:
		return c.SeekTime(time.Duration(from))
	case wire.PositionSequence:
		return c.SeekSequence(uint64(from))
	case wire.PositionBehind:
		_, end, ok := p.stream.Range()
		return ok && seekNearest(c, max(0, end-time.Duration(from)))
	case wire.ResumePosition:
		return v.resume(from)
	default:
		return v.placeLive()
	}
}

// placeLive moves to the newest keyframe, unless that is of an epoch that has
// ended.
func (v *Viewer) placeLive() bool {
	p := &v.play
	if !p.cursor.SeekLive() {
		return false
	}
	first := p.cursor.Peek()
	return first != nil && first.Epoch == p.stream.Epoch().ID
}

// seekNearest moves to the keyframe nearest to t, with what a cursor can do:
// find the last keyframe at or before a time.
func seekNearest(c Cursor, t time.Duration) bool {
	if !c.SeekTime(t) {
		return false
	}
	before := c.Peek()
	if before == nil || before.Time >= t {
		return before != nil
	}
	best := before.Sequence
	for reach := t - before.Time; reach > 0; {
		if !c.SeekTime(t + reach - 1) {
			break
		}
		k := c.Peek()
		if k == nil || k.Time <= t {
			break
		}
		best, reach = k.Sequence, k.Time-t
	}
	return c.SeekExact(best)
}

// resume moves to where an earlier session stood, as far as that makes sense.
func (v *Viewer) resume(r wire.ResumePosition) bool {
	p := &v.play
	if r.Instance != p.stream.Instance() || r.Next > p.cursor.Next() {
		p.live = true
		return v.placeLive()
	}
	held := p.cursor.SeekExact(r.Next)
	lag := p.cursor.Lag()
	if held && (r.Paused || r.TimeShifted || lag <= v.host.opts.ResumeWithin) {
		p.live = !r.TimeShifted && !r.Paused
		p.needKey = false // the client has what came before
		p.end = p.position()
		return true
	}
	from, _, _ := p.stream.Range()
	if held {
		from = p.position()
	}
	p.mark(&gap{reason: wire.GapResumed, from: from})
	if r.Paused || r.TimeShifted {
		p.live = false
		p.gap.reason = wire.GapLeftWindow
		return p.cursor.SeekSequence(r.Next)
	}
	p.live = true
	return v.placeLive()
}

// wait tells why there is nothing to see, once for each reason and stretch of
// time. The caller holds mu.
func (v *Viewer) wait(reason wire.WaitingReason, status Status) {
	p := &v.play
	if p.waiting == reason {
		return
	}
	p.waiting = reason
	message := status.Message
	if message == "" {
		message = waitingMessages[reason]
	}
	v.send(wire.StreamWaiting{Stream: p.name, Reason: reason, Since: status.Since, Message: message})
}

var waitingMessages = map[wire.WaitingReason]string{
	wire.WaitingUnknownStream:    "There is no stream of this name yet.",
	wire.WaitingStarting:         "The stream is starting.",
	wire.WaitingSourceLost:       "The stream was interrupted and will go on when its source is back.",
	wire.WaitingNoPublisher:      "Nobody is publishing to this stream now.",
	wire.WaitingNothingDecodable: "The stream is in a format that this player cannot decode.",
}

func waitingReason(s StreamState) wire.WaitingReason {
	switch s {
	case StreamLost:
		return wire.WaitingSourceLost
	case StreamOffline:
		return wire.WaitingNoPublisher
	case StreamClosed:
		return wire.WaitingUnknownStream
	default:
		return wire.WaitingStarting
	}
}

// refresh follows what has become of the stream since the last step. The caller
// holds mu.
func (v *Viewer) refresh(now time.Time) {
	p := &v.play
	if p.name == "" {
		return
	}
	if p.stream != nil && p.stream.Status().State == StreamClosed {
		v.finish(wire.EndRemoved, "The stream was removed from the server.")
		v.sendState()
		return
	}
	if p.cursor == nil {
		if !p.paused {
			v.open(now)
		}
		return
	}
	if p.waiting == 0 || p.paused || p.stream.Status().State != StreamLive {
		return
	}
	if p.cursor.Peek() != nil || p.cursor.Lag() > 0 {
		p.waiting = 0
		p.mark(&gap{reason: wire.GapSourceInterrupted, from: p.end})
		v.sendState()
	}
}

// finish ends the stream in this session. The caller holds mu.
func (v *Viewer) finish(reason wire.StreamEndReason, message string) {
	v.send(wire.StreamEnded{Stream: v.play.name, Reason: reason, Message: message})
	v.play.drop()
}
