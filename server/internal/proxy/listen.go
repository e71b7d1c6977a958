package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
)

const (
	// headerTimeout is how long a proxy may take to send the header. It sends it
	// with the connection.
	headerTimeout = 5 * time.Second

	// maxPending bounds the connections whose header is awaited.
	maxPending = 1024

	// shortest is less than any header: what tells its version.
	shortest = 12
	// maxLine is the longest header of version 1, its end included (PROXY protocol
	// 2.1).
	maxLine = 107
	// fixedBlock is what a header of version 2 begins with (2.2), and maxBlock what
	// may follow: addresses, and additions that are not read.
	fixedBlock = 16
	maxBlock   = 4 << 10
)

// ErrHeader is wrapped by what is said of a connection that does not begin with a
// header of the PROXY protocol, as it should.
var ErrHeader = errors.New("PROXY protocol")

// Listen returns a listener whose connections have the RemoteAddr that proxies
// tell by the PROXY protocol, version 1 or 2. A connection from a proxy that is
// trusted with it has to begin with the header, and is closed otherwise; others
// are passed on as they are. Those under a header are of type *Conn.
func (t *Trust) Listen(l net.Listener, log *slog.Logger) net.Listener {
	own := &listener{Listener: l, trust: t, log: log, ready: make(chan accepted), done: make(chan struct{}), pending: make(map[net.Conn]struct{})}
	own.running.Go(own.accept)
	return own
}

// accepted is what Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

type listener struct {
	net.Listener
	trust *Trust
	log   *slog.Logger

	ready   chan accepted // never closed
	done    chan struct{} // closed by Close
	running sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	pending map[net.Conn]struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. It waits for all that Listen has begun.
func (l *listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return net.ErrClosed
	}
	l.closed = true
	close(l.done)
	for c := range l.pending {
		_ = c.Close()
	}
	l.mu.Unlock()
	err := l.Listener.Close()
	l.running.Wait()
	return err
}

// accept takes connections, and has those of proxies wait for their header aside.
func (l *listener) accept() {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			l.pass(accepted{err: err})
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		remote, known := addressOf(c.RemoteAddr())
		if !known || !load(&l.trust.protocol).Contain(remote.Addr()) {
			l.pass(accepted{conn: c})
			continue
		}
		if !l.await(c) {
			l.log.Warn("connection of a proxy refused: too many wait for their header", "remote", remote.String())
			_ = c.Close()
			continue
		}
		l.running.Go(func() { l.open(c) })
	}
}

func (l *listener) pass(a accepted) {
	select {
	case l.ready <- a:
	case <-l.done:
		if a.conn != nil {
			_ = a.conn.Close()
		}
	}
}

func (l *listener) await(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.pending) >= maxPending {
		return false
	}
	l.pending[c] = struct{}{}
	return true
}

// open reads the header of a connection, and passes the connection on.
func (l *listener) open(c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(headerTimeout)) // where that fails, so does reading
	client, err := readHeader(c)
	if err == nil {
		err = c.SetReadDeadline(time.Time{})
	}
	l.mu.Lock()
	delete(l.pending, c)
	l.mu.Unlock()
	switch {
	case err != nil:
		l.log.Warn("connection of a proxy refused", "remote", c.RemoteAddr().String(), "error", err)
		_ = c.Close()
	case !client.IsValid(): // the proxy speaks for itself
		l.pass(accepted{conn: c})
	default:
		l.pass(accepted{conn: &Conn{Conn: c, client: net.TCPAddrFromAddrPort(client)}})
	}
}

// Conn is a connection that a proxy has made for a client.
type Conn struct {
	net.Conn
	client *net.TCPAddr
}

// RemoteAddr is the client's.
func (c *Conn) RemoteAddr() net.Addr { return c.client }

// Unwrap returns the connection of the proxy, behind its header. Nothing has been
// read from it beyond that.
func (c *Conn) Unwrap() net.Conn { return c.Conn }

// readHeader reads a header and nothing behind it. It returns the client's
// address, or none where the proxy speaks for itself or does not tell. Its errors
// wrap ErrHeader.
func readHeader(r io.Reader) (netip.AddrPort, error) {
	raw, err := rawHeader(r)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(raw), len(raw)))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	if h.Command.IsLocal() || h.TransportProtocol.IsUnspec() {
		return netip.AddrPort{}, nil
	}
	client, known := addressOf(h.SourceAddr)
	if !known || !h.TransportProtocol.IsStream() {
		return netip.AddrPort{}, fmt.Errorf("%w: no TCP address of a client", ErrHeader)
	}
	return client, nil
}

// rawHeader reads the bytes of a header.
func rawHeader(r io.Reader) ([]byte, error) {
	raw := make([]byte, shortest, maxLine)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("read the signature: %w", err)
	}
	switch {
	case bytes.Equal(raw, proxyproto.SIGV2):
		return rawBlock(r, raw)
	case bytes.HasPrefix(raw, proxyproto.SIGV1):
		return rawLine(r, raw)
	default:
		return nil, proxyproto.ErrNoProxyProtocol
	}
}

// rawLine reads the rest of a header of version 1, a byte at a time: what follows
// it is the client's.
func rawLine(r io.Reader, raw []byte) ([]byte, error) {
	for raw[len(raw)-1] != '\n' {
		if len(raw) == maxLine {
			return nil, proxyproto.ErrVersion1HeaderTooLong
		}
		raw = raw[:len(raw)+1]
		if _, err := io.ReadFull(r, raw[len(raw)-1:]); err != nil {
			return nil, fmt.Errorf("read the line: %w", err)
		}
	}
	return raw, nil
}

// rawBlock reads the rest of a header of version 2.
func rawBlock(r io.Reader, raw []byte) ([]byte, error) {
	raw = raw[:fixedBlock]
	if _, err := io.ReadFull(r, raw[shortest:]); err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	size := int(binary.BigEndian.Uint16(raw[fixedBlock-2:]))
	if size > maxBlock {
		return nil, fmt.Errorf("the header has %d bytes of addresses and additions, at most %d are read", size, maxBlock)
	}
	raw = append(raw, make([]byte, size)...)
	if _, err := io.ReadFull(r, raw[fixedBlock:]); err != nil {
		return nil, fmt.Errorf("read the addresses: %w", err)
	}
	return raw, nil
}

func addressOf(a net.Addr) (netip.AddrPort, bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	address := tcp.AddrPort()
	return netip.AddrPortFrom(address.Addr().Unmap(), address.Port()), address.IsValid()
}
