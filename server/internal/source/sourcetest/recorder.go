// Package sourcetest watches what a source hands to its Sink. Only tests import
// it.
package sourcetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// errEnough ends a source whose recorder has seen what it waited for.
var errEnough = errors.New("enough")

// patience bounds every wait of a test. It only runs out when something is
// broken.
const patience = 60 * time.Second

// Recorder is a Sink that keeps everything.
type Recorder struct {
	mu      sync.Mutex
	starts  [][]media.Track
	samples []Sample
	until   func(r *Recorder) bool
}

// Sample is a sample with its time of arrival at the sink.
type Sample struct {
	media.Sample
	Epoch   int // number of Start calls before it
	Arrived time.Time
}

// Start implements media.Sink.
func (r *Recorder) Start(tracks []media.Track) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starts = append(r.starts, slices.Clone(tracks))
	return nil
}

// Write implements media.Sink.
func (r *Recorder) Write(s media.Sample) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, Sample{Sample: s, Epoch: len(r.starts), Arrived: time.Now()})
	if r.until != nil && r.until(r) {
		return errEnough
	}
	return nil
}

// Starts returns the tracks of each Start call.
func (r *Recorder) Starts() [][]media.Track {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.starts)
}

// Samples returns what was written of one kind, in order.
func (r *Recorder) Samples(kind media.Kind) []Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Sample
	for _, s := range r.samples {
		if t := r.track(s); t != nil && t.Kind() == kind {
			list = append(list, s)
		}
	}
	return list
}

// Track returns the track last announced of a kind, or fails the test.
func (r *Recorder) Track(t testing.TB, kind media.Kind) media.Track {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.starts) > 0 {
		for _, track := range r.starts[len(r.starts)-1] {
			if track.Kind() == kind {
				return track
			}
		}
	}
	t.Fatalf("no %v track was announced: %+v", kind, r.starts)
	return media.Track{}
}

func (r *Recorder) track(s Sample) *media.Track {
	if s.Epoch == 0 {
		return nil
	}
	for i, t := range r.starts[s.Epoch-1] {
		if t.ID == s.TrackID {
			return &r.starts[s.Epoch-1][i]
		}
	}
	return nil
}

// Count returns a condition: at least so many samples of each kind.
func Count(video, audio int) func(*Recorder) bool {
	return func(r *Recorder) bool {
		var v, a int
		for _, s := range r.samples {
			if t := r.track(s); t != nil && t.Kind() == media.Video {
				v++
			} else if t != nil {
				a++
			}
		}
		return v >= video && a >= audio
	}
}

// RunUntil runs the source until the condition holds, and fails the test when it
// ends for another reason.
func RunUntil(t testing.TB, source media.Source, until func(*Recorder) bool) *Recorder {
	t.Helper()
	r := &Recorder{until: until}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := source.Run(ctx, r); !errors.Is(err, errEnough) {
		t.Fatalf("source ended with %v after %d samples", err, len(r.samples))
	}
	return r
}

// Run runs the source to its end and returns what it ended with.
func Run(t testing.TB, source media.Source) (*Recorder, error) {
	t.Helper()
	r := &Recorder{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return r, source.Run(ctx, r)
}

// Eventually waits until the condition holds, and fails the test when it does not
// come true.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); !condition(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}
