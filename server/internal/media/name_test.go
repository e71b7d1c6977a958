package media

import (
	"strings"
	"testing"
)

func TestCheckStreamName(t *testing.T) {
	for _, name := range []string{"a", "cam/front-door_1.~x", "A/b/C", strings.Repeat("a", MaxStreamName)} {
		if err := CheckStreamName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "/", "a/", "/a", "a//b", ".", "a/..", "../a", "a b", "ä", "a?b", "a%2f", strings.Repeat("a", MaxStreamName+1)} {
		if CheckStreamName(name) == nil {
			t.Errorf("%q is taken for a name", name)
		}
	}
}

func TestMatchStreamName(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"cam", "cam", true},
		{"cam", "cam2", false},
		{"cam*", "cam2", true},
		{"cam*", "cam/2", false},
		{"cam/*", "cam/2", true},
		{"cam/*", "cam/2/3", false},
		{"cam/**", "cam/2/3", true},
		{"cam/**", "cam", false},
		{"cam**", "cam/2", true},
		{"cam**", "ca", false},
		{"**", "anything/at/all", true},
		{"*/live/**", "a/live/b/c", true},
		{"*/live/**", "a/dead/b/c", false},
		{"c[ao]m", "com", true},
		{"[", "[", false},
		{"[**", "a", false},
	} {
		if got := MatchStreamName(c.pattern, c.name); got != c.want {
			t.Errorf("%q matches %q: %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
	if CheckStreamPattern("[") == nil || CheckStreamPattern("") == nil || CheckStreamPattern("a/**") != nil {
		t.Error("CheckStreamPattern")
	}
}

func FuzzMatchStreamName(f *testing.F) {
	f.Add("a/*/**", "a/b/c")
	f.Fuzz(func(t *testing.T, pattern, name string) { MatchStreamName(pattern, name) })
}
