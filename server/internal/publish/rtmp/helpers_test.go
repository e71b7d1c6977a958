package rtmp

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mp4"
	"github.com/framewire/framewire/server/internal/publish"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen. The machine may be
// busy with other tests.
const patience = 60 * time.Second

// desk lets publishers in and keeps what they send.
type desk struct {
	refuse func(publish.Request) error // nil: let in
	write  func(media.Sample) error    // nil: take

	mu       sync.Mutex
	requests []publish.Request
	came     chan *publication // one for each that was let in
}

func newDesk() *desk { return &desk{came: make(chan *publication, 16)} }

func (d *desk) Open(_ context.Context, r publish.Request) (publish.Publication, error) {
	d.mu.Lock()
	d.requests = append(d.requests, r)
	d.mu.Unlock()
	if d.refuse != nil {
		if err := d.refuse(r); err != nil {
			return nil, err
		}
	}
	p := &publication{desk: d, request: r, done: make(chan struct{}), closed: make(chan struct{}), first: make(chan struct{})}
	d.came <- p
	return p, nil
}

func (d *desk) next(t testing.TB) *publication {
	t.Helper()
	select {
	case p := <-d.came:
		return p
	case <-time.After(patience):
		t.Fatal("no publisher came")
		return nil
	}
}

// publication keeps what a publisher sends. All but first, done and reason may be
// read once closed is.
type publication struct {
	desk    *desk
	request publish.Request

	mu     sync.Mutex
	reason error
	done   chan struct{}

	starts  [][]media.Track
	samples []media.Sample
	first   chan struct{} // closed with the first sample
	err     error         // what Close said
	closed  chan struct{}
}

func (p *publication) Start(tracks []media.Track) error {
	p.starts = append(p.starts, tracks)
	return nil
}

func (p *publication) Write(s media.Sample) error {
	if p.desk.write != nil {
		if err := p.desk.write(s); err != nil {
			return err
		}
	}
	p.samples = append(p.samples, s)
	if len(p.samples) == 1 {
		close(p.first)
	}
	return nil
}

func (p *publication) Close(err error) {
	p.err = err
	close(p.closed)
}

func (p *publication) Renew(context.Context, string) error { return nil }

func (p *publication) Done() <-chan struct{} { return p.done }

func (p *publication) Reason() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason
}

// end has the desk want the publisher gone.
func (p *publication) end(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reason = why
	close(p.done)
}

func (p *publication) wait(t testing.TB) {
	t.Helper()
	await(t, p.closed, "the publication to be closed")
}

func await(t testing.TB, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
}

func (p *publication) track(kind media.Kind) *media.Track {
	if len(p.starts) == 0 {
		return nil
	}
	last := p.starts[len(p.starts)-1]
	for i := range last {
		if last[i].Kind() == kind {
			return &last[i]
		}
	}
	return nil
}

func (p *publication) of(kind media.Kind) []media.Sample {
	track := p.track(kind)
	if track == nil {
		return nil
	}
	var of []media.Sample
	for _, s := range p.samples {
		if s.TrackID == track.ID {
			of = append(of, s)
		}
	}
	return of
}

// remux writes what was published as fragmented MP4 and returns its path.
func (p *publication) remux(t testing.TB) string {
	t.Helper()
	if len(p.starts) != 1 {
		t.Fatalf("started %d times", len(p.starts))
	}
	out, err := mp4.InitSegment(p.starts[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, track := range p.starts[0] {
		samples := p.of(track.Kind())
		for i, s := range samples {
			if s.Duration == 0 {
				s.Duration = track.Timescale / 25
				if i+1 < len(samples) {
					s.Duration = uint32(samples[i+1].DTS - s.DTS)
				}
			}
			out, err = mp4.AppendFragment(out, mp4.Fragment{
				Sequence: uint32(i + 1), TrackID: s.TrackID, DecodeTime: s.DTS, Samples: []media.Sample{s},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "published.mp4")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve starts a server on a free port and returns its address. It is stopped at
// the end of the test.
func serve(t testing.TB, d publish.Desk, opts Options) string {
	t.Helper()
	return serveOn(t, d, opts, nil)
}

func serveOn(t testing.TB, d publish.Desk, opts Options, secure *tls.Config) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- New(d, opts).Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return address
}

// program is a publisher of its own.
type program struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	exited chan struct{}
	err    error
}

// start runs a program, which is killed at the end of the test if it still runs.
func start(t testing.TB, name string, args ...string) *program {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is missing; install %s", name, packages[name])
	}
	p := &program{cmd: exec.Command(name, args...), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
	})
	return p
}

// packages tells what brings a program.
var packages = map[string]string{
	"ffmpeg": "ffmpeg (Debian, Ubuntu: apt-get install ffmpeg; macOS: brew install ffmpeg)",
	"gst-launch-1.0": "GStreamer (Debian, Ubuntu: apt-get install gstreamer1.0-tools gstreamer1.0-plugins-base " +
		"gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav; macOS: brew install gstreamer)",
}

func (p *program) wait(t testing.TB) {
	t.Helper()
	await(t, p.exited, p.cmd.Path)
}

func ffmpeg(t testing.TB, args ...string) *program {
	t.Helper()
	return start(t, "ffmpeg", append([]string{"-hide_banner", "-nostdin", "-loglevel", "error"}, args...)...)
}

func location(address, path string) string { return fmt.Sprintf("rtmp://%s/%s", address, path) }
