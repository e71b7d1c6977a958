package app_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Whatever is asked for over HTTPS, in whatever way it fails: the browser is told to
// stay with HTTPS, to take the answer for what it says that it is, and to let it load,
// frame and use nothing that it does not need.
func TestEveryAnswerHasTheHeadersThatGuardIt(t *testing.T) {
	s := start(t, certificate(t, "localhost")+"streams: {cam: {source: 'demo:'}}\npublish: {webrtc: '127.0.0.1:0', rules: [{streams: '**', key: k}]}\n")
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	const script, media = "script", "media"
	for _, c := range []struct {
		method, path string
		status       int    // 0 where it does not matter
		kind         string // of answer; empty for pages and all others
	}{
		{"GET", "/", 0, ""}, {"HEAD", "/", 0, ""}, {"POST", "/", 404, ""},
		{"GET", "/watch/cam", 0, ""}, {"GET", "/watch/", 404, ""}, {"GET", "/watch/%00", 404, ""},
		{"GET", "/embed/cam", 0, ""}, {"GET", "/embed/a%20b", 404, ""},
		{"GET", "/studio", 0, ""}, {"GET", "/admin", 0, ""}, {"GET", "/player.js", 0, script},
		{"GET", "/assets/none.js", 404, ""}, {"GET", "/oembed", 0, ""}, {"GET", "/oembed?url=https://localhost/watch/cam", 0, ""},
		{"GET", "/streams/none.mp4", 404, media}, {"GET", "/streams/none.jpg", 404, media}, {"GET", "/streams/none.mjpeg", 404, media},
		{"GET", "/streams/cam", 404, media}, {"HEAD", "/streams/cam.mp4", 0, media}, {"GET", "/files/cam", 404, media}, {"GET", "/files/..%2f..%2fetc%2fpasswd", 404, media},
		{"GET", "/ws", 426, ""}, {"GET", "/healthz", 200, ""}, {"GET", "/readyz", 200, ""}, {"GET", "/metrics", 200, ""},
		{"GET", "/publish", 200, ""}, {"PUT", "/publish/cam", 401, ""}, {"GET", "/publish/cam", 405, ""}, {"OPTIONS", "/publish/cam", 204, ""},
		{"POST", "/whip/cam", 415, ""}, {"GET", "/whip/cam", 405, ""}, {"OPTIONS", "/whip/cam", 204, ""},
		{"POST", "/framewire.v1.AdminService/ListStreams", 0, ""}, {"GET", "/framewire.v1.AdminService/None", 404, ""},
		{"GET", "/nothing", 404, ""}, {"GET", "/<script>", 404, ""}, {"DELETE", "/nothing", 0, ""},
	} {
		for _, accept := range []string{"text/html", "*/*"} {
			r, err := http.NewRequestWithContext(s.ctx, c.method, "https://"+s.addr+c.path, strings.NewReader(""))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept", accept)
			response, err := client.Do(r)
			if err != nil {
				t.Errorf("%s %s: %v", c.method, c.path, err)
				continue
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			h, what := response.Header, c.method+" "+c.path+" for "+accept
			if c.status != 0 && response.StatusCode != c.status {
				t.Errorf("%s: %s, want %d", what, response.Status, c.status)
			}
			if h.Get("Strict-Transport-Security") == "" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") == "" ||
				!strings.Contains(h.Get("Permissions-Policy"), "camera=(") {
				t.Errorf("%s: %v", what, h)
			}
			page := strings.HasPrefix(h.Get("Content-Type"), "text/html")
			policy := h.Get("Content-Security-Policy")
			switch {
			case c.kind == script && response.StatusCode == 200:
				if policy != "" {
					t.Errorf("%s: a script that binds its worker to %q", what, policy)
				}
			case !strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "base-uri 'none'"):
				t.Errorf("%s: policy %q", what, policy)
			case c.kind != media && !strings.Contains(policy, "frame-ancestors"):
				t.Errorf("%s: may be framed: %q", what, policy)
			case !page && strings.Contains(policy, "script-src"):
				t.Errorf("%s: scripts in what is no page: %q", what, policy)
			}
		}
	}
}
