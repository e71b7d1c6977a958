package app

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/framewire/framewire/server/internal/admin"
	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/config"
)

// newVerifier returns what reads tokens, nil where none are asked for. It works
// until ctx is done.
func newVerifier(ctx context.Context, c *config.Auth) (auth.Verifier, error) {
	v, err := chooseVerifier(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("%w: auth: %w", config.ErrInvalid, err)
	}
	if v != nil && len(c.Public) > 0 {
		v = auth.NewPublic(v, c.Public)
	}
	return v, nil
}

func chooseVerifier(ctx context.Context, c *config.Auth) (auth.Verifier, error) {
	options := auth.JWTOptions{Issuer: c.Issuer, Audience: c.Audience}
	switch {
	case c.SecretFile != "":
		secret, err := os.ReadFile(c.SecretFile)
		if err != nil {
			return nil, err
		}
		return auth.NewSecret(bytes.TrimSpace(secret), options)
	case c.KeyFile != "":
		key, err := os.ReadFile(c.KeyFile)
		if err != nil {
			return nil, err
		}
		return auth.NewPEM(key, options)
	case c.JWKSURL != "":
		return auth.NewJWKS(ctx, c.JWKSURL, options)
	case c.CallbackURL != "":
		return auth.NewCallback(c.CallbackURL), nil
	default:
		return nil, nil
	}
}

// useTokens makes the server ask for tokens as c says.
func (s *server) useTokens(c *config.Auth) error {
	ctx, cancel := context.WithCancel(context.Background())
	v, err := newVerifier(ctx, c)
	if err != nil {
		cancel()
		return err
	}
	s.tokens.Set(v)
	if s.dropTokens != nil {
		s.dropTokens()
	}
	s.dropTokens = cancel
	return nil
}

// access says who may use the operator's service.
func (s *server) access() admin.Access {
	return admin.Access{Verifier: s.tokens.Get(), Open: config.IsLoopback(s.opts.Config.Listen)}
}
