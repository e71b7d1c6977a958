package ws

import (
	"time"

	"github.com/framewire/framewire/server/internal/wire"
)

const (
	// delayMemory is how long the shortest delay counts as what the way takes
	// when nothing waits on it. Clocks drift by less than a millisecond meanwhile.
	delayMemory = 10 * time.Second

	// bitrateSpan is the time over which the bitrate is measured: that of a
	// common group of pictures.
	bitrateSpan = 2 * time.Second

	// queueLong is from which delay on the publisher is asked for less. Wireless
	// networks hold packets back for a few tens of milliseconds without being too
	// slow.
	queueLong = 120 * time.Millisecond

	// backOff times what comes is what a network that is too slow is asked to
	// carry: less than it can, so that what waits gets through.
	backOff = 0.8

	// latencyPause is how often viewers are asked for their latency.
	latencyPause = time.Second
)

// flow measures how a publication comes.
type flow struct {
	samples, bytes uint64
	told           uint64 // samples at the last acknowledgement

	delay    time.Duration // of the newest sample
	shortest time.Duration // since the last acknowledgement
	timed    bool          // there was one since
	base     [2]minimum    // of the last half of delayMemory, and of the half before

	slots []uint64 // bytes between acknowledgements, a ring over bitrateSpan
	slot  int
	full  bool
	every time.Duration

	latencyAt time.Time
}

// minimum is the shortest delay of a stretch of time.
type minimum struct {
	delay time.Duration
	known bool
	since time.Time
}

func newFlow(every time.Duration) flow {
	return flow{slots: make([]uint64, max(1, bitrateSpan/every)), every: every}
}

// observe notes a sample. captured is zero where the publisher does not tell.
func (f *flow) observe(now, captured time.Time, size int) {
	f.samples++
	f.bytes += uint64(size)
	f.slots[f.slot] += uint64(size)
	if captured.IsZero() {
		return
	}
	f.delay = now.Sub(captured)
	if !f.timed || f.delay < f.shortest {
		f.shortest, f.timed = f.delay, true
	}
	recent := &f.base[0]
	if now.Sub(recent.since) > delayMemory/2 {
		f.base[1] = *recent
		*recent = minimum{since: now}
	}
	if !recent.known || f.delay < recent.delay {
		recent.delay, recent.known = f.delay, true
	}
}

// ack sums up, and reports whether anything came since the last time.
func (f *flow) ack(now time.Time) (wire.PublishAck, bool) {
	if f.samples == f.told {
		f.next()
		return wire.PublishAck{}, false
	}
	f.told = f.samples
	a := wire.PublishAck{Samples: f.samples, Bytes: f.bytes, Delay: max(0, f.delay), Bitrate: f.bitrate()}
	if f.timed {
		a.Queue = max(0, f.shortest-f.baseDelay(now))
	}
	if a.Queue > queueLong {
		a.Wanted = backOff * a.Bitrate
	}
	f.timed = false
	f.next()
	return a, true
}

// baseDelay is the shortest delay of the last seconds.
func (f *flow) baseDelay(now time.Time) time.Duration {
	base := f.base[0].delay
	if before := f.base[1]; before.known && now.Sub(before.since) <= delayMemory && before.delay < base {
		base = before.delay
	}
	return base
}

func (f *flow) bitrate() float64 {
	var sum uint64
	for _, n := range f.slots {
		sum += n
	}
	slots := len(f.slots)
	if !f.full {
		slots = f.slot + 1
	}
	return float64(sum) * 8 / (time.Duration(slots) * f.every).Seconds()
}

func (f *flow) next() {
	f.slot++
	if f.slot == len(f.slots) {
		f.slot, f.full = 0, true
	}
	f.slots[f.slot] = 0
}

// latencyDue reports whether the viewers are to be asked again.
func (f *flow) latencyDue(now time.Time) bool {
	if now.Sub(f.latencyAt) < latencyPause {
		return false
	}
	f.latencyAt = now
	return true
}
