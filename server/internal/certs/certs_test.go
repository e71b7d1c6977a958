package certs

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// What the ACME libraries leave running: a limiter for each authority, for as long
// as the program runs; the watch over a lock, for five seconds after it was let go;
// and the test's own authority.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).loop"),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"),
		goleak.IgnoreAnyFunction("github.com/letsencrypt/pebble/v2/va.VAImpl.processTasks"),
	)
}

// write makes a certificate for name and writes it with its key.
func write(t *testing.T, folder, name string, until time.Time) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: until.Add(-24 * time.Hour * 90), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for path, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: der},
		key:         {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

func nameOf(t *testing.T, f *Files) string {
	t.Helper()
	c, err := f.TLS().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.DNSNames[0]
}

func TestRenewedCertificateIsTakenAndABadOneIsNot(t *testing.T) {
	folder := t.TempDir()
	certificate, key := write(t, folder, "one.example", time.Now().Add(90*24*time.Hour))
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f, err := Load(certificate, key, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- f.Watch(ctx) }()

		if err := os.WriteFile(certificate, []byte("half written"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkInterval + time.Second)
		if got := nameOf(t, f); got != "one.example" {
			t.Errorf("serving %s while the renewed file is broken", got)
		}
		write(t, folder, "two.example.org", time.Now().Add(365*100*24*time.Hour))
		time.Sleep(checkInterval)
		if got := nameOf(t, f); got != "two.example.org" {
			t.Errorf("serving %s after the renewal", got)
		}
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		for _, want := range []string{"cannot be read", "certificate renewed"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, &log)
			}
		}
	})
}

func TestExpiryIsToldOnceADay(t *testing.T) {
	folder := t.TempDir()
	now := time.Now()
	certificate, key := write(t, folder, "one.example", now.Add(10*24*time.Hour))
	var log bytes.Buffer
	f, err := Load(certificate, key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for range 49 {
		f.warn(now)
		now = now.Add(time.Hour)
	}
	if n := strings.Count(log.String(), "expires soon"); n != 3 {
		t.Errorf("told %d times in two days", n)
	}
}

func TestMissingFilesAreNamed(t *testing.T) {
	_, err := Load("/nowhere/cert.pem", "/nowhere/key.pem", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "/nowhere/cert.pem") {
		t.Error(err)
	}
}
