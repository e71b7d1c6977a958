package web

import "net/http"

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

// admitPage answers a request of a page that may not open a session, and reports
// whether it may.
func (s *Server) admitPage(w http.ResponseWriter, r *http.Request, stream string) bool {
	if s.origins.Allow(r) {
		return true
	}
	refusal := s.origins.Refuse(r)
	if refusal.First {
		s.log.Warn("a page was refused; name its origin under origins to let it play", "origin", refusal.Origin, "stream", stream, "remote", r.RemoteAddr)
	}
	s.opts.Refused("origin", stream, r.RemoteAddr, refusal)
	explain(w, http.StatusForbidden, "Pages of %q may not play here. The operator of this server can allow it: see origins in the configuration.", refusal.Origin)
	return false
}
