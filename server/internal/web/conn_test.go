package web

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/framewire/framewire/server/internal/session"
)

// pipe returns a gathering connection and its peer, over a real socket.
func pipe(t testing.TB) (*Conn, net.Conn) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(inner)
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); peer.Close() })
	return c.(*Conn), peer
}

// The last frame of a WebSocket is written while a batch is gathered, and the
// connection closed behind it.
func TestWhatIsNotedLeavesBeforeTheConnectionCloses(t *testing.T) {
	c, peer := pipe(t)
	c.Gather()
	c.Begin()
	if _, err := c.Write([]byte("good-bye")); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(peer); err != nil || string(got) != "good-bye" {
		t.Errorf("the peer reads %q and %v", got, err)
	}
}

// A peer that takes nothing does not keep the connection from closing.
func TestConnectionToSomebodyWhoReadsNothingCloses(t *testing.T) {
	c, _ := pipe(t)
	c.Gather()
	for left := 0; left == 0; {
		c.Begin()
		if _, err := c.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		var err error
		if left, err = c.Flush(leastWait); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c.Begin()
	if _, err := c.Write([]byte("late")); err == nil {
		_, err = c.Flush(leastWait)
		if err == nil {
			t.Error("a closed connection takes more")
		}
	}
}

func TestGatheredBytesArriveAsWritten(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := mathrand.New(mathrand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	c, peer := pipe(t)
	c.Gather()
	var want bytes.Buffer
	got := make(chan []byte, 1)
	go func() {
		all, _ := io.ReadAll(peer)
		got <- all
	}()
	for range 300 {
		c.Begin()
		for range r.IntN(6) {
			message := make([]byte, 1+r.IntN(20000))
			_, _ = rand.Read(message)
			want.Write(message)
			c.Refer(message)
			head := min(len(message), r.IntN(200))
			scratch := bytes.Clone(message[:head]) // as a library's buffer, used again
			if _, err := c.Write(scratch); err != nil {
				t.Fatal(err)
			}
			clear(scratch)
			if _, err := c.Write(message[head:]); err != nil {
				t.Fatal(err)
			}
		}
		c.Refer(nil)
		for left := 1; left > 0; {
			var err error
			if left, err = c.Flush(time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.Close()
	if !bytes.Equal(<-got, want.Bytes()) {
		t.Fatal("other bytes arrived than were written")
	}
}

func TestFlushOnABlockedConnectionReturnsAndGoesOnLater(t *testing.T) {
	c, peer := pipe(t)
	c.Gather()
	message := make([]byte, 32<<20) // more than any socket buffer holds
	_, _ = rand.Read(message)
	c.Begin()
	c.Refer(message)
	if _, err := c.Write(message); err != nil {
		t.Fatal(err)
	}
	left, err := c.Flush(20 * time.Millisecond)
	if err != nil || left == 0 || left == len(message) {
		t.Fatalf("%d bytes left, %v", left, err)
	}
	// What others write meanwhile neither blocks nor gets in between.
	if _, err := c.Write([]byte("pong")); err != nil {
		t.Fatal(err)
	}
	got := make(chan []byte, 1)
	go func() {
		all, _ := io.ReadAll(peer)
		got <- all
	}()
	for left > 0 {
		if left, err = c.Flush(time.Second); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	if all := <-got; !bytes.Equal(all, append(message, "pong"...)) {
		t.Fatalf("%d bytes arrived", len(all))
	}
}

func TestQuietConnectionHoldsNoBuffers(t *testing.T) {
	c, peer := pipe(t)
	c.Gather()
	go func() { _, _ = io.Copy(io.Discard, peer) }()
	c.Begin()
	for range 100 {
		if _, err := c.Write(make([]byte, 700)); err != nil {
			t.Fatal(err)
		}
	}
	for left := 1; left > 0; {
		left, _ = c.Flush(time.Second)
	}
	if c.chunk != nil || c.full != nil || cap(c.pieces) > keptPieces || cap(c.onWire) > keptPieces {
		t.Fatalf("it keeps %v, %d, %d, %d", c.chunk != nil, len(c.full), cap(c.pieces), cap(c.onWire))
	}
}

// openSocket returns the server's side of a WebSocket whose client reads all.
func openSocket(t testing.TB, gather bool) *socket {
	t.Helper()
	opened := make(chan *socket, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hj := &hijacker{ResponseWriter: w, own: connOf(r.Context())}
		ws, err := websocket.Accept(hj, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		s := &socket{ws: ws, net: hj.conn, gather: hj.own, limit: 1 << 16}
		if s.gather != nil {
			s.gather.Gather()
		}
		opened <- s
	}))
	if gather {
		server.Listener = Listen(server.Listener)
		server.Config.ConnContext = ConnContext
	}
	server.Start()
	t.Cleanup(server.Close)
	// The client is a bare socket, which costs the test no allocations.
	peer, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(peer, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{peer}, make([]byte, 256<<10))
	})
	s := <-opened
	t.Cleanup(func() {
		s.net.Close()
		peer.Close()
		reader.Wait()
		_ = s.ws.CloseNow()
	})
	return s
}

func TestSendingCostsNoAllocation(t *testing.T) {
	s := openSocket(t, true)
	batch := []session.Message{{Data: make([]byte, 8000)}, {Data: make([]byte, 300)}}
	send := func() {
		if err := s.Send(batch); err != nil {
			t.Fatal(err)
		}
		for left := 1; left > 0; {
			left, _ = s.Flush(time.Second)
		}
	}
	send()
	if n := testing.AllocsPerRun(200, send); n >= 1 {
		t.Errorf("%v allocations for a batch of two messages", n)
	}
}

// BenchmarkSend is the cost of one video frame with its sound to one viewer, with
// the system calls.
func BenchmarkSend(b *testing.B) {
	for _, gather := range []bool{true, false} {
		b.Run(fmt.Sprintf("gather=%v", gather), func(b *testing.B) {
			s := openSocket(b, gather)
			batch := []session.Message{{Data: make([]byte, 8000)}, {Data: make([]byte, 330)}}
			b.SetBytes(8330)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Send(batch); err != nil {
					b.Fatal(err)
				}
				for left := 1; left > 0; {
					left, _ = s.Flush(time.Second)
				}
			}
		})
	}
}
