package ingest

import (
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

const (
	// jumpBack is how far a decode time may go back before it is taken for a new
	// start of the source's clock rather than for disorder.
	jumpBack = 500 * time.Millisecond

	// jumpAhead is how far decode time may run ahead of the time of arrival from
	// one sample to the next before it is taken for a jump of the source's clock.
	// A camera with one frame in ten seconds is slow, not jumping: its samples
	// arrive as far apart as they are.
	jumpAhead = 2 * time.Second

	// jumpShared is how long after a jump of one track a jump of about the same
	// size in another is taken for the same, so that sound and picture stay in
	// step over it.
	jumpShared = 10 * time.Second

	// jumpSimilar is how far two such jumps may differ.
	jumpSimilar = time.Second

	// originSpread is how far apart the first samples of a run's tracks may lie.
	// Further apart, their clocks have nothing to do with each other.
	originSpread = 5 * time.Second

	// maxStretch is up to how long a pause between two pictures is bridged. What
	// is longer is an outage, over which viewers go on at the next keyframe.
	maxStretch = time.Second
)

// timeline lays the decode times of one run behind those of the runs before it.
type timeline struct {
	base time.Duration // where the run begins on the stream's timeline

	jump   time.Duration // the last jump of the source's clock
	jumpAt time.Time     // when it arrived; zero for never
}

// clock is one track's part of a timeline.
type clock struct {
	scale   uint32
	nominal int64 // ticks that a sample takes unless it says otherwise
	shift   int64 // added to the source's time
	floor   int64 // the earliest mapped time allowed

	started bool
	source  int64 // the source's decode time of the last sample
	step    int64 // the last distance between samples
	arrived time.Time
	last    int64 // mapped decode time of the last sample
	length  int64 // duration of the last sample
}

// start sets where the track's times are mapped: origin, in ticks of the given
// scale, falls on the base of the timeline.
func (c *clock) start(t *timeline, origin int64, scale uint32) {
	c.floor = media.Ticks(t.base, c.scale)
	c.shift = c.floor - media.Rescale(origin, scale, c.scale)
}

// place maps the sample's times and fills in its duration. It reports false when
// the sample lies before the beginning of the run and has no place.
func (c *clock) place(t *timeline, s *media.Sample) bool {
	source := s.DTS
	if c.started {
		c.followJump(t, source, s.CapturedAt)
		if step := source - c.source; step > 0 {
			c.step = step
		}
	}
	mapped := source + c.shift
	if !c.started && mapped < c.floor {
		return false
	}
	if c.started && mapped <= c.last {
		// Disorder: keep decode times growing and the presentation time as it is.
		late := c.last + 1 - mapped
		mapped += late
		s.Offset -= int32(min(late, 1<<30))
	}
	if s.Duration == 0 {
		s.Duration = uint32(c.guess())
	}
	if c.started && !s.Keyframe {
		mapped = c.bridge(mapped, s)
	}
	c.started, c.source, c.arrived, c.last, c.length = true, source, s.CapturedAt, mapped, int64(s.Duration)
	s.DTS = mapped
	return true
}

// bridge returns a decode time for a sample that follows a pause, as from a
// camera that left pictures out. Where decode time steps by more than twice the
// duration of the sample before, browsers discard all pictures up to the next
// keyframe (Media Source Extensions, coded frame processing). So it steps by
// that much, and the composition offset makes up for the rest: the sample is
// still presented when it ought to be.
func (c *clock) bridge(mapped int64, s *media.Sample) int64 {
	if c.step > int64(s.Duration) && c.step < int64(c.scale) {
		s.Duration = uint32(c.step) // the samples belie what they say
	}
	early := mapped - c.last - 2*c.length
	if early <= 0 || media.Duration(early, c.scale) > maxStretch {
		return mapped
	}
	s.Offset += int32(early)
	return mapped - early
}

// guess is the duration of a sample that does not tell its own. Waiting for the
// next one would tell, and cost a frame of latency.
func (c *clock) guess() int64 {
	if c.step > 0 && c.step < int64(c.scale) {
		return c.step
	}
	return c.nominal
}

// followJump changes the shift when the source's clock jumped.
func (c *clock) followJump(t *timeline, source int64, arrived time.Time) {
	step := media.Duration(source-c.source, c.scale)
	waited := arrived.Sub(c.arrived)
	if step >= -jumpBack && step-waited <= jumpAhead {
		return
	}
	jump := media.Duration(source-c.source-c.guess(), c.scale)
	if !t.jumpAt.IsZero() && arrived.Sub(t.jumpAt) < jumpShared && (jump-t.jump).Abs() < jumpSimilar {
		jump = t.jump
	} else {
		t.jump, t.jumpAt = jump, arrived
	}
	c.shift -= media.Ticks(jump, c.scale)
	c.step = 0
	c.source = source - c.guess()
}

// nominalTicks is what a sample of the track takes when nothing else is known.
func nominalTicks(t *media.Track) int64 {
	switch {
	case t.Kind() == media.Video && t.FrameRate > 0:
		return max(1, int64(float64(t.Timescale)/t.FrameRate))
	case t.Kind() == media.Video:
		return max(1, int64(t.Timescale)/30)
	case t.Codec == media.AAC && t.SampleRate > 0:
		return max(1, media.Rescale(1024, uint32(t.SampleRate), t.Timescale))
	case t.Codec == media.MP3 && t.SampleRate > 0:
		return max(1, media.Rescale(1152, uint32(t.SampleRate), t.Timescale))
	default:
		return max(1, int64(t.Timescale)/50) // 20 ms, the usual frame of Opus
	}
}
