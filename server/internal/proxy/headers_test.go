package proxy

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func networks(t testing.TB, list ...string) Networks {
	t.Helper()
	n, err := ParseNetworks(list)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// headerCases tell who a client is by what its request says. The proxies are
// 127.0.0.1 and 10.0.0.0/8.
var headerCases = []struct {
	name                  string
	peer                  string
	xff, forwarded, proto string
	want                  string
	secure, refused       bool
}{
	{name: "no proxy", peer: "203.0.113.9:4000", want: "203.0.113.9:4000"},
	{name: "spoof without proxy", peer: "203.0.113.9:4000", xff: "127.0.0.1", forwarded: "for=127.0.0.1;proto=https", proto: "https", want: "203.0.113.9:4000"},
	{name: "proxy that tells nothing", peer: "127.0.0.1:4000", want: "127.0.0.1:4000"},
	{name: "one proxy", peer: "127.0.0.1:4000", xff: "198.51.100.7", proto: "https", want: "198.51.100.7:0", secure: true},
	{name: "client makes up a chain", peer: "127.0.0.1:4000", xff: "192.0.2.66, 198.51.100.7", want: "198.51.100.7:0"},
	{name: "client makes up proxies", peer: "127.0.0.1:4000", xff: "192.0.2.66, 10.0.0.1, 198.51.100.7", want: "198.51.100.7:0"},
	{name: "two proxies", peer: "127.0.0.1:4000", xff: "192.0.2.66, 198.51.100.7, 10.1.2.3", want: "198.51.100.7:0"},
	{name: "port", peer: "10.9.9.9:4000", xff: "198.51.100.7:5555", want: "198.51.100.7:5555"},
	{name: "IPv6", peer: "10.9.9.9:4000", xff: "2001:db8::7", want: "[2001:db8::7]:0"},
	{name: "IPv6 with port", peer: "[::ffff:10.9.9.9]:4000", xff: "[2001:db8::7]:81", want: "[2001:db8::7]:81"},
	{name: "IPv4 in IPv6", peer: "10.9.9.9:4000", xff: "::ffff:198.51.100.7", want: "198.51.100.7:0"},
	{name: "no address", peer: "127.0.0.1:4000", xff: "198.51.100.7, unknown", want: "127.0.0.1:4000"},
	{name: "rubbish", peer: "127.0.0.1:4000", xff: "[", want: "127.0.0.1:4000"},
	{name: "zone", peer: "127.0.0.1:4000", xff: "fe80::1%eth0", want: "127.0.0.1:4000"},
	{name: "proxies all the way", peer: "127.0.0.1:4000", xff: "10.0.0.3, 10.0.0.2", want: "10.0.0.3:0"},
	{name: "loop", peer: "127.0.0.1:4000", xff: strings.Repeat("10.0.0.1, ", 1000) + "10.0.0.2", want: "10.0.0.1:0"},
	{name: "Forwarded", peer: "127.0.0.1:4000", forwarded: `for=192.0.2.66, For="[2001:db8::7]:80";by=10.0.0.1;Proto=https`, want: "[2001:db8::7]:80", secure: true},
	{name: "Forwarded hidden", peer: "127.0.0.1:4000", forwarded: `for=198.51.100.7, for=_hidden`, want: "127.0.0.1:4000"},
	{name: "Forwarded torn", peer: "127.0.0.1:4000", forwarded: `for="198.51.100.7`, want: "127.0.0.1:4000"},
	{name: "both agree", peer: "127.0.0.1:4000", xff: "198.51.100.7", forwarded: "for=198.51.100.7:99", want: "198.51.100.7:99"},
	{name: "client sends the other header", peer: "127.0.0.1:4000", xff: "198.51.100.7", forwarded: "for=192.0.2.66", refused: true},
	{name: "client sends the other header, empty", peer: "127.0.0.1:4000", xff: "198.51.100.7", forwarded: "for=unknown", refused: true},
	{name: "scheme of another proxy", peer: "127.0.0.1:4000", xff: "198.51.100.7", proto: "https, http", want: "198.51.100.7:0"},
}

func TestClientIsWhoATrustedProxySays(t *testing.T) {
	var trust Trust
	trust.Set(networks(t, "127.0.0.1", "10.0.0.0/8"), nil)
	for _, c := range headerCases {
		t.Run(c.name, func(t *testing.T) {
			var got *http.Request
			h := trust.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r }))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.RemoteAddr = c.peer
			for name, value := range map[string]string{"X-Forwarded-For": c.xff, "Forwarded": c.forwarded, "X-Forwarded-Proto": c.proto} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if c.refused {
				if got != nil || w.Code != http.StatusBadRequest {
					t.Fatalf("answered with %d", w.Code)
				}
				return
			}
			if got.RemoteAddr != c.want || Secure(got) != c.secure {
				t.Errorf("client %s, secure %v; want %s, %v", got.RemoteAddr, Secure(got), c.want, c.secure)
			}
			if r.RemoteAddr != c.peer {
				t.Error("the server's own request was changed")
			}
		})
	}
}

func TestNobodyIsTrustedAtFirst(t *testing.T) {
	var trust Trust
	h := trust.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.RemoteAddr != "127.0.0.1:1" {
			t.Errorf("client %s", r.RemoteAddr)
		}
	}))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("X-Forwarded-For", "192.0.2.1")
	h.ServeHTTP(httptest.NewRecorder(), r)
}

func TestNetworksAreRead(t *testing.T) {
	n := networks(t, "10.1.2.3/8", "2001:db8::/32", "::1", "::ffff:192.0.2.1")
	for address, want := range map[string]bool{
		"10.255.0.1": true, "::ffff:10.0.0.1": true, "11.0.0.1": false, "2001:db8:1::": true, "::1": true, "::2": false, "192.0.2.1": true,
	} {
		if got := n.Contain(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	for _, bad := range []string{"", "localhost", "10.0.0.0/33", "10.0.0.1:80", "fe80::1%eth0", "*"} {
		if _, err := ParseNetworks([]string{bad}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	for _, c := range headerCases {
		f.Add(c.xff, c.forwarded, c.proto)
	}
	peer := netip.MustParseAddrPort("127.0.0.1:4000")
	trusted := networks(f, "127.0.0.1", "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, xff, forwarded, proto string) {
		h := http.Header{"X-Forwarded-For": {xff}, "Forwarded": {forwarded}, "X-Forwarded-Proto": {proto}}
		secure(h)
		client, err := trusted.client(peer, h)
		if err != nil {
			return
		}
		// What comes out is always read back by those who limit by it.
		if again, err := netip.ParseAddrPort(client.String()); err != nil || again != client {
			t.Errorf("%q becomes %v, %v", client, again, err)
		}
	})
}
