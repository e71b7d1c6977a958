package app_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/media"
)

const (
	// exitBound is how long a server may take to end while all clients but one take
	// what they are sent, and returnBound when they are asked to come back.
	exitBound   = 5 * time.Second
	returnBound = 5 * time.Second
)

// silent opens a WebSocket that never answers, and so holds up the end by the time
// that a close frame may take to be answered.
func (s *server) silent() {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: framewire.v1.proto\r\n\r\n", s.addr)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatal(response, err)
	}
}

// sentAway reads a session to its end, which has to be that of a restart, and
// returns when its client is asked to come back.
func (s *server) sentAway(v *client.Session) time.Duration {
	s.t.Helper()
	for {
		if _, err := v.Receive(s.ctx); err != nil {
			return s.restarting(err)
		}
	}
}

func (s *server) restarting(err error) time.Duration {
	s.t.Helper()
	var g *client.GoodbyeError
	if !errors.As(err, &g) || g.Reason != framewirev1.GoodbyeReason_GOODBYE_REASON_RESTARTING || g.RetryAfter <= 0 || g.RetryAfter > returnBound {
		s.t.Fatalf("ended with %v, want a restart, and to be back within %v", err, returnBound)
	}
	return g.RetryAfter
}

// While the server ends, its port is open: who watches and who comes is told when to
// come back.
func TestServerThatEndsTellsEverybodyWhenToComeBack(t *testing.T) {
	s := start(t, "streams: {cam: {source: 'demo:'}}\n")
	const viewers = 10
	var watching []*client.Session
	for range viewers {
		v := s.must(client.Options{}, "?stream=cam")
		s.fragment(v)
		watching = append(watching, v)
	}
	s.silent()
	begun := time.Now()
	s.stop()
	s.wait("the server is no longer ready", func() bool {
		status, _ := s.get("/readyz")
		return status == http.StatusServiceUnavailable
	})
	for range 3 {
		_, err := s.dial(client.Options{}, "?stream=cam")
		s.restarting(err)
	}
	for _, path := range []string{"/readyz", "/streams/cam.mp4"} {
		response, err := s.http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %s, to be tried again after %q s", path, response.Status, response.Header.Get("Retry-After"))
		}
	}
	times := make(map[time.Duration]bool)
	for _, v := range watching {
		times[s.sentAway(v)] = true
	}
	if len(times) != viewers {
		t.Errorf("%d viewers come back at %d different times", viewers, len(times))
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > exitBound {
		t.Errorf("the end took %v", took)
	}
	if conn, err := net.Dial("tcp", s.addr); err == nil {
		_ = conn.Close()
		t.Error("the port is open after the end")
	}
}

// What publishers have sent when the server is told to end reaches those who watch,
// and a publisher that goes on sending does not hold up the end.
func TestServerThatEndsDeliversWhatPublishersHaveSent(t *testing.T) {
	c := makeClip(t)
	s := start(t, "publish: {rtmp: '127.0.0.1:0'}\n")
	ways := []string{"RTMP", "MPEG-TS"}
	pieces := c.play(2 * time.Second)
	half := len(pieces) / 2
	var publishers []crafted
	var watchers []*watcher
	for _, way := range ways {
		p := protocols[way].open(t, s, c, way)
		w := watch(t, s, way)
		feed(t, s, p, w, pieces[:half], 0)
		publishers, watchers = append(publishers, p), append(watchers, w)
	}
	for _, p := range publishers {
		for i := range pieces[half:] {
			p.send(&pieces[half+i])
		}
	}
	begun := time.Now()
	s.stop()
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > exitBound {
		t.Errorf("the end took %v", took)
	}
	for i, w := range watchers {
		w.reading.Wait()
		pictures, sounds := count(pieces, media.Video)-withheld[ways[i]], count(pieces, media.Audio)
		if p, a := w.pictures(), len(w.of(media.Audio)); p < pictures || a < sounds-1 {
			t.Errorf("%s: %d of %d pictures and %d of %d frames of sound are shown", ways[i], p, pictures, a, sounds)
		}
	}
	for _, p := range publishers {
		p.lose()
	}
}
