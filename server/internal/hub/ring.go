package hub

import (
	"sort"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// ring holds the newest packets of a stream in order of sequence, and where
// among them a viewer can start. It is not safe for concurrent use.
//
// Packets go in groups, each from a place to start to the next. A group stays
// until all of it is older than window, so that a viewer can always go back as far
// as that. The newest one stays longer, up to hold, while it is the only place
// where a viewer can start. maxBytes is stronger: above it the oldest packets go,
// whatever group they are of.
type ring struct {
	window   time.Duration
	hold     time.Duration
	maxBytes int64

	first   uint64 // sequence of the oldest packet held, or of the next when empty
	packets deque[*media.Packet]
	bytes   int64

	keys deque[key] // ordered by sequence and by time
}

// key is a place where a viewer can start.
type key struct {
	sequence uint64
	time     time.Duration
}

// next is the sequence that the next packet must carry.
func (r *ring) next() uint64 { return r.first + uint64(r.packets.len()) }

// push appends p, and evicts what is then over the bounds. isKey marks p as a
// place to start. The newest packet always stays.
func (r *ring) push(p *media.Packet, isKey bool) {
	r.packets.push(p)
	r.bytes += int64(len(p.Message))
	if isKey {
		r.keys.push(key{p.Sequence, p.Time})
	}
	for r.packets.len() > 1 && (r.bytes > r.maxBytes || r.spent(p.Time)) {
		r.evict()
	}
}

// spent reports whether the oldest packet has had its time when it is now.
func (r *ring) spent(now time.Duration) bool {
	age := now - r.packets.at(0).Time
	switch {
	case age <= r.window:
		return false
	case r.keys.len() == 0 || r.keys.at(0).sequence > r.first: // what is left of a group
		return true
	case r.keys.len() == 1: // the newest group
		return age > r.hold
	default:
		return now-r.keys.at(1).time >= r.window
	}
}

func (r *ring) evict() {
	p := r.packets.pop()
	r.bytes -= int64(len(p.Message))
	r.first++
	for r.keys.len() > 0 && r.keys.at(0).sequence < r.first {
		r.keys.pop()
	}
}

// at returns the packet with that sequence, which the ring must hold.
func (r *ring) at(sequence uint64) *media.Packet {
	return r.packets.at(int(sequence - r.first))
}

// holds reports whether the packet with that sequence is in the ring.
func (r *ring) holds(sequence uint64) bool {
	return sequence >= r.first && sequence < r.next()
}

// newestKey returns the last place to start.
func (r *ring) newestKey() (key, bool) {
	if r.keys.len() == 0 {
		return key{}, false
	}
	return r.keys.at(r.keys.len() - 1), true
}

// keyAtTime returns the last place to start at or before t, or else the first.
func (r *ring) keyAtTime(t time.Duration) (key, bool) {
	return r.keyBefore(func(k key) bool { return k.time > t })
}

// keyAtSequence returns the last place to start at or before sequence, or else
// the first.
func (r *ring) keyAtSequence(sequence uint64) (key, bool) {
	return r.keyBefore(func(k key) bool { return k.sequence > sequence })
}

func (r *ring) keyBefore(after func(key) bool) (key, bool) {
	n := r.keys.len()
	if n == 0 {
		return key{}, false
	}
	i := sort.Search(n, func(i int) bool { return after(r.keys.at(i)) })
	return r.keys.at(max(i-1, 0)), true
}

// deque is a queue with random access. Its buffer's size is a power of two.
type deque[T any] struct {
	buffer []T
	head   int
	count  int
}

const dequeMinSize = 64

func (d *deque[T]) len() int { return d.count }

func (d *deque[T]) at(i int) T { return d.buffer[(d.head+i)&(len(d.buffer)-1)] }

func (d *deque[T]) push(v T) {
	if d.count == len(d.buffer) {
		d.resize(max(dequeMinSize, 2*len(d.buffer)))
	}
	d.buffer[(d.head+d.count)&(len(d.buffer)-1)] = v
	d.count++
}

func (d *deque[T]) pop() T {
	var zero T
	v := d.buffer[d.head]
	d.buffer[d.head] = zero // let go of what it points to
	d.head = (d.head + 1) & (len(d.buffer) - 1)
	d.count--
	if len(d.buffer) > dequeMinSize && d.count < len(d.buffer)/4 {
		d.resize(len(d.buffer) / 2)
	}
	return v
}

func (d *deque[T]) resize(size int) {
	buffer := make([]T, size)
	for i := range d.count {
		buffer[i] = d.at(i)
	}
	d.buffer, d.head = buffer, 0
}
