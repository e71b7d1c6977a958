package app

import (
	"net/http"

	"github.com/framewire/framewire/server/internal/config"
	"github.com/framewire/framewire/server/internal/proxy"
)

// useProxies makes the server believe the proxies that c, which is finished,
// names.
func (s *server) useProxies(c *config.Config) error {
	headers, err := proxy.ParseNetworks(c.TrustedProxies)
	if err != nil {
		return err
	}
	protocol, err := proxy.ParseNetworks(c.ProxyProtocol)
	if err != nil {
		return err
	}
	s.proxies.Set(headers, protocol)
	return nil
}

// hsts keeps browsers on HTTPS for a year (RFC 6797).
const hsts = "max-age=31536000"

// front is what every request passes first: it is given its client's address, and
// the answer to one over HTTPS tells the browser to stay there.
func (s *server) front(next http.Handler) http.Handler {
	return s.proxies.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if proxy.Secure(r) {
			w.Header().Set("Strict-Transport-Security", hsts)
		}
		next.ServeHTTP(w, r)
	}))
}
