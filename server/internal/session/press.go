package session

import (
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/wire"
)

const (
	// maxPackets and maxPressed bound what one sweep writes to a viewer. Where
	// more has come at once, each viewer is stepped by itself, with the bounds of
	// a Batch.
	maxPackets = 128
	maxPressed = 512 << 10

	// maxEditions bounds the different selections of tracks that are pressed.
	// Further ones are stepped by themselves.
	maxEditions = 8
)

// press makes what a row's viewers are to be sent: once for all who take the same
// tracks from the same place on, as WebSocket frames one after the other, so that
// each of them costs one write and nothing else.
type press struct {
	cursor  Cursor
	packets []*media.Packet
	bytes   int
	stale   bool          // viewers have to be stepped by themselves
	quiet   bool          // nothing came for a while: everybody has to be looked at
	frame   time.Duration // that the last picture lasts; 0 before the first
	edition [maxEditions]edition
	used    int
}

// edition is the frames for one selection.
type edition struct {
	from         uint64 // sequence
	video, audio uint32 // tracks, 0 for none
	frames       []byte
	bytes        uint64 // of the messages in them
	fragments    uint64
	picture      bool
	kept         bool // somebody has not taken all of it yet, and refers to frames
}

func (p *press) open(s Stream) {
	p.cursor = s.Tail()
	p.packets = make([]*media.Packet, 0, maxPackets)
}

// load takes in what has come.
func (p *press) load() {
	for {
		room := cap(p.packets) - len(p.packets)
		if room == 0 || p.bytes > maxPressed {
			p.stale = true
			p.skip()
			return
		}
		n, evicted := p.cursor.Read(p.packets[len(p.packets):cap(p.packets)])
		if evicted {
			p.stale = true
			p.skip()
			return
		}
		if n == 0 {
			return
		}
		p.packets = p.packets[:len(p.packets)+n]
		for _, packet := range p.packets[len(p.packets)-n:] {
			p.bytes += len(packet.Message)
			if packet.Kind == media.Video {
				p.frame = packet.Duration
			}
		}
	}
}

// skip moves past everything.
func (p *press) skip() {
	clear(p.packets)
	p.packets = p.packets[:0]
	p.bytes = 0
	p.cursor.SeekEnd()
}

func (p *press) empty() bool { return len(p.packets) == 0 }

// done forgets what was sent.
func (p *press) done() {
	for i := range p.edition[:p.used] {
		e := &p.edition[i]
		if e.kept {
			e.frames = nil
		}
		*e = edition{frames: e.frames[:0]}
	}
	p.used = 0
	p.stale, p.quiet = false, false
	clear(p.packets)
	p.packets = p.packets[:0]
	p.bytes = 0
}

// find returns the edition for a selection, made by conn if it is new; nil when
// it cannot be had.
func (p *press) find(from uint64, epoch, video, audio uint32, conn FrameConn) *edition {
	for i := range p.edition[:p.used] {
		e := &p.edition[i]
		if e.from == from && e.video == video && e.audio == audio {
			return e
		}
	}
	if p.stale || p.empty() || p.used == maxEditions {
		return nil
	}
	first := p.packets[0].Sequence
	if from < first || from >= first+uint64(len(p.packets)) {
		return nil
	}
	for _, packet := range p.packets[from-first:] {
		if packet.Epoch != epoch {
			return nil
		}
	}
	e := &p.edition[p.used]
	p.used++
	*e = edition{from: from, video: video, audio: audio, frames: e.frames}
	for _, packet := range p.packets[from-first:] {
		if packet.TrackID != video && packet.TrackID != audio {
			continue
		}
		e.frames = conn.AppendFrame(e.frames, Message{Data: packet.Message})
		e.bytes += uint64(len(packet.Message))
		e.fragments++
		e.picture = e.picture || packet.Kind == media.Video
	}
	return e
}

// end is where a viewer stands who was sent all of it.
func (p *press) end() (sequence uint64, at, span time.Duration) {
	last := p.packets[len(p.packets)-1]
	return last.Sequence + 1, last.End(), last.End() - p.packets[0].Time
}

// follow sends v what the press holds. It reports done false when v has to be
// stepped instead, and seated false when v cannot keep its seat. It does what
// Step does for a viewer to whom nothing else happens.
func (v *Viewer) follow(now time.Time, p *press) (seated, done bool) {
	if v.frames == nil || p.quiet || v.out.left > 0 {
		return true, false
	}
	v.mu.Lock()
	e := v.editionLocked(now, p)
	if e == nil {
		v.mu.Unlock()
		return true, false
	}
	next, end, span := p.end()
	play := &v.play
	play.cursor.SeekExact(next)
	play.end = end
	play.bytes += e.bytes
	play.fragments += e.fragments
	if e.picture {
		play.frame = p.frame
	}
	play.holdUntil = time.Time{}
	v.climb.observe(&v.host.opts.Ladder, now, 0)
	v.mu.Unlock()
	if len(e.frames) == 0 {
		return true, true
	}
	left, err := v.frames.SendFrames(e.frames)
	if err != nil {
		v.out.done = true
		return false, true
	}
	if left == 0 {
		return true, true
	}
	e.kept = true
	v.out.left, v.out.moved, v.out.last = left, now, false
	v.waits(left)
	v.inFlight.Store(int64(span))
	return false, true
}

// editionLocked returns what v is to be sent, or nil when v needs more than that.
func (v *Viewer) editionLocked(now time.Time, p *press) *edition {
	play := &v.play
	switch {
	case v.hello == nil || v.goodbye != nil || v.farewell != nil || v.left || len(v.queue.messages) > 0 || v.subscribed:
		return nil
	case play.cursor == nil || play.paused || play.waiting != 0 || play.gap != nil || play.needKey || play.nextVideo != 0:
		return nil
	case v.climb.rung != rungSteady:
		return nil
	case now.UnixNano()-v.seen.Load() >= int64(v.host.opts.IdleTimeout/3):
		return nil
	case play.stream.Status().State != StreamLive:
		return nil
	}
	audio := play.audio
	if !v.settings.Audible() {
		audio = 0
	}
	return p.find(play.cursor.Next(), play.announced, play.video, audio, v.frames)
}

// keepsUp reports whether v may have a seat in the audience of a stream: it
// plays, and nothing is left to be done for it.
func (v *Viewer) keepsUp(s Stream) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.hello != nil && v.goodbye == nil && v.farewell == nil && !v.left && !v.subscribed &&
		v.play.stream == s && v.play.mode() == wire.Playing && v.out.left == 0
}

// takeSeat hands v over to the audience of its stream, if it keeps up.
func (v *Viewer) takeSeat() bool {
	v.mu.Lock()
	stream := v.play.stream
	v.mu.Unlock()
	if v.frames == nil || stream == nil || !v.keepsUp(stream) {
		return false
	}
	v.host.audienceOf(stream).seat(v)
	return true
}
