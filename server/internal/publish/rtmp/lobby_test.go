package rtmp

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/publish"
)

func TestAddressThatConnectsTooOftenIsTold(t *testing.T) {
	d := newDesk()
	server := New(d, Options{Gate: gate.New(gate.Options{Limits: gate.Limits{PerSecond: 1, Burst: 2}})})
	let, told, curt := 0, 0, 0
	for range 30 {
		said, err := playTo(t, server, newScript(t).publish("cam").sound(1))
		var refusal *gate.Refusal
		switch {
		case !errors.As(err, &refusal):
			let++
		case refusal.Curt:
			curt++
		default:
			told++
			if codes := said.codes(); len(codes) != 1 || codes[0] != codeRejected || !strings.Contains(said.description(), "too many connections") {
				t.Errorf("told %v, %q", codes, said.description())
			}
		}
	}
	if n := len(d.published(t)); let < 2 || told < 2 || curt == 0 || n != let {
		t.Errorf("%d let in, %d told why, %d closed at once; %d published", let, told, curt, n)
	}
}

// knocks goes through the handshake, and reports whether it was let.
func knocks(t *testing.T, address string, s *script) (net.Conn, bool) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(s.buf.Bytes()); err != nil {
		return c, false
	}
	_, err = io.ReadFull(c, make([]byte, 1+2*handshakeSize))
	return c, err == nil
}

func TestThoseWhoDoNotPublishCannotTakeAllPlaces(t *testing.T) {
	d := newDesk()
	told := make(chan error, 100)
	address := serve(t, d, Options{MaxConnections: 4, MaxWaiting: 2, Refused: func(from netip.AddrPort, err error) {
		if !from.Addr().IsLoopback() {
			t.Errorf("told of %v", from)
		}
		told <- err
	}})
	publisher, ok := knocks(t, address, newScript(t).publish("cam").sound(1))
	if !ok {
		t.Fatal("a publisher is not let in")
	}
	d.next(t) // from now on it takes no place of those who wait
	first, ok := knocks(t, address, newScript(t))
	if _, second := knocks(t, address, newScript(t)); !ok || !second {
		t.Fatal("two are not let wait")
	}
	if _, third := knocks(t, address, newScript(t)); third {
		t.Error("a third one may wait")
	}
	if err := <-told; !errors.Is(err, publish.ErrTooManyConnections) {
		t.Errorf("refused with %v", err)
	}
	_ = first.Close()
	_ = publisher.Close()
	for began := time.Now(); ; {
		if _, ok := knocks(t, address, newScript(t)); ok {
			break
		}
		if time.Since(began) > patience {
			t.Fatal("the place is not free again")
		}
	}
}

func TestLobbyForgetsWhoLeft(t *testing.T) {
	var l lobby
	from := addressOf(&tape{}).Addr()
	leave, ok := l.enter(from, 1)
	if _, second := l.enter(from, 1); !ok || second {
		t.Error("one place is not for one")
	}
	leave()
	leave()
	if len(l.waiting) != 0 {
		t.Errorf("%v are waiting", l.waiting)
	}
}

// Behind a proxy that does not tell for whom it comes there are many, whose places
// are still not all.
func TestThoseBehindOneAddressHaveHalfOfThePlaces(t *testing.T) {
	told := make(chan error, 100)
	address := serve(t, newDesk(), Options{
		MaxConnections: 8, MaxWaiting: 1, Shared: netip.Addr.IsLoopback, Refused: func(_ netip.AddrPort, err error) { told <- err },
	})
	for i := range 4 {
		if _, ok := knocks(t, address, newScript(t)); !ok {
			t.Fatalf("number %d is refused", i+1)
		}
	}
	if _, ok := knocks(t, address, newScript(t)); ok {
		t.Error("more than half of the places are taken")
	}
	if err := <-told; !errors.Is(err, publish.ErrTooManyConnections) {
		t.Errorf("refused with %v", err)
	}
}
