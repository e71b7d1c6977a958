package web

import (
	"fmt"
	"net/http"
	"time"

	"github.com/framewire/framewire/server/internal/gate"
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

// pagesTold is how many pages that may not play are told so in a session, over all
// addresses. The rest get an answer of HTTP, which costs less.
var pagesTold = gate.Limits{PerSecond: 50, Burst: 200}

// refusePage returns how the session of a page that may not open one begins with
// its end; nil where it may. An answer of HTTP tells it nothing, since browsers keep
// from scripts why a WebSocket was not opened; it is to be that, curtly, where
// there are too many.
func (s *Server) refusePage(r *http.Request, stream string) (goodbye *wire.Goodbye, curt bool) {
	if s.origins.Allow(r) {
		return nil, false
	}
	refusal := s.origins.Refuse(r)
	if refusal.First {
		s.log.Warn("a page was refused; name its origin under origins to let it play", "origin", refusal.Origin, "stream", stream, "remote", r.RemoteAddr)
	}
	s.opts.Refused("origin", stream, r.RemoteAddr, refusal)
	s.refusedMu.Lock()
	defer s.refusedMu.Unlock()
	return &wire.Goodbye{
		Reason:  wire.GoodbyeOriginRefused,
		Message: fmt.Sprintf("Pages of %s may not play here. The operator of this server can allow it.", refusal.Origin),
	}, s.refusedPages.Take(pagesTold, time.Now()) != nil
}
