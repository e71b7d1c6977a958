package hub

import (
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// Cursor is a viewer's place in a stream. It is used by one goroutine at a time
// and must be closed.
type Cursor struct {
	stream *Stream
	next   uint64 // sequence of the packet to be read next
	open   bool
}

// Subscribe opens a cursor, counted as a viewer, at the end of the stream: it
// reads nothing until a packet is published or it is moved.
func (s *Stream) Subscribe() *Cursor {
	s.viewers.Add(1)
	return &Cursor{stream: s, next: s.NextSequence(), open: true}
}

// Tail opens a cursor at the end of the stream that does not count as a viewer.
// It need not be closed.
func (s *Stream) Tail() *Cursor { return &Cursor{stream: s, next: s.NextSequence()} }

// Close ends the subscription. Closing again does nothing.
func (c *Cursor) Close() {
	if c.open {
		c.open = false
		c.stream.viewers.Add(-1)
	}
}

// Stream returns the stream that c reads.
func (c *Cursor) Stream() *Stream { return c.stream }

// Next is the sequence of the packet to be read next.
func (c *Cursor) Next() uint64 { return c.next }

// Read fills dst with the packets that come next, moves past them and returns
// their number, 0 when there is nothing new. evicted reports that the packet to
// be read next has left the ring: nothing is read then, and the cursor has to be
// moved.
func (c *Cursor) Read(dst []*media.Packet) (n int, evicted bool) {
	s := c.stream
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c.next < s.ring.first {
		return 0, true
	}
	end := s.ring.next()
	for n < len(dst) && c.next < end {
		dst[n] = s.ring.at(c.next)
		n++
		c.next++
	}
	return n, false
}

// Peek returns the packet to be read next, or nil when it is not there yet or
// not there any more.
func (c *Cursor) Peek() *media.Packet {
	s := c.stream
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.ring.holds(c.next) {
		return nil
	}
	return s.ring.at(c.next)
}

// Lag is how far the newest packet is ahead of the next one to be read, in
// decode time; 0 at the end.
func (c *Cursor) Lag() time.Duration {
	s := c.stream
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := s.ring.packets.len()
	if n == 0 || c.next >= s.ring.next() {
		return 0
	}
	at := s.ring.packets.at(0)
	if c.next > s.ring.first {
		at = s.ring.at(c.next)
	}
	return max(0, s.ring.packets.at(n-1).End()-at.Time)
}

// staleKeyframe is how old the newest keyframe may be before a viewer who goes to
// the live edge has a new one asked for: older than those of streams that send one
// every two seconds by themselves.
const staleKeyframe = 2500 * time.Millisecond

// SeekLive moves to the newest keyframe. It reports false, and moves to the end,
// when there is none yet. Where it is old or gone, the source is asked for another:
// browsers that publish send none without being asked.
func (c *Cursor) SeekLive() bool {
	s := c.stream
	s.mu.RLock()
	k, ok := s.ring.newestKey()
	found := c.moveLocked(k, ok)
	s.mu.RUnlock()
	if !found || c.Lag() > staleKeyframe {
		_ = s.RequestKeyframe() // most sources cannot
	}
	return found
}

// SeekTime moves to the last keyframe at or before t, or else to the earliest.
// It reports false, and moves to the end, when there is none.
func (c *Cursor) SeekTime(t time.Duration) bool {
	s := c.stream
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, ok := s.ring.keyAtTime(t)
	return c.moveLocked(k, ok)
}

// SeekSequence moves to the last keyframe at or before sequence, or else to the
// earliest. It reports false, and moves to the end, when there is none.
func (c *Cursor) SeekSequence(sequence uint64) bool {
	s := c.stream
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, ok := s.ring.keyAtSequence(sequence)
	return c.moveLocked(k, ok)
}

// SeekExact moves to sequence, keyframe or not. It reports false, and does not
// move, when the ring neither holds it nor waits for it.
func (c *Cursor) SeekExact(sequence uint64) bool {
	s := c.stream
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.ring.holds(sequence) && sequence != s.ring.next() {
		return false
	}
	c.next = sequence
	return true
}

// SeekEnd moves past the newest packet.
func (c *Cursor) SeekEnd() { c.next = c.stream.NextSequence() }

func (c *Cursor) moveLocked(k key, ok bool) bool {
	if !ok {
		c.next = c.stream.ring.next()
		return false
	}
	c.next = k.sequence
	return true
}
