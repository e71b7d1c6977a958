package app

import (
	"encoding/json"
	"net"
	"net/http"
)

// ways is how one can publish here, for the page that says so. What a page cannot
// reach is left out.
type ways struct {
	// RTMP and RTMPS are ports, 0 for none.
	RTMP  int `json:"rtmp"`
	RTMPS int `json:"rtmps"`
	// WHIP tells whether there is /whip/.
	WHIP bool `json:"whip"`
	// Key is "none" where anybody may publish something, "needed" where a stream
	// key or token is, and "closed" where nobody may.
	Key string `json:"key"`
}

// ways returns what holds now: rules change while the server runs.
func (s *server) ways() ways {
	w := ways{WHIP: s.publishing.whip != nil, Key: "needed"}
	for scheme, port := range map[string]*int{"rtmp": &w.RTMP, "rtmps": &w.RTMPS} {
		if a, ok := s.publishing.ports[scheme].(*net.TCPAddr); ok {
			*port = a.Port
		}
	}
	c := s.config.Load()
	if !c.Publishing() {
		w.Key = "closed"
	}
	for _, r := range rules(c, s.opts.Config.Listen) {
		if r.Key == "" {
			w.Key = "none"
		}
	}
	return w
}

// serveWays answers GET /publish.
func (s *server) serveWays(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(s.ways())
}
