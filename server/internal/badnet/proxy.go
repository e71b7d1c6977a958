package badnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// Proxy is one bad network between clients and a server. Its methods may be
// called from any goroutine.
type Proxy struct {
	listener net.Listener
	target   string
	up, down *link
	served   sync.WaitGroup

	upBytes, downBytes atomic.Int64

	mu      sync.Mutex
	profile Profile
	open    map[*connection]struct{}
	stats   Stats
}

// Options say what to connect.
type Options struct {
	// Listen is the address for clients; port 0 takes a free one.
	Listen string

	// Target is the server's address. It is dialled for each client.
	Target string

	// Profile is the network's behaviour at first.
	Profile Profile

	// Seed decides what comes by chance.
	Seed uint64
}

// Stats count what a Proxy has done.
type Stats struct {
	// Accepted connections in all, those Refused by the profile, those whose
	// server could not be Reached, and those Open now.
	Accepted    int `json:"accepted"`
	Refused     int `json:"refused"`
	Unreachable int `json:"unreachable"`
	Open        int `json:"open"`

	// UpBytes and DownBytes have been handed on.
	UpBytes   int64 `json:"up_bytes"`
	DownBytes int64 `json:"down_bytes"`
}

// The socket buffers of the proxy are kept small, so that a squeezed direction
// backs up into the peer and not into the proxy's kernel. Linux doubles the
// figure.
const socketBuffer = 32 << 10

// Listen opens the proxy's port. Serve has to follow.
func Listen(o Options) (*Proxy, error) {
	if err := o.Profile.Validate(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for clients: %w", err)
	}
	return &Proxy{
		listener: listener,
		target:   o.Target,
		profile:  o.Profile,
		up:       newLink(o.Profile.Up, o.Seed),
		down:     newLink(o.Profile.Down, o.Seed+1),
		open:     make(map[*connection]struct{}),
	}, nil
}

// Addr is where clients connect.
func (p *Proxy) Addr() net.Addr { return p.listener.Addr() }

// Profile returns the behaviour as last set.
func (p *Proxy) Profile() Profile {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.profile
}

// Set changes the behaviour, for open connections as well. Bytes under way are
// timed anew. It fails, changing nothing, with an error that wraps ErrProfile.
func (p *Proxy) Set(profile Profile) error {
	if err := profile.Validate(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.profile = profile
	p.up.set(profile.Up)
	p.down.set(profile.Down)
	return nil
}

// Cut resets every open connection towards both sides, with whatever is under
// way, and returns how many there were. New ones are accepted; see
// Profile.Refuse.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.reset()
	}
	return len(p.open)
}

// Stats returns the counts up to now.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Open = len(p.open)
	s.UpBytes, s.DownBytes = p.upBytes.Load(), p.downBytes.Load()
	return s
}

// Serve accepts clients until ctx is done. It resets the connections that are
// open then, waits for all it has started, and returns nil. It fails when the
// port does.
func (p *Proxy) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { p.listener.Close() })
	defer stop()
	serving, cancel := context.WithCancel(ctx)
	defer p.served.Wait()
	defer cancel()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept clients: %w", err)
		}
		p.served.Go(func() { p.serve(serving, client) })
	}
}

// serve carries one client until both directions have ended.
func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &connection{client: client, cancel: cancel}
	id, ok := p.admit(c)
	if !ok {
		c.reset()
		return
	}
	defer p.dismiss(c)
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.target)
	if err != nil {
		p.mu.Lock()
		p.stats.Unreachable++
		p.mu.Unlock()
		c.reset()
		return
	}
	c.setServer(server)
	bound(client)
	bound(server)
	stop := context.AfterFunc(ctx, c.reset)
	defer stop()
	c.carry(ctx,
		newPump(p.up, client, server, &p.upBytes, 2*id),
		newPump(p.down, server, client, &p.downBytes, 2*id+1))
}

// admit counts the connection and lists it as open, or tells that the profile
// refuses it. Its number decides the jitter it meets.
func (p *Proxy) admit(c *connection) (number uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Accepted++
	if p.profile.Refuse {
		p.stats.Refused++
		return 0, false
	}
	p.open[c] = struct{}{}
	return uint64(p.stats.Accepted), true
}

func (p *Proxy) dismiss(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// bound keeps the kernel from holding more than the proxy's own queue.
func bound(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetReadBuffer(socketBuffer)
		tcp.SetWriteBuffer(socketBuffer)
	}
}

// connection is one client and its server.
type connection struct {
	cancel context.CancelFunc // ends the pumps
	client net.Conn

	mu     sync.Mutex
	server net.Conn // nil until dialled
	broken bool     // reset was called
}

func (c *connection) setServer(server net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server = server
	if c.broken {
		abort(server)
	}
}

// reset breaks both sides off. It may be called more than once.
func (c *connection) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = true
	c.cancel()
	abort(c.client)
	if c.server != nil {
		abort(c.server)
	}
}

// abort closes c so that its peer sees a reset and not an orderly end.
func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}

// carry runs both directions. When both have ended in order it closes both
// sides in order; when one breaks it resets them.
func (c *connection) carry(ctx context.Context, pumps ...*pump) {
	var running sync.WaitGroup
	for _, p := range pumps {
		running.Go(func() { p.read(ctx) })
		running.Go(func() {
			if err := p.write(ctx); err != nil && !errors.Is(err, io.EOF) {
				c.reset()
			}
		})
	}
	running.Wait()
	c.client.Close()
	c.server.Close()
}
