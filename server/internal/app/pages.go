package app

import "net/http"

// pages are those that may publish over HTTP, as door.Origins. Who is refused is
// told as of pages that may not play.
type pages struct{ s *server }

// Allow implements door.Origins.
func (p pages) Allow(r *http.Request) bool {
	list := &p.s.publishing.origins
	if list.Allow(r) {
		return true
	}
	refusal := list.Refuse(r)
	if refusal.First {
		p.s.log.Warn("a page was refused; name its origin under origins to let it publish", "origin", refusal.Origin, "remote", r.RemoteAddr)
	}
	p.s.refused("origin", "", "", r.RemoteAddr, refusal)
	return false
}
