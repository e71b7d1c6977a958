package whip_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/publishtest"
	"github.com/framewire/framewire/server/internal/publish/whip"
)

const key = "a key of the test"

// serve runs a handler over real sockets until the end of the test.
func serve(t *testing.T, options whip.Options) (url string, handler *whip.Handler) {
	t.Helper()
	if options.Desk == nil {
		options.Desk = publishtest.NewDesk(t, key)
	}
	options.Address, options.Loopback = "127.0.0.1:0", true
	handler, err := whip.New(options)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/whip/{stream...}", handler)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join("testdata", "publisher.html"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		if err := handler.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return server.URL, handler
}

// browser is a page in Chromium.
type browser struct {
	t       *testing.T
	in      io.WriteCloser
	answers chan []byte // closed when the browser is gone
}

// answerLimit is how long a call may take on a busy machine.
const answerLimit = 60 * time.Second

// openBrowser opens a page until the end of the test.
func openBrowser(t *testing.T, url string) *browser {
	t.Helper()
	chromium := find(t, "chromium", "apt-get install chromium", "chromium", "chromium-browser", "google-chrome")
	node := find(t, "node", "install Node.js", "node")
	modules := filepath.Join("..", "..", "..", "..", "frontend")
	if _, err := os.Stat(filepath.Join(modules, "node_modules", "playwright-core")); err != nil {
		t.Fatalf("playwright-core is missing: run npm ci in frontend (%v)", err)
	}
	modules, err := filepath.Abs(modules)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, filepath.Join("testdata", "browser.mjs"), modules, chromium, url)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, in: in, answers: make(chan []byte, 1)}
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(b.answers)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			b.answers <- bytes.Clone(lines.Bytes())
		}
	})
	t.Cleanup(func() {
		_ = in.Close() // upon which the script closes Chromium
		for range b.answers {
		}
		reader.Wait()
		_ = cmd.Wait()
	})
	b.answer("start", nil)
	return b
}

func find(t *testing.T, what, install string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is missing: %s", what, install)
	return ""
}

// call calls a function of the page and stores what it returns.
func (b *browser) call(name string, argument, result any) {
	b.t.Helper()
	line, err := json.Marshal(map[string]any{"call": name, "argument": argument})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(line, '\n')); err != nil {
		b.t.Fatal(err)
	}
	b.answer(name, result)
}

func (b *browser) answer(name string, result any) {
	b.t.Helper()
	var line []byte
	select {
	case line = <-b.answers:
	case <-time.After(answerLimit):
		b.t.Fatalf("%s: no answer within %v", name, answerLimit)
	}
	if line == nil {
		b.t.Fatalf("%s: the browser is gone", name)
	}
	var reply struct {
		Result json.RawMessage
		Error  string
	}
	if err := json.Unmarshal(line, &reply); err != nil || reply.Error != "" {
		b.t.Fatalf("%s: %s %v", name, reply.Error, err)
	}
	if result != nil {
		if err := json.Unmarshal(reply.Result, result); err != nil {
			b.t.Fatalf("%s: %v in %s", name, err, reply.Result)
		}
	}
}

type published struct {
	Status                     int
	Text, Answer, Session, Tag string
	Trickled                   []int
}

func (b *browser) publish(url, codec string) published {
	b.t.Helper()
	var p published
	b.call("publish", map[string]any{
		"url": url, "key": key, "codec": codec, "width": 640, "height": 360, "trickle": true,
	}, &p)
	if p.Status != http.StatusCreated {
		b.t.Fatalf("publish %s: status %d: %s", codec, p.Status, p.Text)
	}
	return p
}

// TestBrowserPublishes has a real browser send camera and microphone in every
// codec, and decodes what arrives.
func TestBrowserPublishes(t *testing.T) {
	mediatest.RequireFFmpeg(t)
	for name, codec := range map[string]media.Codec{"H264": media.H264, "VP9": media.VP9, "AV1": media.AV1, "": 0} {
		t.Run("codec "+name, func(t *testing.T) {
			desk := publishtest.NewDesk(t, key)
			url, _ := serve(t, whip.Options{Desk: desk})
			page := openBrowser(t, url)
			answer := page.publish(url+"/whip/cam/front", name)
			if len(answer.Trickled) > 0 && answer.Trickled[0] != http.StatusNoContent {
				t.Errorf("trickled candidates: status %v", answer.Trickled)
			}
			p := desk.Await(0)
			if p.Request.Stream != "cam/front" || p.Request.Protocol != publish.WHIP || !strings.Contains(p.Request.Client, "Chrom") {
				t.Errorf("request %+v", p.Request)
			}
			epochs := p.Await("3 s of video and audio", publishtest.Frames(60, 150))
			e := &epochs[len(epochs)-1]
			video, audio := e.Track(media.Video), e.Track(media.Audio)
			if video == nil || audio == nil || codec != 0 && video.Codec != codec || audio.Codec != media.Opus {
				t.Fatalf("tracks %+v", e.Tracks)
			}
			if video.Width != 640 || video.Height != 360 {
				t.Errorf("picture of %dx%d", video.Width, video.Height)
			}
			for i := range epochs {
				mediatest.RequireDecodes(t, epochs[i].File(t))
			}
			var status struct{ Status int }
			page.call("remove", nil, &status)
			if status.Status != http.StatusOK || !p.Closed() || p.AwaitClose() != nil {
				t.Errorf("DELETE: status %d, closed %v with %v", status.Status, p.Closed(), p.AwaitClose())
			}
		})
	}
}

// TestBrowserRestartsAndResizes goes through ICE restart, a request for a
// keyframe and another resolution in one session.
func TestBrowserRestartsAndResizes(t *testing.T) {
	mediatest.RequireFFmpeg(t)
	desk := publishtest.NewDesk(t, key)
	url, _ := serve(t, whip.Options{Desk: desk})
	page := openBrowser(t, url)
	before := page.publish(url+"/whip/cam", "H264")
	p := desk.Await(0)
	p.Await("media", publishtest.Frames(10, 10))

	var restarted struct {
		Status              int
		Text, Fragment, Tag string
	}
	page.call("restart", nil, &restarted)
	if restarted.Status != http.StatusOK || restarted.Tag == "" || restarted.Tag == before.Tag {
		t.Fatalf("restart: %+v", restarted)
	}
	count := len(p.Epochs()[0].Of(media.Video))
	p.Await("media after the restart", publishtest.Frames(count+30, 10))

	p.Request.Keyframes.RequestKeyframe()
	p.Await("a keyframe on request", func(epochs []publishtest.Epoch) bool {
		for _, s := range epochs[len(epochs)-1].Of(media.Video)[count:] {
			if s.Keyframe {
				return true
			}
		}
		return false
	})

	page.call("resize", map[string]int{"width": 320, "height": 180}, nil)
	epochs := p.Await("the new size", func(epochs []publishtest.Epoch) bool {
		e := &epochs[len(epochs)-1]
		return e.Track(media.Video).Width == 320 && publishtest.Frames(15, 15)(epochs)
	})
	for i := range epochs {
		mediatest.RequireDecodes(t, epochs[i].File(t))
	}
	page.call("leave", nil, nil)
	if err := p.AwaitClose(); err != nil {
		t.Errorf("ended with %v", err)
	}
}
