package door

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// origins lets pages of one origin in.
type origins string

func (o origins) Allow(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || origin == string(o)
}

func TestCORS(t *testing.T) {
	c := CORS{Methods: "PUT", Headers: "Authorization", Expose: "Retry-After"}
	good := origins("https://good.example")
	for name, o := range map[string]struct {
		origins      Origins
		origin, want string
		status       int
	}{
		"all":        {nil, "https://any.example", "*", 200},
		"allowed":    {good, "https://good.example", "https://good.example", 200},
		"refused":    {good, "https://bad.example", "", 403},
		"no browser": {good, "", "", 200},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodOptions, "/publish/cam", nil)
			if o.origin != "" {
				r.Header.Set("Origin", o.origin)
			}
			w := httptest.NewRecorder()
			admitted := c.Admit(w, r, o.origins)
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != o.want || w.Code != o.status || admitted != (o.status == 200) {
				t.Errorf("admitted: %v with %q, status %d", admitted, got, w.Code)
			}
			if admitted && (w.Header().Get("Access-Control-Allow-Methods") != "PUT" || w.Header().Get("Access-Control-Expose-Headers") != "Retry-After") {
				t.Errorf("headers %v", w.Header())
			}
		})
	}
}
