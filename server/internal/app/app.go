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
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/framewire/framewire/frontend"
	"github.com/framewire/framewire/server/internal/config"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/ingest"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/source"
	"github.com/framewire/framewire/server/internal/web"
	"github.com/framewire/framewire/server/internal/wire"
)

const (
	// drainTimeout bounds the end: whoever has not gone by then is cut off.
	drainTimeout = 10 * time.Second

	// returnSpread is the time over which clients are asked to come back after a
	// restart, so that they do not all come at once.
	returnSpread = 5 * time.Second
)

// Options are what Serve needs.
type Options struct {
	Config  config.Config
	Version string
	Log     *slog.Logger

	// Pages are the built pages. Nil: those in the binary.
	Pages fs.FS
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
	if err := s.openPublishing(); err != nil {
		s.publishing.close()
		return errors.Join(err, listener.Close())
	}
	s.openWeb()
	s.greet(listener.Addr())
	return s.run(ctx, listener)
}

// server is everything that runs.
type server struct {
	opts    Options
	log     *slog.Logger
	hub     *hub.Hub
	web     *web.Server
	streams []configured
	files   map[string]string // paths, by stream

	publishing publishing
}

// configured is a stream that the configuration names.
type configured struct {
	stream *hub.Stream
	source source.Parsed
}

func build(o Options) (*server, error) {
	c := &o.Config
	s := &server{
		opts: o,
		log:  o.Log,
		hub:  hub.New(hub.Options{Window: time.Duration(c.Window), MaxBytes: int64(c.MaxStreamBytes)}),

		files: make(map[string]string),
	}
	for _, name := range slices.Sorted(maps.Keys(c.Streams)) {
		src, err := source.Parse(c.Streams[name].Source, o.Log.With("stream", name))
		if err != nil {
			return nil, fmt.Errorf("%w: streams.%s: %w", config.ErrInvalid, name, err)
		}
		stream, err := s.hub.Create(name)
		if err != nil {
			return nil, err
		}
		s.streams = append(s.streams, configured{stream, src})
		if src.Info.File != "" {
			s.files[name] = src.Info.File
		}
	}
	return s, nil
}

func (s *server) openWeb() {
	pages := s.opts.Pages
	if pages == nil && frontend.Built() {
		pages = frontend.Pages()
	}
	s.web = web.New(web.Options{
		Hub:      s.hub,
		Sessions: session.Options{Server: "framewire " + s.opts.Version},
		Pages:    pages,
		Origins:  s.opts.Config.Origins,
		File:     func(stream string) string { return s.files[stream] },
		Mount:    s.publishing.mount(),
		Log:      s.log,
	})
}

// greet tells the operator where to look.
func (s *server) greet(addr net.Addr) {
	s.log.Info("listening", "addr", addr.String(), "version", s.opts.Version, "open", openURL(addr))
	for _, c := range s.streams {
		s.log.Info("stream", "stream", c.stream.Name(), "source", c.source.Info.Display)
	}
}

// openURL is what to type into a browser on this machine.
func openURL(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return ""
	}
	host := "localhost"
	if !tcp.IP.IsUnspecified() && !tcp.IP.IsLoopback() {
		host = tcp.IP.String()
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(tcp.Port))
}

// run serves until ctx is done, and then ends in this order: no new viewers, the
// present ones sent away, sources stopped.
func (s *server) run(ctx context.Context, listener net.Listener) error {
	sourceCtx, stopSources := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSources()
	group, groupCtx := errgroup.WithContext(ctx)

	for _, c := range s.streams {
		group.Go(func() error {
			log := s.log.With("stream", c.stream.Name())
			err := ingest.Supervise(sourceCtx, c.stream, c.source.Source, log)
			if errors.Is(err, hub.ErrClosed) {
				return nil // removed
			}
			return err
		})
	}

	s.publishing.run(sourceCtx, group, s)

	httpServer := s.web.HTTPServer()
	group.Go(func() error {
		if err := httpServer.Serve(web.Listen(listener)); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-groupCtx.Done()
		defer stopSources()
		return s.stop(httpServer)
	})
	return group.Wait()
}

// stop sends everybody away, within drainTimeout.
func (s *server) stop(httpServer *http.Server) error {
	s.log.Info("stopping", "sessions", len(s.web.Sessions().All()))
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- s.web.Drain(ctx, wire.Restarting, returnSpread) }()
	err := httpServer.Shutdown(ctx)
	if e := <-drained; e != nil {
		s.log.Warn("not everybody left in time", "error", e)
	}
	if err != nil {
		err = httpServer.Close()
	}
	s.hub.Close()
	s.log.Info("stopped")
	return err
}
