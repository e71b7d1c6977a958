package web

import (
	"fmt"
	"net/http"

	"github.com/framewire/framewire/server/internal/wire"
)

// share lets scripts of pages read the answer whose origins are listed; tags such
// as <img> and <video> may show it everywhere.
func (s *Server) share(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", mediaPolicy)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" && s.origins.Allow(r) {
		h.Set("Access-Control-Allow-Origin", origin)
	}
}

// refusePage returns how the session of a page that may not open one begins with
// its end; nil where it may. An answer of HTTP would not do: browsers keep from
// scripts why a WebSocket was not opened.
func (s *Server) refusePage(r *http.Request, stream string) *wire.Goodbye {
	if s.origins.Allow(r) {
		return nil
	}
	refusal := s.origins.Refuse(r)
	if refusal.First {
		s.log.Warn("a page was refused; name its origin under origins to let it play", "origin", refusal.Origin, "stream", stream, "remote", r.RemoteAddr)
	}
	s.opts.Refused("origin", stream, r.RemoteAddr, refusal)
	return &wire.Goodbye{
		Reason:  wire.GoodbyeOriginRefused,
		Message: fmt.Sprintf("Pages of %s may not play here. The operator of this server can allow it.", refusal.Origin),
	}
}
