package whip_test

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/publish/door"
	"github.com/framewire/framewire/server/internal/publish/publishtest"
	"github.com/framewire/framewire/server/internal/publish/whip"
)

const videoKind = webrtc.RTPCodecTypeVideo

func base64Of(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

// offerOf returns an offer of H.264 from a publisher that will not come.
func offerOf(t *testing.T) string {
	t.Helper()
	pc := newPeer(t, mode1)
	defer pc.Close()
	if _, err := pc.AddTransceiverFromKind(videoKind, webrtc.RTPTransceiverInit{
		Direction: webrtc.RTPTransceiverDirectionSendonly,
	}); err != nil {
		t.Fatal(err)
	}
	return offer(t, pc)
}

func TestRefusals(t *testing.T) {
	url, _ := serve(t, whip.Options{})
	good := offerOf(t)
	header := func(name, value string) http.Header { return http.Header{name: {value}} }
	for _, c := range []struct {
		name, method, path, body string
		headers                  http.Header
		status                   int
		says                     string
	}{
		{"no key", "POST", "/whip/cam", good, header("Authorization", ""), 401, "key"},
		{"wrong key", "POST", "/whip/cam", good, header("Authorization", "Bearer wrong"), 403, "key"},
		{"unknown stream", "POST", "/whip/unknown", good, nil, 404, "no such stream"},
		{"bad name", "POST", "/whip/%2e%2e%0a", good, nil, 400, "name"},
		{"long name", "POST", "/whip/" + strings.Repeat("x", 5000), good, nil, 400, "name"},
		{"wrong type", "POST", "/whip/cam", good, header("Content-Type", "text/plain"), 415, "application/sdp"},
		{"no type", "POST", "/whip/cam", good, header("Content-Type", ""), 415, "application/sdp"},
		{"no SDP", "POST", "/whip/cam", "hello", nil, 400, "malformed"},
		{"empty", "POST", "/whip/cam", "", nil, 422, "neither"},
		{"too long", "POST", "/whip/cam", strings.Repeat("a=x\r\n", 20000), nil, 413, "longer"},
		{"VP8 only", "POST", "/whip/cam", strings.ReplaceAll(good, "H264", "VP8"), nil, 422, "VP8"},
		{"receiver", "POST", "/whip/cam", strings.ReplaceAll(good, "sendonly", "recvonly"), nil, 422, "send"},
		{"mode 2", "POST", "/whip/cam", strings.ReplaceAll(good, "packetization-mode=1", "packetization-mode=2"), nil, 422, "H264"},
		{"passive", "POST", "/whip/cam", strings.ReplaceAll(good, "actpass", "passive"), nil, 422, "passive"},
		{"data channel", "POST", "/whip/cam", strings.ReplaceAll(good, "m=video", "m=application"), nil, 422, "application"},
		{"two videos", "POST", "/whip/cam", twice(good), nil, 422, "more than one"},
		{"GET", "GET", "/whip/cam", "", nil, 405, ""},
		{"PUT", "PUT", "/whip/cam", good, nil, 405, ""},
		{"DELETE of nothing", "DELETE", "/whip/cam/none", "", nil, 404, "session"},
		{"PATCH of nothing", "PATCH", "/whip/cam/none", "", nil, 404, "session"},
	} {
		response, body := do(t, c.method, url+c.path, c.body, c.headers)
		if response.StatusCode != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %s: %q; want %d and %q", c.name, response.Status, body, c.status, c.says)
		}
	}
}

func twice(offer string) string {
	i := strings.Index(offer, "m=video")
	return offer + strings.ReplaceAll(offer[i:], "a=mid:0", "a=mid:1")
}

func TestGuessingIsSlowedDown(t *testing.T) {
	url, _ := serve(t, whip.Options{})
	good := offerOf(t)
	for i := range 30 {
		response, _ := post(t, url+"/whip/cam", good, http.Header{"Authorization": {"Bearer guess"}})
		if response.StatusCode == http.StatusTooManyRequests {
			if i < 5 || response.Header.Get("Retry-After") == "" {
				t.Errorf("held after %d guesses, %v", i, response.Header)
			}
			return
		}
	}
	t.Error("30 guesses in a row are not held up")
}

func TestSessionResource(t *testing.T) {
	desk := publishtest.NewDesk(t, key)
	url, _ := serve(t, whip.Options{Desk: desk, MaxSessions: 1})
	response, answer := post(t, url+"/whip/a/b?x=y", offerOf(t), nil)
	location, err := response.Location()
	if err != nil || response.StatusCode != 201 || !strings.HasPrefix(location.Path, "/whip/a/b/") {
		t.Fatalf("%s, location %v (%v)", response.Status, location, err)
	}
	for _, line := range []string{"a=ice-lite", "a=recvonly", "a=setup:passive", "a=candidate:", "a=rtcp-mux", "m=video 9 UDP/TLS/RTP/SAVPF 102\r\n"} {
		if !strings.Contains(answer, line) {
			t.Errorf("the answer lacks %q:\n%s", line, answer)
		}
	}
	session, tag := location.String(), response.Header.Get("ETag")
	const credentials = "a=ice-ufrag:ABCD\r\na=ice-pwd:0123456789012345678901\r\n"
	for _, c := range []struct {
		name, method, body, match string
		status                    int
	}{
		{"no tag", "PATCH", "a=end-of-candidates\r\n", "", 428},
		{"other tag", "PATCH", "a=end-of-candidates\r\n", `"other"`, 412},
		{"candidates", "PATCH", "a=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\n", tag, 204},
		{"no SDP", "PATCH", "hello", tag, 400},
		{"short password", "PATCH", "a=ice-ufrag:ABCD\r\na=ice-pwd:x\r\n", "*", 400},
		{"restart", "PATCH", credentials, "*", 200},
		{"tag of before", "PATCH", "a=end-of-candidates\r\n", tag, 412},
		{"POST", "POST", "", "", 405},
		{"GET", "GET", "", "", 405},
	} {
		headers := http.Header{"Content-Type": {"application/trickle-ice-sdpfrag"}}
		if c.match != "" {
			headers.Set("If-Match", c.match)
		}
		response, body := do(t, c.method, session, c.body, headers)
		if response.StatusCode != c.status {
			t.Errorf("%s: %s: %q; want %d", c.name, response.Status, body, c.status)
		}
		if renewed := response.Header.Get("ETag"); (renewed != "") != (c.name == "restart") || renewed == tag {
			t.Errorf("%s: ETag %q", c.name, renewed)
		}
	}
	if response, _ := post(t, url+"/whip/other", offerOf(t), nil); response.StatusCode != 429 {
		t.Errorf("one too many: %s", response.Status)
	}
	if response, _ := do(t, "DELETE", session, "", nil); response.StatusCode != 200 || desk.Await(0).AwaitClose() != nil {
		t.Errorf("DELETE: %s", response.Status)
	}
	if response, _ := do(t, "DELETE", session, "", nil); response.StatusCode != 404 {
		t.Errorf("second DELETE: %s", response.Status)
	}
	if response, _ := post(t, url+"/whip/a/b", offerOf(t), nil); response.StatusCode != 201 {
		t.Errorf("after DELETE: %s", response.Status)
	}
	if response, _ := post(t, url+"/whip/c", offerOf(t), nil); response.StatusCode != 429 {
		t.Errorf("one too many again: %s", response.Status)
	}
}

func TestBusyStream(t *testing.T) {
	url, _ := serve(t, whip.Options{})
	post(t, url+"/whip/cam", offerOf(t), nil)
	if response, body := post(t, url+"/whip/cam", offerOf(t), nil); response.StatusCode != 409 {
		t.Errorf("%s: %s", response.Status, body)
	}
}

// only lets pages of one origin in.
type only string

func (o only) Allow(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || origin == string(o)
}

func TestCrossOrigin(t *testing.T) {
	allowed := only("https://good.example")
	for _, c := range []struct {
		name         string
		origins      door.Origins
		origin, want string
		status       int
	}{
		{"any", nil, "https://any.example", "*", 204},
		{"allowed", allowed, "https://good.example", "https://good.example", 204},
		{"refused", allowed, "https://bad.example", "", 403},
		{"no browser", allowed, "", "", 204},
	} {
		url, _ := serve(t, whip.Options{Origins: c.origins})
		headers := http.Header{"Access-Control-Request-Method": {"POST"}}
		if c.origin != "" {
			headers.Set("Origin", c.origin)
		}
		response, _ := do(t, "OPTIONS", url+"/whip/cam", "", headers)
		got := response.Header.Get("Access-Control-Allow-Origin")
		if response.StatusCode != c.status || got != c.want {
			t.Errorf("%s: %s, origin %q", c.name, response.Status, got)
		}
		if c.status == 204 && (response.Header.Get("Accept-Post") != "application/sdp" ||
			!strings.Contains(response.Header.Get("Access-Control-Expose-Headers"), "Location")) {
			t.Errorf("%s: headers %v", c.name, response.Header)
		}
	}
}

// slowly sends the beginning of a request and returns the answer, once the server
// has given up.
func slowly(t *testing.T, url, request string) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func TestBodyThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	url, _ := serve(t, whip.Options{Patience: 200 * time.Millisecond})
	created, _ := post(t, url+"/whip/cam", offerOf(t), nil)
	session, err := created.Location()
	if err != nil {
		t.Fatal(err)
	}
	for name, head := range map[string]string{
		"offer":      "POST /whip/other HTTP/1.1\r\nContent-Type: application/sdp",
		"candidates": "PATCH " + session.Path + " HTTP/1.1\r\nContent-Type: application/trickle-ice-sdpfrag\r\nIf-Match: *",
	} {
		t.Run(name, func(t *testing.T) {
			r := slowly(t, url, head+"\r\nHost: a\r\nAuthorization: Bearer "+key+"\r\nContent-Length: 2000\r\n\r\nv=0\r\n")
			if r.StatusCode != http.StatusRequestTimeout {
				t.Errorf("answered with %s", r.Status)
			}
		})
	}
}

func TestAddressThatOffersTooOftenIsTurnedAway(t *testing.T) {
	url, _ := serve(t, whip.Options{Gate: gate.New(gate.Options{Limits: gate.Limits{PerSecond: 1, Burst: 2}})})
	for i := range 30 {
		r, body := post(t, url+"/whip/unknown", offerOf(t), nil)
		if r.StatusCode == http.StatusTooManyRequests {
			if i < 2 || r.Header.Get("Retry-After") == "" || !strings.Contains(body, "too many connections") {
				t.Errorf("after %d: %q, %v", i, body, r.Header)
			}
			return
		}
	}
	t.Error("30 offers in a row are taken")
}
