// Package app builds the server from its parts, owns its goroutines and ends
// them in good order.
package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/framewire/framewire/frontend"
	"github.com/framewire/framewire/server/internal/admin"
	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/config"
	"github.com/framewire/framewire/server/internal/events"
	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/metrics"
	"github.com/framewire/framewire/server/internal/proxy"
	"github.com/framewire/framewire/server/internal/roster"
	"github.com/framewire/framewire/server/internal/web"
	"github.com/framewire/framewire/server/internal/wire"
)

const (
	// drainTimeout bounds the end: whoever has not gone by then is cut off.
	drainTimeout = 10 * time.Second

	// closeTimeout bounds what comes behind it: answers to requests that go on.
	closeTimeout = 2 * time.Second

	// returnSpread is the time over which clients are asked to come back after a
	// restart, so that they do not all come at once.
	returnSpread = 5 * time.Second

	// settleTime is how long what publishers have sent may take to the viewers'
	// streams, through sockets, jitter buffers and demuxers, before the viewers
	// are sent away.
	settleTime = 100 * time.Millisecond
)

// Options are what Serve needs.
type Options struct {
	Config  config.Config
	Version string
	Log     *slog.Logger

	// Pages are the built pages. Nil: those in the binary.
	Pages fs.FS

	// Reload says how the configuration is read again. Nil: it is not.
	Reload *Reload

	// Ready is told the address that is listened on, once it is. It may be nil.
	Ready func(net.Addr)
}

// Serve runs a server until ctx is done or a part of it fails.
func Serve(ctx context.Context, o Options) error {
	s, err := build(o)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.Config.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	listener = s.proxies.Listen(listener, o.Log)
	defer s.dropTokens()
	if err := s.openPorts(listener.Addr()); err != nil {
		s.publishing.close()
		s.secure.close()
		s.closeMetrics()
		return errors.Join(err, listener.Close())
	}
	s.openWeb()
	defer s.heedReloads()()
	s.greet(listener.Addr())
	if o.Ready != nil {
		o.Ready(listener.Addr())
	}
	return s.run(ctx, listener)
}

// openPorts opens what there is beside the main listener.
func (s *server) openPorts(addr net.Addr) error {
	if err := s.openTLS(addr); err != nil {
		return err
	}
	if err := s.listenMetrics(); err != nil {
		return err
	}
	return s.openPublishing()
}

// server is everything that runs.
type server struct {
	opts   Options
	log    *slog.Logger
	config atomic.Pointer[config.Config] // as it is in force
	wanted atomic.Pointer[config.Config] // as it was read last; nil: it was not

	hub    *hub.Hub
	roster *roster.Roster
	events *events.Log
	web    *web.Server
	admin  *admin.Service

	metrics     *metrics.Metrics
	metricsPort net.Listener // nil: they are served with the rest

	publishing publishing
	secure     secure
	proxies    proxy.Trust
	gate       *gate.Gate // of handshakes
	commands   *gate.Gate

	reloads chan os.Signal  // asks for the configuration to be read again
	watcher *config.Watcher // does so when files have changed; nil: nothing does

	tokens     auth.Switch
	dropTokens func() // lets go of what reads tokens now
}

func build(o Options) (*server, error) {
	c := &o.Config
	streams := hub.New(hub.Options{Window: time.Duration(c.Window), MaxBytes: int64(c.MaxStreamBytes)})
	s := &server{
		opts:   o,
		log:    o.Log,
		hub:    streams,
		roster: roster.New(streams, o.Log),
		events: events.New(events.Capacity),
	}
	s.config.Store(c)
	sources, err := s.parseSources(c)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		if err := s.roster.Add(name, sources[name]); err != nil {
			return nil, err
		}
	}
	if err := s.useProxies(c); err != nil {
		return nil, err
	}
	if err := s.useTokens(&c.Auth); err != nil {
		return nil, err
	}
	s.openGates()
	s.openAdmin()
	s.openMetrics()
	return s, nil
}

func (s *server) openWeb() {
	pages := s.opts.Pages
	if pages == nil && frontend.Built() {
		pages = frontend.Pages()
	}
	mount := s.publishing.mount()
	mount["GET /publish"] = http.HandlerFunc(s.serveWays)
	mount[admin.Path] = s.admin.Handler()
	if s.opts.Config.Metrics.Listen == "" {
		mount["GET /metrics"] = s.admin.Guard(s.metrics.Handler())
	}
	s.web = web.New(web.Options{
		Hub:      s.hub,
		Sessions: s.sessionOptions(),
		Pages:    pages,
		Origins:  s.opts.Config.Origins,

		FrameAncestors: s.opts.Config.FrameAncestors,

		File:     s.file,
		Verifier: &s.tokens,
		Gate:     s.gate,
		Refused: func(what, stream, remote string, err error) {
			s.refused(what, stream, "", remote, err)
		},
		Mount: mount,
		Log:   s.log,
	})
}

// file returns the file behind a stream, or "".
func (s *server) file(stream string) string {
	entry, _ := s.roster.Get(stream)
	return entry.File
}

// greet tells the operator where to look.
func (s *server) greet(addr net.Addr) {
	s.log.Info("listening", "addr", addr.String(), "version", s.opts.Version, "open", openURL(addr, s.secure.certs != nil))
	for _, e := range s.roster.All() {
		s.log.Info("stream", "stream", e.Name, "source", e.Display)
	}
	if access := s.access(); access.Verifier == nil && !access.Open {
		s.log.Info("the operator's service is closed: the server listens beyond this machine and no tokens are configured; see auth in the configuration")
	}
}

// openURL is what to type into a browser on this machine.
func openURL(addr net.Addr, secure bool) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return ""
	}
	host := "localhost"
	if !tcp.IP.IsUnspecified() && !tcp.IP.IsLoopback() {
		host = tcp.IP.String()
	}
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, fmt.Sprint(tcp.Port))
}

// run serves until ctx is done, and then ends in this order: no new viewers, the
// present ones sent away, sources and publishers stopped, the port closed.
func (s *server) run(ctx context.Context, listener net.Listener) error {
	sourceCtx, stopSources := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSources()
	group, groupCtx := errgroup.WithContext(ctx)

	group.Go(func() error { return s.roster.Run(sourceCtx) })
	group.Go(func() error { return s.watchStreams(sourceCtx) })
	group.Go(func() error { return s.followConfig(groupCtx) })
	s.publishing.run(sourceCtx, group, s)
	s.secure.run(sourceCtx, group)
	s.runMetrics(sourceCtx, group)

	httpServer := s.web.HTTPServer()
	httpServer.Handler = s.front(httpServer.Handler)
	group.Go(func() error { return s.secure.serve(httpServer, listener) })
	group.Go(func() error {
		<-groupCtx.Done()
		return s.stop(httpServer, stopSources)
	})
	return group.Wait()
}

// stop sends everybody away, within drainTimeout and closeTimeout. The port stays open until then,
// so that who comes is told when to come back.
func (s *server) stop(httpServer *http.Server, stopSources func()) error {
	watching := len(s.web.Sessions().All())
	s.log.Info("stopping", "sessions", watching)
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	s.web.Refuse(wire.Restarting, returnSpread)
	s.admin.Close()
	if watching > 0 {
		time.Sleep(settleTime)
	}
	if err := s.web.Drain(ctx, wire.Restarting, returnSpread); err != nil {
		s.log.Warn("not everybody left in time", "error", err)
	}
	stopSources() // publishers over HTTP are requests, which Shutdown waits for
	closing, cancelClosing := context.WithTimeout(context.Background(), closeTimeout)
	defer cancelClosing()
	err := httpServer.Shutdown(closing)
	if err != nil {
		err = httpServer.Close()
	}
	s.hub.Close()
	s.log.Info("stopped")
	return err
}
