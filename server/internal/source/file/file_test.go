package file_test

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/logtest"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/source/file"
	"github.com/framewire/framewire/server/internal/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testLog shows the log of a test that fails.
func testLog(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// Every file is shorter than what is asked for, so each is played more than once.
// Those that are native are played without ffmpeg, which would do as well and hide
// that the reader of MP4 does not.
func TestFilesPlayInALoop(t *testing.T) {
	for _, c := range []struct {
		name         string
		args         []string
		video, audio media.Codec
		native       bool
	}{
		{"plain.mp4", []string{"-c:v", "libx264", "-bf", "0", "-c:a", "aac"}, media.H264, media.AAC, true},
		{"bframes.mp4", []string{"-c:v", "libx264", "-bf", "3", "-c:a", "aac"}, media.H264, media.AAC, true},
		{"fragmented.mp4", []string{"-c:v", "libx264", "-bf", "2", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"}, media.H264, media.AAC, true},
		{"quicktime.mov", []string{"-c:v", "libx264", "-bf", "2", "-c:a", "aac"}, media.H264, media.AAC, true},
		{"vp9opus.mp4", []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libopus"}, media.VP9, media.Opus, true},
		{"h265.mp4", []string{"-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-c:a", "aac"}, media.H265, media.AAC, true},
		{"hev1.mp4", []string{"-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hev1", "-c:a", "aac"}, media.H265, media.AAC, true},
		{"av1.mp4", []string{"-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "lp=1", "-c:a", "libopus"}, media.AV1, media.Opus, true},
		{"flac.mp4", []string{"-c:v", "libx264", "-c:a", "flac", "-strict", "-2"}, media.H264, media.FLAC, true},
		{"mp3.mp4", []string{"-c:v", "libx264", "-c:a", "libmp3lame"}, media.H264, media.AAC, false},
		{"wrongname.txt", []string{"-c:v", "libx264", "-c:a", "aac", "-f", "mp4"}, media.H264, media.AAC, true},
		{"matroska.mkv", []string{"-c:v", "libx264", "-bf", "2", "-c:a", "aac"}, media.H264, media.AAC, false},
		{"webm.webm", []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libopus"}, media.VP9, media.Opus, false},
		{"transport.ts", []string{"-c:v", "libx264", "-c:a", "aac"}, media.H264, media.AAC, false},
		{"mpeg2.mpg", []string{"-c:v", "mpeg2video", "-c:a", "mp2"}, media.H264, media.AAC, false},
		{"pcm.mov", []string{"-c:v", "libx264", "-c:a", "pcm_s16le"}, media.H264, media.AAC, false},
		{"high422.mp4", []string{"-c:v", "libx264", "-pix_fmt", "yuv422p", "-c:a", "aac"}, media.H264, media.AAC, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := mediatest.Args(mediatest.Picture("160x90", 25, 1), mediatest.Tone(48000, 1), []string{"-pix_fmt", "yuv420p"}, c.args)
			path := mediatest.Make(t, c.name, args...)
			var said logtest.Text
			log := slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &said), nil))
			r := sourcetest.RunUntil(t, file.New(path, log), sourcetest.Count(60, 60))
			if native := said.Count("playing the file through ffmpeg") == 0; native != c.native {
				t.Errorf("played without ffmpeg: %v, want %v", native, c.native)
			}
			if got := r.Track(t, media.Video); got.Codec != c.video || got.Width != 160 || got.Height != 90 {
				t.Errorf("video track %+v", got)
			}
			if got := r.Track(t, media.Audio); got.Codec != c.audio {
				t.Errorf("audio track %+v", got)
			}
			requireContinuous(t, r, media.Video)
			requireContinuous(t, r, media.Audio)
			if n := len(r.Starts()); n != 1 {
				t.Errorf("tracks were announced %d times", n)
			}
		})
	}
}

// An edit list whose parts begin with keyframes is followed here; one that cuts within
// groups of pictures by ffmpeg, which has to decode.
func TestEditListsAreFollowed(t *testing.T) {
	whole, err := os.ReadFile(mediatest.Make(t, "whole.mp4", mediatest.Args(mediatest.Picture("160x90", 25, 2), mediatest.Tone(48000, 2),
		[]string{"-pix_fmt", "yuv420p", "-c:v", "libx264", "-bf", "0", "-g", "10", "-c:a", "aac"})...))
	if err != nil {
		t.Fatal(err)
	}
	const half = time.Second / 2
	for _, c := range []struct {
		name   string
		second time.Duration // where the second part begins
		native bool
	}{{"at a keyframe", 0, true}, {"within a group", 120 * time.Millisecond, false}} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "edited.mp4")
			data := mediatest.WithEdits(t, whole, mediatest.Edit{Length: half, From: 1200 * time.Millisecond}, mediatest.Edit{Length: half, From: c.second})
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if c.native {
				t.Setenv("PATH", t.TempDir()) // no ffmpeg
			}
			r, err := sourcetest.Run(t, file.New(path, testLog(t)).Once())
			if err != nil {
				t.Fatal(err)
			}
			pictures := r.Samples(media.Video)
			if n := len(pictures); n < 24 || n > 27 {
				t.Errorf("%d pictures in a second", n)
			}
			requireContinuous(t, r, media.Video)
			requireContinuous(t, r, media.Audio)
			if c.native {
				return
			}
			// Without ffmpeg, what comes before the cut.
			t.Setenv("PATH", t.TempDir())
			var log logtest.Text
			if r, err = sourcetest.Run(t, file.New(path, slog.New(slog.NewTextHandler(&log, nil))).Once()); err != nil {
				t.Fatal(err)
			}
			if n := len(r.Samples(media.Video)); n < 12 || n > 13 {
				t.Errorf("%d pictures in half a second", n)
			}
			requireContinuous(t, r, media.Video)
			requireContinuous(t, r, media.Audio)
			for _, says := range []string{"only the beginning of the file is played", "until=500ms", "cut within a group of pictures", "ffmpeg is not installed"} {
				if log.Count(says) == 0 {
					t.Errorf("the log does not say %q: %s", says, log.String())
				}
			}
		})
	}
}

// Without ffmpeg MP3 is passed on, for the browsers that play it.
func TestMP3IsReadWithoutFFmpeg(t *testing.T) {
	path := mediatest.Make(t, "mp3.mp4", mediatest.Args(mediatest.Picture("160x90", 25, 1), mediatest.Tone(48000, 1),
		[]string{"-pix_fmt", "yuv420p", "-c:v", "libx264", "-c:a", "libmp3lame"})...)
	t.Setenv("PATH", t.TempDir())
	r := sourcetest.RunUntil(t, file.New(path, testLog(t)), sourcetest.Count(10, 10))
	if got := r.Track(t, media.Audio); got.Codec != media.MP3 {
		t.Errorf("%+v", got)
	}
}

// requireContinuous demands that decode times grow, and that no step is longer
// than three frames, over seams as well.
func requireContinuous(t *testing.T, r *sourcetest.Recorder, kind media.Kind) {
	t.Helper()
	track := r.Track(t, kind)
	samples := r.Samples(kind)
	for i := 1; i < len(samples); i++ {
		limit := max(3*int64(samples[i-1].Duration), media.Ticks(90*time.Millisecond, track.Timescale))
		if step := samples[i].DTS - samples[i-1].DTS; step <= 0 || step > limit {
			t.Errorf("%v %d: decode time goes from %d to %d", kind, i, samples[i-1].DTS, samples[i].DTS)
		}
	}
	if !samples[0].Keyframe {
		t.Errorf("the first sample of %v is no keyframe", kind)
	}
}

func TestUnplayableFilesSayWhy(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "film.mp4")
	if err := os.WriteFile(text, []byte("This is a plain text that calls itself a film.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	noise := filepath.Join(dir, "noise.mp4")
	if err := os.WriteFile(noise, []byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2 and nothing of use behind it"), 0o600); err != nil {
		t.Fatal(err)
	}
	mediatest.RequireFFmpeg(t)
	for _, c := range []struct {
		path, want string
		is         error
	}{
		{text, "text/plain", file.ErrNotMedia},
		{noise, "read MP4", nil},
		{filepath.Join(dir, "none.mp4"), "no such file", os.ErrNotExist},
		{dir, "not a regular file", nil},
	} {
		_, err := sourcetest.Run(t, file.New(c.path, nil))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
			continue
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v is not %v", c.path, err, c.is)
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %v", c.path, err)
		}
	}
}
