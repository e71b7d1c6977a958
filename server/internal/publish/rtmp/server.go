// Package rtmp lets publishers in over RTMP: OBS, ffmpeg, GStreamer, hardware
// encoders.
//
//	client                                server
//	C0 C1                   ->
//	                        <-            S0 S1 S2
//	C2, connect(app)        ->
//	                        <-            window, bandwidth, chunk size, _result
//	createStream, publish   ->
//	                                      Desk.Open
//	                        <-            onStatus NetStream.Publish.Start
//	metadata, audio, video  ->            flv.Demuxer -> Publication
//	                        <-            Acknowledgement
//	deleteStream            ->
//	                                      Publication.Close
//
// It implements what publishing takes of Adobe's RTMP 1.0 and of Enhanced RTMP
// v2; nothing can be played. A publisher goes to
//
//	rtmp://HOST/live/STREAM?key=KEY
//
// where STREAM may have several parts. What comes behind "live/" may also stand,
// whole or its end, in a separate stream key field.
//
// RTMPS is the same over a TLS listener.
package rtmp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/door"
)

// Options of a Server. Zero fields take the default.
type Options struct {
	// App is the application that publishers name. Default "live".
	App string

	// Handshake is how long the handshake may take, that of TLS included.
	// Default 5 s.
	Handshake time.Duration

	// Setup is how long a connection may take from its beginning until it
	// publishes. Default 15 s: some encoders let an operator press a button
	// between connecting and publishing, but a port that waits longer invites
	// connections that do nothing.
	Setup time.Duration

	// Silence is how long a publisher may send no media. Default 10 s.
	Silence time.Duration

	// MaxMessage is the largest message in bytes, which is the largest coded
	// picture. Default 8 MiB, at most 16 MiB less one.
	MaxMessage int

	// MaxConnections at the same time, publishing or not. Default 200. Further
	// ones are closed at once.
	MaxConnections int

	// MaxWaiting is how many of MaxConnections may come from one network address
	// and not publish yet. Default 50: with more, one could keep all others out
	// without a key.
	MaxWaiting int

	// Shared names addresses behind which there are many, such as that of a proxy
	// that does not tell for whom it comes: they have half of MaxConnections for
	// those who do not publish. Nil: there are none.
	Shared func(netip.Addr) bool

	// Refused is told of each connection for which there is no place. It must not
	// block. Nil: nobody is told.
	Refused func(from netip.AddrPort, err error)

	// Brake slows the guessing of keys down. Nil: one of its own.
	Brake *door.Brake

	// Gate limits how often an address may connect. Nil: as often as it likes.
	Gate *gate.Gate

	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	o.App = cmp.Or(o.App, "live")
	o.Handshake = cmp.Or(o.Handshake, 5*time.Second)
	o.Setup = cmp.Or(o.Setup, 15*time.Second)
	o.Silence = cmp.Or(o.Silence, 10*time.Second)
	o.MaxMessage = cmp.Or(o.MaxMessage, 8<<20)
	o.MaxConnections = cmp.Or(o.MaxConnections, 200)
	o.MaxWaiting = cmp.Or(o.MaxWaiting, 50)
	o.Brake = cmp.Or(o.Brake, new(door.Brake))
	if o.Shared == nil {
		o.Shared = func(netip.Addr) bool { return false }
	}
	if o.Refused == nil {
		o.Refused = func(netip.AddrPort, error) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server lets publishers in. Its methods may be called from any goroutine.
type Server struct {
	desk  publish.Desk
	opts  Options
	lobby lobby
}

// New returns a server that takes publishers to the desk.
func New(desk publish.Desk, opts Options) *Server {
	return &Server{desk: desk, opts: opts.withDefaults()}
}

// acceptPause is how long Serve waits after a failure to accept, which is most
// often a lack of descriptors that ends with other connections.
const acceptPause = 100 * time.Millisecond

// Serve accepts connections until ctx is done or the listener is closed. It
// closes the listener, ends all publishers with publish.ErrShutdown and waits
// for them. It returns nil when ctx is done.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	ctx, cancel := context.WithCancel(ctx)
	connections.Go(func() {
		<-ctx.Done()
		_ = listener.Close()
	})
	defer cancel()

	slots := make(chan struct{}, s.opts.MaxConnections)
	full := false // since the last connection
	for {
		nc, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if nc != nil {
				_ = nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept RTMP: %w", err)
		case err != nil:
			s.opts.Log.Warn("RTMP connection not accepted", "error", err)
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		select {
		case slots <- struct{}{}:
			full = false
			connections.Go(func() {
				defer func() { <-slots }()
				_ = s.ServeConn(ctx, nc)
			})
		default:
			if !full { // whoever is refused comes again and again
				s.opts.Log.Warn("RTMP connections are refused: there are too many", "remote", nc.RemoteAddr().String(), "connections", s.opts.MaxConnections)
			}
			full = true
			s.opts.Refused(addressOf(nc), publish.ErrTooManyConnections)
			_ = nc.Close()
		}
	}
}

// ServeConn serves one connection until it ends or ctx is done, and closes it.
// It returns what ended it, which wraps an error of package publish or gate: nil
// when the publisher said that it ends, or left without having published.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn) error {
	from := addressOf(nc).Addr()
	refusal := s.opts.Gate.Admit(door.What, from)
	if refusal != nil && refusal.Curt {
		_ = nc.Close()
		return refusal
	}
	most := s.opts.MaxWaiting
	if s.opts.Shared(from) {
		most = max(most, s.opts.MaxConnections/2)
	}
	leave, ok := s.lobby.enter(from, most)
	if !ok {
		s.opts.Log.Debug("RTMP connection refused: too many of this address do not publish", "remote", nc.RemoteAddr().String())
		_ = nc.Close()
		s.opts.Refused(addressOf(nc), publish.ErrTooManyConnections)
		return fmt.Errorf("%w from this address: the limit is %d", publish.ErrTooManyConnections, most)
	}
	defer leave()
	c := newConn(s, nc)
	c.publishes = leave
	if refusal != nil {
		c.refusal = refusal
	}
	err := c.serve(ctx)
	switch {
	case err == nil, c.logged:
	case refusal != nil: // told where the gate is
	case errors.Is(err, publish.ErrDisconnected):
		c.log.Debug("RTMP connection lost before publishing", "reason", err)
	default:
		c.log.Info("RTMP connection refused", "reason", err)
	}
	return err
}

// addressOf returns the address of the other side, the zero value when it is not
// one of IP.
func addressOf(nc net.Conn) netip.AddrPort {
	address, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
}
