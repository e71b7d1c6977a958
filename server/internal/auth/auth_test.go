package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	secret = []byte("0123456789abcdef0123456789abcdef")
	now    = time.Unix(1_790_000_000, 0)
	here   = netip.MustParseAddr("192.0.2.7")
)

func clock() time.Time { return now }

func claims(modify func(*Claims)) Claims {
	c := Claims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: "ann", ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour))},
		Streams:          []string{"cam/*"},
		Actions:          []Action{Watch, Publish},
	}
	if modify != nil {
		modify(&c)
	}
	return c
}

func sign(t *testing.T, c Claims, key []byte) string {
	t.Helper()
	token, err := Sign(c, key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func pemOf(t *testing.T, kind string, der []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestGrantAllowsWhatItSays(t *testing.T) {
	g := &Grant{Streams: []string{"cam/*"}, Actions: []Action{Watch}, Expires: now}
	before := now.Add(-time.Second)
	for _, c := range []struct {
		action Action
		stream string
		at     time.Time
		want   error
	}{
		{Watch, "cam/1", before, nil},
		{Watch, "", before, nil},
		{Watch, "other", before, ErrForbidden},
		{Publish, "cam/1", before, ErrForbidden},
		{Watch, "cam/1", now, ErrExpired},
	} {
		if err := g.Allows(c.action, c.stream, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s %s: %v, want %v", c.action, c.stream, err, c.want)
		}
	}
	admin := &Grant{Actions: []Action{Admin}}
	if err := admin.Allows(Publish, "anything", now); err != nil {
		t.Error(err)
	}
	if err := Everything().Allows(Admin, "x/y", now); err != nil {
		t.Error(err)
	}
}

func TestTokensOfAllKeys(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]interface{ Public() any }{
		"RS256": public(func() any { return rsaKey.Public() }),
		"ES256": public(func() any { return ecKey.Public() }),
		"EdDSA": public(func() any { return edKey.Public() }),
	} {
		var private any
		switch name {
		case "RS256":
			private = rsaKey
		case "ES256":
			private = ecKey
		default:
			private = edKey
		}
		der, err := x509.MarshalPKCS8PrivateKey(private)
		privatePEM := pemOf(t, "PRIVATE KEY", der, err)
		der, err = x509.MarshalPKIXPublicKey(key.Public())
		publicPEM := pemOf(t, "PUBLIC KEY", der, err)
		v, err := NewPEM(publicPEM, JWTOptions{Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		g, err := v.Verify(t.Context(), Request{Token: sign(t, claims(nil), privatePEM), Remote: here})
		if err != nil || g.Subject != "ann" {
			t.Errorf("%s: %+v, %v", name, g, err)
		}
		// The public key must not serve as the secret of a forger.
		if len(publicPEM) >= minSecret {
			forged, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims(nil)).SignedString(publicPEM)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.Verify(t.Context(), Request{Token: forged}); !errors.Is(err, ErrBadToken) {
				t.Errorf("%s: a forged token gives %v", name, err)
			}
		}
	}
}

type public func() any

func (p public) Public() any { return p() }

func TestBadTokensAreToldApart(t *testing.T) {
	v, err := NewSecret(secret, JWTOptions{Clock: clock, Issuer: "us"})
	if err != nil {
		t.Fatal(err)
	}
	us := func(modify func(*Claims)) string {
		return sign(t, claims(func(c *Claims) {
			c.Issuer = "us"
			if modify != nil {
				modify(c)
			}
		}), secret)
	}
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims(nil)).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"good":         {us(nil), nil},
		"none":         {"", ErrNoToken},
		"garbage":      {"a.b.c", ErrBadToken},
		"unsigned":     {none, ErrBadToken},
		"too long":     {strings.Repeat("a", maxToken+1), ErrBadToken},
		"other secret": {sign(t, claims(nil), []byte(strings.Repeat("x", 32))), ErrBadToken},
		"other issuer": {sign(t, claims(func(c *Claims) { c.Issuer = "them" }), secret), ErrBadToken},
		"expired":      {us(func(c *Claims) { c.ExpiresAt = jwt.NewNumericDate(now.Add(-time.Minute)) }), ErrExpired},
		"not yet":      {us(func(c *Claims) { c.NotBefore = jwt.NewNumericDate(now.Add(time.Minute)) }), ErrBadToken},
		"here":         {us(func(c *Claims) { c.Address = "192.0.2.0/24" }), nil},
		"elsewhere":    {us(func(c *Claims) { c.Address = "198.51.100.1" }), ErrForbidden},
		"tampered":     {us(nil)[:40] + "A" + us(nil)[41:], ErrBadToken},
	} {
		_, err := v.Verify(t.Context(), Request{Token: c.token, Remote: here})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && len(c.token) > 20 && strings.Contains(err.Error(), c.token[:20]) {
			t.Errorf("%s: the error repeats the token: %v", name, err)
		}
	}
	for _, c := range []Claims{{Actions: []Action{"fly"}}, {Streams: []string{"["}}, {Address: "here"}, {Streams: make([]string, maxPatterns+1)}} {
		if _, err := Sign(c, secret); !errors.Is(err, ErrBadToken) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := NewSecret(secret[:31], JWTOptions{}); err == nil {
		t.Error("a short secret was taken")
	}
}

func TestKeysAreRotatedThroughJWKS(t *testing.T) {
	type keyPair struct {
		id  string
		key *ecdsa.PrivateKey
	}
	newKey := func(id string) keyPair {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return keyPair{id, k}
	}
	current := newKey("one")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		coordinate := func(i *big.Int) string {
			return base64.RawURLEncoding.EncodeToString(i.FillBytes(make([]byte, 32)))
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{{
			"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": current.id,
			"x": coordinate(current.key.X), "y": coordinate(current.key.Y),
		}}})
	}))
	defer server.Close()
	v, err := NewJWKS(t.Context(), server.URL, JWTOptions{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	token := func(k keyPair) string {
		unsigned := jwt.NewWithClaims(jwt.SigningMethodES256, claims(nil))
		unsigned.Header["kid"] = k.id
		signed, err := unsigned.SignedString(k.key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	if _, err := v.Verify(t.Context(), Request{Token: token(current)}); err != nil {
		t.Error(err)
	}
	current = newKey("two")
	if _, err := v.Verify(t.Context(), Request{Token: token(current)}); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	if _, err := v.Verify(t.Context(), Request{Token: token(newKey("three"))}); !errors.Is(err, ErrBadToken) {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestCallback(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q callbackQuestion
		if json.NewDecoder(r.Body).Decode(&q) != nil || q.Address != here.String() || q.Action != Watch || q.Stream != "cam/1" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		switch q.Token {
		case "good":
			_, _ = io.WriteString(w, `{"sub":"bob","streams":["cam/*"],"actions":["watch"]}`)
		case "stale":
			_, _ = io.WriteString(w, `{"sub":"bob","exp":1}`)
		case "odd":
			_, _ = io.WriteString(w, `{"actions":["fly"]}`)
		case "forbidden":
			w.WriteHeader(http.StatusForbidden)
		case "broken":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	v := NewCallback(server.URL)
	v.client = server.Client()
	for token, want := range map[string]error{
		"good": nil, "": ErrNoToken, "bad": ErrBadToken, "forbidden": ErrForbidden,
		"stale": ErrExpired, "broken": ErrUnavailable, "odd": ErrUnavailable,
	} {
		g, err := v.Verify(t.Context(), Request{Token: token, Remote: here, Action: Watch, Stream: "cam/1"})
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", token, err, want)
		}
		if err == nil && g.Subject != "bob" {
			t.Errorf("%+v", g)
		}
	}
	server.Close()
	if _, err := v.Verify(t.Context(), Request{Token: "good", Remote: here, Action: Watch, Stream: "cam/1"}); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}
