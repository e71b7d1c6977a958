package session

import (
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/wire"
)

// maxHold bounds how long sound waits for a picture to leave with. Half a frame's
// time bounds it too.
const maxHold = 20 * time.Millisecond

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
		v.host.log.Debug("viewer moved along the ladder", "session", v.id, "stream", p.name, "remote", v.peer.Address, "rung", v.climb.rung.String())
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

// media adds the fragments that are due. The caller holds mu.
func (v *Viewer) media(now time.Time, b *Batch, next *Next) {
	p := &v.play
	control := len(b.messages)
	if p.live && v.climb.rung > rungSteady {
		b.limit = min(b.limit, slowBatchBytes)
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
			if control == 0 && v.holds(now, b, n, next) {
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
func (v *Viewer) holds(now time.Time, b *Batch, n int, next *Next) bool {
	p, packets := &v.play, b.packets[:n]
	if b.impatient || v.farewell != nil || hasVideo(packets) || p.frame == 0 || p.video == 0 || p.needKey || v.climb.rung > rungProbation || len(packets) == readAhead {
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
		v.host.log.Debug("viewer misses media", "session", v.id, "stream", p.name, "remote", v.peer.Address, "reason", g.reason, "for", told.To-told.From)
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
	before := p.video
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
		v.host.log.Error("session ended", "session", v.id, "stream", p.name, "remote", v.peer.Address, "error", err)
		return false
	}
	if p.announced != 0 && !v.goesOn(before, epoch) {
		p.needKey = true
	}
	p.announced = id
	b.add(Message{Data: started, Text: v.peer.Encoding.Text()})
	if s, changed := v.state(); changed {
		v.add(b, s)
	}
	return true
}

// goesOn reports whether the viewer's pictures, of track video until now, are the same
// in the next epoch, so that they may go on without a keyframe: an epoch that only
// brings other sound may begin without one.
func (v *Viewer) goesOn(video uint32, next *media.Epoch) bool {
	p := &v.play
	before := p.stream.EpochByID(p.announced)
	if video != p.video || before == nil || next.ID != before.ID+1 {
		return false
	}
	a, b := before.Track(video), next.Track(video)
	return a != nil && b != nil && a.Equal(b)
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

// exhausted begins to wait when the stream has broken off and all of it is sent,
// or ends where it came to its end.
func (v *Viewer) exhausted(b *Batch) {
	p := &v.play
	status := p.stream.Status()
	if status.State == StreamLive || p.cursor.Lag() > 0 {
		return
	}
	if status.State == StreamFinished {
		v.finish(wire.EndFinished, status.Message)
	} else {
		v.wait(waitingReason(status.State), status)
	}
	v.sendState()
	v.queue.drain(b)
}
