package demo_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/source/demo"
	"github.com/framewire/framewire/server/internal/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The clip is a whole number of frames of both tracks, so every step of decode
// time is one frame, over the seam as well.
func TestLoopHasNoSeam(t *testing.T) {
	const loops = 5
	synctest.Test(t, func(t *testing.T) {
		r := &sourcetest.Recorder{}
		ctx, cancel := context.WithTimeout(t.Context(), loops*16*time.Second-time.Millisecond)
		defer cancel()
		if err := demo.New().Run(ctx, r); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		for _, c := range []struct {
			kind   media.Kind
			count  int
			step   int64
			scale  uint32
			perKey int
		}{
			{media.Video, loops * 480, 1000, 30000, 30},
			{media.Audio, loops * 750, 1024, 48000, 1},
		} {
			samples := r.Samples(c.kind)
			if track := r.Track(t, c.kind); track.Timescale != c.scale {
				t.Fatalf("%v timescale %d", c.kind, track.Timescale)
			}
			if len(samples) != c.count {
				t.Errorf("%d samples of %v in %d loops, want %d", len(samples), c.kind, loops, c.count)
			}
			for i, s := range samples {
				if s.DTS != int64(i)*c.step || s.Offset != 0 || s.Duration != uint32(c.step) {
					t.Fatalf("%v %d: decode time %d, offset %d, duration %d", c.kind, i, s.DTS, s.Offset, s.Duration)
				}
				if s.Keyframe != (i%c.perKey == 0) {
					t.Fatalf("%v %d: keyframe %v", c.kind, i, s.Keyframe)
				}
			}
		}
	})
}

func TestSamplesComeWhenTheyAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &sourcetest.Recorder{}
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		began := time.Now()
		_ = demo.New().Run(ctx, r)
		for _, kind := range []media.Kind{media.Video, media.Audio} {
			scale := r.Track(t, kind).Timescale
			for i, s := range r.Samples(kind) {
				due := media.Duration(s.DTS, scale)
				if late := s.Arrived.Sub(began) - due; late.Abs() > time.Millisecond {
					t.Fatalf("%v %d came %v late", kind, i, late)
				}
			}
		}
	})
}

func TestClipIsSmall(t *testing.T) {
	const limit = 1_500_000
	if n := len(demo.Clip()); n > limit {
		t.Errorf("the clip has %d bytes, more than %d", n, limit)
	}
}
