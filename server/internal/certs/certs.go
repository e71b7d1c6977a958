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
	"sync"
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
	log *slog.Logger

	current atomic.Pointer[tls.Certificate]

	mu     sync.Mutex
	paths  [2]string // of certificate and key; guarded by mu
	seen   [2]stamp  // as they were read; guarded by mu
	warned time.Time // guarded by mu
}

// stamp tells a file that was written again.
type stamp struct {
	modified time.Time
	size     int64
}

// Load reads both files.
func Load(certificate, key string, log *slog.Logger) (*Files, error) {
	f := &Files{paths: [2]string{certificate, key}, log: log}
	f.seen = look(f.paths)
	c, err := read(f.paths)
	if err != nil {
		return nil, err
	}
	f.current.Store(c)
	return f, nil
}

// Adopt takes the certificate and the files of another, which is not to be used any
// more. Connections that are open keep the one that they have.
func (f *Files) Adopt(o *Files) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paths, f.seen, f.warned = o.paths, o.seen, time.Time{}
	f.current.Store(o.current.Load())
	f.log.Info("certificate exchanged", "file", f.paths[0], "names", f.current.Load().Leaf.DNSNames, "until", f.current.Load().Leaf.NotAfter)
}

func look(paths [2]string) (seen [2]stamp) {
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil {
			seen[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return seen
}

func read(paths [2]string) (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(paths[0], paths[1])
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s with the key %s: %w", paths[0], paths[1], err)
	}
	if c.Leaf == nil {
		return nil, errors.New("the certificate has no leaf")
	}
	return &c, nil
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
			f.Refresh()
		}
	}
}

// Refresh looks at the files now, as Watch does now and then.
func (f *Files) Refresh() {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := look(f.paths)
	if seen == f.seen {
		return
	}
	c, err := read(f.paths)
	if err != nil {
		f.log.Warn("the renewed certificate cannot be read; the one before serves on", "error", err)
		return
	}
	f.seen = seen
	f.current.Store(c)
	f.log.Info("certificate renewed", "names", c.Leaf.DNSNames, "until", c.Leaf.NotAfter)
}

func (f *Files) warn(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := f.current.Load().Leaf.NotAfter.Sub(now)
	if left > warnBefore || now.Sub(f.warned) < 24*time.Hour {
		return
	}
	f.warned = now
	f.log.Warn("the certificate expires soon", "file", f.paths[0], "left", left.Round(time.Hour))
}
