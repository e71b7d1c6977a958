// Package jitter puts the RTP packets of one stream back in order without adding
// delay: a packet that is next in order is handed out at once. Only behind a gap
// does anything wait, for as long as a packet that was lost may take to be sent
// again, and no longer.
//
//	network -> Push -> Pop -> depacketizer
//	           Missing -> NACK
//
// It reads no clock: the time is handed in. A Buffer is used by one goroutine.
package jitter

import "time"

// Packet is what matters of an RTP packet (RFC 3550 5.1).
type Packet struct {
	Sequence    uint16
	Timestamp   uint32
	PayloadType uint8
	Marker      bool
	Payload     []byte
	Arrived     time.Time
}

const (
	// MaxPackets bounds what is kept behind a gap: over 200 ms of 40 Mbit/s in
	// packets of 1,200 bytes. A power of two, so that sequence numbers index it.
	MaxPackets = 1024

	// restartRun is how many packets in a row must lie before the place that was
	// reached for the sender to be taken to have begun a new numbering. A network
	// that delivers so many late ones, and none in time, is not usable anyway.
	restartRun = 64

	// nackRepeat is the time between two requests for the same packet: about a
	// round trip over a bad access network. Asking earlier fetches it twice.
	nackRepeat = 40 * time.Millisecond

	// maxAsked bounds the packets in one request. More are not asked for: a gap so
	// long is no loss but a pause of the network, and a keyframe is cheaper.
	maxAsked = 128
)

// Buffer holds what came after a gap.
type Buffer struct {
	wait time.Duration

	slots   [MaxPackets]slot
	next    int64 // extended sequence number to hand out next
	highest int64 // the highest seen
	held    int   // packets in slots
	missing int   // slots from next to highest without a packet
	late    int   // in a row
	lost    bool  // packets before next were given up, which Pop has yet to tell
	started bool
}

type slot struct {
	packet  Packet
	have    bool
	noticed time.Time // when a later packet came; of a missing one
	asked   time.Time // when it was last asked for
}

// New returns a buffer that gives a packet up when it has not come wait after
// its absence was noticed.
func New(wait time.Duration) *Buffer { return &Buffer{wait: wait} }

func (b *Buffer) slot(n int64) *slot { return &b.slots[n&(MaxPackets-1)] }

// Push takes a packet as it came from the network. It keeps its payload until Pop
// hands it out. It reports false for one that came twice or too late.
func (b *Buffer) Push(p Packet) bool {
	if !b.started {
		b.restart(p)
		return true
	}
	n := b.highest + int64(int16(p.Sequence-uint16(b.highest)))
	switch {
	case n < b.next:
		if b.late++; b.late < restartRun {
			return false
		}
		b.restart(p)
		return true
	case n-b.next >= MaxPackets:
		// Nothing of what is held can be completed within the bound.
		b.restart(p)
		return true
	}
	b.late = 0
	s := b.slot(n)
	if n <= b.highest {
		if s.have {
			return false
		}
		b.missing--
	}
	for gap := b.highest + 1; gap < n; gap++ {
		*b.slot(gap) = slot{noticed: p.Arrived}
		b.missing++
	}
	b.highest = max(b.highest, n)
	*s = slot{packet: p, have: true}
	b.held++
	return true
}

// restart begins anew at p. What precedes it counts as lost.
func (b *Buffer) restart(p Packet) {
	for i := range b.slots {
		b.slots[i] = slot{}
	}
	b.lost = b.started
	b.started, b.held, b.missing, b.late = true, 1, 0, 0
	b.highest = int64(p.Sequence) + 1<<16 // so that older ones are not negative
	b.next = b.highest
	*b.slot(b.highest) = slot{packet: p, have: true}
}

// Pop hands out the packet that is next in order. lost says that the packets
// before it were given up.
func (b *Buffer) Pop(now time.Time) (p Packet, lost, ok bool) {
	if b.held == 0 {
		return Packet{}, false, false
	}
	for {
		s := b.slot(b.next)
		if s.have {
			p, lost = s.packet, b.lost
			*s = slot{}
			b.next++
			b.held--
			b.lost = false
			return p, lost, true
		}
		if now.Sub(s.noticed) < b.wait {
			return Packet{}, false, false
		}
		*s = slot{}
		b.next++
		b.missing--
		b.lost = true
	}
}

// Missing appends the sequence numbers that are to be asked for now, and marks
// them as asked for.
func (b *Buffer) Missing(dst []uint16, now time.Time) []uint16 {
	if b.missing == 0 {
		return dst
	}
	room := maxAsked
	for n := b.next; n < b.highest && room > 0; n++ {
		s := b.slot(n)
		if s.have || now.Sub(s.noticed) >= b.wait || now.Sub(s.asked) < nackRepeat {
			continue
		}
		s.asked = now
		dst = append(dst, uint16(n))
		room--
	}
	return dst
}

// Due is when Pop or Missing will next have something to do if no packet comes,
// the zero value for never.
func (b *Buffer) Due() time.Time {
	var due time.Time
	if b.missing == 0 {
		return due
	}
	for n := b.next; n < b.highest; n++ {
		s := b.slot(n)
		if s.have {
			continue
		}
		at := s.noticed.Add(b.wait)
		if again := s.asked.Add(nackRepeat); !s.asked.IsZero() && again.Before(at) {
			at = again
		}
		if due.IsZero() || at.Before(due) {
			due = at
		}
	}
	return due
}
