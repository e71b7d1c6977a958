package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// page is one file of the pages, ready to be served.
type page struct {
	data    []byte
	gzipped []byte // nil where that gains nothing
	kind    string // Content-Type
	etag    string // without quotes
	scripts string // sources of Content-Security-Policy for the scripts within it
}

// pages holds all files by path. They are few and small, and never change while
// the server runs.
type pages map[string]*page

// gzipMin is the size below which compression gains less than its header costs.
const gzipMin = 512

// pageTypes are those of files that pages are made of: what the system's table
// says of them differs from one machine to the next.
var pageTypes = map[string]string{
	".html":  "text/html; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".css":   "text/css; charset=utf-8",
	".svg":   "image/svg+xml",
	".png":   "image/png",
	".ico":   "image/x-icon",
	".woff2": "font/woff2",
	".json":  "application/json",
	".map":   "application/json",
	".txt":   "text/plain; charset=utf-8",
}

func loadPages(from fs.FS) (pages, error) {
	all := make(pages)
	if from == nil {
		return all, nil
	}
	err := fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		data, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		all[name] = newPage(name, data)
		return nil
	})
	return all, err
}

func newPage(name string, data []byte) *page {
	sum := sha256.Sum256(data)
	extension := path.Ext(name)
	p := &page{
		data: data,
		kind: cmp.Or(pageTypes[extension], mime.TypeByExtension(extension), "application/octet-stream"),
		etag: base64.RawURLEncoding.EncodeToString(sum[:12]),
	}
	if extension == ".html" {
		p.scripts = inlineScripts(data)
	}
	if len(data) < gzipMin || strings.HasPrefix(p.kind, "image/png") || strings.HasPrefix(p.kind, "font/") {
		return p
	}
	var small bytes.Buffer
	w, _ := gzip.NewWriterLevel(&small, gzip.BestCompression) // the level is valid
	_, _ = w.Write(data)                                      // into memory
	_ = w.Close()
	if small.Len() < len(data)*9/10 {
		p.gzipped = small.Bytes()
	}
	return p
}

var inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// inlineScripts returns a source of Content-Security-Policy for each script
// that stands in a page itself, each with a space before it.
func inlineScripts(html []byte) string {
	var sources strings.Builder
	for _, match := range inlineScript.FindAllSubmatch(html, -1) {
		sum := sha256.Sum256(match[1])
		sources.WriteString(" 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'")
	}
	return sources.String()
}

// serve answers with the page, compressed where the client takes that.
func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", p.kind)
	h.Set("X-Content-Type-Options", "nosniff")
	data, etag := p.data, p.etag
	if p.gzipped != nil {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			data, etag = p.gzipped, p.etag+"-gzip"
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" || name == "*" {
			params = strings.ReplaceAll(params, " ", "")
			return params != "q=0" && !strings.HasPrefix(params, "q=0.0")
		}
	}
	return false
}

// Cache-Control of what has a hash of its content in its name, and of all else.
const (
	cacheForEver = "public, max-age=31536000, immutable"
	cacheChecked = "no-cache"
)

// policy is the Content-Security-Policy of pages, but for frame-ancestors and
// the scripts within a page, which stand in for the star of script-src. The
// controls style themselves from within, which needs inline styles; the player
// feeds the video from memory (blob:) and may do so on a worker of its own.
const policy = "default-src 'none'; script-src 'self'*; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
	"font-src 'self'; media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; frame-src 'self'; " +
	"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors "

// consolePolicy is the whole one of the operator's console, which shows no video
// and nothing of other origins, and is never framed.
const consolePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// plainPolicy is for all answers that are no pages, should a browser show one as such:
// they load nothing, and are not framed.
const plainPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// mediaPolicy is for media, around which a browser makes a page of its own.
const mediaPolicy = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

// Permissions-Policy: only the studio may ask for a camera, a microphone or the
// screen, and nothing that it frames.
const (
	noDevices     = "camera=(), microphone=(), display-capture=()"
	studioDevices = "camera=(self), microphone=(self), display-capture=(self)"
)

// html answers with a page that may be framed by the given sources.
func (s *Server) html(w http.ResponseWriter, r *http.Request, name, ancestors string) {
	p := s.pages[name]
	if p == nil {
		explain(w, http.StatusNotFound, "This server was built without its pages: build it with `make build`. Streams are served all the same; see /streams/NAME.mp4 and /ws.")
		return
	}
	h := w.Header()
	if h.Get("Content-Security-Policy") == plainPolicy {
		h.Set("Content-Security-Policy", strings.Replace(policy, "*", p.scripts, 1)+ancestors)
	}
	h.Set("Cache-Control", cacheChecked)
	p.serve(w, r)
}

func (s *Server) serveIndex(w http.ResponseWriter, r *http.Request) {
	s.html(w, r, "index.html", "'self'")
}

func (s *Server) serveWatch(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("stream")
	if err := media.CheckStreamName(name); err != nil {
		s.missing(w, r, fmt.Sprintf("There cannot be such a stream: %v.", err))
		return
	}
	discover(w, r, name)
	s.html(w, r, "watch.html", "'self'")
}

// serveStudio answers with the page that publishes. Nobody may frame it: a page
// around it could have visitors press its buttons.
func (s *Server) serveStudio(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Permissions-Policy", studioDevices)
	s.html(w, r, "studio.html", "'none'")
}

// serveConsole answers with the operator's console. Everybody may load the page;
// what it shows it asks of the operator's service, which asks for a token.
func (s *Server) serveConsole(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", consolePolicy)
	s.html(w, r, "admin.html", "'none'")
}

func (s *Server) serveEmbed(w http.ResponseWriter, r *http.Request) {
	if !s.checkName(w, r.PathValue("stream")) {
		return
	}
	s.html(w, r, "embed.html", s.origins.Ancestors())
}

func (s *Server) checkName(w http.ResponseWriter, name string) bool {
	if err := media.CheckStreamName(name); err != nil {
		explain(w, http.StatusNotFound, "There cannot be such a stream: %v.", err)
		return false
	}
	return true
}

// missingPolicy is the Content-Security-Policy of a page without scripts.
const missingPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// missing tells a browser on a page, and everybody else in the one line given,
// that there is nothing at an address.
func (s *Server) missing(w http.ResponseWriter, r *http.Request, line string) {
	p := s.pages["missing.html"]
	if p == nil || r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		explain(w, http.StatusNotFound, "%s", line)
		return
	}
	h := w.Header()
	h.Set("Content-Type", p.kind)
	h.Set("Content-Security-Policy", missingPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write(p.data)
}

// servePlayer answers with the player's script, which pages of other origins
// load.
func (s *Server) servePlayer(w http.ResponseWriter, r *http.Request) {
	p := s.pages["player.js"]
	if p == nil {
		explain(w, http.StatusNotFound, "This server was built without the player: build it with `make build`.")
		return
	}
	allowAll(w)
	w.Header().Del("Content-Security-Policy") // of a script it would bind the worker that it runs on
	w.Header().Set("Cache-Control", cacheChecked)
	p.serve(w, r)
}

func (s *Server) serveAsset(w http.ResponseWriter, r *http.Request) {
	p := s.pages["assets/"+r.PathValue("name")]
	if p == nil {
		explain(w, http.StatusNotFound, "There is no such file. It may belong to another version of the server: load the page anew.")
		return
	}
	allowAll(w)
	w.Header().Del("Content-Security-Policy") // as of the player's script
	w.Header().Set("Cache-Control", cacheForEver)
	p.serve(w, r)
}

// allowAll lets pages of every origin use the answer.
func allowAll(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
}
