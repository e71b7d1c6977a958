package proxy

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/pires/go-proxyproto"
)

const patience = 10 * time.Second

// made returns a header as another implementation writes it.
func made(t testing.TB, version byte, from, to string) []byte {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(version,
		net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from)), net.TCPAddrFromAddrPort(netip.MustParseAddrPort(to)))
	data, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wire returns the bytes of a header of version 2.
func wire(command, family byte, block ...byte) []byte {
	h := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), command, family, byte(len(block)>>8), byte(len(block)))
	return append(h, block...)
}

type protocolCase struct {
	name   string
	header []byte
	want   string // client, "" where the proxy speaks for itself
	bad    bool
}

func protocolCases(t testing.TB) []protocolCase {
	return []protocolCase{
		{name: "1, IPv4", header: made(t, 1, "198.51.100.7:5000", "192.0.2.1:443"), want: "198.51.100.7:5000"},
		{name: "1, IPv6", header: made(t, 1, "[2001:db8::7]:5000", "[2001:db8::1]:443"), want: "[2001:db8::7]:5000"},
		{name: "2, IPv4", header: made(t, 2, "198.51.100.7:5000", "192.0.2.1:443"), want: "198.51.100.7:5000"},
		{name: "2, IPv6", header: made(t, 2, "[2001:db8::7]:5000", "[2001:db8::1]:443"), want: "[2001:db8::7]:5000"},
		{name: "1, written out", header: []byte("PROXY TCP4 198.51.100.7 192.0.2.1 5000 443\r\n"), want: "198.51.100.7:5000"},
		{name: "1, unknown", header: []byte("PROXY UNKNOWN\r\n")},
		{name: "2, local", header: wire(0x20, 0)},
		{name: "2, with an addition", header: wire(0x21, 0x11, 198, 51, 100, 7, 192, 0, 2, 1, 0x13, 0x88, 1, 0xbb, 0x04, 0, 1, 0), want: "198.51.100.7:5000"},
		{name: "2, datagram", header: wire(0x21, 0x12, 198, 51, 100, 7, 192, 0, 2, 1, 0x13, 0x88, 1, 0xbb), bad: true},
		{name: "2, short addresses", header: wire(0x21, 0x11, 1, 2, 3), bad: true},
		{name: "2, another version", header: wire(0x31, 0x11), bad: true},
		{name: "2, long", header: wire(0x21, 0x11, make([]byte, maxBlock+1)...), bad: true},
		{name: "2, torn", header: wire(0x21, 0x11, 1, 2, 3)[:14], bad: true},
		{name: "1, without end", header: []byte("PROXY TCP4 " + strings.Repeat("1", 200)), bad: true},
		{name: "1, family", header: []byte("PROXY TCP6 198.51.100.7 192.0.2.1 5000 443\r\n"), bad: true},
		{name: "1, port", header: []byte("PROXY TCP4 198.51.100.7 192.0.2.1 99999 443\r\n"), bad: true},
		{name: "none", header: []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), bad: true},
		{name: "short", header: []byte("PROXY "), bad: true},
		{name: "empty", bad: true},
	}
}

func TestHeaderIsReadAndNothingBehindIt(t *testing.T) {
	for _, c := range protocolCases(t) {
		t.Run(c.name, func(t *testing.T) {
			rest := bytes.NewReader(append(bytes.Clone(c.header), "behind it"...))
			if c.bad {
				rest = bytes.NewReader(c.header)
			}
			client, err := readHeader(iotest.OneByteReader(rest))
			if c.bad {
				if !errors.Is(err, ErrHeader) {
					t.Errorf("%v, %v", client, err)
				}
				return
			}
			got := ""
			if client.IsValid() {
				got = client.String()
			}
			behind, _ := io.ReadAll(rest)
			if err != nil || got != c.want || string(behind) != "behind it" {
				t.Errorf("client %q, %v, then %q", got, err, behind)
			}
		})
	}
}

func FuzzReadHeader(f *testing.F) {
	for _, c := range protocolCases(f) {
		f.Add(c.header)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		client, err := readHeader(bytes.NewReader(data))
		if err != nil && (!errors.Is(err, ErrHeader) || client.IsValid()) {
			t.Errorf("%v, %v", client, err)
		}
	})
}

// lab is a listener on loopback.
type lab struct {
	net.Listener
	t     *testing.T
	trust Trust
}

func open(t *testing.T, protocol ...string) *lab {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t}
	l.trust.Set(nil, networks(t, protocol...))
	l.Listener = l.trust.Listen(inner, slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// dial connects and sends.
func (l *lab) dial(data []byte) net.Conn {
	l.t.Helper()
	c, err := net.DialTimeout("tcp", l.Addr().String(), patience)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Write(data); err != nil {
		l.t.Fatal(err)
	}
	return c
}

func (l *lab) accept() net.Conn {
	l.t.Helper()
	c, err := l.Accept()
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = c.Close() })
	return c
}

// read returns the first bytes of a connection.
func read(t *testing.T, c net.Conn, n int) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(c, data); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestConnectionOfATrustedProxyIsItsClients(t *testing.T) {
	l := open(t, "127.0.0.0/8")
	l.dial(nil) // says nothing, and holds up nobody
	l.dial(append(made(t, 2, "198.51.100.7:5000", "192.0.2.1:443"), "hello"...))
	c := l.accept()
	if c.RemoteAddr().String() != "198.51.100.7:5000" || read(t, c, 5) != "hello" {
		t.Errorf("client %v", c.RemoteAddr())
	}
	if _, ok := c.(*Conn).Unwrap().(*net.TCPConn); !ok {
		t.Errorf("under it is a %T", c.(*Conn).Unwrap())
	}
}

func TestHeaderOfAStrangerIsItsOwnData(t *testing.T) {
	l := open(t, "192.0.2.0/24")
	header := "PROXY TCP4 198.51.100.7 192.0.2.1 5000 443\r\n"
	dialled := l.dial([]byte(header))
	c := l.accept()
	if c.RemoteAddr().String() != dialled.LocalAddr().String() || read(t, c, len(header)) != header {
		t.Errorf("client %v, want %v", c.RemoteAddr(), dialled.LocalAddr())
	}
}

func TestProxyWithoutHeaderIsClosed(t *testing.T) {
	l := open(t, "127.0.0.1")
	bad := l.dial([]byte("GET / HTTP/1.1\r\n\r\n"))
	if err := bad.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := bad.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, io.ErrNoProgress) {
		t.Errorf("read %d, %v", n, err)
	}
	local := l.dial(wire(0x20, 0))
	if c := l.accept(); c.RemoteAddr().String() != local.LocalAddr().String() {
		t.Errorf("a proxy's own check comes from %v", c.RemoteAddr())
	}
}

func TestCloseEndsWhatWaits(t *testing.T) {
	l := open(t, "127.0.0.1")
	silent := l.dial(nil)
	unaccepted := l.dial(made(t, 1, "198.51.100.7:5000", "192.0.2.1:443"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
	for _, c := range []net.Conn{silent, unaccepted} {
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		var late net.Error
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.As(err, &late) && late.Timeout() {
			t.Errorf("still open: %v", err)
		}
	}
}

// piped is a connection in memory that seems to come from a proxy.
type piped struct{ net.Conn }

func (piped) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 10), Port: 1} }

// single is a listener of one connection.
type single struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l *single) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *single) Close() error { close(l.closed); return nil }
func (*single) Addr() net.Addr { return &net.TCPAddr{} }

func TestSlowHeaderIsNotWaitedFor(t *testing.T) {
	for name, header := range map[string]string{
		"silence": "", "version 1": "PROXY TCP4 198.51.100.7 192.0.2.1 5000 443\r\n", "version 2": string(made(t, 2, "198.51.100.7:5000", "192.0.2.1:443")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var trust Trust
				trust.Set(nil, networks(t, "192.0.2.10"))
				inner := &single{conn: make(chan net.Conn), closed: make(chan struct{})}
				l := trust.Listen(inner, slog.New(slog.DiscardHandler))
				defer l.Close()
				ours, theirs := net.Pipe()
				defer ours.Close()
				inner.conn <- piped{theirs}
				began := time.Now()
				for i := range len(header) { // a byte a second
					if _, err := ours.Write([]byte{header[i]}); err != nil {
						break
					}
					time.Sleep(time.Second)
				}
				_, err := ours.Read(make([]byte, 1))
				if took := time.Since(began); err == nil || took > headerTimeout+time.Second {
					t.Errorf("borne for %v, %v", took, err)
				}
			})
		})
	}
}
