package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/framewire/framewire/server/internal/web"
)

func TestOEmbedTellsHowAStreamIsEmbedded(t *testing.T) {
	s := serve(t, web.Options{Pages: fstest.MapFS{"watch.html": {Data: []byte("watch")}}})
	s.stream("yard/gate", 1)

	// A program is given the page's address, and finds the rest by itself.
	_, _, header := s.text("/watch/yard/gate")
	link := regexp.MustCompile(`^<(http://[^>]+)>; rel="alternate"; type="application/json\+oembed"; title="yard/gate"$`).FindStringSubmatch(header.Get("Link"))
	if link == nil {
		t.Fatalf("Link: %q", header.Get("Link"))
	}
	ask, err := url.Parse(link[1])
	if err != nil || ask.Host != s.addr {
		t.Fatal(link, err)
	}
	for query, want := range map[string][2]int{
		"":                            {640, 360},
		"&maxwidth=320":               {320, 180},
		"&maxheight=180":              {320, 180},
		"&maxwidth=1280&maxheight=90": {284, 160}, // no smaller than is of use
	} {
		status, body, header := s.text(ask.RequestURI() + query)
		var got struct {
			Version, Type, HTML string
			Width, Height       int
			ThumbnailURL        string `json:"thumbnail_url"`
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s %v", status, body, err)
		}
		if got.Version != "1.0" || got.Type != "video" || got.Width != want[0] || got.Height != want[1] {
			t.Errorf("%q: %+v, want %v", query, got, want)
		}
		if !strings.Contains(got.HTML, `<iframe src="http://`+s.addr+`/embed/yard/gate"`) || got.ThumbnailURL != "http://"+s.addr+"/streams/yard/gate.jpg" {
			t.Errorf("%+v", got)
		}
		if header.Get("Access-Control-Allow-Origin") != "*" || header.Get("Content-Type") != "application/json" {
			t.Errorf("%v", header)
		}
	}
}

func TestOEmbedRefuses(t *testing.T) {
	s := serve(t, web.Options{})
	here := "http://" + s.addr
	for query, want := range map[string]int{
		"":                                        http.StatusNotFound,
		"url=" + here + "/":                       http.StatusNotFound,
		"url=" + here + "/watch/..":               http.StatusNotFound,
		"url=http://other.example/watch/a":        http.StatusNotFound,
		"url=" + here + "/watch/a%3Cscript%3E":    http.StatusNotFound,
		"url=" + here + "/watch/a&format=xml":     http.StatusNotImplemented,
		"url=" + here + "/watch/a&maxwidth=wide":  http.StatusBadRequest,
		"url=" + here + "/watch/a&maxheight=-1":   http.StatusBadRequest,
		"url=" + here + "/embed/a&maxwidth=99999": http.StatusOK,
	} {
		if status, body, _ := s.text("/oembed?" + query); status != want {
			t.Errorf("%s: %d %s, want %d", query, status, body, want)
		}
	}
}
