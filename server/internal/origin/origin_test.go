package origin

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func from(t testing.TB, origin string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://video.example:8080/ws", nil)
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	return r
}

var allowCases = []struct {
	patterns string
	origin   string
	want     bool
}{
	{"", "", true},
	{"", "http://video.example:8080", true},
	{"", "https://VIDEO.example:8080", true},
	{"", "http://video.example", false},
	{"", "https://evil.example", false},
	{"", "null", false},
	{"", "http://", false},
	{"", "http://%zz", false},
	{"good.example", "https://good.example", true},
	{"good.example", "https://good.example:444", false},
	{"good.example", "https://good.example.evil.example", false},
	{"good.example", "https://evil.example/good.example", false},
	{"*.good.example", "https://www.Good.example", true},
	{"*.good.example", "https://good.example", false},
	{"localhost:*", "http://localhost:5173", true},
	{"https://good.example", "https://good.example", true},
	{"https://good.example", "http://good.example", false},
	{"a.example b.example", "http://b.example", true},
	{"*", "https://evil.example", true},
	{"*", "null", true},
}

func TestOtherOriginsNeedAPattern(t *testing.T) {
	for _, c := range allowCases {
		var l List
		l.Set(strings.Fields(c.patterns), nil)
		if got := l.Allow(from(t, c.origin)); got != c.want {
			t.Errorf("%q among %q: %v", c.origin, c.patterns, got)
		}
	}
}

func FuzzAllow(f *testing.F) {
	for _, c := range allowCases {
		f.Add(c.patterns, c.origin)
	}
	f.Fuzz(func(t *testing.T, patterns, origin string) {
		var l List
		l.Set(strings.Fields(patterns), nil)
		l.Allow(from(t, origin))
		if strings.ContainsAny(l.Ancestors(), ";,\r\n") || strings.Count(l.Ancestors(), "'") != 2 {
			t.Errorf("%q makes the policy %q", patterns, l.Ancestors())
		}
	})
}

func TestRefusalsAreNewOnceForEachOrigin(t *testing.T) {
	var l List
	l.Set(nil, nil)
	first := func(origin string) bool {
		e := l.Refuse(from(t, origin))
		if !errors.Is(e, ErrRefused) || !strings.Contains(e.Error(), e.Origin) || len(e.Origin) > maxOrigin+3 {
			t.Errorf("%v", e)
		}
		return e.First
	}
	long := "https://" + strings.Repeat("a", 10*maxOrigin)
	for _, origin := range []string{"https://a.example", "https://b.example", long} {
		if !first(origin) || first(origin) || first(origin) {
			t.Errorf("%.40s is not new exactly once", origin)
		}
	}
	news := 0
	for i := range 10 * maxRefused {
		if first(fmt.Sprintf("https://%d.example", i)) {
			news++
		}
	}
	if news != maxRefused-3 || len(l.refused) != maxRefused {
		t.Errorf("%d are new, %d remembered", news, len(l.refused))
	}
	l.Set(nil, nil) // what was refused may matter anew
	if !first("https://a.example") {
		t.Error("not new after a change")
	}
}

func TestAncestorsAreSourcesOfAPolicy(t *testing.T) {
	for _, c := range []struct {
		patterns, ancestors []string
		want                string
	}{
		{nil, nil, "'self'"},
		{[]string{"good.example", "*.wide.example", "[ab].example", "good.*"}, nil, "'self' good.example *.wide.example"},
		{[]string{"good.example"}, []string{"https://paper.example:8443", "localhost:*"}, "'self' https://paper.example:8443 localhost:*"},
		{[]string{"good.example"}, []string{}, "'self'"},
		{[]string{"*"}, nil, "'self' *"},
		{nil, []string{"a.example; script-src *", "'unsafe-inline'", "data:", "a b", "", "*.", "https://", "x:y"}, "'self'"},
	} {
		var l List
		l.Set(c.patterns, c.ancestors)
		if got := l.Ancestors(); got != c.want {
			t.Errorf("%v and %v: %q, want %q", c.patterns, c.ancestors, got, c.want)
		}
	}
}
