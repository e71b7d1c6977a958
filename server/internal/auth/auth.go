// Package auth decides who may do what: watch, publish, control, administer.
//
//	token --Verifier--> Grant --Allows(action, stream)--> yes or no
//
// A token is a JWT (RFC 7519) with the claims of Claims, or anything that the
// operator's own HTTP callback knows. A Grant is what was read from it; the
// session, publisher or console holds it for as long as it lives, and ends with
// it when it expires.
package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// Action is something that a grant may allow.
type Action string

// The actions.
const (
	// Watch: play a stream, over any protocol.
	Watch Action = "watch"
	// Publish: feed a stream.
	Publish Action = "publish"
	// Control: send directives to viewers, ask for keyframes, end publishers.
	Control Action = "control"
	// Admin: everything that the console shows and does.
	Admin Action = "admin"
)

// Actions lists all actions.
var Actions = []Action{Watch, Publish, Control, Admin}

var (
	// ErrNoToken: a token is needed and none was given.
	ErrNoToken = errors.New("a token is needed")
	// ErrBadToken: the token is malformed, signed by somebody else, or for
	// somebody else.
	ErrBadToken = errors.New("the token is not valid")
	// ErrExpired: the token was valid once.
	ErrExpired = errors.New("the token has expired")
	// ErrForbidden: the token is valid, and does not allow this.
	ErrForbidden = errors.New("the token does not allow this")
	// ErrUnavailable: it could not be decided, because the callback or the key
	// server did not answer. Trying later may help.
	ErrUnavailable = errors.New("tokens cannot be checked now")
)

// Request is what a verifier is asked about.
type Request struct {
	// Token as the client gave it: a secret, not to be logged.
	Token string
	// Remote is the client's address, behind trusted proxies its own.
	Remote netip.Addr
	// Action and Stream are what the client asks for first. Stream may be empty.
	Action Action
	Stream string
}

// Verifier reads tokens. Verify may be called from any goroutine.
type Verifier interface {
	Verify(ctx context.Context, r Request) (*Grant, error)
}

// Grant is what its holder may do. It is immutable.
type Grant struct {
	// Subject names the holder in logs and in the console.
	Subject string
	// Streams are patterns of names: see media.MatchStreamName.
	Streams []string
	// Actions allowed on these streams. Admin allows everything, on all streams.
	Actions []Action
	// Expires ends the grant; the zero time never does.
	Expires time.Time
	// Address, when valid, is the network that the holder must come from.
	Address netip.Prefix
}

// Everything is the grant of a server that asks for no tokens.
func Everything() *Grant {
	return &Grant{Streams: []string{"**"}, Actions: slices.Clone(Actions)}
}

// Allows returns nil when the grant covers the action on the stream now, and an
// error that wraps ErrExpired or ErrForbidden otherwise. An empty stream asks for
// the action on no stream in particular.
func (g *Grant) Allows(action Action, stream string, now time.Time) error {
	if !g.Expires.IsZero() && !now.Before(g.Expires) {
		return ErrExpired
	}
	if slices.Contains(g.Actions, Admin) {
		return nil
	}
	if !slices.Contains(g.Actions, action) {
		return fmt.Errorf("%w: it is not for the action %q", ErrForbidden, action)
	}
	if stream == "" || slices.ContainsFunc(g.Streams, func(p string) bool { return media.MatchStreamName(p, stream) }) {
		return nil
	}
	return fmt.Errorf("%w: it is not for the stream %q", ErrForbidden, stream)
}

// Covers reports whether the action is allowed on every stream, as long as the
// grant lasts.
func (g *Grant) Covers(action Action) bool {
	return slices.Contains(g.Actions, Admin) || slices.Contains(g.Actions, action) && slices.Contains(g.Streams, "**")
}

// from checks the address that a grant is bound to.
func (g *Grant) from(remote netip.Addr) error {
	if g.Address.IsValid() && !g.Address.Contains(remote.Unmap()) {
		return fmt.Errorf("%w: it is not for this address", ErrForbidden)
	}
	return nil
}

// Open is the Verifier of a server that asks for no tokens.
type Open struct{}

// Verify implements Verifier: everybody may do everything.
func (Open) Verify(context.Context, Request) (*Grant, error) { return Everything(), nil }
