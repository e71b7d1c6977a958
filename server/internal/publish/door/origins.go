package door

import "net/http"

// preflight is how long a browser may keep the answer to OPTIONS, in seconds.
const preflight = "3600"

// Origins says which pages may publish. A browser sends what a page of any origin
// wants sent: on a server that asks for no key, this is what keeps strange pages
// from it.
type Origins interface {
	// Allow reports whether the page that sends the request may; requests of no
	// page may. It may be called from any goroutine.
	Allow(r *http.Request) bool
}

// CORS is what pages of other origins may do at an endpoint, in the words of the
// Fetch standard.
type CORS struct {
	Methods string // that they may use
	Headers string // that they may send
	Expose  string // headers of answers that they may read
}

// Admit writes the headers of requests across origins, and reports whether the
// request's page may go on. Where it may not, the request was answered. Nil
// origins let all pages in.
func (c *CORS) Admit(w http.ResponseWriter, r *http.Request, origins Origins) bool {
	header := w.Header()
	switch origin := r.Header.Get("Origin"); {
	case origins == nil:
		header.Set("Access-Control-Allow-Origin", "*")
	case !origins.Allow(r):
		http.Error(w, "pages of this origin may not publish", http.StatusForbidden)
		return false
	default:
		header.Add("Vary", "Origin")
		if origin != "" {
			header.Set("Access-Control-Allow-Origin", origin)
		}
	}
	header.Set("Access-Control-Expose-Headers", c.Expose)
	if r.Method == http.MethodOptions {
		header.Set("Access-Control-Allow-Methods", c.Methods)
		header.Set("Access-Control-Allow-Headers", c.Headers)
		header.Set("Access-Control-Max-Age", preflight)
	}
	return true
}
