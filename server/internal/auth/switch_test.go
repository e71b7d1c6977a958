package auth

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

func TestSwitchAsksWhomItIsSetTo(t *testing.T) {
	var s Switch
	ask := func(token string) (*Grant, error) {
		return s.Verify(t.Context(), Request{Token: token, Action: Watch, Stream: "a"})
	}
	if g, err := ask(""); err != nil || !g.Covers(Admin) || s.Get() != nil {
		t.Errorf("without a verifier: %+v, %v", g, err)
	}
	v, err := NewSecret([]byte("a secret of at least thirty-two bytes"), JWTOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.Set(v)
	if _, err := ask(""); !errors.Is(err, ErrNoToken) || s.Get() != Verifier(v) {
		t.Errorf("with a verifier: %v", err)
	}
	s.Set(NewPublic(v, []string{"open/*"}))
	g, err := ask("")
	if err != nil || g.Allows(Watch, "open/a", time.Now()) != nil || g.Allows(Watch, "a", time.Now()) == nil || g.Covers(Watch) {
		t.Errorf("with public streams: %+v, %v", g, err)
	}
	if _, err := ask("bad"); !errors.Is(err, ErrBadToken) {
		t.Errorf("a bad token counts as none: %v", err)
	}
	if _, err := s.Verify(t.Context(), Request{Action: Publish, Stream: "open/a"}); !errors.Is(err, ErrNoToken) {
		t.Errorf("publishing without a token: %v", err)
	}
	s.Set(nil)
	if _, err := ask(""); err != nil {
		t.Error(err)
	}
}

func TestTokenOfRequest(t *testing.T) {
	for name, c := range map[string]struct {
		url    string
		header http.Header
		want   string
	}{
		"none":           {"/", nil, ""},
		"header":         {"/?token=q", http.Header{"Authorization": {"bearer  h "}, "Cookie": {Cookie + "=c"}}, "h"},
		"query":          {"/?token=q", http.Header{"Cookie": {Cookie + "=c"}}, "q"},
		"cookie":         {"/", http.Header{"Cookie": {"other=o; " + Cookie + "=c"}}, "c"},
		"another scheme": {"/", http.Header{"Authorization": {"Basic h"}}, ""},
		"no scheme":      {"/", http.Header{"Authorization": {"h"}}, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = c.header
		if r.Header == nil {
			r.Header = http.Header{}
		}
		if got := TokenOf(r); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
