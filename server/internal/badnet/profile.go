package badnet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// Profile is how the network behaves. The zero Profile is a clear one.
type Profile struct {
	// Up is the way from client to server, Down the way back.
	Up   Link `json:"up"`
	Down Link `json:"down"`

	// Refuse resets each new connection at once. Those that are open stay.
	Refuse bool `json:"refuse,omitempty"`
}

// Both is the profile whose two directions behave alike.
func Both(l Link) Profile { return Profile{Up: l, Down: l} }

// Link is how one direction behaves. All connections share it, as they would
// share an uplink. The zero Link passes everything at once.
type Link struct {
	// Delay is added to every byte, and on top of it a time between 0 and
	// Jitter, drawn for each read. Order is kept, so a late read holds up those
	// behind it.
	Delay, Jitter time.Duration

	// StallProbability, from 0 to 1, is the chance that nothing passes for
	// StallLength, drawn at the beginning of every StallSlot.
	StallProbability float64
	StallLength      time.Duration

	// Rate is in bytes per second; 0 is no bound.
	Rate int64

	// Queue is how many bytes a connection may have under way in this
	// direction before the proxy stops reading; 0 means DefaultQueue. It bounds
	// the throughput to Queue per Delay.
	Queue int

	// Hold lets nothing pass, and loses nothing: a black hole for as long as it
	// lasts, which TCP makes up for afterwards.
	Hold bool
}

const (
	// StallSlot is the grid on which stalls begin.
	StallSlot = 100 * time.Millisecond

	// DefaultQueue is what home routers commonly hold for a connection: half a
	// second of a stream of 1 Mbit/s.
	DefaultQueue = 64 << 10

	// maxTime keeps sums of times far from overflow; no test waits longer.
	maxTime = time.Hour
)

// ErrProfile is wrapped by the error of a Profile that makes no sense.
var ErrProfile = errors.New("bad network profile")

// Validate returns an error that wraps ErrProfile and names the field, or nil.
func (p Profile) Validate() error {
	if err := p.Up.validate(); err != nil {
		return fmt.Errorf("%w: up: %w", ErrProfile, err)
	}
	if err := p.Down.validate(); err != nil {
		return fmt.Errorf("%w: down: %w", ErrProfile, err)
	}
	return nil
}

func (l Link) validate() error {
	for _, f := range []struct {
		name  string
		value time.Duration
	}{{"delay", l.Delay}, {"jitter", l.Jitter}, {"stall length", l.StallLength}} {
		if f.value < 0 || f.value > maxTime {
			return fmt.Errorf("%s of %v is not between 0 and %v", f.name, f.value, maxTime)
		}
	}
	switch {
	case !(l.StallProbability >= 0 && l.StallProbability <= 1): // NaN as well
		return fmt.Errorf("stall probability of %v is not between 0 and 1", l.StallProbability)
	case l.StallProbability > 0 && l.StallLength == 0:
		return errors.New("stalls have a probability but no length")
	case l.Rate < 0:
		return fmt.Errorf("rate of %d B/s is negative", l.Rate)
	case l.Queue < 0:
		return fmt.Errorf("queue of %d bytes is negative", l.Queue)
	}
	return nil
}

func (l Link) queue() int {
	if l.Queue == 0 {
		return DefaultQueue
	}
	return l.Queue
}

// linkJSON is a Link as the control interface writes it, with the units in the
// names.
type linkJSON struct {
	DelayMS          float64 `json:"delay_ms,omitempty"`
	JitterMS         float64 `json:"jitter_ms,omitempty"`
	StallProbability float64 `json:"stall_probability,omitempty"`
	StallMS          float64 `json:"stall_ms,omitempty"`
	Rate             int64   `json:"rate_bytes_per_second,omitempty"`
	Queue            int     `json:"queue_bytes,omitempty"`
	Hold             bool    `json:"hold,omitempty"`
}

// MarshalJSON writes times as milliseconds.
func (l Link) MarshalJSON() ([]byte, error) {
	return json.Marshal(linkJSON{
		DelayMS: milliseconds(l.Delay), JitterMS: milliseconds(l.Jitter),
		StallProbability: l.StallProbability, StallMS: milliseconds(l.StallLength),
		Rate: l.Rate, Queue: l.Queue, Hold: l.Hold,
	})
}

// UnmarshalJSON refuses fields that it does not know: a misspelt one would make
// a good network where a bad one was meant.
func (l *Link) UnmarshalJSON(b []byte) error {
	var j linkJSON
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return err
	}
	*l = Link{
		Delay: duration(j.DelayMS), Jitter: duration(j.JitterMS),
		StallProbability: j.StallProbability, StallLength: duration(j.StallMS),
		Rate: j.Rate, Queue: j.Queue, Hold: j.Hold,
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// duration keeps what does not fit out of bounds, for validate to refuse.
func duration(ms float64) time.Duration {
	const limit = float64(2 * maxTime / time.Millisecond)
	return time.Duration(math.Max(-limit, math.Min(limit, ms)) * float64(time.Millisecond))
}
