package app_test

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
)

func TestEveryLineOfAClientNamesIt(t *testing.T) {
	s := start(t, "streams: {cam: {source: 'demo:'}}\npublish: {rtmp: '127.0.0.1:0', rules: [{streams: 'pub/*', key: k}]}\n")
	v := s.must(client.Options{}, "?stream=cam")
	s.fragment(v)
	p, err := v.Publish(s.ctx, &framewirev1.PublishStart{Stream: "pub/ws", Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(s.ctx); err != nil {
		t.Error(err)
	}
	if _, err := v.Publish(s.ctx, &framewirev1.PublishStart{Stream: "pub/ws", Key: "wrong"}); err == nil {
		t.Error("a wrong key is taken")
	}
	_ = v.Close() // the server may be the first to go
	s.post("/publish/pub/http", "video/mp2t", "wrong", "", strings.NewReader(""))
	conn, err := net.Dial("tcp", s.rtmp())
	if err != nil {
		t.Fatal(err)
	}
	askRTMP(t, conn, "pub/rtmp?key=wrong")
	said(t, conn)

	// Of each kind of line: what has to be in it, and how many there are.
	for message, c := range map[string]struct {
		fields string
		n      int
	}{
		`msg="session opened"`:    {" session= remote=127.0.0.1:", 1},
		`msg="session ended"`:     {" session= stream=cam remote=127.0.0.1: reason=", 1},
		`msg="publisher came"`:    {" session= stream=pub/ws remote=127.0.0.1: protocol=ws", 1},
		`msg="publisher left"`:    {" session= stream=pub/ws remote=127.0.0.1: protocol=ws", 1},
		`msg="publisher refused"`: {" stream=pub/ remote=127.0.0.1: protocol= reason=", 3},
	} {
		s.wait(message, func() bool { return s.log.Count(message) == c.n })
		for line := range strings.Lines(s.log.String()) {
			if !strings.Contains(line, message) {
				continue
			}
			for field := range strings.FieldsSeq(c.fields) {
				if !strings.Contains(line, " "+field) {
					t.Errorf("no %s in %s", field, line)
				}
			}
			if strings.Contains(line, "protocol=ws") && !strings.Contains(line, " session=") {
				t.Errorf("no session in %s", line)
			}
		}
	}
}

func TestPagesThatMayNotPublishAreLoggedOnceAndCounted(t *testing.T) {
	s := start(t, "publish: {webrtc: '127.0.0.1:0', rules: [{streams: '**', key: k}]}\norigins: [good.example]\n")
	for range 2 {
		for path, method := range map[string]string{"/publish/a": http.MethodPut, "/whip/a": http.MethodPost} {
			r, err := http.NewRequestWithContext(s.ctx, method, s.url+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Origin", "https://bad.example")
			response, err := s.http.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %s", path, response.Status)
			}
		}
	}
	if n := s.log.Count("https://bad.example"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	if _, metrics := s.get("/metrics"); !strings.Contains(metrics, `framewire_refusals_total{reason="origin",what="origin"} 4`) {
		t.Error("the refusals are not counted")
	}
}

// What a stream's command complains of, and how it ended, stands in the log under
// the stream's name, and without the passwords in it.
func TestWhatASourceComplainsOfIsLoggedWithItsStream(t *testing.T) {
	s := start(t, `streams: {cam: {source: "exec:sh -c 'echo oops of rtsp://me:hunter2@cam/ >&2; exit 3'"}}`+"\n")
	for _, what := range []string{`msg="oops of rtsp://`, "exit status 3: oops"} {
		s.wait(what, func() bool { return s.log.Count(what) > 0 })
		for line := range strings.Lines(s.log.String()) {
			if strings.Contains(line, what) && (!slices.Contains(strings.Fields(line), "stream=cam") || !strings.Contains(line, "level=WARN")) {
				t.Errorf("no stream, or not a warning: %s", line)
			}
		}
	}
	if s.log.Count("hunter2") > 0 {
		t.Error("the log holds a password")
	}
}
