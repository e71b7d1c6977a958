package ffmpeg_test

import (
	"bufio"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/source/ffmpeg"
	"github.com/framewire/framewire/server/internal/source/sourcetest"
)

// pipeline is a camera's: H.264 of noise, in one slice a picture so that its size is
// its name, ten a second; and G.711, which browsers do not play. GStreamer sends with
// a delay of what any source takes to make a buffer, so these are short.
const pipeline = "videotestsrc is-live=true pattern=snow ! video/x-raw,width=160,height=90,framerate=200/1 ! " +
	"videorate drop-only=true ! video/x-raw,framerate=10/1 ! " +
	"x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 bitrate=500 threads=1 aud=false ! video/x-h264,profile=baseline,stream-format=byte-stream ! " +
	"identity name=tap ! rtph264pay name=pay0 pt=96 config-interval=-1 " +
	"audiotestsrc is-live=true samplesperbuffer=160 ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8"

// camera is an RTSP server in a process of its own.
type camera struct {
	port  int
	close func() // the process is killed, as by pulling its plug

	mu   sync.Mutex
	sent []picture
}

type picture struct {
	size int
	at   time.Time
}

// python returns a Python that has GStreamer's RTSP server.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		const check = "import gi; gi.require_version('GstRtspServer', '1.0')"
		if exec.CommandContext(t.Context(), name, "-c", check).Run() == nil {
			return name
		}
	}
	t.Fatal("GStreamer's RTSP server is missing; install it (Debian, Ubuntu: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{base,good,bad,ugly})")
	return ""
}

// newCamera starts a camera on a port, or with 0 on any.
func newCamera(t *testing.T, port int) *camera {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python(t), "testdata/camera.py", fmt.Sprint(port), pipeline)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &camera{}
	lines := bufio.NewScanner(out)
	if lines.Scan() {
		_, _ = fmt.Sscan(lines.Text(), &c.port)
	}
	if c.port == 0 {
		t.Fatalf("the camera does not start: %v", cmd.Wait())
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		for lines.Scan() {
			var p picture
			var at int64
			if _, err := fmt.Sscan(lines.Text(), &p.size, &at); err == nil {
				p.at = time.UnixMicro(at)
				c.mu.Lock()
				c.sent = append(c.sent, p)
				c.mu.Unlock()
			}
		}
	})
	c.close = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		reader.Wait()
		_ = cmd.Wait()
	})
	t.Cleanup(c.close)
	return c
}

func (c *camera) url() string { return fmt.Sprintf("rtsp://127.0.0.1:%d/cam", c.port) }

// heldBack returns how many pictures the camera had sent after each of those that
// arrived, by the time it did, smallest first.
func (c *camera) heldBack(pictures []sourcetest.Sample) []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var held []int
	for _, p := range pictures {
		before := slices.DeleteFunc(slices.Clone(c.sent), func(s picture) bool { return s.at.After(p.Arrived) })
		slices.Reverse(before)
		later := slices.IndexFunc(before, func(s picture) bool { return s.size == len(p.Data) })
		if later >= 0 { // not a keyframe, whose parameter sets were taken out
			held = append(held, later)
		}
	}
	slices.Sort(held)
	return held
}

// A camera is read as it sends, and again after its plug was pulled.
func TestCamera(t *testing.T) {
	for _, transport := range []string{"tcp", "udp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			c := newCamera(t, 0)
			s := urlSource(t, c.url())
			if transport != "tcp" {
				s = newSource(t, "-rtsp_transport "+transport+" -fflags nobuffer -flags low_delay -i "+c.url())
			}
			r := &sourcetest.Recorder{}
			ended := make(chan error, 1)
			go func() { ended <- s.Run(t.Context(), r) }()
			sourcetest.Eventually(t, "media", func() bool {
				return len(r.Samples(media.Video)) >= 30 && len(r.Samples(media.Audio)) >= 100
			})
			c.close()
			<-ended // with the camera, or an error that tells that it has gone
			requireCamera(t, c, r)
			if _, err := sourcetest.Run(t, s); err == nil || errors.Is(err, ffmpeg.ErrMissing) {
				t.Errorf("without a camera: %v", err)
			}
			newCamera(t, c.port)
			sourcetest.RunUntil(t, s, sourcetest.Count(10, 10))
		})
	}
}

func requireCamera(t *testing.T, c *camera, r *sourcetest.Recorder) {
	t.Helper()
	if got := r.Track(t, media.Video); got.Codec != media.H264 || got.Width != 160 {
		t.Errorf("video %+v", got)
	}
	if got := r.Track(t, media.Audio); got.Codec != media.AAC || got.SampleRate != 48000 {
		t.Errorf("sound %+v", got)
	}
	checkTimes(t, r, media.Video)
	checkTimes(t, r, media.Audio)
	// A busy machine is late with some pictures; what is held back is with all.
	held := c.heldBack(r.Samples(media.Video)[10:]) // not of what was sent before it was read
	if len(held) < 10 || held[len(held)/4] > 1 {
		t.Errorf("pictures held back: %v", held)
	}
}
