package auth

import (
	"context"
	"errors"
	"sync/atomic"
)

// Switch is a Verifier that can be exchanged while it is in use. The zero value
// asks for no tokens.
type Switch struct{ current atomic.Pointer[Verifier] }

// Set makes v answer from now on; nil asks for no tokens.
func (s *Switch) Set(v Verifier) {
	if v == nil {
		s.current.Store(nil)
		return
	}
	s.current.Store(&v)
}

// Get returns the Verifier that answers now, nil where no tokens are asked for.
func (s *Switch) Get() Verifier {
	if v := s.current.Load(); v != nil {
		return *v
	}
	return nil
}

// Verify implements Verifier.
func (s *Switch) Verify(ctx context.Context, r Request) (*Grant, error) {
	if v := s.Get(); v != nil {
		return v.Verify(ctx, r)
	}
	return everything, nil
}

// everything is shared by all who are asked for no token.
var everything = Everything()

// Public is a Verifier that lets those without a token watch some streams.
type Public struct {
	Verifier
	public *Grant
}

// NewPublic returns a Verifier that asks v about tokens, and lets those who have
// none watch the streams that the patterns match.
func NewPublic(v Verifier, patterns []string) *Public {
	return &Public{v, &Grant{Streams: patterns, Actions: []Action{Watch}}}
}

// Verify implements Verifier.
func (p *Public) Verify(ctx context.Context, r Request) (*Grant, error) {
	grant, err := p.Verifier.Verify(ctx, r)
	if r.Token == "" && errors.Is(err, ErrNoToken) && r.Action == Watch {
		return p.public, nil
	}
	return grant, err
}
