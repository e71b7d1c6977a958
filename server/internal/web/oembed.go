package web

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/proxy"
)

// The size of an embedded player where neither the stream nor who asks tells
// another, in CSS pixels.
const (
	oembedWidth  = 640
	oembedHeight = 360
	// oembedLeast is as small as controls are of use.
	oembedLeast = 160
)

// oembed is an answer of the type video (oEmbed 1.0, 2.3.4.2).
type oembed struct {
	Version         string `json:"version"`
	Type            string `json:"type"`
	Title           string `json:"title"`
	ProviderName    string `json:"provider_name"`
	ProviderURL     string `json:"provider_url"`
	CacheAge        int    `json:"cache_age"` // seconds
	HTML            string `json:"html"`
	Width           int    `json:"width"`
	Height          int    `json:"height"`
	ThumbnailURL    string `json:"thumbnail_url,omitempty"`
	ThumbnailWidth  int    `json:"thumbnail_width,omitempty"`
	ThumbnailHeight int    `json:"thumbnail_height,omitempty"`
}

// oembedCache is how long an answer may be kept: a stream changes its size seldom.
const oembedCache = 3600

// base is the address of this server as the client knows it.
func base(r *http.Request) *url.URL {
	scheme := "http"
	if proxy.Secure(r) {
		scheme = "https"
	}
	return &url.URL{Scheme: scheme, Host: r.Host}
}

// discover tells programs that embed what they are given the address of where to
// ask how (oEmbed 1.0, 4).
func discover(w http.ResponseWriter, r *http.Request, stream string) {
	server := base(r)
	page := server.JoinPath("watch", stream)
	ask := server.JoinPath("oembed")
	ask.RawQuery = url.Values{"url": {page.String()}, "format": {"json"}}.Encode()
	w.Header().Add("Link", "<"+ask.String()+`>; rel="alternate"; type="application/json+oembed"; title="`+stream+`"`)
}

// serveOEmbed answers how the page of a stream is embedded.
func (s *Server) serveOEmbed(w http.ResponseWriter, r *http.Request) {
	allowAll(w)
	query := r.URL.Query()
	if format := query.Get("format"); format != "" && format != "json" {
		explain(w, http.StatusNotImplemented, "The only format is json.")
		return
	}
	server := base(r)
	stream, ok := streamOfPage(query.Get("url"), server)
	if !ok {
		explain(w, http.StatusNotFound, "url has to be the address of a stream's page here, such as %s.", server.JoinPath("watch", "NAME"))
		return
	}
	most := [2]int{}
	for i, name := range []string{"maxwidth", "maxheight"} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			explain(w, http.StatusBadRequest, "%s has to be a number of pixels.", name)
			return
		}
		most[i] = max(n, oembedLeast)
	}
	width, height := s.sizeOf(stream)
	answer := oembed{
		Version: "1.0", Type: "video", Title: stream,
		ProviderName: "Framewire", ProviderURL: server.String() + "/", CacheAge: oembedCache,
	}
	if s.opts.Verifier == nil { // otherwise only those with a token see it
		answer.ThumbnailURL = server.JoinPath("streams", stream+".jpg").String()
		answer.ThumbnailWidth, answer.ThumbnailHeight = width, height
	}
	answer.Width, answer.Height = fit(width, height, most)
	answer.HTML = `<iframe src="` + html.EscapeString(server.JoinPath("embed", stream).String()) +
		`" title="` + html.EscapeString(stream) + `" width="` + strconv.Itoa(answer.Width) + `" height="` + strconv.Itoa(answer.Height) +
		`" style="border: 0" allow="autoplay; fullscreen; picture-in-picture"></iframe>`
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(oembedCache))
	h.Add("Vary", "Host")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(answer)
}

// streamOfPage returns the stream of a page, /watch/NAME or /embed/NAME, of the
// server.
func streamOfPage(page string, server *url.URL) (string, bool) {
	u, err := url.Parse(page)
	if err != nil || !strings.EqualFold(u.Host, server.Host) {
		return "", false
	}
	for _, prefix := range []string{"/watch/", "/embed/"} {
		if name, ok := strings.CutPrefix(u.Path, prefix); ok && media.CheckStreamName(name) == nil {
			return name, true
		}
	}
	return "", false
}

// sizeOf returns the size of a stream's pictures, as far as everybody may know it.
func (s *Server) sizeOf(stream string) (width, height int) {
	if s.opts.Verifier == nil {
		if found := s.opts.Hub.Lookup(stream); found != nil {
			if epoch := found.Epoch(); epoch != nil {
				for i := range epoch.Tracks {
					if t := &epoch.Tracks[i]; t.Kind() == media.Video && t.Width > 0 && t.Height > 0 {
						return t.Width, t.Height
					}
				}
			}
		}
	}
	return oembedWidth, oembedHeight
}

// fit returns the size of a player for pictures of the given one: oembedWidth
// wide, or smaller where at most so much is asked for.
func fit(width, height int, most [2]int) (int, int) {
	w := oembedWidth
	if most[0] > 0 {
		w = most[0]
	}
	h := max(1, w*height/width)
	if most[1] > 0 && h > most[1] {
		w, h = max(1, most[1]*width/height), most[1]
	}
	return w, h
}
