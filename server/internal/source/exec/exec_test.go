package exec_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	osexec "os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/source"
	"github.com/framewire/framewire/server/internal/source/exec"
	"github.com/framewire/framewire/server/internal/source/ffmpeg"
	"github.com/framewire/framewire/server/internal/source/process"
	"github.com/framewire/framewire/server/internal/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testLog shows the log of a test that fails.
func testLog(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

func command(t *testing.T, argv ...string) *exec.Source {
	t.Helper()
	s, err := exec.New(argv, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clip makes two seconds at 25 frames a second.
func clip(t *testing.T, container string, args ...string) string {
	return mediatest.Make(t, "made", mediatest.Args(mediatest.Picture("160x90", 25, 2), mediatest.Tone(48000, 2),
		[]string{"-pix_fmt", "yuv420p", "-g", "25"}, args, []string{"-f", container})...)
}

func TestContainersAreRecognised(t *testing.T) {
	h264 := []string{"-c:v", "libx264", "-bf", "0", "-c:a", "aac"}
	aom := []string{"-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime"}
	for _, c := range []struct {
		name, container string
		args            []string
		video, audio    media.Codec
	}{
		{"fragmented MP4", "mp4", append(h264, "-movflags", "frag_every_frame+empty_moov+default_base_moof"), media.H264, media.AAC},
		{"progressive MP4", "mp4", append(h264, "-movflags", "faststart"), media.H264, media.AAC},
		{"MPEG-TS", "mpegts", h264, media.H264, media.AAC},
		{"MPEG-TS with AC-3", "mpegts", []string{"-c:v", "libx264", "-c:a", "ac3"}, media.H264, media.AAC},
		{"Matroska", "matroska", h264, media.H264, media.AAC},
		{"FLV", "flv", h264, media.H264, media.AAC},
		{"fragmented MP4 with AV1 and an empty av1C", "mp4", append(aom, "-c:a", "aac", "-movflags", "frag_every_frame+empty_moov+default_base_moof"), media.AV1, media.AAC},
		{"NUT with AV1 and bare OBUs", "nut", append(aom, "-c:a", "libopus"), media.AV1, media.Opus},
		{"Matroska with AV1", "matroska", []string{"-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "lp=1", "-c:a", "aac"}, media.AV1, media.AAC},
		{"fragmented MP4 with MP3", "mp4", []string{"-c:v", "libx264", "-c:a", "libmp3lame", "-movflags", "empty_moov+default_base_moof"}, media.H264, media.AAC},
		{"fragmented MP4 with MPEG-4 video", "mp4", []string{"-c:v", "mpeg4", "-c:a", "aac", "-movflags", "empty_moov+default_base_moof"}, media.H264, media.AAC},
		{"MPEG-TS with MP3", "mpegts", []string{"-c:v", "libx264", "-bf", "0", "-c:a", "libmp3lame"}, media.H264, media.AAC},
		{"MPEG program stream", "mpeg", []string{"-c:v", "mpeg2video", "-c:a", "mp2"}, media.H264, media.AAC},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := sourcetest.Run(t, command(t, "cat", clip(t, c.container, c.args...)))
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Track(t, media.Video); got.Codec != c.video || got.Width != 160 {
				t.Errorf("video track %+v", got)
			}
			if got := r.Track(t, media.Audio); got.Codec != c.audio {
				t.Errorf("audio track %+v", got)
			}
			if n := len(r.Samples(media.Video)); n != 50 {
				t.Errorf("%d pictures, want 50", n)
			}
			if n := len(r.Samples(media.Audio)); n < 60 {
				t.Errorf("%d frames of sound", n)
			}
		})
	}
}

// Without ffmpeg what can be played is played.
func TestWithoutFFmpegTheRestIsPlayed(t *testing.T) {
	for name, path := range map[string]string{
		"MP4":     clip(t, "mp4", "-c:v", "mpeg4", "-c:a", "libmp3lame", "-movflags", "empty_moov+default_base_moof"),
		"MPEG-TS": clip(t, "mpegts", "-c:v", "mpeg2video", "-c:a", "libmp3lame"),
	} {
		t.Run(name, func(t *testing.T) {
			s := command(t, "/bin/cat", path)
			t.Setenv("PATH", t.TempDir())
			r, err := sourcetest.Run(t, s)
			if err != nil || r.Track(t, media.Audio).Codec != media.MP3 || len(r.Samples(media.Audio)) < 70 {
				t.Errorf("%v, %+v, %d frames of sound", err, r.Starts(), len(r.Samples(media.Audio)))
			}
		})
	}
}

// held returns how many samples come out while everything was written but the
// output stays open: what is missing is held back until more comes.
func held(t *testing.T, source media.Source, video, audio int) {
	t.Helper()
	r := &sourcetest.Recorder{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- source.Run(ctx, r) }()
	sourcetest.Eventually(t, fmt.Sprintf("%d pictures and %d frames of sound", video, audio), func() bool {
		return len(r.Samples(media.Video)) >= video && len(r.Samples(media.Audio)) >= audio
	})
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Every sample is handed over although nothing follows it.
func TestNothingIsHeldBack(t *testing.T) {
	h264 := []string{"-c:v", "libx264", "-bf", "0", "-c:a", "aac"}
	fmp4 := clip(t, "mp4", append(h264, "-movflags", "frag_every_frame+empty_moov+default_base_moof")...)
	ts := clip(t, "mpegts", append(h264, "-pes_payload_size", "0")...)
	sound := len(mediatest.ProbePackets(t, ts).PacketsOf(1))
	for name, path := range map[string]string{"MP4": fmp4, "MPEG-TS": ts} {
		t.Run(name, func(t *testing.T) {
			held(t, command(t, "/bin/sh", "-c", `cat "$1"; sleep 600`, "sh", path), 50, sound)
		})
	}
}

func TestTransportHoldsNothingBack(t *testing.T) {
	t.Run("a URL", func(t *testing.T) { transport(t, nil) })
	t.Run("arguments", func(t *testing.T) {
		transport(t, []string{"-fflags", "nobuffer", "-probesize", "5000", "-f", "mpegts", "-timeout", "5000000"})
	})
	t.Run("arguments that name no format", func(t *testing.T) { transport(t, []string{"-fflags", "nobuffer"}) })
	t.Run("no arguments", func(t *testing.T) { transport(t, []string{}) })
}

// transport reads MPEG-TS over TCP; args, if not nil, are ffmpeg's own.
func transport(t *testing.T, args []string) {
	path := clip(t, "mpegts", "-c:v", "libx264", "-bf", "0", "-c:a", "aac", "-pes_payload_size", "0")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Write(data)
		_, _ = io.Copy(io.Discard, c) // until the other side hangs up
	}()
	url := "tcp://" + listener.Addr().String()
	var s media.Source = ffmpeg.NewTransport(url, exec.Read, testLog(t))
	if args != nil {
		if s, err = ffmpeg.New(ffmpeg.Options{Args: append(args, "-i", url), Read: exec.Read, Log: testLog(t)}); err != nil {
			t.Fatal(err)
		}
	}
	held(t, s, 50, len(mediatest.ProbePackets(t, path).PacketsOf(1)))
	<-served
}

// Live MPEG-TS behind an http URL is recognised and read here as well.
func TestHTTPTransportHoldsNothingBack(t *testing.T) {
	path := clip(t, "mpegts", "-c:v", "libx264", "-bf", "0", "-c:a", "aac", "-pes_payload_size", "0")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(data)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	args, err := ffmpeg.URL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ffmpeg.New(ffmpeg.Options{Args: args, Read: exec.Read, Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	held(t, s, 50, len(mediatest.ProbePackets(t, path).PacketsOf(1)))
}

func TestTransportListens(t *testing.T) {
	probe, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	port := probe.LocalAddr().(*net.UDPAddr).Port
	probe.Close()
	path := clip(t, "mpegts", "-c:v", "libx264", "-bf", "0", "-c:a", "aac")
	url := fmt.Sprintf("srt://127.0.0.1:%d?latency=20000", port)
	s := ffmpeg.NewTransport(url+"&mode=listener", exec.Read, testLog(t))
	r := &sourcetest.Recorder{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, r) }()
	// A caller without a listener tries again for three seconds.
	caller := osexec.CommandContext(ctx, "ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", path, "-c", "copy", "-f", "mpegts", url)
	if err := caller.Start(); err != nil {
		t.Fatal(err)
	}
	sourcetest.Eventually(t, "media", func() bool { return len(r.Samples(media.Video)) > 30 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_ = caller.Wait()
}

func TestFailureNamesStatusAndLastLine(t *testing.T) {
	for _, c := range []struct{ script, last string }{
		{"echo no camera at rtsp://u:hunter2@x >&2; exit 7", "no camera at rtsp://***@x"},
		{"head -c 700 /dev/zero; echo broke off >&2; exit 7", "broke off"},
	} {
		_, err := sourcetest.Run(t, command(t, "/bin/sh", "-c", c.script))
		var exit *process.ExitError
		if strings.HasPrefix(c.script, "head") { // ffmpeg has its say as well
			if err == nil {
				t.Errorf("%s: no error", c.script)
			}
			continue
		}
		if !errors.As(err, &exit) || exit.Status != "exit status 7" || exit.LastLine != c.last {
			t.Errorf("%s: %v", c.script, err)
		}
	}
}

func TestOnceIsFinishedAtItsEnd(t *testing.T) {
	path := clip(t, "mpegts", "-c:v", "libx264", "-bf", "0", "-c:a", "aac")
	for _, c := range []struct {
		url  string
		want error
	}{{"once:exec:cat '" + path + "'", media.ErrFinished}, {"exec:cat '" + path + "'", nil}, {"once:" + path, media.ErrFinished}} {
		s, err := source.Parse(c.url, testLog(t))
		if err != nil {
			t.Fatal(err)
		}
		if r, err := sourcetest.Run(t, s); !errors.Is(err, c.want) || len(r.Samples(media.Video)) != 50 {
			t.Errorf("%s: %v, %d pictures", c.url, err, len(r.Samples(media.Video)))
		}
	}
	s, err := source.Parse("once:exec:/bin/false", testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sourcetest.Run(t, s); err == nil || errors.Is(err, media.ErrFinished) {
		t.Errorf("a failure: %v", err)
	}
}

func TestNoCommand(t *testing.T) {
	for _, argv := range [][]string{nil, {}, {""}} {
		if _, err := exec.New(argv, nil); !errors.Is(err, exec.ErrNoCommand) {
			t.Errorf("%q: %v", argv, err)
		}
	}
}
