package web_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/logtest"
	"github.com/framewire/framewire/server/internal/origin"
	"github.com/framewire/framewire/server/internal/web"
	"github.com/framewire/framewire/server/internal/wire"
)

func TestRefusedOriginsAreLoggedOnceAndCountedEachTime(t *testing.T) {
	var log logtest.Text
	var mu sync.Mutex
	counted := 0
	s := serve(t, web.Options{
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		Refused: func(what, _, _ string, err error) {
			mu.Lock()
			defer mu.Unlock()
			if what != "origin" || !errors.Is(err, origin.ErrRefused) {
				t.Errorf("%s: %v", what, err)
			}
			counted++
		},
	})
	for range 3 {
		for _, page := range []string{"https://a.example", "https://b.example"} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			opened, err := client.Dial(ctx, "ws://"+s.addr+"/ws", client.Options{Header: http.Header{"Origin": {page}}})
			cancel()
			if err == nil {
				_ = opened.Close()
				t.Fatalf("%s is let in", page)
			}
			var goodbye *client.GoodbyeError
			if !errors.As(err, &goodbye) || goodbye.Reason != wire.GoodbyeOriginRefused || !strings.Contains(goodbye.Message, page) {
				t.Fatalf("%s is told %v", page, err)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if counted != 6 || log.Count("https://a.example") != 1 || log.Count("https://b.example") != 1 {
		t.Errorf("counted %d, logged %d and %d times", counted, log.Count("https://a.example"), log.Count("https://b.example"))
	}
}

// Above a rate, pages that may not play get an answer that costs less.
func TestManyRefusedPagesAreAnsweredCurtly(t *testing.T) {
	web.TellRefusedPages(t, 2)
	s := serve(t, web.Options{Log: slog.New(slog.DiscardHandler)})
	told := 0
	for curt := false; !curt; {
		_, err := client.Dial(t.Context(), "ws://"+s.addr+"/ws", client.Options{Header: http.Header{"Origin": {"https://a.example"}}})
		var goodbye *client.GoodbyeError
		switch {
		case errors.As(err, &goodbye):
			told++
		case err != nil && strings.Contains(err.Error(), "403"):
			curt = true
		default:
			t.Fatal(err)
		}
	}
	if told < 2 {
		t.Errorf("%d are told why", told)
	}
}

func TestListedOriginsMayReadMediaAndFrameThePlayer(t *testing.T) {
	s := serve(t, web.Options{
		Origins: []string{"good.example"},
		Pages:   fstest.MapFS{"embed.html": {Data: []byte("embed")}},
	})
	s.demo("demo")
	reads := func(page string) string {
		r := s.get("/streams/demo.mp4", "Origin", page)
		_ = r.Body.Close()
		if !strings.Contains(strings.Join(r.Header.Values("Vary"), ","), "Origin") {
			t.Error("the answer is the same for all origins to a cache")
		}
		return r.Header.Get("Access-Control-Allow-Origin")
	}
	frames := func() string {
		_, _, header := s.text("/embed/demo")
		_, after, _ := strings.Cut(header.Get("Content-Security-Policy"), "frame-ancestors ")
		return after
	}
	if got := reads("https://good.example"); got != "https://good.example" {
		t.Errorf("a listed page: %q", got)
	}
	if got := reads("https://evil.example"); got != "" {
		t.Errorf("another page: %q", got)
	}
	if got := frames(); got != "'self' good.example" {
		t.Errorf("framed by %s", got)
	}
	s.SetOrigins([]string{"evil.example"}, []string{"*"})
	if got := reads("https://evil.example"); got != "https://evil.example" {
		t.Errorf("after the change: %q", got)
	}
	if got := frames(); got != "'self' *" {
		t.Errorf("after the change framed by %s", got)
	}
}
