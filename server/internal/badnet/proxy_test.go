package badnet

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen before it fails.
const patience = 20 * time.Second

// start runs a proxy in front of a server that answers each connection with
// handle.
func start(t *testing.T, profile Profile, handle func(net.Conn)) *Proxy {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		server.Close()
		running.Wait()
	})
	return startTo(t, profile, server.Addr().String())
}

// startTo runs a proxy in front of target for as long as the test runs.
func startTo(t *testing.T, profile Profile, target string) *Proxy {
	t.Helper()
	p, err := Listen(Options{Listen: "127.0.0.1:0", Target: target, Profile: profile, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { // the test's context ends before its cleanups run
		if err := p.Serve(t.Context()); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() {
		running.Wait()
		if open := p.Stats().Open; open != 0 {
			t.Errorf("%d connections are open after Serve returned", open)
		}
	})
	return p
}

func echo(c net.Conn) { io.Copy(c, c) }

func dial(t *testing.T, p *Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// turnedAway reports how a new connection fails: in connecting, or after it.
func turnedAway(p *Proxy) error {
	c, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	_, err = c.Read(make([]byte, 1))
	return err
}

// roundTrip sends one byte and waits for its echo.
func roundTrip(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

func TestClearNetworkPassesEverythingBothWays(t *testing.T) {
	p := start(t, Profile{}, echo)
	c := dial(t, p)
	sent := bytes.Repeat([]byte("both ways "), 100_000)
	go func() {
		c.Write(sent)
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes of %d back: %v", len(got), len(sent), err)
	}
	if s := p.Stats(); s.UpBytes != int64(len(sent)) || s.DownBytes != int64(len(sent)) || s.Accepted != 1 {
		t.Errorf("counted %+v", s)
	}
}

func TestDelayIsPaidInEachDirection(t *testing.T) {
	p := start(t, Both(Link{Delay: 30 * time.Millisecond}), echo)
	c := dial(t, p)
	began := time.Now()
	roundTrip(t, c)
	if took := time.Since(began); took < 60*time.Millisecond {
		t.Errorf("the round trip took %v", took)
	}
}

func TestCutResetsWhatIsOpenAndNothingElse(t *testing.T) {
	p := start(t, Profile{}, echo)
	clients := []*net.TCPConn{dial(t, p), dial(t, p)}
	for _, c := range clients {
		roundTrip(t, c)
	}
	if n := p.Cut(); n != 2 {
		t.Errorf("cut %d connections", n)
	}
	for _, c := range clients {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after the cut: %v", err)
		}
	}
	roundTrip(t, dial(t, p))
}

func TestRefuseTurnsNewConnectionsAwayAndKeepsTheOld(t *testing.T) {
	p := start(t, Profile{}, echo)
	old := dial(t, p)
	roundTrip(t, old)
	if err := p.Set(Profile{Refuse: true}); err != nil {
		t.Fatal(err)
	}
	if err := turnedAway(p); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a new connection got %v", err)
	}
	roundTrip(t, old)
	if s := p.Stats(); s.Refused != 1 {
		t.Errorf("counted %+v", s)
	}
}

func TestUnreachableServerIsAReset(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := startTo(t, Profile{}, gone.Addr().String())
	gone.Close()
	if err := turnedAway(p); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
}

func TestHeldDirectionLeavesTheOtherAlone(t *testing.T) {
	got := make(chan byte, 1)
	p := start(t, Profile{Down: Link{Hold: true}}, func(c net.Conn) {
		b := make([]byte, 1)
		io.ReadFull(c, b)
		got <- b[0]
		c.Write(b)
		io.Copy(io.Discard, c)
	})
	c := dial(t, p)
	c.Write([]byte("u"))
	if b := <-got; b != 'u' {
		t.Errorf("the server got %q", b)
	}
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); n != 0 {
		t.Errorf("%d bytes came through the black hole: %v", n, err)
	}
	p.Set(Profile{})
	c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Errorf("after the black hole: %v", err)
	}
}

// A server that writes more than the link takes has to notice: its own writes
// block.
func TestSqueezeReachesTheServer(t *testing.T) {
	const size = 64 << 20 // far more than all socket buffers on the way
	blocked, read := make(chan int, 1), make(chan struct{})
	p := start(t, Profile{Down: Link{Rate: 10_000}}, func(c net.Conn) {
		c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		n, _ := c.Write(make([]byte, size))
		blocked <- n
		<-read // closing now would discard what is on the way
	})
	defer close(read)
	c := dial(t, p)
	if n := <-blocked; n == size {
		t.Error("the server wrote everything at once")
	}
	if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
		t.Error(err)
	}
}

func TestControl(t *testing.T) {
	p := start(t, Profile{}, echo)
	handler := Control(p)
	request := func(method, path, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		return w
	}
	profile := Profile{
		Up: Link{Delay: 20 * time.Millisecond, Hold: true},
		Down: Link{
			Jitter: 1500 * time.Microsecond, Rate: 1000, Queue: 2000,
			StallProbability: 0.03, StallLength: 250 * time.Millisecond,
		},
	}
	body, err := json.Marshal(profile)
	if err != nil {
		t.Fatal(err)
	}
	if w := request("PUT", "/profile", string(body)); w.Code != http.StatusOK || p.Profile() != profile {
		t.Errorf("%s: %d %s: %+v", body, w.Code, w.Body, p.Profile())
	}
	if w := request("GET", "/profile", ""); strings.TrimSpace(w.Body.String()) != string(body) {
		t.Errorf("GET /profile: %s", w.Body)
	}
	for _, bad := range []string{
		``, `{`, `[]`, `{"sideways":{}}`, `{"up":{"delay":20}}`, `{"up":{"delay_ms":-1}}`,
		`{"up":{"delay_ms":1e300}}`, `{"down":{"stall_probability":0.5}}`,
	} {
		if w := request("PUT", "/profile", bad); w.Code != http.StatusBadRequest || p.Profile() != profile {
			t.Errorf("%s: %d %s: %+v", bad, w.Code, w.Body, p.Profile())
		}
	}
	p.Set(Profile{})
	roundTrip(t, dial(t, p))
	if w := request("GET", "/stats", ""); !strings.Contains(w.Body.String(), `"open":1`) {
		t.Errorf("GET /stats: %s", w.Body)
	}
	if w := request("POST", "/cut", ""); strings.TrimSpace(w.Body.String()) != `{"cut":1}` {
		t.Errorf("POST /cut: %s", w.Body)
	}
}
