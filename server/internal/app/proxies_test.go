package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/golang-jwt/jwt/v5"
	"github.com/pires/go-proxyproto"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/auth"
)

// via is a request as a proxy passes it on for a client.
func via(address string) client.Options {
	return client.Options{Header: http.Header{"X-Forwarded-For": {"192.0.2.66, " + address}, "X-Forwarded-Proto": {"https"}}}
}

// remotes lists where sessions come from, as the console shows it.
func (s *server) remotes() []string {
	s.t.Helper()
	list, err := s.admin().ListSessions(s.ctx, connect.NewRequest(&framewirev1.ListSessionsRequest{}))
	if err != nil {
		s.t.Fatal(err)
	}
	var all []string
	for _, v := range list.Msg.GetSessions() {
		all = append(all, v.GetRemote())
	}
	return all
}

func TestClientsBehindATrustedProxyAreToldApart(t *testing.T) {
	s := start(t, "streams: {cam: {source: 'demo:'}}\nlimits: {viewers_per_address: 1}\ntrusted_proxies: [127.0.0.1]\n")
	s.fragment(s.must(via("198.51.100.7"), "?stream=cam"))
	s.fragment(s.must(via("2001:db8::9"), "?stream=cam"))
	if got := fmt.Sprint(s.remotes()); got != "[198.51.100.7:0 [2001:db8::9]:0]" {
		t.Errorf("sessions from %s", got)
	}
	if _, err := s.dial(via("198.51.100.7"), "?stream=cam"); goodbye(err) != framewirev1.GoodbyeReason_GOODBYE_REASON_OVERLOADED {
		t.Errorf("a second session of an address: %v", err)
	}

	// Publishers over HTTP are known by it too.
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPut, s.url+"/publish/..", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = "/publish/bad%20name"
	r.Header.Set("X-Forwarded-For", "198.51.100.8")
	if response, err := s.http.Do(r); err == nil {
		_ = response.Body.Close()
	}
	watch, err := s.admin().WatchEvents(s.ctx, connect.NewRequest(&framewirev1.WatchEventsRequest{Recent: 100}))
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	for watch.Receive() {
		if e := watch.Msg().GetEvent().GetRefused(); e.GetWhat() == "publish" {
			if !strings.HasPrefix(e.GetRemote(), "198.51.100.8:") {
				t.Errorf("the publisher came from %s", e.GetRemote())
			}
			break
		}
	}
	if err := watch.Err(); err != nil {
		t.Error(err)
	}

	// The operator's service does not open to who comes through the proxy.
	for _, address := range []string{"198.51.100.7", "127.0.0.1"} {
		if status, _ := s.get("/metrics", "X-Forwarded-For", address); status != http.StatusForbidden {
			t.Errorf("metrics for %s through the proxy: %d", address, status)
		}
	}
}

func TestAddressesThatAreNotTrustedCannotSpeakForOthers(t *testing.T) {
	s := start(t, "streams: {cam: {source: 'demo:'}}\nlimits: {viewers_per_address: 1}\ntrusted_proxies: [192.0.2.0/24]\n")
	s.fragment(s.must(via("198.51.100.7"), "?stream=cam"))
	if got := s.remotes(); len(got) != 1 || !strings.HasPrefix(got[0], "127.0.0.1:") {
		t.Errorf("sessions from %s", got)
	}
	if _, err := s.dial(via("198.51.100.8"), "?stream=cam"); goodbye(err) != framewirev1.GoodbyeReason_GOODBYE_REASON_OVERLOADED {
		t.Errorf("a second session with another header: %v", err)
	}

	s.write("streams: {cam: {source: 'demo:'}}\nlimits: {viewers_per_address: 1}\ntrusted_proxies: [127.0.0.1]\n")
	s.wait("it was read", func() bool { return strings.Contains(s.log.String(), "configuration was read again") })
	s.fragment(s.must(via("198.51.100.8"), "?stream=cam"))
}

func TestTokensAreBoundToTheClientBehindTheProxy(t *testing.T) {
	s := start(t, fmt.Sprintf("streams: {cam: {source: 'demo:'}}\nauth: {secret_file: %q}\ntrusted_proxies: ['127.0.0.1/32']\n", secretFile(t)))
	bound, err := auth.Sign(auth.Claims{
		RegisteredClaims: jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))},
		Address:          "198.51.100.0/24",
	}, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{"198.51.100.7": true, "203.0.113.1": false} {
		o := via(address)
		o.Token = bound
		v, err := s.dial(o, "?stream=cam")
		if want {
			if err != nil {
				t.Fatal(err)
			}
			s.fragment(v)
		} else if goodbye(err) != framewirev1.GoodbyeReason_GOODBYE_REASON_UNAUTHORIZED {
			t.Errorf("from %s: %v", address, err)
		}
		status, _ := s.get("/files/cam?token="+bound, "X-Forwarded-For", address)
		if status != map[bool]int{true: http.StatusNotFound, false: http.StatusForbidden}[want] {
			t.Errorf("over HTTP from %s: %d", address, status)
		}
	}
	if strings.Contains(s.log.String(), bound) {
		t.Error("the token is in the log")
	}
}

// relayed dials as a proxy does for a client.
func relayed(ctx context.Context, target, from string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, err
	}
	h := proxyproto.HeaderProxyFromAddrs(2, &net.TCPAddr{IP: net.ParseIP(from), Port: 5000}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443})
	if from == "" {
		h = &proxyproto.Header{Version: 2, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}
	}
	if _, err := h.WriteTo(c); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func TestProxyProtocolNamesClientsOfHTTPAndRTMP(t *testing.T) {
	s := start(t, "streams: {cam: {source: 'demo:'}}\nproxy_protocol: [127.0.0.1]\npublish: {rtmp: '127.0.0.1:0'}\n")
	s.http.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, target string) (net.Conn, error) { return relayed(ctx, target, "") }
	transport := &http.Transport{DialContext: func(ctx context.Context, _, target string) (net.Conn, error) {
		return relayed(ctx, target, "198.51.100.7")
	}}
	t.Cleanup(transport.CloseIdleConnections)
	s.fragment(s.must(client.Options{HTTPClient: &http.Client{Transport: transport}}, "?stream=cam"))
	if got := fmt.Sprint(s.remotes()); got != "[198.51.100.7:5000]" {
		t.Errorf("sessions from %s", got)
	}
	if _, err := s.dial(client.Options{}, ""); err == nil {
		t.Error("a connection without header is served")
	}

	found := regexp.MustCompile(`rtmp listening" addr=(\S+)`).FindStringSubmatch(s.log.String())
	if found == nil {
		t.Fatal("no RTMP")
	}
	c, err := relayed(s.ctx, found[1], "198.51.100.9")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Log(err) // a reset does as well
	}
	s.wait("the log names the publisher", func() bool { return strings.Contains(s.log.String(), "remote=198.51.100.9:5000") })
}

func TestBrowsersAreToldToStayWithHTTPSThatAProxyTook(t *testing.T) {
	s := start(t, "streams: {cam: {source: 'demo:'}}\ntrusted_proxies: [127.0.0.1]\n")
	for proto, want := range map[string]bool{"https": true, "http": false, "": false} {
		r, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.url+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if proto != "" {
			r.Header.Set("X-Forwarded-Proto", proto)
		}
		response, err := s.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := response.Header.Get("Strict-Transport-Security") != ""; got != want {
			t.Errorf("%q: told so: %v", proto, got)
		}
	}
}
