package rtmp

import (
	"errors"
	"testing"

	"github.com/framewire/framewire/server/internal/publish"
)

func TestTarget(t *testing.T) {
	for _, c := range []struct {
		app, tcURL, name string
		stream, key      string
	}{
		{"live", "rtmp://h/live", "cam", "cam", ""},
		{"live", "rtmp://h/live", "cam?key=k", "cam", "k"},
		{"live/", "rtmp://h/live/", "cam?a=b&key=k&c=d", "cam", "k"},
		{"live", "", "cam?key=a%2Fb+c==", "cam", "a/b+c=="},
		{"live", "", "cam?key=100%", "cam", "100%"},
		{"live?key=k", "", "cam", "cam", "k"},
		{"live", "rtmp://h/live?key=k", "cam", "cam", "k"},
		{"live?key=a", "rtmp://h/live?key=b", "cam?key=c", "cam", "c"},
		{"live/studio", "", "cam?key=k", "studio/cam", "k"},
		{"live/cam?key=k", "", "", "cam", "k"},
		{"live/cam", "", "?key=k", "cam", "k"},
		{"live", "", "a/b", "a/b", ""},
		{"live", "", "", "", ""},
		{"live", "", "../x", "../x", ""}, // names are the desk's to judge
	} {
		to, err := parseTarget(c.app, c.tcURL, "live")
		if err != nil {
			t.Errorf("%q: %v", c.app, err)
			continue
		}
		stream, key, err := to.stream(c.name)
		if err != nil || stream != c.stream || key != c.key {
			t.Errorf("app %q, tcUrl %q, name %q: %q with key %q, %v; want %q, %q", c.app, c.tcURL, c.name, stream, key, err, c.stream, c.key)
		}
	}
	for _, app := range []string{"", "stage", "stage/live", "LIVE"} {
		if _, err := parseTarget(app, "", "live"); !errors.Is(err, publish.ErrBadName) {
			t.Errorf("app %q: %v", app, err)
		}
	}
}
