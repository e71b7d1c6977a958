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
	"github.com/framewire/framewire/server/internal/config"
	"github.com/framewire/framewire/server/internal/web"
)

// redirectTimeout bounds requests that are only told where to go.
const redirectTimeout = 5 * time.Second

// certificates are from files or from an authority.
type certificates interface {
	TLS() *tls.Config
	// Watch takes renewed ones until ctx is done.
	Watch(ctx context.Context) error
}

// secure is HTTPS as it was configured.
type secure struct {
	certs    certificates // nil: HTTP
	files    *certs.Files // nil, or the same as certs
	acme     *certs.ACME  // nil, or the same as certs
	redirect net.Listener // nil: none
	port     string       // of HTTPS
}

// openTLS prepares HTTPS for the listener at addr.
func (s *server) openTLS(addr net.Addr) error {
	c := &s.opts.Config.TLS
	if !c.Enabled() {
		return nil
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.secure.port = port
	redirect := 0
	if c.Redirect != "" {
		listener, err := net.Listen("tcp", c.Redirect)
		if err != nil {
			return fmt.Errorf("listen for redirects: %w", err)
		}
		s.secure.redirect = s.proxies.Listen(listener, s.log)
		redirect = portOf(listener.Addr())
		s.log.Info("redirects listening", "addr", listener.Addr().String())
	}
	if len(c.ACME.Domains) == 0 {
		if s.secure.files, err = certs.Load(c.Cert, c.Key, s.log); err != nil {
			return err
		}
		s.secure.certs = s.secure.files
		return nil
	}
	s.secure.acme, err = certs.NewACME(certs.ACMEOptions{
		Domains: c.ACME.Domains, Email: c.ACME.Email, Directory: c.ACME.Directory, Roots: c.ACME.Roots, Storage: c.ACME.Storage,
		Host: host, TLSPort: portOf(addr), HTTPPort: redirect,
	}, s.log)
	s.secure.certs = s.secure.acme
	return err
}

// nextFiles reads the certificate that after names in place of before's. It returns
// what puts it in force.
func (s *server) nextFiles(before, after *config.TLS) (use func(), err error) {
	files := s.secure.files
	switch {
	case files == nil || after.Cert == "":
		return func() {}, nil // takes a restart, if anything
	case before.Cert == after.Cert && before.Key == after.Key:
		return files.Refresh, nil
	}
	next, err := certs.Load(after.Cert, after.Key, s.log)
	if err != nil {
		return nil, fmt.Errorf("%w: tls: %w", config.ErrInvalid, err)
	}
	return func() { files.Adopt(next) }, nil
}

func portOf(addr net.Addr) int {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

// close lets go of the port of a server that did not get to run.
func (c *secure) close() {
	if c.redirect != nil {
		_ = c.redirect.Close()
	}
	if c.acme != nil {
		c.acme.Close()
	}
}

// serve serves HTTP or HTTPS on the listener until the server is shut down.
func (c *secure) serve(server *http.Server, listener net.Listener) error {
	listener = web.Listen(listener)
	var err error
	if c.certs != nil {
		server.TLSConfig = c.certs.TLS()
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
	if c.certs != nil {
		group.Go(func() error { return c.certs.Watch(ctx) })
	}
	if c.redirect == nil {
		return
	}
	handler := http.Handler(http.HandlerFunc(c.toHTTPS))
	if c.acme != nil {
		handler = c.acme.HTTPChallenge(handler)
	}
	server := &http.Server{
		Handler:           handler,
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
func (c *secure) listener(l net.Listener) net.Listener { return tls.NewListener(l, c.certs.TLS()) }
