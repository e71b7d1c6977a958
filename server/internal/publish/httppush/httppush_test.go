package httppush_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/httppush"
	"github.com/framewire/framewire/server/internal/publish/publishtest"
	"github.com/framewire/framewire/server/internal/source/ffmpeg"
)

const key = "a-key"

// serve runs a handler on a real socket until the end of the test.
func serve(t *testing.T, o httppush.Options) (address string, desk *publishtest.Desk, handler *httppush.Handler) {
	t.Helper()
	desk = publishtest.NewDesk(t, key)
	o.Desk = desk
	handler = httppush.New(o)
	mux := http.NewServeMux()
	mux.Handle("/publish/{stream...}", handler)
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		handler.Close()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return strings.TrimPrefix(server.URL, "http://"), desk, handler
}

// push runs ffmpeg until it has published what it was told to.
func push(t *testing.T, url string, args ...string) (complaints string, err error) {
	t.Helper()
	mediatest.RequireFFmpeg(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	full := append([]string{"-hide_banner", "-nostdin", "-loglevel", "error"}, args...)
	out, err := exec.CommandContext(ctx, "ffmpeg", append(full, url)...).CombinedOutput()
	return string(out), err
}

var (
	fast = []string{"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15", "-pix_fmt", "yuv420p"}
	aac  = []string{"-c:a", "aac"}
)

// TestEncodersPublish has ffmpeg publish in every container, as it does on its
// own: a chunked POST.
func TestEncodersPublish(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		codecs []media.Codec
	}{
		"MPEG-TS":              {mediatest.Args(fast, aac, []string{"-f", "mpegts"}), []media.Codec{media.H264, media.AAC}},
		"fragmented MP4":       {mediatest.Args(fast, aac, []string{"-f", "mp4", "-movflags", "frag_every_frame+empty_moov+default_base_moof"}), []media.Codec{media.H264, media.AAC}},
		"FLV":                  {mediatest.Args(fast, aac, []string{"-f", "flv"}), []media.Codec{media.H264, media.AAC}},
		"Matroska":             {mediatest.Args(fast, aac, []string{"-f", "matroska"}), []media.Codec{media.H264, media.AAC}},
		"WebM":                 {[]string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "15", "-c:a", "libopus", "-f", "webm"}, []media.Codec{media.VP9, media.Opus}},
		"PUT, other type":      {mediatest.Args(fast, aac, []string{"-f", "mpegts", "-method", "PUT", "-content_type", "text/html"}), []media.Codec{media.H264, media.AAC}},
		"NUT, converted":       {mediatest.Args(fast, aac, []string{"-f", "nut"}), []media.Codec{media.H264, media.AAC}},
		"MP2 in TS, converted": {mediatest.Args(fast, []string{"-c:a", "mp2", "-f", "mpegts"}), []media.Codec{media.H264, media.AAC}},
	} {
		t.Run(name, func(t *testing.T) {
			log := slog.New(slog.NewTextHandler(t.Output(), nil))
			address, desk, _ := serve(t, httppush.Options{Log: log, Convert: httppush.Through(ffmpeg.Convert, log)})
			out, err := push(t, "http://"+address+"/publish/cam/a?key="+key, mediatest.Args(
				[]string{"-re"}, mediatest.Picture("320x180", 30, 2), []string{"-re"}, mediatest.Tone(48000, 2), c.args)...)
			if err != nil || out != "" {
				t.Errorf("ffmpeg: %v\n%s", err, out)
			}
			p := desk.Await(0)
			if err := p.AwaitClose(); err != nil {
				t.Errorf("ended with %v", err)
			}
			if r := p.Request; r.Stream != "cam/a" || r.Protocol != publish.HTTP || !strings.HasPrefix(r.Client, "Lavf") {
				t.Errorf("request %+v", r)
			}
			epochs := p.Epochs()
			if len(epochs) == 0 {
				t.Fatal("nothing was published")
			}
			e := &epochs[len(epochs)-1]
			for _, codec := range c.codecs {
				if track := e.Track(codec.Kind()); track == nil || codec != track.Codec {
					t.Errorf("no track of %v: %+v", codec, e.Tracks)
				}
			}
			if n := len(e.Of(media.Video)); n < 40 || n > 60 {
				t.Errorf("%d pictures of 60", n)
			}
			mediatest.RequireDecodes(t, e.File(t))
		})
	}
}

func TestKeyAsPassword(t *testing.T) {
	address, desk, _ := serve(t, httppush.Options{})
	out, err := push(t, "http://user:"+key+"@"+address+"/publish/cam", mediatest.Args(
		mediatest.Picture("160x90", 30, 1), fast, []string{"-f", "mpegts"})...)
	if err != nil || desk.Count() != 1 || desk.Await(0).AwaitClose() != nil {
		t.Errorf("%d publications, %v: %s", desk.Count(), err, out)
	}
}

// only lets pages of one origin in.
type only string

func (o only) Allow(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || origin == string(o)
}

func TestPagesOfOtherOriginsPublishWhereTheyMay(t *testing.T) {
	address, desk, _ := serve(t, httppush.Options{Origins: only("https://good.example")})
	body := clip(t, "clip.webm", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
	for _, c := range []struct {
		method, origin, allowed string
		status                  int
	}{
		{"OPTIONS", "https://good.example", "https://good.example", 204},
		{"OPTIONS", "https://bad.example", "", 403},
		{"POST", "https://good.example", "https://good.example", 204},
		// What browsers send without asking first.
		{"POST", "https://bad.example", "", 403},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+address+"/publish/cam?key="+key, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", c.origin)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := response.Header.Get("Access-Control-Allow-Origin"); response.StatusCode != c.status || got != c.allowed {
			t.Errorf("%s from %s: %s, allowed %q", c.method, c.origin, response.Status, got)
		}
	}
	if desk.Count() != 1 {
		t.Errorf("%d publications", desk.Count())
	}
}

func clip(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(mediatest.Make(t, name, mediatest.Args(mediatest.Picture("160x90", 30, 1), args)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func send(t *testing.T, method, url, bearer string, body io.Reader) (int, string, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text), response.Header
}

func TestRefusals(t *testing.T) {
	address, _, _ := serve(t, httppush.Options{})
	stream := clip(t, "a.ts", fast...)
	for _, c := range []struct {
		name, method, path, bearer string
		body                       []byte
		status                     int
		says                       string
	}{
		{"no key", "POST", "cam", "", stream, 401, "key"},
		{"wrong key", "POST", "cam", "wrong", stream, 403, "key"},
		{"wrong key in the query", "PUT", "cam?key=wrong", "", stream, 403, "key"},
		{"unknown stream", "POST", "unknown", key, stream, 404, "no such stream"},
		{"bad name", "POST", "a%00b", key, stream, 400, "name"},
		{"GET", "GET", "cam", key, nil, 405, "PUT or POST"},
		{"nothing", "POST", "cam", key, nil, 400, "empty"},
		{"text", "POST", "cam", key, []byte(strings.Repeat("hello\n", 200)), 415, "supported are fragmented MP4"},
		{"playlist", "POST", "cam", key, []byte("#EXTM3U\n#EXT-X-VERSION:3\nfile:///etc/passwd\n"), 415, "supported"},
		{"picture", "POST", "cam", key, []byte("\x89PNG\r\n\x1a\n" + strings.Repeat("x", 1000)), 415, "image/png"},
		{"a file that is no stream", "POST", "cam", key, clip(t, "a.mp4", fast...), 415, "fragmented"},
		{"broken", "POST", "cam", key, append([]byte("\x1a\x45\xdf\xa3\x80"), make([]byte, 100)...), 400, "offset"},
		{"good", "POST", "cam", key, stream, 204, ""},
		{"good again", "PUT", "cam", key, stream, 204, ""},
	} {
		status, text, _ := send(t, c.method, "http://"+address+"/publish/"+c.path, c.bearer, bytes.NewReader(c.body))
		if status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, text, c.status, c.says)
		}
	}
}

// start publishes a clip and keeps the request open.
func start(t *testing.T, address string, desk *publishtest.Desk, n int) (in *io.PipeWriter, p *publishtest.Publication, ended chan string) {
	t.Helper()
	media := clip(t, "a.ts", fast...)
	reader, in := io.Pipe()
	ended = make(chan string, 1)
	go func() {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/publish/cam?key="+key, reader)
		if err != nil {
			ended <- err.Error()
			return
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			ended <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		ended <- fmt.Sprint(response.StatusCode, " ", string(text))
	}()
	if _, err := in.Write(media); err != nil {
		t.Fatal(err)
	}
	p = desk.Await(n)
	p.Await("media", publishtest.Frames(10, 0))
	t.Cleanup(func() { in.Close() })
	return in, p, ended
}

func TestBusyStream(t *testing.T) {
	address, desk, _ := serve(t, httppush.Options{})
	in, _, ended := start(t, address, desk, 0)
	if status, text, _ := send(t, "POST", "http://"+address+"/publish/cam", key, strings.NewReader("x")); status != 409 {
		t.Errorf("%d %s", status, text)
	}
	in.Close()
	if got := <-ended; !strings.HasPrefix(got, "204") {
		t.Error(got)
	}
}

func TestSilentPublisherIsEnded(t *testing.T) {
	address, desk, _ := serve(t, httppush.Options{Silence: 300 * time.Millisecond})
	_, p, ended := start(t, address, desk, 0)
	if err := p.AwaitClose(); !errors.Is(err, publish.ErrSilent) {
		t.Errorf("ended with %v", err)
	}
	if got := <-ended; !strings.HasPrefix(got, "408") {
		t.Error(got)
	}
}

func TestDeskEndsPublisher(t *testing.T) {
	address, desk, _ := serve(t, httppush.Options{})
	_, p, ended := start(t, address, desk, 0)
	p.End(publish.ErrTakenOver)
	if err := p.AwaitClose(); !errors.Is(err, publish.ErrTakenOver) {
		t.Errorf("ended with %v", err)
	}
	if got := <-ended; !strings.HasPrefix(got, "409 another publisher took over") {
		t.Error(got)
	}
}

func TestLostConnection(t *testing.T) {
	address, desk, _ := serve(t, httppush.Options{})
	in, p, ended := start(t, address, desk, 0)
	in.CloseWithError(errors.New("the test pulls the plug"))
	if err := p.AwaitClose(); !errors.Is(err, publish.ErrDisconnected) {
		t.Errorf("ended with %v", err)
	}
	<-ended
}

func TestCloseEndsPublishers(t *testing.T) {
	address, desk, handler := serve(t, httppush.Options{})
	_, p, ended := start(t, address, desk, 0)
	handler.Close()
	if !p.Closed() || !errors.Is(p.AwaitClose(), publish.ErrShutdown) {
		t.Error("Close returned before the publisher had ended")
	}
	if got := <-ended; !strings.HasPrefix(got, "503") {
		t.Error(got)
	}
	if status, _, _ := send(t, "POST", "http://"+address+"/publish/cam", key, strings.NewReader("x")); status != 503 {
		t.Errorf("after Close: %d", status)
	}
}

func TestGuessingIsSlowedDown(t *testing.T) {
	address, _, _ := serve(t, httppush.Options{})
	for range 30 {
		status, _, header := send(t, "POST", "http://"+address+"/publish/cam", "guess", strings.NewReader("x"))
		if status == http.StatusTooManyRequests {
			if header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			return
		}
	}
	t.Error("30 guesses in a row are not held up")
}

func TestAddressThatBeginsTooOftenIsTurnedAway(t *testing.T) {
	address, desk, _ := serve(t, httppush.Options{Gate: gate.New(gate.Options{Limits: gate.Limits{PerSecond: 1, Burst: 2}})})
	for i := range 30 {
		status, text, header := send(t, "PUT", "http://"+address+"/publish/cam", key, strings.NewReader(""))
		if status == http.StatusTooManyRequests {
			if i < 2 || desk.Count() != i || header.Get("Retry-After") == "" || !strings.Contains(text, "too many connections") {
				t.Errorf("after %d, with %d let in: %q, %v", i, desk.Count(), text, header)
			}
			return
		}
	}
	t.Error("30 requests in a row are taken")
}

// TestPlaylistsOpenNothing sends playlists in disguise to the converter.
func TestPlaylistsOpenNothing(t *testing.T) {
	mediatest.RequireFFmpeg(t)
	opened := make(chan string, 10)
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { opened <- r.URL.Path }))
	defer target.Close()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	address, _, _ := serve(t, httppush.Options{Convert: httppush.Through(ffmpeg.Convert, log), Log: log})
	list := "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#\x00\n#EXTINF:1\n" + target.URL + "/secret.ts\n"
	for name, body := range map[string]string{
		"with binary":    list,
		"behind ID3":     "ID3\x03\x00\x00\x00\x00\x00\x00" + list,
		"concat":         "ffconcat version 1.0\n#\x00\nfile " + target.URL + "/secret.ts\n",
		"session of RTP": "v=0\n#\x00\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
	} {
		status, text, _ := send(t, "POST", "http://"+address+"/publish/cam", key, strings.NewReader(body))
		if status < 400 {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	select {
	case path := <-opened:
		t.Errorf("%s was opened", path)
	default:
	}
}
