package playback_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/mp4"
	"github.com/framewire/framewire/server/internal/source/playback"
	"github.com/framewire/framewire/server/internal/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a file whose tracks have nothing in common: pictures of 1001/30000 s
// with B-frames, and sound of 1024/44100 s.
func open(t *testing.T) *mp4.File {
	t.Helper()
	path := mediatest.Make(t, "made.mp4",
		"-f", "lavfi", "-i", "testsrc2=size=64x48:rate=30000/1001:duration=0.7", "-f", "lavfi", "-i", "sine=sample_rate=44100:duration=0.7",
		"-pix_fmt", "yuv420p", "-c:v", "libx264", "-bf", "2", "-c:a", "aac")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := mp4.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// passes cuts samples where the first one comes again.
func passes(samples []sourcetest.Sample) [][]sourcetest.Sample {
	var cut [][]sourcetest.Sample
	first := samples[0].Data
	from := 0
	for i := 1; i < len(samples); i++ {
		if samples[i].Keyframe && bytes.Equal(samples[i].Data, first) {
			cut = append(cut, samples[from:i])
			from = i
		}
	}
	return cut
}

func TestThousandsOfLoopsStayInStep(t *testing.T) {
	const loops = 2000
	file := open(t)
	synctest.Test(t, func(t *testing.T) {
		r := &sourcetest.Recorder{}
		ctx, cancel := context.WithTimeout(t.Context(), loops*750*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := playback.Loop(ctx, file, file.Tracks(), r); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		video, audio := r.Track(t, media.Video), r.Track(t, media.Audio)
		pictures, sound := r.Samples(media.Video), r.Samples(media.Audio)
		all := passes(pictures)
		if len(all) < loops*9/10 {
			t.Fatalf("%d loops", len(all))
		}
		last := all[len(all)-1][0]
		length := media.Duration(last.DTS-pictures[0].DTS, video.Timescale) / time.Duration(len(all)-1)
		// Every loop begins where its number says, to a tick, on both tracks.
		for n, pass := range all {
			at := media.Duration(pass[0].DTS-pictures[0].DTS, video.Timescale)
			if off := at - time.Duration(n)*length; off.Abs() > 100*time.Microsecond {
				t.Fatalf("loop %d begins %v off", n, off)
			}
		}
		first := media.Duration(pictures[0].DTS, video.Timescale)
		for kind, samples := range map[media.Kind][]sourcetest.Sample{media.Video: pictures, media.Audio: sound} {
			scale := video.Timescale
			if kind == media.Audio {
				scale = audio.Timescale
			}
			for i, s := range samples {
				if i > 0 && s.DTS <= samples[i-1].DTS {
					t.Fatalf("%v %d: decode time goes back", kind, i)
				}
				due := media.Duration(s.DTS, scale) - first
				if late := s.Arrived.Sub(began) - due; late.Abs() > 25*time.Millisecond {
					t.Fatalf("%v %d came %v late", kind, i, late)
				}
			}
		}
	})
}

func TestOnceEndsWithTheLastSample(t *testing.T) {
	file := open(t)
	synctest.Test(t, func(t *testing.T) {
		r := &sourcetest.Recorder{}
		began := time.Now()
		if err := playback.Once(t.Context(), file, file.Tracks(), r); err != nil {
			t.Fatal(err)
		}
		// From the decode time of the first picture on, which lies before zero.
		if took := time.Since(began); took < file.Duration() || took > file.Duration()+100*time.Millisecond {
			t.Errorf("%v of media took %v", file.Duration(), took)
		}
		if pictures, sound := len(r.Samples(media.Video)), len(r.Samples(media.Audio)); pictures != 21 || sound < 30 {
			t.Errorf("%d pictures and %d frames of sound", pictures, sound)
		}
	})
}

// slow is a sink that is held up once.
type slow struct {
	sourcetest.Recorder
	writes int
	pause  time.Duration
}

func (s *slow) Write(sample media.Sample) error {
	if s.writes++; s.writes == 20 {
		time.Sleep(s.pause)
	}
	return s.Recorder.Write(sample)
}

func TestHoldupIsFollowedByNoBurst(t *testing.T) {
	file := open(t)
	for _, c := range []struct {
		pause, lag time.Duration // lag that stays
	}{{100 * time.Millisecond, 0}, {10 * time.Second, 10 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			s := &slow{pause: c.pause}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_ = playback.Loop(ctx, file, file.Tracks(), s)
			pictures := s.Samples(media.Video)
			scale := s.Track(t, media.Video).Timescale
			first, last := pictures[0], pictures[len(pictures)-1]
			lag := last.Arrived.Sub(first.Arrived) - media.Duration(last.DTS-first.DTS, scale)
			if off := lag - c.lag; off.Abs() > 60*time.Millisecond {
				t.Errorf("held up for %v: %v behind at the end", c.pause, lag)
			}
		})
	}
}
