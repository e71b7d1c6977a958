// Package origin decides which web pages may use the server besides its own.
//
// Browsers say in the header Origin what page sends a request (RFC 6454). Patterns
// are those of path.Match: they stand for a host, with its port where it has one,
// or with "://" in them for a scheme and a host.
package origin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
)

// ErrRefused is wrapped by the refusal of a page of another origin.
var ErrRefused = errors.New("pages of this origin may not play")

// Error says whose page was refused. It wraps ErrRefused.
type Error struct {
	Origin string
	// First tells that this origin was not refused before: what is told of each try
	// is for counting, and this for people. Not all origins are remembered; of those
	// that are not it is false.
	First bool
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%v: %q", ErrRefused, e.Origin) }

// Unwrap returns ErrRefused.
func (e *Error) Unwrap() error { return ErrRefused }

const (
	// maxRefused bounds the origins that are told apart as refused: more than
	// that are made up.
	maxRefused = 256
	// maxOrigin is how much of a refused origin is remembered and shown: a scheme,
	// a host name (at most 253 bytes) and a port.
	maxOrigin = 300
)

// List holds the patterns. Set has to be called first; the methods may be called
// from any goroutine.
type List struct {
	patterns  atomic.Pointer[[]string]
	ancestors atomic.Pointer[string] // sources of Content-Security-Policy

	mu      sync.Mutex
	refused map[string]struct{}
}

// Set replaces the patterns of origins, and those of pages that may frame the player:
// nil for the same ones, but for those that cannot be said (see FrameSource).
func (o *List) Set(patterns, ancestors []string) {
	if ancestors == nil {
		ancestors = patterns
	}
	list := "'self'"
	for _, pattern := range ancestors {
		if FrameSource(pattern) {
			list += " " + pattern
		}
	}
	o.patterns.Store(&patterns)
	o.ancestors.Store(&list)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused = make(map[string]struct{})
}

// FrameSource reports whether a pattern of origins can be said in a
// Content-Security-Policy: "*", a host or one with "*." before it, each with a
// scheme before and a port behind it, or neither.
func FrameSource(pattern string) bool {
	if pattern == "*" {
		return true
	}
	scheme, rest, found := strings.Cut(pattern, "://")
	if !found {
		scheme, rest = "", pattern
	}
	host, port, found := strings.Cut(strings.TrimPrefix(rest, "*."), ":")
	return every(scheme, "abcdefghijklmnopqrstuvwxyz") && host != "" && every(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789-.") &&
		(!found || port == "*" || port != "" && every(port, "0123456789"))
}

// every reports whether s has no other characters.
func every(s, of string) bool { return strings.Trim(s, of) == "" }

// Ancestors returns the sources of Content-Security-Policy that may frame the
// player.
func (o *List) Ancestors() string { return *o.ancestors.Load() }

// Allow reports whether the page that sends a request may: it is of the server's
// own host, or matches a pattern. What is no page sends no origin.
func (o *List) Allow(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
		return true
	}
	for _, pattern := range *o.patterns.Load() {
		if pattern == "*" {
			return true
		}
		if err != nil || u.Host == "" { // "null", as of a sandboxed frame
			continue
		}
		target := u.Host
		if strings.Contains(pattern, "://") {
			target = u.Scheme + "://" + u.Host
		}
		if ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(target)); err == nil && ok {
			return true
		}
	}
	return false
}

// Refuse returns the refusal of a request that Allow has not let through.
func (o *List) Refuse(r *http.Request) *Error {
	e := &Error{Origin: r.Header.Get("Origin")}
	if len(e.Origin) > maxOrigin {
		e.Origin = strings.ToValidUTF8(e.Origin[:maxOrigin], "") + "..."
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.refused[e.Origin]; !known && len(o.refused) < maxRefused {
		o.refused[e.Origin] = struct{}{}
		e.First = true
	}
	return e
}
