package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds the chain of trusted proxies that is followed. Longer ones are
// loops.
const maxHops = 16

// errContradiction: one of the headers did not come from the proxy, and which one
// cannot be known.
var errContradiction = errors.New("the headers Forwarded and X-Forwarded-For tell different clients: the proxy in front of this server has to set one and remove the other")

// Handler serves next with the RemoteAddr and the scheme (see Secure) that
// trusted proxies tell. A request whose headers contradict each other is refused
// with 400: a client may have sent the one that its proxy does not know.
func (t *Trust) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		trusted := load(&t.headers)
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !trusted.Contain(peer.Addr()) {
			next.ServeHTTP(w, r)
			return
		}
		client, err := trusted.client(peer, r.Header)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ctx := r.Context()
		if secure(r.Header) {
			ctx = context.WithValue(ctx, secureKey{}, true)
		}
		r = r.WithContext(ctx) // a copy: the server's own stays as it is
		r.RemoteAddr = client.String()
		next.ServeHTTP(w, r)
	})
}

// client follows the chain from the peer, which is trusted, to the first address
// that is not.
func (n Networks) client(peer netip.AddrPort, h http.Header) (netip.AddrPort, error) {
	plain := n.follow(peer, split(h.Values("X-Forwarded-For")))
	if len(h.Values("Forwarded")) == 0 {
		return plain, nil
	}
	standard := n.follow(peer, forwardedFor(h.Values("Forwarded")))
	if len(h.Values("X-Forwarded-For")) > 0 && plain.Addr() != standard.Addr() {
		return netip.AddrPort{}, errContradiction
	}
	return standard, nil
}

// follow walks back along what proxies have added, each at the end. It stops at
// what is no address: who wrote that is the last one known.
func (n Networks) follow(peer netip.AddrPort, chain []string) netip.AddrPort {
	for range maxHops {
		if len(chain) == 0 || !n.Contain(peer.Addr()) {
			break
		}
		before, ok := parseNode(chain[len(chain)-1])
		if !ok {
			break
		}
		peer, chain = before, chain[:len(chain)-1]
	}
	return peer
}

// parseNode reads an address with or without a port: 192.0.2.1, 192.0.2.1:80,
// 2001:db8::1, [2001:db8::1], [2001:db8::1]:80.
func parseNode(s string) (netip.AddrPort, bool) {
	if node, err := netip.ParseAddrPort(s); err == nil {
		return plainNode(node.Addr(), node.Port())
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		s, ok = strings.CutSuffix(inner, "]")
		if !ok {
			return netip.AddrPort{}, false
		}
	}
	address, err := netip.ParseAddr(s)
	if err != nil {
		return netip.AddrPort{}, false
	}
	return plainNode(address, 0)
}

func plainNode(address netip.Addr, port uint16) (netip.AddrPort, bool) {
	if address.Zone() != "" { // of the proxy's interfaces, which mean nothing here
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(address.Unmap(), port), true
}

// split returns the elements of a header's lists, in order.
func split(values []string) []string {
	var elements []string
	for _, value := range values {
		for element := range strings.SplitSeq(value, ",") {
			elements = append(elements, strings.TrimSpace(element))
		}
	}
	return elements
}

// forwardedFor returns the nodes after "for=" in the elements of Forwarded (RFC
// 7239 4), in order. An element without one, or one that is malformed, counts as
// unknown.
func forwardedFor(values []string) []string {
	var nodes []string
	for _, element := range split(values) {
		nodes = append(nodes, parameter(element, "for"))
	}
	return nodes
}

// parameter returns the value of a parameter of an element of Forwarded, or "".
// No address and no scheme needs a character that would have to be escaped.
func parameter(element, name string) string {
	for pair := range strings.SplitSeq(element, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if !strings.EqualFold(strings.TrimSpace(key), name) {
			continue
		}
		value = strings.TrimSpace(value)
		if inner, ok := strings.CutPrefix(value, `"`); ok {
			if value, ok = strings.CutSuffix(inner, `"`); !ok {
				return ""
			}
		}
		return value
	}
	return ""
}

// secure reports whether the proxy next to the server was spoken to over HTTPS.
func secure(h http.Header) bool {
	if all := split(h.Values("X-Forwarded-Proto")); len(all) > 0 {
		return strings.EqualFold(all[len(all)-1], "https")
	}
	if all := split(h.Values("Forwarded")); len(all) > 0 {
		return strings.EqualFold(parameter(all[len(all)-1], "proto"), "https")
	}
	return false
}
