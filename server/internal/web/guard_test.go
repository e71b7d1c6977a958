package web_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/web"
	"github.com/framewire/framewire/server/internal/wire"
)

func TestEveryAnswerGuardsThePageAndPagesGuardThemselves(t *testing.T) {
	pages := fstest.MapFS{"player.js": {Data: []byte("x")}, "assets/a.js": {Data: []byte("x")}}
	for _, name := range []string{"index", "watch", "embed", "studio", "admin"} {
		pages[name+".html"] = &fstest.MapFile{Data: []byte("<!doctype html>")}
	}
	s := serve(t, web.Options{Pages: pages, Mount: map[string]http.Handler{
		"/mounted/": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<script>") }),
	}})
	ancestors := map[string]string{"/": "'self'", "/watch/a": "'self'", "/embed/a": "'self'", "/studio": "'none'", "/admin": "'none'"}
	for _, path := range []string{
		"/", "/watch/a", "/embed/a", "/studio", "/admin", "/player.js", "/assets/a.js", "/assets/none.js", "/ws", "/streams/a.mp4", "/streams/a",
		"/files/a", "/healthz", "/readyz", "/nothing", "/watch/../x", "/mounted/x", "/<script>",
	} {
		_, _, h := s.text(path)
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") == "" {
			t.Errorf("%s: %v", path, h)
		}
		want, isPage := ancestors[path]
		if !isPage {
			continue
		}
		directives := make(map[string]string)
		for directive := range strings.SplitSeq(h.Get("Content-Security-Policy"), ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
			directives[name] = value
		}
		for name, value := range map[string]string{"default-src": "'none'", "script-src": "'self'", "base-uri": "'none'", "frame-ancestors": want} {
			if directives[name] != value {
				t.Errorf("%s: %s is %q, want %q", path, name, directives[name], value)
			}
		}
		devices := "camera=()"
		if path == "/studio" {
			devices = "camera=(self)"
		}
		if !strings.Contains(h.Get("Permissions-Policy"), devices) {
			t.Errorf("%s: %q", path, h.Get("Permissions-Policy"))
		}
	}
}

// pipes is a listener whose connections stay in memory, where a test's clock
// governs them.
type pipes struct {
	accept chan net.Conn
	close  chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.close:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.close) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.accept <- server
	return client
}

func TestSlowAndOversizedRequestsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := hub.New(hub.Options{})
		s := web.New(web.Options{Hub: streams})
		server := s.HTTPServer()
		listener := &pipes{accept: make(chan net.Conn), close: make(chan struct{})}
		done := make(chan error, 1)
		go func() { done <- server.Serve(listener) }()
		defer func() {
			if err := errors.Join(server.Close(), s.Drain(t.Context(), wire.ShuttingDown, 0)); err != nil {
				t.Error(err)
			}
			streams.Close()
			<-done
		}()

		// A byte a second, for ever.
		c := listener.dial()
		go func() { _, _ = io.Copy(io.Discard, c) }() // whatever it is told
		began, sent := time.Now(), 0
		for _, b := range []byte("GET / HTTP/1.1\r\nX-Slow: " + strings.Repeat("a", 100)) {
			if _, err := c.Write([]byte{b}); err != nil {
				break
			}
			sent++
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took > 15*time.Second || sent < 5 {
			t.Errorf("a slow header was read for %v", took)
		}
		// Silence, from the start and after an answer.
		c = listener.dial()
		began = time.Now()
		if _, err := io.Copy(io.Discard, c); time.Since(began) > 15*time.Second {
			t.Errorf("silence was borne for %v: %v", time.Since(began), err)
		}
		c = listener.dial()
		answers := bufio.NewReader(c)
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if r, err := http.ReadResponse(answers, nil); err != nil || r.StatusCode != http.StatusOK {
			t.Fatal(r, err)
		} else if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		if _, err := answers.ReadByte(); err == nil || time.Since(began) > 3*time.Minute {
			t.Errorf("silence between requests was borne for %v: %v", time.Since(began), err)
		}
		// A body that does not come, of a request that needs none.
		for _, path := range []string{"/", "/healthz", "/streams/none.mp4", "/nothing", "/ws"} {
			c = listener.dial()
			began = time.Now()
			if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx"); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, c); time.Since(began) > 30*time.Second {
				t.Errorf("%s: a body was waited for for %v: %v", path, time.Since(began), err)
			}
		}
		// A header without end.
		c = listener.dial()
		go func() {
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n")
			for i := range 1000 {
				if _, err := fmt.Fprintf(c, "X-%d: %s\r\n", i, strings.Repeat("a", 1000)); err != nil {
					return
				}
			}
		}()
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || r.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of a megabyte: %v, %v", r, err)
		}
		_ = c.Close()
		time.Sleep(time.Second) // net/http lets the answer arrive before it closes
	})
}
