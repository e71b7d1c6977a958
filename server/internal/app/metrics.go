package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/framewire/framewire/server/internal/metrics"
)

// scrapeTimeout bounds a request to the metrics' own port, header and answer.
const scrapeTimeout = 30 * time.Second

func (s *server) openMetrics() {
	program := s.program()
	s.metrics = metrics.New(metrics.Options{
		Hub:        s.hub,
		Sessions:   sessions{s},
		Publishers: publishers{s},
		Sources:    s.roster,
		Version:    program.Version,
		Go:         program.Go,
		Commit:     program.Commit,
		Log:        s.log,
	})
}

// listenMetrics opens the metrics' own port, if there is to be one.
func (s *server) listenMetrics() error {
	address := s.opts.Config.Metrics.Listen
	if address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for metrics: %w", err)
	}
	s.metricsPort = listener
	s.log.Info("metrics listening", "addr", listener.Addr().String())
	return nil
}

// closeMetrics lets go of the port of a server that did not get to run.
func (s *server) closeMetrics() {
	if s.metricsPort != nil {
		_ = s.metricsPort.Close()
	}
}

// runMetrics serves the metrics' own port until ctx is done.
func (s *server) runMetrics(ctx context.Context, group *errgroup.Group) {
	if s.metricsPort == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	server := &http.Server{Handler: mux, ReadTimeout: scrapeTimeout, WriteTimeout: scrapeTimeout}
	group.Go(func() error {
		if err := server.Serve(s.metricsPort); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve metrics: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
}
