package web_test

import (
	"bytes"
	"context"
	"image/jpeg"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/coder/websocket"

	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/ingest"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/source/demo"
	"github.com/framewire/framewire/server/internal/web"
)

// demo runs the demo source as a stream and waits until it is live.
func (s *site) demo(name string) *hub.Stream {
	s.t.Helper()
	stream, err := s.hub.Create(name)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = ingest.Supervise(ctx, stream, demo.New(), slog.New(slog.DiscardHandler))
	}()
	s.t.Cleanup(func() { cancel(); <-done })
	for deadline := time.Now().Add(patience); ; {
		changed := stream.Changed()
		if stream.Status().State == hub.Live {
			return stream
		}
		select {
		case <-changed:
		case <-time.After(time.Until(deadline)):
			s.t.Fatal("the demo is not live")
		}
	}
}

func (s *site) get(path string, header ...string) *http.Response {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodGet, s.url(path), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { response.Body.Close() })
	return response
}

func (s *site) text(path string, header ...string) (int, string, http.Header) {
	s.t.Helper()
	r := s.get(path, header...)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return r.StatusCode, string(body), r.Header
}

func TestEndlessMP4Plays(t *testing.T) {
	s := serve(t, web.Options{})
	s.demo("show/demo")
	r := s.get("/streams/show/demo.mp4")
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "video/mp4" {
		t.Fatalf("%v %v", r.Status, r.Header)
	}
	path := filepath.Join(t.TempDir(), "live.mp4")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(f, r.Body, 120<<10); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	probed := mediatest.ProbePackets(t, path)
	if len(probed.Streams) != 2 {
		t.Fatalf("streams: %+v", probed.Streams)
	}
	for i := range probed.Streams {
		packets := probed.PacketsOf(i)
		if len(packets) < 5 || !packets[0].Keyframe() {
			t.Fatalf("stream %d: %d packets, first %+v", i, len(packets), packets[0])
		}
	}
}

func TestMJPEGYieldsPicturesAndStopsWithItsLastViewer(t *testing.T) {
	program, starts := countedFFmpeg(t)
	s := serve(t, web.Options{FFmpeg: program})
	s.demo("demo")
	for round := range 2 { // the second time starts anew
		first, second := s.get("/streams/demo.mjpeg"), s.get("/streams/demo.mjpeg")
		for _, r := range []*http.Response{first, second} {
			kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
			if err != nil || kind != "multipart/x-mixed-replace" || r.StatusCode != http.StatusOK {
				t.Fatalf("%s: %v %v", r.Status, r.Header, err)
			}
			parts := multipart.NewReader(r.Body, params["boundary"])
			for i := range 5 {
				part, err := parts.NextPart()
				if err != nil {
					t.Fatal(err)
				}
				picture, err := jpeg.Decode(part)
				if err != nil {
					t.Fatalf("picture %d: %v", i, err)
				}
				if size := picture.Bounds().Size(); size.X < 100 || size.Y < 100 {
					t.Fatalf("picture of %v", size)
				}
			}
		}
		if n := starts(); n != round+1 {
			t.Fatalf("ffmpeg was started %d times for two viewers at once, %d times over", n, round+1)
		}
		first.Body.Close()
		second.Body.Close()
		eventually(t, "the last viewer is gone", func() bool { return s.hub.Lookup("demo").Viewers() == 0 })
	}
	// The cleanup waits for the server, and TestMain finds what it left behind.
}

// countedFFmpeg returns a program that becomes ffmpeg, and how often it was started.
func countedFFmpeg(t *testing.T) (program string, starts func() int) {
	t.Helper()
	mediatest.RequireFFmpeg(t)
	dir := t.TempDir()
	program, marks := filepath.Join(dir, "counted"), filepath.Join(dir, "marks")
	script := "#!/bin/sh\nprintf x >>'" + marks + "'\nexec ffmpeg \"$@\"\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return program, func() int {
		data, err := os.ReadFile(marks)
		if err != nil {
			t.Fatal(err)
		}
		return len(data)
	}
}

func TestJPEGIsTheNewestKeyframe(t *testing.T) {
	mediatest.RequireFFmpeg(t)
	s := serve(t, web.Options{})
	s.demo("demo")
	r := s.get("/streams/demo.jpg")
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%v %v: %s", r.Status, err, body)
	}
	if _, err := jpeg.Decode(bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	if r.Header.Get("ETag") == "" {
		t.Fatal("no ETag")
	}
}

func TestPicturesWithoutFFmpegSayWhatToInstall(t *testing.T) {
	s := serve(t, web.Options{FFmpeg: "no-such-program-here"})
	s.stream("a", 2)
	for _, path := range []string{"/streams/a.jpg", "/streams/a.mjpeg"} {
		status, text, _ := s.text(path)
		if status != http.StatusServiceUnavailable || !strings.Contains(text, "ffmpeg") || !strings.Contains(text, "nstall") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

func TestFileIsServedWithDetectedTypeAndRanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "named-wrongly.txt")
	if err := os.WriteFile(path, demo.Clip(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, web.Options{File: func(stream string) string {
		if stream == "my/clip" {
			return path
		}
		return ""
	}})
	status, text, header := s.text("/files/my/clip", "Range", "bytes=4-7")
	if status != http.StatusPartialContent || text != "ftyp" || header.Get("Content-Type") != "video/mp4" {
		t.Fatalf("%d %q %v", status, text, header)
	}
	if status, _, _ := s.text("/files/my/clip", "If-None-Match", header.Get("ETag")); status != http.StatusNotModified {
		t.Fatalf("conditional request: %d", status)
	}
	if status, text, _ := s.text("/files/other"); status != http.StatusNotFound || !strings.Contains(text, "no file") {
		t.Fatalf("%d %q", status, text)
	}
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	s := serve(t, web.Options{})
	s.offline("dark")
	for _, c := range []struct {
		path   string
		status int
		says   string
	}{
		{"/nothing", http.StatusNotFound, "/nothing"},
		{"/streams/x", http.StatusNotFound, ".mp4"},
		{"/streams/x.mp4", http.StatusNotFound, `no stream "x"`},
		{"/streams/dark.mp4", http.StatusServiceUnavailable, "not live"},
		{"/streams/dark.jpg", http.StatusServiceUnavailable, "no picture"},
		{"/streams/a%20b.mp4", http.StatusNotFound, "cannot be"},
		{"/watch/a%20b", http.StatusNotFound, "cannot be"},
		{"/", http.StatusNotFound, "make build"},
		{"/ws", http.StatusUpgradeRequired, "framewire.v1.proto"},
		{"/healthz", http.StatusOK, "ok"},
		{"/readyz", http.StatusOK, "ready"},
	} {
		status, text, _ := s.text(c.path)
		if status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %q, want %d with %q", c.path, status, text, c.status, c.says)
		}
	}
}

func TestSocketIsRefusedWithAnExplanation(t *testing.T) {
	s := serve(t, web.Options{Origins: []string{"good.example"}, Log: slog.New(slog.DiscardHandler)})
	for _, c := range []struct {
		name      string
		path      string
		protocols []string
		origin    string
		status    int
		says      string
	}{
		{"no subprotocol", "/ws", nil, "", 400, "framewire.v1.json"},
		{"another subprotocol", "/ws", []string{"mqtt"}, "", 400, "framewire.v1.proto"},
		{"bad stream", "/ws?stream=a//b", []string{"framewire.v1.proto"}, "", 400, "stream"},
		{"allowed origin", "/ws", []string{"framewire.v1.json"}, "https://good.example", 101, ""},
		{"own origin", "/ws", []string{"framewire.v1.json"}, "http://" + s.addr, 101, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := http.Header{}
			if c.origin != "" {
				header.Set("Origin", c.origin)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			ws, r, err := websocket.Dial(ctx, "ws://"+s.addr+c.path, &websocket.DialOptions{Subprotocols: c.protocols, HTTPHeader: header})
			if ws != nil {
				defer ws.CloseNow()
			}
			if r == nil || r.StatusCode != c.status {
				t.Fatalf("%v %v", r, err)
			}
			if c.status != 101 {
				body, _ := io.ReadAll(r.Body)
				if !strings.Contains(string(body), c.says) {
					t.Fatalf("says %q, want %q in it", body, c.says)
				}
			}
		})
	}
}

// A script within a page runs only if the policy names its hash, which is that
// of the text between the tags.
func TestPolicyNamesScriptsWithinPages(t *testing.T) {
	s := serve(t, web.Options{Pages: fstest.MapFS{
		"index.html": {Data: []byte("<script src=/a.js></script>")},
		"embed.html": {Data: []byte("<script>alert('Hello, world.');</script>")},
	}})
	// The example of the specification of Content-Security-Policy.
	const hash = "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"
	for path, want := range map[string]string{
		"/":        "script-src 'self';",
		"/embed/a": "script-src 'self' " + hash + ";",
	} {
		if _, _, header := s.text(path); !strings.Contains(header.Get("Content-Security-Policy"), want) {
			t.Errorf("%s: %q, want %q", path, header.Get("Content-Security-Policy"), want)
		}
	}
}

func TestNothingIsToldToBrowsersOnAPage(t *testing.T) {
	s := serve(t, web.Options{Pages: fstest.MapFS{
		"watch.html":   {Data: []byte("watch")},
		"missing.html": {Data: []byte("missing")},
	}})
	for _, c := range []struct{ path, accept, want string }{
		{"/no/such/page", "text/html,*/*;q=0.8", "missing"},
		{"/watch/a..%2F..", "text/html,*/*;q=0.8", "missing"},
		{"/no/such/page", "*/*", "There is nothing at /no/such/page."},
		{"/watch/..%2Fa", "application/json", "There cannot be such a stream"},
		{"/streams/none.mp4", "text/html", "There is no stream"},
	} {
		status, body, header := s.text(c.path, "Accept", c.accept)
		if status != http.StatusNotFound || !strings.HasPrefix(body, c.want) {
			t.Errorf("%s for %s: %d %q", c.path, c.accept, status, body)
		}
		if policy := header.Get("Content-Security-Policy"); c.want == "missing" && !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s: policy %q", c.path, policy)
		}
	}
}

func TestPages(t *testing.T) {
	long := strings.Repeat("const a = 1;\n", 200)
	s := serve(t, web.Options{
		FrameAncestors: []string{"https://paper.example"},
		Pages: fstest.MapFS{
			"index.html":         {Data: []byte("gallery")},
			"watch.html":         {Data: []byte("watch")},
			"embed.html":         {Data: []byte("embed")},
			"player.js":          {Data: []byte(long)},
			"assets/a-123456.js": {Data: []byte(long)},
			".gitkeep":           {},
		},
	})
	for _, c := range []struct {
		path, body, header, want string
	}{
		{"/", "gallery", "Content-Type", "text/html; charset=utf-8"},
		{"/watch/a/b", "watch", "Content-Security-Policy", "frame-ancestors 'self'"},
		{"/embed/a", "embed", "Content-Security-Policy", "frame-ancestors 'self' https://paper.example"},
		{"/player.js", long, "Access-Control-Allow-Origin", "*"},
		{"/player.js", long, "Content-Type", "text/javascript"},
		{"/player.js", long, "Cache-Control", "no-cache"},
		{"/assets/a-123456.js", long, "Cache-Control", "immutable"},
	} {
		status, body, header := s.text(c.path)
		if status != http.StatusOK || body != c.body || !strings.Contains(header.Get(c.header), c.want) {
			t.Errorf("%s: %d %.30q %s: %q", c.path, status, body, c.header, header.Get(c.header))
		}
		if status, _, _ := s.text(c.path, "If-None-Match", header.Get("ETag")); status != http.StatusNotModified {
			t.Errorf("%s asked for conditionally: %d", c.path, status)
		}
	}
	_, body, header := s.text("/player.js", "Accept-Encoding", "br, gzip")
	if header.Get("Content-Encoding") != "gzip" || len(body) >= len(long) {
		t.Errorf("compressed: %v, %d bytes", header, len(body))
	}
	if status, _, _ := s.text("/.gitkeep"); status != http.StatusNotFound {
		t.Errorf("hidden file: %d", status)
	}
}
