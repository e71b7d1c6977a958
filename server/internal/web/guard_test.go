package web_test

import (
	"bufio"
	"context"
	"crypto/tls"
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

// inMemory serves connections that stay in memory until the end of the test.
func inMemory(t *testing.T, serve func(*http.Server, net.Listener) error) *pipes {
	streams := hub.New(hub.Options{})
	s := web.New(web.Options{Hub: streams})
	server := s.HTTPServer()
	listener := &pipes{accept: make(chan net.Conn), close: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- serve(server, listener) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), s.Drain(context.Background(), wire.ShuttingDown, 0)); err != nil {
			t.Error(err)
		}
		streams.Close()
		<-done
	})
	return listener
}

func TestSlowAndOversizedRequestsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := inMemory(t, (*http.Server).Serve)

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

func TestSlowHandshakesAndFramesAreCutOff(t *testing.T) {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // and empty settings
	frame := func(kind, flags byte, size byte) string { return string([]byte{0, 0, size, kind, flags, 0, 0, 0, 1}) }
	secure := func(s *http.Server, l net.Listener) error {
		s.TLSConfig = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }}
		return s.ServeTLS(l, "", "")
	}
	for name, c := range map[string]struct {
		serve    func(*http.Server, net.Listener) error
		at, drip string // what is sent at once, and then a byte every two seconds
		within   time.Duration
	}{
		"silence in place of TLS":  {secure, "", "", 15 * time.Second},
		"a slow hello of TLS":      {secure, "\x16\x03\x01\x02\x00\x01", strings.Repeat("\x00", 500), 15 * time.Second},
		"a slow preface of HTTP/2": {(*http.Server).Serve, preface[:5], preface[5:], 15 * time.Second},
		"HTTP/2 without settings":  {(*http.Server).Serve, preface[:24], preface[24:], 15 * time.Second},
		"silence in HTTP/2":        {(*http.Server).Serve, preface, "", time.Minute},
		"a slow frame of headers":  {(*http.Server).Serve, preface + frame(1, 4, 200), strings.Repeat("\x82", 200), time.Minute},
		"headers without their end": {
			(*http.Server).Serve, preface + frame(1, 0, 1) + "\x82", strings.Repeat(frame(9, 0, 0), 20), time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := inMemory(t, c.serve).dial()
				defer conn.Close()
				began, closed := time.Now(), make(chan struct{})
				go func() {
					defer close(closed)
					_, _ = io.Copy(io.Discard, conn)
				}()
				var sending sync.WaitGroup
				sending.Go(func() {
					if _, err := io.WriteString(conn, c.at); err != nil {
						return
					}
					for i := range len(c.drip) {
						time.Sleep(2 * time.Second)
						if _, err := io.WriteString(conn, c.drip[i:i+1]); err != nil {
							return
						}
					}
				})
				<-closed
				if took := time.Since(began); took < time.Second || took > c.within {
					t.Errorf("it was borne for %v, want a while and no more than %v", took, c.within)
				}
				_ = conn.Close()
				sending.Wait()
			})
		})
	}
}
