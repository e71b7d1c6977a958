package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// certificate writes a certificate of that name and its key, and returns the
// configuration that names them.
func certificate(t *testing.T, name string) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(60 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	files := map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: key}}
	for file, block := range files {
		if err := os.WriteFile(filepath.Join(folder, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return namesFiles(folder)
}

// namesFiles is the configuration that names the files of a folder.
func namesFiles(folder string) string {
	return fmt.Sprintf("tls: {cert: %q, key: %q}\n", filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"))
}

// certified is the name that the server shows.
func (s *server) certified() string {
	s.t.Helper()
	c, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true}) // it is looked at, not trusted
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].DNSNames[0]
}

func TestAnotherCertificateTakesNoRestart(t *testing.T) {
	s := start(t, certificate(t, "one.example"))
	if got := s.certified(); got != "one.example" {
		t.Fatalf("the server shows %s", got)
	}
	reads := 0
	reload := func(yaml, says string) {
		t.Helper()
		s.write(yaml)
		reads++
		s.wait("it was read", func() bool { return s.log.Count("was read again")+s.log.Count("is refused;") == reads })
		if says != "" && s.log.Count(says) == 0 {
			t.Errorf("the log does not say %q", says)
		}
	}
	two := certificate(t, "two.example")
	reload(two, "certificate exchanged")
	if got := s.certified(); got != "two.example" {
		t.Errorf("after the change it shows %s", got)
	}
	if s.log.Count("restart to change") != 0 {
		t.Error("a restart is asked for")
	}
	reload("tls: {cert: /none/cert.pem, key: /none/key.pem}\n", "/none/cert.pem")
	if got := s.certified(); got != "two.example" {
		t.Errorf("after a mistake it shows %s", got)
	}
	reload(two, "")
	reload("streams: {demo: {source: 'demo:'}}\n", "restart to change")
	if got := s.certified(); got != "two.example" {
		t.Errorf("without certificate in the configuration, and before a restart, it shows %s", got)
	}
}

func TestCertificateMayComeAfterTheConfigurationThatNamesIt(t *testing.T) {
	s := start(t, certificate(t, "one.example"))
	folder := filepath.Join(t.TempDir(), "not", "there", "yet")
	s.write(namesFiles(folder))
	s.wait("it is refused", func() bool { return s.log.Count("is refused;") > 0 })
	if err := os.MkdirAll(filepath.Dir(folder), 0o700); err != nil {
		t.Fatal(err)
	}
	// Files that are moved in whole, key and all, as by those who renew them.
	ready := strings.Split(certificate(t, "two.example"), `"`)[1]
	if err := os.Rename(filepath.Dir(ready), folder); err != nil {
		t.Fatal(err)
	}
	s.wait("the certificate is taken", func() bool { return s.certified() == "two.example" })
	// And one that is renewed in place.
	for _, file := range []string{"cert.pem", "key.pem"} {
		from := strings.Split(certificate(t, "three.example"), `"`)[1]
		if file == "cert.pem" {
			ready = from
		}
		if err := os.Rename(filepath.Join(filepath.Dir(ready), file), filepath.Join(folder, file)); err != nil {
			t.Fatal(err)
		}
	}
	s.wait("the renewed one is taken", func() bool { return s.certified() == "three.example" })
}

func TestPagesOverTLS(t *testing.T) {
	s := start(t, strings.Replace(certificate(t, "localhost"), "tls: {", "tls: {redirect: '127.0.0.1:0', ", 1))
	found := regexp.MustCompile(`redirects listening" addr=(\S+)`).FindStringSubmatch(s.log.String())
	if found == nil {
		t.Fatal("nobody listens for redirects")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	once := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(url string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(s.ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := once.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response
	}
	_, port, _ := net.SplitHostPort(s.addr)
	r := ask("http://" + found[1] + "/watch/a?x=y")
	if want := "https://127.0.0.1:" + port + "/watch/a?x=y"; r.StatusCode != http.StatusMovedPermanently || r.Header.Get("Location") != want {
		t.Errorf("%s to %s, want %s", r.Status, r.Header.Get("Location"), want)
	}
	r = ask("https://" + s.addr + "/healthz")
	if r.ProtoMajor != 2 || r.StatusCode != http.StatusOK || r.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s over HTTP/%d, %v", r.Status, r.ProtoMajor, r.Header)
	}
}
