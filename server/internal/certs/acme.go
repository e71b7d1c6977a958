package certs

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// ACMEOptions say what certificates are wanted, and from whom. Domains is
// required.
type ACMEOptions struct {
	Domains []string
	// Email is where the authority writes to. Empty: it does not.
	Email string
	// Directory is the authority's URL. Default: Let's Encrypt.
	Directory string
	// Roots is a file of certificates in PEM form by which the authority's own
	// server is known. Empty: those of the system.
	Roots string
	// Storage is the folder for certificates, keys and the account. Default: see
	// storage.
	Storage string

	// Host and TLSPort are what HTTPS listens on, and HTTPPort the port of the
	// listener that HTTPChallenge is behind: 0 for none.
	Host              string
	TLSPort, HTTPPort int
}

// ACME is certificates from an authority that speaks ACME (RFC 8555). They are
// got while Watch runs, and renewed in time. The authority looks for answers to its
// challenges at ports 443 (RFC 8737) and 80 (RFC 8555 8.3) of the domains. Its
// methods may be called from any goroutine.
type ACME struct {
	domains []string
	cache   *certmagic.Cache
	config  *certmagic.Config
	issuer  *certmagic.ACMEIssuer
	log     *slog.Logger
}

// NewACME prepares to get certificates, and asks nobody for them yet. After Watch
// has returned it is of no use any more.
func NewACME(o ACMEOptions, log *slog.Logger) (*ACME, error) {
	folder, err := storage(o.Storage)
	if err != nil {
		return nil, err
	}
	var roots *x509.CertPool
	if o.Roots != "" {
		if roots, err = readRoots(o.Roots); err != nil {
			return nil, err
		}
	}
	a := &ACME{domains: o.Domains, log: log}
	quiet := zap.NewNop() // what matters comes as events
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return a.config, nil },
		Logger:           quiet,
	})
	a.config = certmagic.New(a.cache, certmagic.Config{
		Storage:           &certmagic.FileStorage{Path: folder},
		DefaultServerName: o.Domains[0], // for clients that name none
		OnEvent:           a.event,
		Logger:            quiet,
	})
	a.issuer = certmagic.NewACMEIssuer(a.config, certmagic.ACMEIssuer{
		CA:                   cmp.Or(o.Directory, certmagic.LetsEncryptProductionCA),
		Email:                o.Email,
		Agreed:               true, // by configuring it
		TrustedRoots:         roots,
		ListenHost:           o.Host,
		AltTLSALPNPort:       o.TLSPort,
		AltHTTPPort:          o.HTTPPort,
		DisableHTTPChallenge: o.HTTPPort == 0,
		Logger:               quiet,
	})
	a.config.Issuers = []certmagic.Issuer{a.issuer}
	return a, nil
}

// storage makes the folder where certificates are kept. By default it is "acme" in
// the folder that systemd gives the service, or in the user's own for data.
func storage(folder string) (string, error) {
	if folder == "" {
		base := os.Getenv("STATE_DIRECTORY")
		if base == "" {
			data := os.Getenv("XDG_DATA_HOME")
			if home, err := os.UserHomeDir(); data == "" && err == nil {
				data = filepath.Join(home, ".local", "share")
			}
			if data == "" {
				return "", errors.New("there is no folder to keep certificates in: set tls.acme.storage")
			}
			base = filepath.Join(data, "framewire")
		}
		folder = filepath.Join(base, "acme")
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make the folder for certificates: %w", err)
	}
	return folder, nil
}

func readRoots(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the authority's roots: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("read the authority's roots: %s holds no certificate in PEM form", path)
	}
	return roots, nil
}

// TLS returns a configuration that offers the newest certificates, and answers
// challenges.
func (a *ACME) TLS() *tls.Config {
	c := a.config.TLSConfig()
	c.MinVersion = tls.VersionTLS12
	return c
}

// HTTPChallenge answers challenges over plain HTTP, and passes other requests on.
func (a *ACME) HTTPChallenge(next http.Handler) http.Handler {
	return a.issuer.HTTPChallengeHandler(next)
}

// Watch gets certificates and renews them until ctx is done. The library tries
// again, ever less often, what fails; its goroutines end with ctx and cannot be
// waited for.
func (a *ACME) Watch(ctx context.Context) error {
	defer a.cache.Stop()
	if err := a.config.ManageAsync(ctx, a.domains); err != nil {
		return fmt.Errorf("get certificates: %w", err)
	}
	<-ctx.Done()
	return nil
}

// Close lets go of what Watch did not get to use.
func (a *ACME) Close() { a.cache.Stop() }

// event logs what becomes of certificates.
func (a *ACME) event(_ context.Context, name string, data map[string]any) error {
	switch name {
	case "cert_obtaining":
		a.log.Info("asking for a certificate", "name", data["identifier"], "renewal", data["renewal"] == true)
	case "cert_obtained":
		a.log.Info("certificate obtained", "name", data["identifier"], "renewal", data["renewal"] == true)
	case "cert_failed":
		a.log.Error("a certificate could not be had; it is tried again", "name", data["identifier"], "error", data["error"])
	case "cert_ocsp_revoked":
		a.log.Warn("certificate revoked", "names", data["subjects"])
	}
	return nil
}
