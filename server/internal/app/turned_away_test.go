package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/auth"
)

// post sends a request of a publisher, as a proxy passes it on for a client where
// one is named, and returns status and text of the answer.
func (s *server) post(path, kind, key, from string, body io.Reader) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Authorization", "Bearer "+key)
	if from != "" {
		r.Header.Set("X-Forwarded-For", from)
	}
	response, err := s.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode == http.StatusTooManyRequests && response.Header.Get("Retry-After") == "" {
		s.t.Errorf("%s: no Retry-After", path)
	}
	return response.StatusCode, string(text)
}

// offer is what a browser sends to publish over WHIP.
func offer(t *testing.T) io.Reader {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "publish", "whip", "testdata", "offer.sdp"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(data)
}

// said reads what an RTMP server says to its end. Strings in AMF stand as they are.
func said(t *testing.T, conn net.Conn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(conn) // a reset is an end as well
	return string(text)
}

func TestPublishersOfAnAddressAreLimitedOverEveryProtocol(t *testing.T) {
	s := start(t, "publish: {rtmp: '127.0.0.1:0', webrtc: '127.0.0.1:0', max_publishers_per_address: 1, rules: [{streams: '**', key: k}]}\n")
	v := s.must(client.Options{}, "")
	first, err := v.Publish(s.ctx, &framewirev1.PublishStart{Stream: "first", Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.must(client.Options{}, "").Publish(s.ctx, &framewirev1.PublishStart{Stream: "ws", Key: "k"})
	var ended *client.PublishError
	if !errors.As(err, &ended) || ended.Reason != framewirev1.PublishEndReason_PUBLISH_END_REASON_TOO_MANY_PUBLISHERS || ended.RetryAfter <= 0 {
		t.Errorf("over a session: %v", err)
	}
	const why = "no more publishers now from this address"
	if status, text := s.post("/publish/push", "video/mp2t", "k", "", strings.NewReader("")); status != 429 || !strings.Contains(text, why) {
		t.Errorf("over HTTP: %d %q", status, text)
	}
	if status, text := s.post("/whip/whip", "application/sdp", "k", "", offer(t)); status != 429 || !strings.Contains(text, why) {
		t.Errorf("over WHIP: %d %q", status, text)
	}
	conn, err := net.Dial("tcp", s.rtmp())
	if err != nil {
		t.Fatal(err)
	}
	askRTMP(t, conn, "rtmp?key=k")
	if text := said(t, conn); !strings.Contains(text, "NetStream.Publish.Denied") || !strings.Contains(text, why) {
		t.Errorf("over RTMP: %q", text)
	}
	if _, metrics := s.get("/metrics"); !strings.Contains(metrics, `framewire_refusals_total{reason="too_many_publishers_of_address",what="publish"} 4`) {
		t.Error("the refusals are not counted")
	}

	s.write("publish: {rtmp: '127.0.0.1:0', webrtc: '127.0.0.1:0', max_publishers_per_address: 2, rules: [{streams: '**', key: k}]}\n")
	s.wait("it was read", func() bool { return s.log.Count("configuration was read again") == 1 })
	if _, err := s.must(client.Options{}, "").Publish(s.ctx, &framewirev1.PublishStart{Stream: "ws", Key: "k"}); err != nil {
		t.Errorf("with two allowed: %v", err)
	}
	if err := first.Close(s.ctx); err != nil {
		t.Error(err)
	}
}

func TestAddressThatBeginsTooOftenIsTurnedAwayOverEveryProtocol(t *testing.T) {
	const rules = "trusted_proxies: [127.0.0.1]\npublish: {rtmp: '127.0.0.1:0', webrtc: '127.0.0.1:0', rules: [{streams: '**', key: k}]}\n"
	s := start(t, rules+"limits: {handshakes_per_second: 1, handshake_burst: 3}\n")
	often := func(err error) bool {
		var g *client.GoodbyeError
		return errors.As(err, &g) && g.Reason == framewirev1.GoodbyeReason_GOODBYE_REASON_OVERLOADED && g.RetryAfter > 0
	}
	// All that an address begins counts together.
	const from = "198.51.100.7"
	// Many at once: on however slow a machine, few become due meanwhile.
	const many = 12
	refusals := func(try func() bool) int {
		refused := make(chan bool, many)
		for range many {
			go func() {
				was := false
				defer func() { refused <- was }() // whatever becomes of it
				was = try()
			}()
		}
		n := 0
		for range many {
			if <-refused {
				n++
			}
		}
		return n
	}
	if refusals(func() bool {
		_, err := s.dial(via(from), "")
		return often(err)
	}) == 0 {
		t.Error("sessions can be opened without end")
	}
	for path, c := range map[string]struct {
		kind string
		body func() io.Reader
	}{
		"/publish/push": {"video/mp2t", func() io.Reader { return strings.NewReader("") }},
		"/whip/whip":    {"application/sdp", func() io.Reader { return offer(t) }},
	} {
		if refusals(func() bool {
			status, _ := s.post(path, c.kind, "wrong", from, c.body())
			return status == http.StatusTooManyRequests
		}) == 0 {
			t.Errorf("%s is not refused", path)
		}
	}
	if _, err := s.dial(via("198.51.100.8"), ""); err != nil {
		t.Errorf("another address: %v", err)
	}
	for range 10 { // the proxy tells nobody, as one on the same machine that is not named
		s.must(client.Options{}, "")
	}
	if n := s.log.Count("asks too often"); n == 0 {
		t.Errorf("the log says so %d times", n)
	}
	if _, metrics := s.get("/metrics"); !strings.Contains(metrics, `reason="too_many_handshakes",what="publish"`) ||
		!strings.Contains(metrics, `reason="too_many_handshakes",what="watch"`) {
		t.Error("the refusals are not counted")
	}
	s.write(rules + "limits: {handshakes_per_second: 0}\n")
	s.wait("it was read", func() bool { return s.log.Count("configuration was read again") == 1 })
	for range 20 {
		s.must(via(from), "")
	}
}

func TestRTMPConnectionsOfAnAddressAreLimited(t *testing.T) {
	s := start(t, "proxy_protocol: [127.0.0.1]\npublish: {rtmp: '127.0.0.1:0', rules: [{streams: '**', key: k}]}\nlimits: {handshakes_per_second: 1, handshake_burst: 2}\n")
	for range 10 {
		var all [3]net.Conn // at once: a second lets one more in
		for i := range all {
			var err error
			if all[i], err = relayed(s.ctx, s.rtmp(), "198.51.100.7"); err != nil {
				t.Fatal(err)
			}
			askRTMP(t, all[i], "cam?key=wrong")
		}
		for _, conn := range all {
			text := said(t, conn)
			if strings.Contains(text, "NetConnection.Connect.Rejected") && strings.Contains(text, "too many connections") {
				return
			}
			if !strings.Contains(text, "NetStream.Publish.Denied") {
				t.Fatalf("told %q", text)
			}
		}
	}
	t.Error("30 connections are taken")
}

func TestPublicationsEndWithTheirTokenOverEveryProtocol(t *testing.T) {
	s := start(t, fmt.Sprintf("publish: {rtmp: '127.0.0.1:0'}\nauth: {secret_file: %q}\n", secretFile(t)))
	short, long := token(t, 6*time.Second, []string{"**"}, auth.Publish), token(t, time.Hour, []string{"**"}, auth.Publish)

	conn, err := net.Dial("tcp", s.rtmp())
	if err != nil {
		t.Fatal(err)
	}
	askRTMP(t, conn, "rtmp?key="+short)
	body, media := io.Pipe()
	defer media.Close()
	pushed := make(chan string, 1)
	go func() {
		status, text := s.post("/publish/push", "video/mp2t", short, "", body)
		pushed <- fmt.Sprint(status, " ", text)
	}()

	// Over sessions a new one can be given: that of the session, or one beside a key.
	publish := func(session, key, stream string) (*client.Session, *client.Publication) {
		v := s.must(client.Options{Token: session}, "")
		p, err := v.Publish(s.ctx, &framewirev1.PublishStart{Stream: stream, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		return v, p
	}
	ending, _ := publish(short, "", "ends")
	renewed, stays := publish(short, "", "stays")
	keyed, staysToo := publish("", short, "stays/too")
	_, endsToo := publish("", short, "ends/too")
	var refusal *client.CommandError
	watch := token(t, time.Hour, []string{"**"}, auth.Watch)
	if err := ending.RefreshToken(s.ctx, watch); !errors.As(err, &refusal) || refusal.Code != framewirev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED {
		t.Errorf("a token that does not allow what the session does: %v", err)
	}
	for _, v := range []*client.Session{renewed, keyed} {
		if err := v.RefreshToken(s.ctx, long); err != nil {
			t.Error(err)
		}
	}
	if err := keyed.RefreshToken(s.ctx, watch); err != nil {
		t.Errorf("a token to watch by, beside a publication with a key of its own: %v", err)
	}

	// With the token of a session ends all of it.
	var end error
	for _, err := range ending.Messages(s.ctx) {
		end = err
	}
	if goodbye(end) != framewirev1.GoodbyeReason_GOODBYE_REASON_TOKEN_EXPIRED {
		t.Errorf("the session ended with %v", end)
	}
	select {
	case <-endsToo.Done():
	case <-s.ctx.Done():
		t.Fatal("a publication does not end with its key")
	}
	if got := publishEnd(endsToo.Err()); got != framewirev1.PublishEndReason_PUBLISH_END_REASON_TOKEN_EXPIRED {
		t.Errorf("ended with %v", endsToo.Err())
	}
	if text := said(t, conn); !strings.Contains(text, "the token has expired") {
		t.Errorf("over RTMP: %q", text)
	}
	if text := <-pushed; text != "401 the token has expired\n" {
		t.Errorf("over HTTP: %q", text)
	}
	ctx, cancel := context.WithTimeout(s.ctx, time.Second) // longer than the desk takes to notice
	defer cancel()
	select {
	case <-stays.Done():
		t.Errorf("the renewed one ended with %v", stays.Err())
	case <-staysToo.Done():
		t.Errorf("the renewed one with a key ended with %v", staysToo.Err())
	case <-ctx.Done():
	}
}

func TestGuessesOfKeysCountOverAllProtocols(t *testing.T) {
	s := start(t, "proxy_protocol: [127.0.0.1]\npublish: {rtmp: '127.0.0.1:0', webrtc: '127.0.0.1:0', rules: [{streams: '**', key: k}]}\n")
	from := func(address string) *http.Transport {
		transport := &http.Transport{DialContext: func(ctx context.Context, _, target string) (net.Conn, error) { return relayed(ctx, target, address) }}
		t.Cleanup(transport.CloseIdleConnections)
		return transport
	}
	s.http = &http.Client{Transport: from("198.51.100.7")}
	// guess until the address is held up; some seconds later it may try one more.
	guess := func() {
		t.Helper()
		for range 30 {
			if status, _ := s.post("/publish/push", "video/mp2t", "guess", "", strings.NewReader("")); status == http.StatusTooManyRequests {
				return
			}
		}
		t.Fatal("30 guesses in a row are not held up")
	}
	v := s.must(client.Options{HTTPClient: s.http}, "")
	guess()
	_, err := v.Publish(s.ctx, &framewirev1.PublishStart{Stream: "ws", Key: "k"})
	if publishEnd(err) != framewirev1.PublishEndReason_PUBLISH_END_REASON_TOO_MANY_ATTEMPTS {
		t.Errorf("over a session: %v", err)
	}
	guess()
	if status, _ := s.post("/whip/whip", "application/sdp", "k", "", offer(t)); status != http.StatusTooManyRequests {
		t.Errorf("over WHIP: %d", status)
	}
	guess()
	conn, err := relayed(s.ctx, s.rtmp(), "198.51.100.7")
	if err != nil {
		t.Fatal(err)
	}
	askRTMP(t, conn, "rtmp?key=k")
	if text := said(t, conn); !strings.Contains(text, "too many wrong ones") {
		t.Errorf("over RTMP: %q", text)
	}
	// Who is behind the proxy without a name has guessed nothing, and is not held up by
	// what others do: there may be many.
	s.http = &http.Client{Transport: from("")}
	for range 15 {
		if status, _ := s.post("/publish/push", "video/mp2t", "guess", "", strings.NewReader("")); status != http.StatusForbidden {
			t.Errorf("a guess from the proxy itself: %d", status)
		}
	}
	if _, metrics := s.get("/metrics"); !strings.Contains(metrics, `framewire_refusals_total{reason="too_many_attempts",what="publish"}`) {
		t.Error("the refusals are not counted")
	}
}
