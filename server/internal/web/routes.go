package web

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"github.com/framewire/framewire/server/internal/patience"
)

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	s.whole("GET /{$}", s.serveIndex)
	s.whole("GET /watch/{stream...}", s.serveWatch)
	s.whole("GET /embed/{stream...}", s.serveEmbed)
	s.whole("GET /studio", s.serveStudio)
	s.whole("GET /admin", s.serveConsole)
	s.whole("GET /player.js", s.servePlayer)
	s.whole("GET /assets/{name...}", s.serveAsset)
	s.mux.HandleFunc("GET /ws", s.serveProtocol)
	s.mux.HandleFunc("GET /streams/{file...}", s.serveStream)
	s.whole("GET /oembed", s.serveOEmbed)
	s.whole("GET /files/{stream...}", s.serveFile)
	s.mux.HandleFunc("GET /healthz", s.serveHealth)
	s.mux.HandleFunc("GET /readyz", s.serveReady)
	for pattern, handler := range s.opts.Mount {
		s.mux.Handle(pattern, handler)
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.missing(w, r, fmt.Sprintf("There is nothing at %s.", r.URL.Path))
	})
}

// whole adds a handler of answers that have an end, which clients have to take.
func (s *Server) whole(pattern string, serve http.HandlerFunc) {
	s.mux.Handle(pattern, patience.Handler(serve, httpBlocked))
}

func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	explain(w, http.StatusOK, "ok")
}

func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	if s.gone(w) {
		return
	}
	if s.opts.Ready != nil {
		if err := s.opts.Ready(); err != nil {
			explain(w, http.StatusServiceUnavailable, "not ready: %v", err)
			return
		}
	}
	explain(w, http.StatusOK, "ready")
}

// serveStream answers with a stream as HTTP media, in the format that the
// extension names.
func (s *Server) serveStream(w http.ResponseWriter, r *http.Request) {
	s.share(w, r)
	if s.gone(w) {
		return
	}
	file := r.PathValue("file")
	for extension, serve := range map[string]func(http.ResponseWriter, *http.Request, string){
		".mp4":   s.serveMP4,
		".mjpeg": s.serveMJPEG,
		".jpg":   s.serveJPEG,
	} {
		if name, ok := strings.CutSuffix(file, extension); ok && name != "" {
			if !s.checkName(w, name) {
				return
			}
			if r, cancel := s.permit(w, r, name, extension != ".jpg" && r.Method == http.MethodGet); r != nil {
				defer cancel()
				serve(w, r, name)
			}
			return
		}
	}
	explain(w, http.StatusNotFound, "A stream is at /streams/NAME.mp4 (endless MP4), /streams/NAME.mjpeg (moving pictures) and /streams/NAME.jpg (one picture).")
}

// serveFile answers with the file behind a stream.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	s.share(w, r)
	name := r.PathValue("stream")
	if !s.checkName(w, name) {
		return
	}
	r, cancel := s.permit(w, r, name, false)
	if r == nil {
		return
	}
	defer cancel()
	path := ""
	if s.opts.File != nil {
		path = s.opts.File(name)
	}
	if path == "" {
		explain(w, http.StatusNotFound, "There is no file behind a stream %q. Live it is at /streams/%s.mp4, if it exists.", name, name)
		return
	}
	if err := serveContent(w, r, path); err != nil {
		s.log.Warn("the file of a stream cannot be served", "stream", name, "error", err)
		explain(w, http.StatusInternalServerError, "The file behind stream %q cannot be read now.", name)
	}
}

// serveContent answers with a file, whose type it detects by its content. After
// an error nothing was answered.
func serveContent(w http.ResponseWriter, r *http.Request, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	kind, err := mimetype.DetectReader(f)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", kind.String())
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", cacheChecked)
	h.Set("ETag", fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano()))
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}
