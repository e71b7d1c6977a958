package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/framewire/framewire/server/internal/media"
)

// Claims are what a token says, beside the registered claims sub, exp, nbf, iat,
// iss and aud of RFC 7519.
type Claims struct {
	jwt.RegisteredClaims

	// Streams are patterns of stream names; none means every stream.
	Streams []string `json:"streams,omitempty"`
	// Actions are watch, publish, control and admin; none means watch.
	Actions []Action `json:"actions,omitempty"`
	// Address is an IP address or network that the token is bound to.
	Address string `json:"address,omitempty"`
}

const (
	// maxToken bounds a token, as Hello does.
	maxToken = 8192
	// maxPatterns bounds the patterns that each request is compared with.
	maxPatterns = 64
	// leeway is how far the clocks of issuer and server may differ.
	leeway = 5 * time.Second
	// minSecret is the least length of a secret: HS256 with fewer bytes than its
	// hash is open to guessing (RFC 7518 3.2).
	minSecret = 32

	jwksTimeout = 10 * time.Second
	jwksRefresh = 10 * time.Minute
)

// JWT is a Verifier of signed tokens.
type JWT struct {
	parser *jwt.Parser
	key    jwt.Keyfunc
}

// JWTOptions are checks beyond the signature. The zero value checks none.
type JWTOptions struct {
	// Issuer and Audience, when set, must be those of the token.
	Issuer, Audience string
	// Clock gives the time, for tests. Default time.Now.
	Clock func() time.Time
}

func newJWT(key jwt.Keyfunc, methods []string, o JWTOptions) *JWT {
	options := []jwt.ParserOption{
		jwt.WithValidMethods(methods), // never "none", and never HMAC with a public key
		jwt.WithLeeway(leeway),
		jwt.WithIssuedAt(),
	}
	if o.Issuer != "" {
		options = append(options, jwt.WithIssuer(o.Issuer))
	}
	if o.Audience != "" {
		options = append(options, jwt.WithAudience(o.Audience))
	}
	if o.Clock != nil {
		options = append(options, jwt.WithTimeFunc(o.Clock))
	}
	return &JWT{parser: jwt.NewParser(options...), key: key}
}

// NewSecret verifies tokens signed with HS256 by a secret of at least 32 bytes.
func NewSecret(secret []byte, o JWTOptions) (*JWT, error) {
	if len(secret) < minSecret {
		return nil, fmt.Errorf("the token secret has %d bytes, want at least %d", len(secret), minSecret)
	}
	key := slices.Clone(secret)
	return newJWT(func(*jwt.Token) (any, error) { return key, nil }, []string{"HS256"}, o), nil
}

// NewPEM verifies tokens signed with RS256, ES256 or EdDSA, by the public key or
// certificate in PEM form.
func NewPEM(data []byte, o JWTOptions) (*JWT, error) {
	key, err := parsePublicKey(data)
	if err != nil {
		return nil, err
	}
	method, err := methodOf(key)
	if err != nil {
		return nil, err
	}
	return newJWT(func(*jwt.Token) (any, error) { return key, nil }, []string{method}, o), nil
}

// NewJWKS verifies tokens by the keys that a JWKS URL (RFC 7517) holds. They are
// fetched again from time to time, and when a token names a key that is not
// among them. It works until ctx is done.
func NewJWKS(ctx context.Context, url string, o JWTOptions) (*JWT, error) {
	wait := true
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{url}, keyfunc.Override{
		Client:                    &http.Client{Timeout: jwksTimeout},
		HTTPTimeout:               jwksTimeout,
		RefreshInterval:           jwksRefresh,
		NoErrorReturnFirstHTTPReq: &wait,
	})
	if err != nil {
		return nil, fmt.Errorf("token keys from %s: %w", url, err)
	}
	return newJWT(keys.KeyfuncCtx(ctx), []string{"RS256", "ES256", "EdDSA"}, o), nil
}

// Verify implements Verifier.
func (v *JWT) Verify(_ context.Context, r Request) (*Grant, error) {
	if r.Token == "" {
		return nil, ErrNoToken
	}
	if len(r.Token) > maxToken {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrBadToken, len(r.Token), maxToken)
	}
	var claims Claims
	_, err := v.parser.ParseWithClaims(r.Token, &claims, v.key)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, ErrExpired
	case err != nil:
		return nil, fmt.Errorf("%w: %s", ErrBadToken, reasonOf(err))
	}
	g, err := claims.grant()
	if err != nil {
		return nil, err
	}
	return g, g.from(r.Remote)
}

// reasonOf names what is wrong without repeating anything of the token.
func reasonOf(err error) string {
	for _, known := range []error{
		jwt.ErrTokenMalformed, jwt.ErrTokenSignatureInvalid, jwt.ErrTokenNotValidYet,
		jwt.ErrTokenUsedBeforeIssued, jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidAudience,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "its key is not known"
}

func (c *Claims) grant() (*Grant, error) {
	if len(c.Streams) > maxPatterns {
		return nil, fmt.Errorf("%w: %d stream patterns, at most %d are read", ErrBadToken, len(c.Streams), maxPatterns)
	}
	g := &Grant{Subject: c.Subject, Streams: c.Streams, Actions: c.Actions}
	if len(g.Streams) == 0 {
		g.Streams = []string{"**"}
	}
	if len(g.Actions) == 0 {
		g.Actions = []Action{Watch}
	}
	for _, p := range g.Streams {
		if err := media.CheckStreamPattern(p); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadToken, err)
		}
	}
	for _, a := range g.Actions {
		if !slices.Contains(Actions, a) {
			return nil, fmt.Errorf("%w: unknown action %q", ErrBadToken, a)
		}
	}
	if c.ExpiresAt != nil {
		g.Expires = c.ExpiresAt.Time
	}
	if c.Address != "" {
		network, err := parseNetwork(c.Address)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadToken, err)
		}
		g.Address = network
	}
	return g, nil
}

func parseNetwork(s string) (netip.Prefix, error) {
	if network, err := netip.ParsePrefix(s); err == nil {
		return network.Masked(), nil
	}
	address, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("address %q is neither an IP address nor a network", s)
	}
	address = address.Unmap()
	return netip.PrefixFrom(address, address.BitLen()), nil
}

// Sign makes a token. key is the secret for HS256, or a private key in PEM form.
func Sign(c Claims, key []byte) (string, error) {
	if _, err := c.grant(); err != nil {
		return "", err
	}
	if block, _ := pem.Decode(key); block == nil {
		if len(key) < minSecret {
			return "", fmt.Errorf("the token secret has %d bytes, want at least %d", len(key), minSecret)
		}
		return jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(key)
	}
	private, err := parsePrivateKey(key)
	if err != nil {
		return "", err
	}
	method, err := methodOf(private.Public())
	if err != nil {
		return "", err
	}
	return jwt.NewWithClaims(jwt.GetSigningMethod(method), c).SignedString(private)
}

// methodOf is the one signing method that goes with a public key.
func methodOf(key any) (string, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return "RS256", nil
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize != 256 {
			return "", fmt.Errorf("the token key is on the curve %s, want P-256", k.Curve.Params().Name)
		}
		return "ES256", nil
	case ed25519.PublicKey:
		return "EdDSA", nil
	default:
		return "", fmt.Errorf("the token key is a %T, want RSA, ECDSA on P-256 or Ed25519", key)
	}
}

func parsePublicKey(data []byte) (any, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("the token key is not in PEM form")
	}
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return certificate.PublicKey, nil
	default:
		return nil, fmt.Errorf("the token key is a %q, want a PUBLIC KEY or a CERTIFICATE", block.Type)
	}
}

func parsePrivateKey(data []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(data)
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		err = fmt.Errorf("the signing key is a %q, want a PRIVATE KEY", block.Type)
	}
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the signing key is a %T, which cannot sign", key)
	}
	return signer, nil
}
