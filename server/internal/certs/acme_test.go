package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"github.com/framewire/framewire/server/internal/logtest"
)

const patience = 60 * time.Second

// authority is an ACME server, Pebble, that looks for answers at the given ports
// of this machine.
type authority struct {
	directory string
	roots     string         // file
	issues    *x509.CertPool // what it signs with
}

func startAuthority(t *testing.T, httpPort, tlsPort int) *authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	log := stdlog.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	issuer := ca.New(log, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "default"}})
	front := wfe.New(log, store, va.New(log, httpPort, tlsPort, true, "", store), issuer, []string{"authority.example"}, true, false, 1, 1)
	server := httptest.NewTLSServer(front.Handler())
	t.Cleanup(server.Close)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(roots, data, 0o600); err != nil {
		t.Fatal(err)
	}
	issues := x509.NewCertPool()
	issues.AppendCertsFromPEM(issuer.GetRootCert(0).PEM())
	return &authority{directory: server.URL + wfe.DirectoryPath, roots: roots, issues: issues}
}

// port returns where a listener listens.
func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// serve serves until the test ends.
func serve(t *testing.T, l net.Listener, h http.Handler) {
	t.Helper()
	server := &http.Server{Handler: h, ErrorLog: stdlog.New(io.Discard, "", 0), ReadHeaderTimeout: patience}
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() {
		_ = server.Close()
		done.Wait()
	})
}

// handshake returns the certificate that is offered under a name, or nil.
func handshake(l net.Listener, name string, roots *x509.CertPool) *x509.Certificate {
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{ServerName: name, RootCAs: roots})
	if err != nil {
		return nil
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

func TestCertificatesComeFromAnAuthority(t *testing.T) {
	for name, overHTTP := range map[string]bool{"TLS-ALPN-01": false, "HTTP-01": true} {
		t.Run(name, func(t *testing.T) {
			secure, plain := listen(t), listen(t)
			o := ACMEOptions{
				Domains: []string{"localhost"}, Email: "ops@example.com", Storage: t.TempDir(),
				Host: "127.0.0.1", TLSPort: port(secure),
			}
			nowhere := listen(t)
			tlsPort := port(secure)
			if overHTTP {
				o.HTTPPort = port(plain)
				tlsPort = port(nowhere) // where nothing answers
			}
			made := startAuthority(t, port(plain), tlsPort)
			o.Directory, o.Roots = made.directory, made.roots
			got := obtain(t, o, secure, plain, made)
			if got.DNSNames[0] != "localhost" {
				t.Errorf("certificate for %v", got.DNSNames)
			}
		})
	}
}

// obtain runs an ACME until it has its certificate, which it returns, and once
// more to see that it is kept.
func obtain(t *testing.T, o ACMEOptions, secure, plain net.Listener, made *authority) *x509.Certificate {
	t.Helper()
	var current struct {
		sync.Mutex
		*ACME
	}
	now := func() *ACME {
		current.Lock()
		defer current.Unlock()
		return current.ACME
	}
	serve(t, tls.NewListener(secure, &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return now().TLS(), nil }}), http.NotFoundHandler())
	serve(t, plain, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now().HTTPChallenge(http.NotFoundHandler()).ServeHTTP(w, r)
	}))
	run := func(log *logtest.Text) *x509.Certificate {
		a, err := NewACME(o, slog.New(slog.NewTextHandler(log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		current.Lock()
		current.ACME = a
		current.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		stopped := make(chan error, 1)
		go func() { stopped <- a.Watch(ctx) }()
		defer func() {
			cancel()
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		}()
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			if c := handshake(secure, o.Domains[0], made.issues); c != nil {
				return c
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				t.Fatalf("no certificate:\n%s", log)
			}
		}
	}
	var first, second logtest.Text
	got := run(&first)
	if !strings.Contains(first.String(), "certificate obtained") {
		t.Errorf("the log does not tell of it:\n%s", &first)
	}
	if again := run(&second); !again.Equal(got) || strings.Contains(second.String(), "asking") {
		t.Errorf("a restart asks anew:\n%s", &second)
	}
	return got
}

func TestFailureToGetACertificateIsToldAndEndsWithTheServer(t *testing.T) {
	refusing := httptest.NewServer(http.NotFoundHandler())
	defer refusing.Close()
	var log logtest.Text
	a, err := NewACME(ACMEOptions{
		Domains: []string{"localhost"}, Directory: refusing.URL, Storage: t.TempDir(), Host: "127.0.0.1", TLSPort: port(listen(t)),
	}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- a.Watch(ctx) }()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !strings.Contains(log.String(), "could not be had") {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("nothing is told:\n%s", &log)
		}
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestMistakesOfACMEAreNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    ACMEOptions
		want string
	}{
		{ACMEOptions{Domains: []string{"a.example"}, Storage: t.TempDir(), Roots: "/nowhere/roots.pem"}, "/nowhere/roots.pem"},
		{ACMEOptions{Domains: []string{"a.example"}, Storage: t.TempDir(), Roots: file}, file},
		{ACMEOptions{Domains: []string{"a.example"}, Storage: filepath.Join(file, "folder")}, file},
	} {
		if _, err := NewACME(c.o, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

func TestCertificatesAreKeptWhereSystemdSays(t *testing.T) {
	state, home := t.TempDir(), t.TempDir()
	t.Setenv("STATE_DIRECTORY", state)
	if got, err := storage(""); err != nil || got != filepath.Join(state, "acme") {
		t.Errorf("%s, %v", got, err)
	}
	t.Setenv("STATE_DIRECTORY", "")
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("HOME", home)
	if got, err := storage(""); err != nil || got != filepath.Join(home, ".local", "share", "framewire", "acme") {
		t.Errorf("%s, %v", got, err)
	}
}
