package source_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/framewire/framewire/server/internal/source"
)

var urls = []struct {
	raw  string
	want source.Info // Kind empty for what is refused
}{
	{"demo:", source.Info{Kind: source.Demo, Display: "demo:"}},
	{"demo://", source.Info{Kind: source.Demo, Display: "demo://"}},
	{"demo:other", source.Info{}},
	{"film.mp4", source.Info{Kind: source.File, File: "film.mp4", Display: "film.mp4"}},
	{"/srv/a film.mp4", source.Info{Kind: source.File, File: "/srv/a film.mp4", Display: "/srv/a film.mp4"}},
	{"/srv/a:b.mp4", source.Info{Kind: source.File, File: "/srv/a:b.mp4", Display: "/srv/a:b.mp4"}},
	{"file:film.mp4", source.Info{Kind: source.File, File: "film.mp4", Display: "file:film.mp4"}},
	{"file:/srv/film.mp4", source.Info{Kind: source.File, File: "/srv/film.mp4", Display: "file:/srv/film.mp4"}},
	{"file:///srv/a%20film.mp4", source.Info{Kind: source.File, File: "/srv/a film.mp4", Display: "file:///srv/a%20film.mp4"}},
	{"file://localhost/x", source.Info{Kind: source.File, File: "/x", Display: "file://localhost/x"}},
	{"file://elsewhere/x", source.Info{}},
	{"file:", source.Info{}},
	{"", source.Info{}},
	{"ffmpeg:-f lavfi -i testsrc2", source.Info{Kind: source.FFmpeg, Display: "ffmpeg:-f lavfi -i testsrc2"}},
	{"ffmpeg:testsrc2", source.Info{}},
	{"ffmpeg:-i a -vf b", source.Info{}},
	{"ffmpeg:-i 'a", source.Info{}},
	{"ffmpeg:", source.Info{}},
	{"rtsp://192.0.2.1/stream", source.Info{Kind: source.FFmpeg, Display: "rtsp://192.0.2.1/stream"}},
	{"RTSP://192.0.2.1/stream", source.Info{Kind: source.FFmpeg, Display: "RTSP://192.0.2.1/stream"}},
	{"rtsp://admin:se%cret@192.0.2.1/stream", source.Info{Kind: source.FFmpeg, Display: "rtsp://***@192.0.2.1/stream"}},
	{"rtsp://admin:p@ss@192.0.2.1/", source.Info{Kind: source.FFmpeg, Display: "rtsp://***@192.0.2.1/"}},
	{"http://x/y?token=abc&z=1", source.Info{Kind: source.FFmpeg, Display: "http://x/y?token=***&z=1"}},
	{"srt://x:9000?streamid=cam&passphrase=abc", source.Info{Kind: source.FFmpeg, Display: "srt://x:9000?streamid=***&passphrase=***"}},
	{"udp://239.0.0.1:1234", source.Info{Kind: source.FFmpeg, Display: "udp://239.0.0.1:1234"}},
	{"exec:ffmpeg -i x -f mpegts -", source.Info{Kind: source.Exec, Display: "exec:ffmpeg -i x -f mpegts -"}},
	{"exec:cam --password 'a b' --size 3", source.Info{Kind: source.Exec, Display: "exec:cam --password *** --size 3"}},
	{"exec:", source.Info{}},
	{"exec:''", source.Info{}},
	{"once:film.mp4", source.Info{Kind: source.File, File: "film.mp4", Display: "once:film.mp4"}},
	{"Once:exec:cam", source.Info{Kind: source.Exec, Display: "Once:exec:cam"}},
	{"once:rtsp://a:b@192.0.2.1/", source.Info{Kind: source.FFmpeg, Display: "once:rtsp://***@192.0.2.1/"}},
	{"once:once:film.mp4", source.Info{}},
	{"once:demo:", source.Info{}},
	{"once:", source.Info{}},
	{"gopher://x/", source.Info{}},
	{"a\x00b", source.Info{}},
}

func TestParse(t *testing.T) {
	for _, c := range urls {
		got, err := source.Parse(c.raw, nil)
		if c.want.Kind == "" {
			if !errors.Is(err, source.ErrURL) {
				t.Errorf("%q was taken: %+v, %v", c.raw, got.Info, err)
			}
			continue
		}
		if err != nil || got.Info != c.want || got.Source == nil {
			t.Errorf("%q: %+v, %v, want %+v", c.raw, got.Info, err, c.want)
		}
	}
}

// What operators may add is decided by it.
func TestScheme(t *testing.T) {
	for raw, want := range map[string]string{
		"film.mp4": "file", "FILE:x": "file", "exec:cam": "exec", "rtsp://x": "rtsp",
		"once:film.mp4": "file", "once:exec:cam": "exec", "ONCE:once:exec:cam": "exec",
	} {
		if got := source.Scheme(raw); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

func TestErrorsKeepSecrets(t *testing.T) {
	for _, raw := range []string{"gopher://user:hunter2@x/", "ffmpeg:-i rtsp://user:hunter2@x/ -vf y", "ffmpeg:-i 'rtsp://u:hunter2@x", "foo:?token=hunter2"} {
		_, err := source.Parse(raw, nil)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range urls {
		f.Add(c.raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := source.Parse(raw, nil)
		switch {
		case err != nil && !errors.Is(err, source.ErrURL):
			t.Errorf("%q: %v", raw, err)
		case err == nil && (got.Source == nil || got.Info.Kind == "" || got.Info.Display == ""):
			t.Errorf("%q: %+v", raw, got)
		case err == nil && (got.Info.Kind == source.File) != (got.Info.File != ""):
			t.Errorf("%q: %+v", raw, got.Info)
		}
	})
}
