package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
)

func TestOriginsAndKeysAreAppliedWhileRunning(t *testing.T) {
	configured := func(origin, key string) string {
		return fmt.Sprintf("streams: {a: {source: 'demo:'}}\norigins: [%s]\npublish: {rules: [{streams: 'pub/*', key: %s}]}\n", origin, key)
	}
	s := start(t, configured("one.example", "k1"))
	from := func(origin string) client.Options {
		return client.Options{Header: http.Header{"Origin": {"https://" + origin}}}
	}
	publish := func(stream, key string) (*client.Publication, framewirev1.PublishEndReason) {
		p, err := s.must(client.Options{}, "").Publish(s.ctx, &framewirev1.PublishStart{Stream: stream, Key: key})
		return p, publishEnd(err)
	}
	v := s.must(from("one.example"), "?stream=a")
	s.fragment(v)
	before, end := publish("pub/1", "k1")
	if end != 0 {
		t.Fatal(end)
	}
	s.write(configured("two.example", "k2"))
	s.wait("it was read", func() bool { return s.log.Count("configuration was read again") == 1 })

	if _, err := s.dial(from("one.example"), ""); goodbye(err) != framewirev1.GoodbyeReason_GOODBYE_REASON_ORIGIN_REFUSED {
		t.Errorf("an origin that was taken out: %v", err)
	}
	s.must(from("two.example"), "")
	if _, end := publish("pub/2", "k1"); end != framewirev1.PublishEndReason_PUBLISH_END_REASON_BAD_KEY {
		t.Errorf("the key of before: %v", end)
	}
	if _, end := publish("pub/3", "k2"); end != 0 {
		t.Errorf("the key of now: %v", end)
	}
	s.fragment(v) // whoever was in stays
	if err := before.Close(s.ctx); err != nil {
		t.Errorf("who published before: %v", err)
	}
}

func TestCallbackDecidesWhoMayWatchAndPublish(t *testing.T) {
	var down atomic.Bool
	callback := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Token, Address, Action, Stream string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Address != "127.0.0.1" {
			t.Errorf("asked %+v: %v", asked, err)
		}
		switch {
		case down.Load():
			w.WriteHeader(http.StatusBadGateway)
		case asked.Token == "watch", asked.Token == "publish":
			_, _ = fmt.Fprintf(w, `{"streams": ["cam/*"], "actions": [%q]}`, asked.Token)
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer callback.Close()
	s := start(t, fmt.Sprintf("streams: {cam/a: {source: 'demo:'}, other: {source: 'demo:'}}\nauth: {callback_url: %q}\n", callback.URL))

	v := s.must(client.Options{Token: "watch"}, "?stream=cam/a")
	s.fragment(v)
	var refusal *client.CommandError
	if err := v.Play(s.ctx, "other"); !errors.As(err, &refusal) || refusal.Code != framewirev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED {
		t.Errorf("a stream that it does not name: %v", err)
	}
	p, err := s.must(client.Options{Token: "publish"}, "").Publish(s.ctx, &framewirev1.PublishStart{Stream: "cam/b"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(s.ctx); err != nil {
		t.Error(err)
	}
	if _, err := s.dial(client.Options{Token: "wrong"}, "?stream=cam/a"); goodbye(err) != framewirev1.GoodbyeReason_GOODBYE_REASON_UNAUTHORIZED {
		t.Errorf("a token that the callback does not know: %v", err)
	}
	down.Store(true)
	if _, err := s.dial(client.Options{Token: "watch"}, "?stream=cam/a"); err == nil {
		t.Error("let in while nobody can be asked")
	}
	if !strings.Contains(s.log.String(), "a token could not be checked") {
		t.Error("nobody is told that the callback does not answer")
	}
	s.fragment(v)
}

func TestPublishingIsClosedBeyondLoopbackWithoutKeysOrTokens(t *testing.T) {
	s := startOn(t, "0.0.0.0:0", "publish: {rtmp: '127.0.0.1:0'}\n")
	if _, body := s.get("/publish"); !strings.Contains(body, `"key":"closed"`) || !strings.Contains(body, `"rtmp":0`) {
		t.Errorf("pages are told %s", body)
	}
	if s.log.Count("publishing is closed") != 1 || s.log.Count("--publish-key KEY opens it") != 1 {
		t.Error("the log does not say so")
	}
	if _, err := s.must(client.Options{}, "").Publish(s.ctx, &framewirev1.PublishStart{Stream: "a"}); publishEnd(err) != framewirev1.PublishEndReason_PUBLISH_END_REASON_CLOSED {
		t.Errorf("a publisher is told %v", err)
	}
}
