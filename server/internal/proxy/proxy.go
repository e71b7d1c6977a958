// Package proxy finds out who a client is that comes through reverse proxies.
//
// A proxy can tell it in two ways, and is believed in each only where its own
// address is configured for that:
//
//	PROXY protocol: before the first byte of a connection   Trust.Listen
//	HTTP headers:   in each request                         Trust.Handler
//
// Behind them a connection's RemoteAddr and a request's RemoteAddr are the
// client's, so that whatever limits, logs or checks addresses need not know of
// proxies. What an address that is not trusted says of others is ignored.
package proxy

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
)

// Networks are sets of addresses.
type Networks []netip.Prefix

// ParseNetworks reads IP addresses and networks, such as "127.0.0.1", "::1" and
// "10.0.0.0/8".
func ParseNetworks(list []string) (Networks, error) {
	networks := make(Networks, 0, len(list))
	for _, s := range list {
		if network, err := netip.ParsePrefix(s); err == nil {
			networks = append(networks, network.Masked())
			continue
		}
		address, err := netip.ParseAddr(s)
		if err != nil || address.Zone() != "" {
			return nil, fmt.Errorf("%q is neither an IP address nor a network such as 10.0.0.0/8", s)
		}
		address = address.Unmap()
		networks = append(networks, netip.PrefixFrom(address, address.BitLen()))
	}
	return networks, nil
}

// Contain reports whether one of the networks has the address.
func (n Networks) Contain(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(address) })
}

// Trust says which proxies are believed. Its zero value believes none. Its
// methods may be called from any goroutine.
type Trust struct {
	headers, protocol atomic.Pointer[Networks]
}

// Set replaces the addresses whose headers are believed, and those whose
// connections have to begin with a header of the PROXY protocol. It holds for
// what comes from then on.
func (t *Trust) Set(headers, protocol Networks) {
	t.headers.Store(&headers)
	t.protocol.Store(&protocol)
}

// Trusts reports whether the address is one of a proxy that is believed, in either
// way.
func (t *Trust) Trusts(address netip.Addr) bool {
	return load(&t.headers).Contain(address) || load(&t.protocol).Contain(address)
}

func load(p *atomic.Pointer[Networks]) Networks {
	if n := p.Load(); n != nil {
		return *n
	}
	return nil
}

type secureKey struct{}

// Secure reports whether the client sent the request over HTTPS: to this server,
// or to a trusted proxy that says so. r is one behind Trust.Handler.
func Secure(r *http.Request) bool {
	secure, _ := r.Context().Value(secureKey{}).(bool)
	return secure || r.TLS != nil
}
