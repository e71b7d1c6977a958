package session

import (
	"slices"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/wire"
)

// playback is the stream that a session has chosen, and the place in it.
// Guarded by Viewer.mu.
type playback struct {
	name   string        // empty: none is chosen
	stream Stream        // nil while the stream does not exist
	from   wire.Position // where to begin once the stream is live
	paused bool
	live   bool // not behind live by choice

	cursor  Cursor             // nil until playback has begun
	waiting wire.WaitingReason // told last, 0 while there is something to see

	announced    uint32 // ID of the epoch whose StreamStarted was sent last
	wish         struct{ video, audio *uint32 }
	video, audio uint32 // tracks that are sent
	nextVideo    uint32 // takes over from video at its next keyframe
	undecodable  []uint32
	needKey      bool // video waits for a keyframe
	gap          *gap // to be told before the next fragment
	end          time.Duration

	frame     time.Duration // that the last picture lasts
	holdUntil time.Time     // sound waits for a picture until then; zero while none does

	bytes, fragments uint64 // handed to the connection, over the whole session
	before           Sent   // of these, before the stream was chosen
	sent             *sent  // takes what was sent when the stream is left
}

// gap is one that begins at from and ends where the next fragment begins; with
// video set, the next picture.
type gap struct {
	reason wire.GapReason
	from   time.Duration
	video  bool
}

// choose begins anew with the named stream. What was chosen before is dropped.
func (p *playback) choose(name string, from wire.Position) {
	p.drop()
	p.name, p.from = name, from
	_, p.live = from.(wire.PositionLive)
}

// drop lets go of the stream.
func (p *playback) drop() {
	if p.cursor != nil {
		p.cursor.Close()
	}
	p.sent.add(p.name, p.sentHere())
	*p = playback{bytes: p.bytes, fragments: p.fragments, before: Sent{p.bytes, p.fragments}, sent: p.sent}
}

func (p *playback) mode() wire.Playback {
	switch {
	case p.name == "":
		return wire.Stopped
	case p.paused:
		return wire.Paused
	case p.cursor == nil || p.waiting != 0:
		return wire.Waiting
	default:
		return wire.Playing
	}
}

// position is the decode time of the fragment to be sent next.
func (p *playback) position() time.Duration {
	if next := p.cursor.Peek(); next != nil {
		return next.Time
	}
	return p.end
}

// skipTo runs move, which moves the cursor, and has the gap told if it went
// forward past packets. It reports whether it did.
func (p *playback) skipTo(reason wire.GapReason, move func() bool) bool {
	from, before := p.position(), p.cursor.Next()
	if !move() || p.cursor.Next() == before {
		return false
	}
	if p.cursor.Next() < before {
		p.cursor.SeekExact(before)
		return false
	}
	p.mark(&gap{reason: reason, from: from})
	p.needKey = true
	return true
}

// mark notes a gap. One that was not told yet grows.
func (p *playback) mark(g *gap) {
	if p.gap != nil {
		g.from = min(g.from, p.gap.from)
	}
	p.gap = g
}

// adopt chooses the tracks of an epoch. It reports whether any can be decoded.
func (p *playback) adopt(e *media.Epoch, families []string) bool {
	p.undecodable = nil
	for i := range e.Tracks {
		if !decodable(&e.Tracks[i], families) {
			p.undecodable = append(p.undecodable, e.Tracks[i].ID)
		}
	}
	p.video = p.pick(e, media.Video, p.wish.video)
	p.audio = p.pick(e, media.Audio, p.wish.audio)
	p.nextVideo = 0
	return len(p.undecodable) < len(e.Tracks)
}

// pick returns the wished track, or else the first of the kind that can be
// decoded, or 0.
func (p *playback) pick(e *media.Epoch, kind media.Kind, wish *uint32) uint32 {
	var first uint32
	for i := range e.Tracks {
		t := &e.Tracks[i]
		if t.Kind() != kind || slices.Contains(p.undecodable, t.ID) {
			continue
		}
		if wish != nil && *wish == t.ID {
			return t.ID
		}
		if first == 0 {
			first = t.ID
		}
	}
	if wish != nil && *wish == 0 {
		return 0
	}
	return first
}

func decodable(t *media.Track, families []string) bool {
	return families == nil || slices.Contains(families, wire.Family(t.CodecString))
}

func anyDecodable(e *media.Epoch, families []string) bool {
	return slices.ContainsFunc(e.Tracks, func(t media.Track) bool { return decodable(&t, families) })
}
