package session

import (
	"maps"
	"sync"
)

// maxSentStreams bounds the names of streams that totals are kept for: a
// publisher can make names without end. What is beyond counts for the name "".
const maxSentStreams = 1000

// Sent is what viewers were sent of a stream.
type Sent struct{ Bytes, Fragments uint64 }

// sent adds up what viewers were sent of each stream. A viewer counts for itself
// while it plays, and is added here when it leaves the stream, so that sending
// costs no shared counter.
type sent struct {
	mu    sync.Mutex
	left  map[string]Sent // by viewers that left the stream
	shown map[string]Sent // as told last: totals never go back
}

func (s *sent) add(stream string, n Sent) {
	if n == (Sent{}) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	addSent(&s.left, stream, n)
}

func addSent(to *map[string]Sent, stream string, n Sent) {
	if *to == nil {
		*to = make(map[string]Sent)
	}
	if _, known := (*to)[stream]; !known && len(*to) >= maxSentStreams {
		stream = ""
	}
	sum := (*to)[stream]
	sum.Bytes += n.Bytes
	sum.Fragments += n.Fragments
	(*to)[stream] = sum
}

// Sent returns what viewers were sent of each stream since the start. Figures
// never go back from call to call.
func (s *Sessions) Sent() map[string]Sent {
	s.sent.mu.Lock()
	now := maps.Clone(s.sent.left)
	s.sent.mu.Unlock()
	// One who leaves a stream right now is missing once: see below.
	for _, v := range s.All() {
		v.mu.Lock()
		name, n := v.play.name, v.play.sentHere()
		v.mu.Unlock()
		if n != (Sent{}) {
			addSent(&now, name, n)
		}
	}
	s.sent.mu.Lock()
	defer s.sent.mu.Unlock()
	for name, before := range s.sent.shown {
		n := now[name]
		if now == nil {
			now = make(map[string]Sent)
		}
		now[name] = Sent{max(n.Bytes, before.Bytes), max(n.Fragments, before.Fragments)}
	}
	s.sent.shown = now
	return maps.Clone(now)
}

// sentHere is what the viewer was sent since it chose the stream.
func (p *playback) sentHere() Sent {
	return Sent{p.bytes - p.before.Bytes, p.fragments - p.before.Fragments}
}
