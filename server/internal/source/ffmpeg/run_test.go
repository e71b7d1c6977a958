package ffmpeg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/source/ffmpeg"
	"github.com/framewire/framewire/server/internal/source/process"
	"github.com/framewire/framewire/server/internal/source/sourcetest"
)

// children returns the processes whose command line holds mark.
func children(t *testing.T, mark string) []int {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(line), mark) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// marked returns arguments that no other process has, and the mark.
func marked(t *testing.T) (args, mark string) {
	mark = fmt.Sprintf("framewire-%d-%s", os.Getpid(), t.Name())
	return "-f lavfi -i testsrc2=size=160x90,metadata=add:key=mark:value=" + mark, mark
}

func TestKilledProcessEndsRunWithItsStatus(t *testing.T) {
	args, mark := marked(t)
	r := &sourcetest.Recorder{}
	ended := make(chan error, 1)
	go func() { ended <- newSource(t, args).Run(t.Context(), r) }()
	sourcetest.Eventually(t, "media", func() bool { return len(r.Samples(media.Video)) > 5 })
	for _, pid := range children(t, mark) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	err := <-ended
	var exit *process.ExitError
	if !errors.As(err, &exit) || exit.Program != "ffmpeg" || !strings.Contains(exit.Status, "killed") {
		t.Errorf("%v", err)
	}
}

func TestSourceRunsAgainAfterItWasKilled(t *testing.T) {
	args, mark := marked(t)
	s := newSource(t, args)
	for range 2 {
		r := sourcetest.RunUntil(t, s, sourcetest.Count(10, 0))
		if got := r.Samples(media.Video)[0]; !got.Keyframe {
			t.Error("begins without a keyframe")
		}
	}
	if left := children(t, mark); len(left) != 0 {
		t.Errorf("processes %v are left", left)
	}
}

func TestCancelLeavesNoProcess(t *testing.T) {
	args, mark := marked(t)
	for _, when := range []string{"while probing", "while running"} {
		ctx, cancel := context.WithCancel(t.Context())
		r := &sourcetest.Recorder{}
		ended := make(chan error, 1)
		go func() { ended <- newSource(t, args).Run(ctx, r) }()
		sourcetest.Eventually(t, "a process", func() bool { return len(children(t, mark)) > 0 })
		if when == "while running" {
			sourcetest.Eventually(t, "media", func() bool { return len(r.Samples(media.Video)) > 0 })
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", when, err)
		}
		if left := children(t, mark); len(left) != 0 {
			t.Errorf("%s: processes %v are left", when, left)
		}
	}
}

func TestFailuresAreOneLineWithoutSecrets(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	listener.Close()
	for _, c := range []struct{ args, want string }{
		{"-i /no/such/file.mkv", "No such file"},
		{"-i rtmp://user:hunter2@" + closed + "/app/x", "refused"},
		{"-f nonsense -i x", "Unknown input format"},
		{"-nonsense 1 -i x", "Unrecognized option"},
	} {
		_, err := sourcetest.Run(t, newSource(t, c.args))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("%s: %v, want %q", c.args, err, c.want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

func TestMissingFFmpegSaysWhatToInstall(t *testing.T) {
	s := newSource(t, "-f lavfi -i testsrc2")
	t.Setenv("PATH", t.TempDir())
	_, err := sourcetest.Run(t, s)
	if !errors.Is(err, ffmpeg.ErrMissing) || !strings.Contains(err.Error(), "apt-get install ffmpeg") {
		t.Errorf("%v", err)
	}
}

// What plays in browsers is copied: the same bytes come out. What does not is
// encoded.
func TestCopyOrEncode(t *testing.T) {
	for _, c := range []struct {
		name, container      string
		args                 []string
		video, audio         media.Codec
		videoCopy, audioCopy bool
	}{
		{"h264 and aac", "flv", []string{"-c:v", "libx264", "-bf", "2", "-c:a", "aac"}, media.H264, media.AAC, true, true},
		{"h265 and flac", "matroska", []string{"-c:v", "libx265", "-x265-params", "log-level=error", "-c:a", "flac"}, media.H265, media.FLAC, true, true},
		{"av1 and opus", "matroska", []string{"-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-c:a", "libopus"}, media.AV1, media.Opus, true, true},
		{"vp9 and mp3", "matroska", []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libmp3lame"}, media.VP9, media.AAC, true, false},
		{"h264 and G.711", "matroska", []string{"-c:v", "libx264", "-c:a", "pcm_alaw", "-ar", "8000"}, media.H264, media.AAC, true, false},
		{"mpeg2 and mp2", "mpegts", []string{"-c:v", "mpeg2video", "-c:a", "mp2"}, media.H264, media.AAC, false, false},
		{"vp8 and vorbis", "webm", []string{"-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"}, media.H264, media.AAC, false, false},
		{"h264 of 10 bits and aac", "matroska", []string{"-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-c:a", "aac"}, media.H264, media.AAC, false, true},
		{"odd size", "avi", []string{"-vf", "scale=161:91", "-c:v", "mjpeg", "-c:a", "pcm_s16le"}, media.H264, media.AAC, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := mediatest.Args(mediatest.Picture("160x90", 25, 2), mediatest.Tone(48000, 2), []string{"-pix_fmt", "yuv420p", "-g", "25"}, c.args, []string{"-f", c.container})
			path := mediatest.Make(t, "made", args...)
			s := newSource(t, "-f "+c.container+" -i '"+path+"'")
			r, err := sourcetest.Run(t, s)
			if err != nil {
				t.Fatal(err)
			}
			probed := mediatest.ProbePackets(t, path)
			for i, kind := range []media.Kind{media.Video, media.Audio} {
				want, copied := c.video, c.videoCopy
				if kind == media.Audio {
					want, copied = c.audio, c.audioCopy
				}
				if got := r.Track(t, kind); got.Codec != want {
					t.Errorf("%v is %v, want %v", kind, got.Codec, want)
				}
				checkTimes(t, r, kind)
				n, packets := len(r.Samples(kind)), len(probed.PacketsOf(i))
				if copied && n != packets {
					t.Errorf("%d samples of %v, the file has %d", n, kind, packets)
				}
				if !copied && kind == media.Video && n != packets {
					t.Errorf("%d pictures of %d were encoded", n, packets)
				}
			}
		})
	}
}

// checkTimes demands that decode times grow evenly and presentation follows them.
func checkTimes(t *testing.T, r *sourcetest.Recorder, kind media.Kind) {
	t.Helper()
	track := r.Track(t, kind)
	samples := r.Samples(kind)
	for i, s := range samples {
		if s.Offset < 0 {
			t.Errorf("%v %d is shown %d ticks before it is decoded", kind, i, -s.Offset)
		}
		if i == 0 {
			continue
		}
		step := media.Duration(s.DTS-samples[i-1].DTS, track.Timescale)
		if step <= 0 || step > 110*time.Millisecond {
			t.Errorf("%v %d comes %v after the one before", kind, i, step)
		}
	}
}

// sender is an ffmpeg that sends to a URL until the test ends.
func sender(t *testing.T, args ...string) {
	t.Helper()
	mediatest.RequireFFmpeg(t)
	cmd := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-hide_banner", "-nostdin", "-loglevel", "error", "-re"}, args...)...)
	cmd.Stderr = io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// freePort returns a UDP port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// liveClip makes half a minute that can be sent as MPEG-TS.
func liveClip(t *testing.T) string {
	return mediatest.Make(t, "clip.mp4", mediatest.Args(mediatest.Picture("320x180", 30, 30), mediatest.Tone(48000, 30),
		[]string{"-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac"})...)
}

func urlSource(t *testing.T, url string) *ffmpeg.Source {
	t.Helper()
	args, err := ffmpeg.URL(url)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ffmpeg.New(ffmpeg.Options{Args: args, Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestUDP(t *testing.T) {
	port := freePort(t)
	sender(t, "-stream_loop", "-1", "-i", liveClip(t), "-c", "copy", "-f", "mpegts", fmt.Sprintf("udp://127.0.0.1:%d?pkt_size=1316", port))
	r := sourcetest.RunUntil(t, urlSource(t, fmt.Sprintf("udp://127.0.0.1:%d", port)), sourcetest.Count(60, 80))
	if got := r.Track(t, media.Video); got.Codec != media.H264 || got.Width != 320 {
		t.Errorf("video %+v", got)
	}
	checkTimes(t, r, media.Video)
}

// A caller hangs up when it is probed; it has to be read at the first call.
func TestListenerTakesTheFirstCall(t *testing.T) {
	port := freePort(t)
	s := urlSource(t, fmt.Sprintf("srt://127.0.0.1:%d?mode=listener&latency=20000", port))
	clip := liveClip(t)
	r := &sourcetest.Recorder{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, r) }()
	sourcetest.Eventually(t, "a listener", func() bool { return len(children(t, fmt.Sprintf(":%d?mode=listener", port))) > 0 })
	sender(t, "-stream_loop", "-1", "-i", clip, "-c", "copy", "-f", "mpegts", fmt.Sprintf("srt://127.0.0.1:%d?latency=20000", port))
	sourcetest.Eventually(t, "media", func() bool { return len(r.Samples(media.Video)) > 60 && len(r.Samples(media.Audio)) > 60 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	checkTimes(t, r, media.Video)
}

// A camera's protocol, with the roles swapped: ffmpeg is no RTSP server.
func TestRTSP(t *testing.T) {
	clip := liveClip(t)
	port := freePort(t)
	url := fmt.Sprintf("rtsp://127.0.0.1:%d/cam", port)
	s := newSource(t, "-rtsp_flags listen -i "+url)
	r := &sourcetest.Recorder{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, r) }()
	sourcetest.Eventually(t, "a listener", func() bool {
		c, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	sender(t, "-stream_loop", "-1", "-i", clip, "-c", "copy", "-rtsp_transport", "tcp", "-f", "rtsp", url)
	sourcetest.Eventually(t, "media", func() bool { return len(r.Samples(media.Video)) > 60 && len(r.Samples(media.Audio)) > 60 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	checkTimes(t, r, media.Video)
}
