// Package door is what publishers meet before they are let in: a brake on guessing
// keys, and for those over HTTP the key read from their request, the origins whose
// pages may publish, and refusals as status codes.
package door

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/patience"
	"github.com/framewire/framewire/server/internal/publish"
)

const (
	// maxKey and maxClient bound what is taken from a request, in bytes.
	maxKey    = 4096 // a signed token with many claims
	maxClient = 256

	// retryBusy and retryLater are what is said in Retry-After.
	retryBusy  = 10 * time.Second
	retryLater = 30 * time.Second
)

// Key returns the stream key of a request: a bearer token, the password of basic
// authentication, or the parameter "key" of the query, in this order. It is empty
// when there is none, or one that no key can be.
func Key(r *http.Request) string {
	key := r.URL.Query().Get("key")
	if scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " "); found {
		switch {
		case strings.EqualFold(scheme, "Bearer"):
			key = strings.TrimSpace(token)
		case strings.EqualFold(scheme, "Basic"):
			_, key, _ = r.BasicAuth()
		}
	}
	if len(key) > maxKey {
		return ""
	}
	return key
}

// Client returns what the publisher calls itself.
func Client(r *http.Request) string {
	agent := r.UserAgent()
	return strings.ToValidUTF8(agent[:min(len(agent), maxClient)], "")
}

// Remote returns the address that the request came from.
func Remote(r *http.Request) netip.AddrPort {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err == nil {
		return netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		if ip, err := netip.ParseAddr(host); err == nil {
			return netip.AddrPortFrom(ip.Unmap(), 0)
		}
	}
	return netip.AddrPort{}
}

// Status returns the status code that says err, which is one of package publish.
// keyed says whether a key was given: a missing one is asked for, a wrong one
// refused.
func Status(err error, keyed bool) int {
	for _, known := range []struct {
		err    error
		status int
	}{
		{publish.ErrBadName, http.StatusBadRequest},
		{publish.ErrUnknownStream, http.StatusNotFound},
		{publish.ErrStreamBusy, http.StatusConflict},
		{publish.ErrTooManyPublishers, http.StatusTooManyRequests},
		{publish.ErrShutdown, http.StatusServiceUnavailable},
		{publish.ErrUnchecked, http.StatusServiceUnavailable},
		{publish.ErrTakenOver, http.StatusConflict},
		{publish.ErrRemoved, http.StatusGone},
		{publish.ErrExpired, http.StatusUnauthorized},
		{publish.ErrSilent, http.StatusRequestTimeout},
		{publish.ErrLimit, http.StatusRequestEntityTooLarge},
		{publish.ErrUnsupported, http.StatusUnsupportedMediaType},
		{publish.ErrMalformed, http.StatusBadRequest},
	} {
		if errors.Is(err, known.err) {
			return known.status
		}
	}
	switch {
	case errors.Is(err, publish.ErrBadKey) && keyed:
		return http.StatusForbidden
	case errors.Is(err, publish.ErrBadKey):
		return http.StatusUnauthorized
	default:
		return http.StatusInternalServerError
	}
}

// Refuse answers a request with the status for err and its text in plain words.
// An error that is none of package publish's is not shown.
func Refuse(w http.ResponseWriter, err error, keyed bool) {
	status := Status(err, keyed)
	text := err.Error()
	switch status {
	case http.StatusUnauthorized:
		w.Header().Add("WWW-Authenticate", `Bearer realm="publish"`)
		w.Header().Add("WWW-Authenticate", `Basic realm="publish"`)
	case http.StatusTooManyRequests:
		wait := retryBusy
		if often := (*gate.Refusal)(nil); errors.As(err, &often) {
			wait = often.Wait
		}
		w.Header().Set("Retry-After", patience.Seconds(wait))
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", patience.Seconds(retryLater))
	case http.StatusInternalServerError:
		text = "the server failed to open the stream"
	}
	http.Error(w, text, status)
}
