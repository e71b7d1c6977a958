package whip

import (
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

const (
	// maxSkew is the largest difference between sound and picture that sender
	// reports are believed. Beyond it the publisher's clocks are wrong, and what
	// arrived together belongs together.
	maxSkew = 5 * time.Second

	// slewDivisor: picture times are moved by at most a slewDivisor-th of the time
	// that passes, so that motion stays even while they are brought in step.
	slewDivisor = 8

	// maxReportAge is how far a report's RTP time may lie from the media's.
	maxReportAge = 30 * time.Second
)

// clock turns the RTP timestamps of one track into time since the session began.
// It starts from the time at which the first packet arrived; a follower is then
// moved to keep step with another.
type clock struct {
	rate    uint32 // ticks a second
	started bool
	last    int64 // the latest timestamp, extended
	first   int64 // the first, extended
	base    int64 // session time of first, in ticks

	shift  int64 // added by now
	target int64 // to be added
	moved  int64 // the timestamp at which shift was last changed

	report   moment
	reported bool
}

// moment is what a sender report says: two names of one moment (RFC 3550 6.4.1).
type moment struct {
	ntp uint64 // seconds since 1900, in units of 2^-32
	rtp int64  // extended timestamp
}

// unwrap extends a timestamp to the value nearest to the latest one.
func (c *clock) unwrap(timestamp uint32) int64 {
	return c.last + int64(int32(timestamp-uint32(c.last)))
}

// place returns the session time, in ticks, of a packet that arrived so long
// after the session began.
func (c *clock) place(timestamp uint32, arrived time.Duration) int64 {
	if !c.started {
		c.started = true
		c.last, c.first, c.moved = int64(timestamp), int64(timestamp), int64(timestamp)
		c.base = media.Ticks(arrived, c.rate)
	}
	at := c.unwrap(timestamp)
	c.last = at
	if room := (at - c.moved) / slewDivisor; room > 0 && c.shift != c.target {
		c.shift += min(max(c.target-c.shift, -room), room)
	}
	c.moved = max(c.moved, at)
	return at - c.first + c.base + c.shift
}

// takeReport remembers a sender report. It reports whether it is of use.
func (c *clock) takeReport(ntp uint64, timestamp uint32) bool {
	if !c.started || ntp == 0 {
		return false
	}
	r := moment{ntp: ntp, rtp: c.unwrap(timestamp)}
	if media.Duration(r.rtp-c.last, c.rate).Abs() > maxReportAge {
		return false
	}
	c.report, c.reported = r, true
	return true
}

// follow sets where c is to move so that the sender reports of both agree with
// leader's times, which stay as they are.
func (c *clock) follow(leader *clock) {
	if !c.reported || !leader.reported {
		return
	}
	// The moment of c's report, on leader's clock.
	apart := ntpDuration(c.report.ntp - leader.report.ntp)
	if apart.Abs() > maxReportAge {
		return
	}
	at := media.Duration(leader.report.rtp-leader.first+leader.base, leader.rate) + apart
	own := c.report.rtp - c.first + c.base
	target := media.Ticks(at, c.rate) - own
	if media.Duration(target, c.rate).Abs() <= maxSkew {
		c.target = target
	}
}

// ntpDuration converts a difference of NTP times.
func ntpDuration(d uint64) time.Duration {
	seconds := int64(d) >> 32
	if seconds > 1<<20 || seconds < -1<<20 { // days; the multiplication would not fit
		seconds = 1 << 20
	}
	return time.Duration(seconds)*time.Second + time.Duration(d&0xffffffff*uint64(time.Second)>>32)
}
