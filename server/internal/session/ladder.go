package session

import (
	"cmp"
	"time"

	"github.com/framewire/framewire/server/internal/wire"
)

// Ladder says at which lag a live viewer who takes data too slowly is moved down
// by a rung. Lag is time of media that has not left the server; each figure
// counts from the rung before. The zero value of a field means its default.
//
//	everything   --Skip-->       newest keyframe, then everything
//	on probation --Keyframes-->  keyframes and sound
//	             --Audio-->      sound
//	             --Close-->      closed as TOO_SLOW
type Ladder struct {
	// Skip moves to the newest keyframe. Default 1.5 s: more than a keyframe
	// takes on a link that can carry the stream at all.
	Skip time.Duration
	// Keyframes leaves out all other pictures. Default 3 s.
	Keyframes time.Duration
	// Audio leaves out all pictures. Default 3 s.
	Audio time.Duration
	// Close ends the session. Default 4.5 s, so that one who takes nothing at
	// all is gone after 12 s.
	Close time.Duration
	// Recover is how long a viewer has to keep up before it is moved up by a
	// rung. Default 10 s. Each fall after a rise doubles it, up to 16 times.
	Recover time.Duration
}

func (l Ladder) withDefaults() Ladder {
	l.Skip = cmp.Or(l.Skip, 1500*time.Millisecond)
	l.Keyframes = cmp.Or(l.Keyframes, 3*time.Second)
	l.Audio = cmp.Or(l.Audio, 3*time.Second)
	l.Close = cmp.Or(l.Close, 4500*time.Millisecond)
	l.Recover = cmp.Or(l.Recover, 10*time.Second)
	return l
}

// stall is how long a connection may take nothing at all before it is closed,
// whatever is played on it.
func (l *Ladder) stall() time.Duration { return l.Skip + l.Keyframes + l.Audio + l.Close }

// rung is a viewer's place on the ladder, downwards.
type rung uint8

const (
	rungSteady    rung = iota // everything
	rungProbation             // everything, after a skip
	rungKeyframes
	rungAudio
	rungClosed
)

// String names a rung, for logs.
func (r rung) String() string {
	return [...]string{"steady", "probation", "keyframes", "audio", "closed"}[r]
}

func (r rung) degradation() wire.Degradation {
	switch r {
	case rungKeyframes:
		return wire.KeyframesOnly
	case rungAudio:
		return wire.AudioOnly
	default:
		return wire.DegradationNone
	}
}

// maxPatience bounds the time that keeping up has to last, in multiples of
// Ladder.Recover: a link that is too thin for the stream is tried again every
// few minutes, not every few seconds.
const maxPatience = 16

// climber moves one viewer along the ladder.
type climber struct {
	rung rung
	// base is the lag that is not to be held against the viewer: the least since
	// the last move. It covers what is sent at once after joining or a skip.
	base time.Duration
	// calmSince is when the viewer began to keep up; zero while it does not.
	calmSince time.Time
	patience  int // multiple of Ladder.Recover
	rose      bool
}

// observe takes the viewer's present lag and reports a move by one rung: down
// (+1), up (-1) or none. After a move down, settle has to be called.
func (c *climber) observe(l *Ladder, now time.Time, lag time.Duration) int {
	c.base = min(c.base, lag)
	if lag-c.base > c.tolerance(l) {
		c.fall()
		return 1
	}
	if lag > l.Skip/2 {
		c.calmSince = time.Time{}
		return 0
	}
	if c.calmSince.IsZero() {
		c.calmSince = now
	}
	calm := now.Sub(c.calmSince)
	if c.rung == rungSteady {
		if calm > 2*time.Duration(max(1, c.patience))*l.Recover {
			c.patience, c.rose = 0, false
		}
		return 0
	}
	if calm < time.Duration(max(1, c.patience))*l.Recover {
		return 0
	}
	c.rung--
	c.rose = true
	c.calmSince = now
	return -1
}

func (c *climber) tolerance(l *Ladder) time.Duration {
	switch c.rung {
	case rungSteady:
		return l.Skip
	case rungProbation:
		return l.Keyframes
	case rungKeyframes:
		return l.Audio
	default:
		return l.Close
	}
}

func (c *climber) fall() {
	if c.rose && c.rung != rungSteady {
		c.patience = min(max(1, c.patience)*2, maxPatience)
		c.rose = false
	}
	c.rung++
	c.calmSince = time.Time{}
}

// settle takes the lag that is left after a move down was acted on.
func (c *climber) settle(lag time.Duration) { c.base = lag }
