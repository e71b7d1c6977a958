package ffmpeg_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/source/ffmpeg"
	"github.com/framewire/framewire/server/internal/source/process"
	"github.com/framewire/framewire/server/internal/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newSource(t *testing.T, args string) *ffmpeg.Source {
	t.Helper()
	mediatest.RequireFFmpeg(t)
	argv, err := process.Split(args)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ffmpeg.New(ffmpeg.Options{Args: argv, Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLavfiIsEncodedInRealTime(t *testing.T) {
	s := newSource(t, `-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i "sine=sample_rate=44100"`)
	r := sourcetest.RunUntil(t, s, sourcetest.Count(60, 80))
	video, audio := r.Track(t, media.Video), r.Track(t, media.Audio)
	if video.Codec != media.H264 || video.Width != 320 || video.Height != 180 {
		t.Errorf("video track %+v", video)
	}
	if audio.Codec != media.AAC || audio.SampleRate != 48000 || audio.Timescale != 48000 {
		t.Errorf("audio track %+v", audio)
	}
	pictures := r.Samples(media.Video)
	media0, media1 := pictures[0], pictures[len(pictures)-1]
	took := media1.Arrived.Sub(media0.Arrived)
	length := media.Duration(media1.DTS-media0.DTS, video.Timescale)
	if took < length*8/10 {
		t.Errorf("%v of media came in %v", length, took)
	}
	for i, s := range pictures {
		if s.Offset != 0 || s.Keyframe != (i%30 == 0) {
			t.Errorf("picture %d: offset %d, keyframe %v", i, s.Offset, s.Keyframe)
		}
	}
	var next int64
	for i, s := range r.Samples(media.Audio) {
		if i > 0 && s.DTS != next {
			t.Errorf("sound %d at %d, want %d", i, s.DTS, next)
		}
		next = s.DTS + int64(s.Duration)
	}
}
