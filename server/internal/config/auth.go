package config

import (
	"net/url"

	"github.com/framewire/framewire/server/internal/media"
)

// Auth says how tokens are checked: by one of a secret, a key, a key server or a
// callback. Without any, watching is open, publishing is as Publish says, and the
// operator's service is open on loopback only.
type Auth struct {
	// SecretFile holds the secret of HS256, at least 32 bytes. White space around
	// it does not count.
	SecretFile string `yaml:"secret_file"`
	// KeyFile holds a public key or certificate in PEM form, for RS256, ES256 or
	// EdDSA.
	KeyFile string `yaml:"key_file"`
	// JWKSURL is where the public keys are, as a JSON Web Key Set.
	JWKSURL string `yaml:"jwks_url"`
	// CallbackURL is asked about every token.
	CallbackURL string `yaml:"callback_url"`

	// Issuer and Audience, where set, must be those of the token.
	Issuer   string `yaml:"issuer"`
	Audience string `yaml:"audience"`

	// Public are patterns of the streams that may be watched without a token.
	Public []string `yaml:"public"`
}

// Configured reports whether tokens are asked for.
func (a *Auth) Configured() bool {
	return a.SecretFile != "" || a.KeyFile != "" || a.JWKSURL != "" || a.CallbackURL != ""
}

func (a *Auth) check(bad func(format string, args ...any)) {
	ways := 0
	for _, way := range []string{a.SecretFile, a.KeyFile, a.JWKSURL, a.CallbackURL} {
		if way != "" {
			ways++
		}
	}
	if ways > 1 {
		bad("auth has %d of secret_file, key_file, jwks_url and callback_url, want one", ways)
	}
	for name, address := range map[string]string{"jwks_url": a.JWKSURL, "callback_url": a.CallbackURL} {
		if address == "" {
			continue
		}
		if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			bad("auth.%s is no http or https URL", name)
		}
	}
	if ways == 0 && (a.Issuer != "" || a.Audience != "" || len(a.Public) > 0) {
		bad("auth asks for no tokens: it needs secret_file, key_file, jwks_url or callback_url")
	}
	if a.CallbackURL != "" && (a.Issuer != "" || a.Audience != "") {
		bad("auth.issuer and auth.audience are not checked with callback_url: check them there")
	}
	for i, pattern := range a.Public {
		if err := media.CheckStreamPattern(pattern); err != nil {
			bad("auth.public[%d]: %w", i, err)
		}
	}
}
