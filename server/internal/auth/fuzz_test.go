package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzVerify reads tokens that nobody vouches for: none of them is good but the one
// that was signed, by every kind of key.
func FuzzVerify(f *testing.F) {
	signed, err := Sign(Claims{Streams: []string{"a"}}, secret)
	if err != nil {
		f.Fatal(err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		f.Fatal(err)
	}
	bySecret, errSecret := NewSecret(secret, JWTOptions{})
	byKey, errKey := NewPEM(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), JWTOptions{})
	if err := errors.Join(errSecret, errKey); err != nil {
		f.Fatal(err)
	}
	encoded := base64.RawURLEncoding.EncodeToString
	for _, header := range []string{`{"alg":"none"}`, `{"alg":"HS256"}`, `{"alg":"ES256","kid":"../a"}`, `{"alg":1}`, `{"alg":"HS256","crit":["exp"]}`, `{`} {
		f.Add(encoded([]byte(header)) + "." + encoded([]byte(`{"actions":["admin"]}`)) + ".")
	}
	for _, text := range []string{signed, signed + ".", signed[:len(signed)-1], strings.Replace(signed, ".", "..", 1), "e30.e30.", "a.b.c", ".", "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, token string) {
		g, err := bySecret.Verify(t.Context(), Request{Token: token, Remote: here})
		// What was signed has to be the same; a signature can be written in many ways.
		same := strings.HasPrefix(token, signed[:strings.LastIndex(signed, ".")+1])
		if token == signed && err != nil || err == nil && !same || (err == nil) != (g != nil) {
			t.Errorf("%q: %+v, %v", token, g, err)
		}
		if _, err := byKey.Verify(t.Context(), Request{Token: token, Remote: here}); err == nil {
			t.Errorf("%q is signed by a key that nobody has", token)
		}
	})
}

// FuzzClaims reads what is said under a good signature.
func FuzzClaims(f *testing.F) {
	v, err := NewSecret(secret, JWTOptions{Issuer: "us", Audience: "here"})
	if err != nil {
		f.Fatal(err)
	}
	for _, claims := range []string{
		`{"iss":"us","aud":"here","streams":["a/*","**"],"actions":["watch","publish"],"address":"192.0.2.0/24","sub":"ann"}`,
		`{"iss":"us","aud":["here","there"],"exp":4102444800,"nbf":0}`, `{"iss":"us","aud":"here","exp":1e400}`,
		`{"iss":"us","aud":"here","exp":"soon"}`, `{"iss":"us","aud":"here","streams":"a"}`, `{"iss":"us","aud":"here","streams":["["]}`,
		`{"iss":"us","aud":"here","actions":["fly"]}`, `{"iss":"us","aud":"here","address":"::/200"}`, `{"iss":"us","aud":"here","streams":null}`,
		`{"iss":1}`, `[]`, `null`, `{`, ``,
	} {
		f.Add([]byte(claims))
	}
	encoded := base64.RawURLEncoding.EncodeToString
	f.Fuzz(func(t *testing.T, claims []byte) {
		text := encoded([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encoded(claims)
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(text))
		g, err := v.Verify(t.Context(), Request{Token: text + "." + encoded(mac.Sum(nil)), Remote: here})
		if err != nil {
			if g != nil {
				t.Errorf("%s: a grant with %v", claims, err)
			}
			return
		}
		if len(g.Streams) > maxPatterns || g.Address.IsValid() && !g.Address.Contains(here) || !g.Expires.IsZero() && g.Expires.Before(time.Now().Add(-time.Minute)) {
			t.Errorf("%s grants %+v", claims, g)
		}
		for _, action := range g.Actions {
			if !slices.Contains(Actions, action) {
				t.Errorf("%s grants the action %q", claims, action)
			}
		}
		_ = g.Allows(Watch, "a/b", time.Now()) // whatever the patterns
	})
}
