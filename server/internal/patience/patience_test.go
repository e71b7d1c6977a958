package patience_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/patience"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit is how long a test waits for what has to happen, timeout what clients have.
const (
	limit   = 20 * time.Second
	timeout = 500 * time.Millisecond
)

// serve serves the handler, and tells how each of its runs ended.
func serve(t *testing.T, h func(http.ResponseWriter, *http.Request) error) (address string, ends <-chan error) {
	t.Helper()
	told := make(chan error, 10)
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { told <- h(w, r) })
	bounded := patience.Handler(next, timeout)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		patience.Forget(w, r)
		if r.URL.Path == "/other" {
			next.ServeHTTP(w, r)
			return
		}
		bounded.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), told
}

func dial(t *testing.T, address, request string) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	tcp := c.(*net.TCPConn)
	if err := tcp.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return tcp
}

func ended(t *testing.T, ends <-chan error) error {
	t.Helper()
	select {
	case err := <-ends:
		return err
	case <-time.After(limit):
		t.Fatal("the handler goes on")
		return nil
	}
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

func TestClientThatTakesNothingIsCutOff(t *testing.T) {
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, make([]byte, 64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]func(http.ResponseWriter, *http.Request) error{
		"writes": func(w http.ResponseWriter, r *http.Request) error {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return err
				}
				w.(http.Flusher).Flush()
			}
			return r.Context().Err()
		},
		"file": func(w http.ResponseWriter, _ *http.Request) error {
			f, err := os.Open(big)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(w, f)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			address, ends := serve(t, h)
			if err := dial(t, address, get).SetReadBuffer(4 << 10); err != nil {
				t.Fatal(err)
			}
			if err := ended(t, ends); !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestFileArrivesWhole(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcde\n"), 100_000) // several pieces
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	address, _ := serve(t, func(w http.ResponseWriter, r *http.Request) error {
		http.ServeFile(w, r, path)
		return nil
	})
	for ranges, want := range map[string][]byte{"": content, "bytes=5-1000000": content[5:1000001], "bytes=-1": content[len(content)-1:]} {
		c := dial(t, address, fmt.Sprintf("GET / HTTP/1.1\r\nHost: a\r\nRange: %s\r\n\r\n", ranges))
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %d bytes, %v, want %d", ranges, len(got), err, len(want))
		}
	}
}

func TestBodyThatDoesNotComeIsGivenUp(t *testing.T) {
	address, ends := serve(t, func(_ http.ResponseWriter, r *http.Request) error {
		_, err := io.ReadAll(r.Body)
		return err
	})
	dial(t, address, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nslow")
	if err := ended(t, ends); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("ended with %v", err)
	}
}

func TestWhoIsPunctualNoticesNothing(t *testing.T) {
	address, ends := serve(t, func(w http.ResponseWriter, r *http.Request) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		select { // longer than anything may take, and the client still there
		case <-r.Context().Done():
			return r.Context().Err()
		case <-time.After(2 * timeout):
		}
		_, err = w.Write(body)
		return err
	})
	c := dial(t, address, "")
	in := bufio.NewReader(c)
	for _, path := range []string{"/", "/", "/other"} {
		if _, err := io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err := errors.Join(err, ended(t, ends)); err != nil || string(got) != "hello" {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}
