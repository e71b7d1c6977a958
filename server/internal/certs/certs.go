// Package certs holds a server's certificate, and takes a renewed one from its
// files without a restart.
package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// checkInterval is how often the files are looked at. Certificates are renewed
// weeks before they expire.
const checkInterval = 30 * time.Second

// warnBefore is how long before the end of a certificate the log begins to say
// so, once a day.
const warnBefore = 14 * 24 * time.Hour

// Files is a certificate and key in PEM form on disk. Its methods may be called
// from any goroutine.
type Files struct {
	certificate, key string
	log              *slog.Logger

	current atomic.Pointer[tls.Certificate]

	// Owned by Watch.
	seen   [2]stamp
	warned time.Time
}

// stamp tells a file that was written again.
type stamp struct {
	modified time.Time
	size     int64
}

// Load reads both files.
func Load(certificate, key string, log *slog.Logger) (*Files, error) {
	f := &Files{certificate: certificate, key: key, log: log}
	f.seen = f.look()
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Files) look() (seen [2]stamp) {
	for i, path := range []string{f.certificate, f.key} {
		if info, err := os.Stat(path); err == nil {
			seen[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return seen
}

func (f *Files) read() error {
	c, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		return fmt.Errorf("read the certificate %s with the key %s: %w", f.certificate, f.key, err)
	}
	if c.Leaf == nil {
		return errors.New("the certificate has no leaf")
	}
	f.current.Store(&c)
	return nil
}

// TLS returns a configuration that offers the newest certificate.
func (f *Files) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.current.Load(), nil },
	}
}

// Watch takes renewed files until ctx is done. Files that cannot be read, as
// while only one of them has been written, are tried again; the certificate that
// was read last serves until then.
func (f *Files) Watch(ctx context.Context) error {
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	for {
		f.warn(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			f.refresh()
		}
	}
}

func (f *Files) refresh() {
	seen := f.look()
	if seen == f.seen {
		return
	}
	if err := f.read(); err != nil {
		f.log.Warn("the renewed certificate cannot be read; the one before serves on", "error", err)
		return
	}
	f.seen = seen
	f.log.Info("certificate renewed", "names", f.current.Load().Leaf.DNSNames, "until", f.current.Load().Leaf.NotAfter)
}

func (f *Files) warn(now time.Time) {
	left := f.current.Load().Leaf.NotAfter.Sub(now)
	if left > warnBefore || now.Sub(f.warned) < 24*time.Hour {
		return
	}
	f.warned = now
	f.log.Warn("the certificate expires soon", "file", f.certificate, "left", left.Round(time.Hour))
}
