package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/framewire/framewire/server/internal/certs"
	"github.com/framewire/framewire/server/internal/web"
)

// redirectTimeout bounds requests that are only told where to go.
const redirectTimeout = 5 * time.Second

// secure is HTTPS as it was configured.
type secure struct {
	files    *certs.Files // nil: HTTP
	redirect net.Listener // nil: none
	port     string       // of HTTPS
}

func (s *server) openTLS() error {
	c := &s.opts.Config.TLS
	if !c.Enabled() {
		return nil
	}
	files, err := certs.Load(c.Cert, c.Key, s.log)
	if err != nil {
		return err
	}
	s.secure.files = files
	if _, s.secure.port, err = net.SplitHostPort(s.opts.Config.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if c.Redirect == "" {
		return nil
	}
	if s.secure.redirect, err = net.Listen("tcp", c.Redirect); err != nil {
		return fmt.Errorf("listen for redirects: %w", err)
	}
	s.secure.redirect = s.proxies.Listen(s.secure.redirect, s.log)
	return nil
}

// close lets go of the port of a server that did not get to run.
func (c *secure) close() {
	if c.redirect != nil {
		_ = c.redirect.Close()
	}
}

// serve serves HTTP or HTTPS on the listener until the server is shut down.
func (c *secure) serve(server *http.Server, listener net.Listener) error {
	listener = web.Listen(listener)
	var err error
	if c.files != nil {
		server.TLSConfig = c.files.TLS()
		err = server.ServeTLS(listener, "", "")
	} else {
		err = server.Serve(listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve HTTP: %w", err)
}

// run takes renewed certificates and redirects to HTTPS, until ctx is done.
func (c *secure) run(ctx context.Context, group *errgroup.Group) {
	if c.files != nil {
		group.Go(func() error { return c.files.Watch(ctx) })
	}
	if c.redirect == nil {
		return
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(c.toHTTPS),
		ReadHeaderTimeout: redirectTimeout,
		ReadTimeout:       redirectTimeout,
		WriteTimeout:      redirectTimeout,
		MaxHeaderBytes:    8 << 10,
	}
	group.Go(func() error {
		if err := server.Serve(c.redirect); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve redirects: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
}

// toHTTPS sends a client to the same place on the same host.
func (c *secure) toHTTPS(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if host == "" {
		http.Error(w, "This server speaks HTTPS.", http.StatusBadRequest)
		return
	}
	if c.port != "443" {
		host = net.JoinHostPort(host, c.port)
	}
	http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusMovedPermanently)
}

// listener returns a TLS listener with the server's certificate.
func (c *secure) listener(l net.Listener) net.Listener { return tls.NewListener(l, c.files.TLS()) }
