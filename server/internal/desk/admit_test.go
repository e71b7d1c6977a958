package desk

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/publish"
)

// tokens reads tokens from a table.
type tokens map[string]*auth.Grant

func (t tokens) Verify(_ context.Context, r auth.Request) (*auth.Grant, error) {
	if r.Action != auth.Publish || r.Stream == "" || !r.Remote.IsValid() {
		return nil, fmt.Errorf("asked for %+v", r)
	}
	switch g := t[r.Token]; {
	case r.Token == "":
		return nil, auth.ErrNoToken
	case r.Token == "unavailable":
		return nil, auth.ErrUnavailable
	case g == nil:
		return nil, auth.ErrBadToken
	default:
		return g, nil
	}
}

func TestTokenIsAsGoodAsTheKey(t *testing.T) {
	var s auth.Switch
	d := New(hub.New(hub.Options{}), Options{Rules: []Rule{{Streams: "keyed/*", Key: "s3cret"}}, Tokens: &s})
	grant := func(action auth.Action, streams ...string) *auth.Grant {
		return &auth.Grant{Subject: "ann", Streams: streams, Actions: []auth.Action{action}}
	}
	s.Set(tokens{
		"all":     grant(auth.Publish, "**"),
		"cam":     grant(auth.Publish, "cam/*"),
		"watch":   grant(auth.Watch, "**"),
		"expired": {Streams: []string{"**"}, Actions: []auth.Action{auth.Publish}, Expires: time.Now().Add(-time.Hour)},
	})
	for i, c := range []struct {
		stream, key string
		want        error
	}{
		{"keyed/a", "s3cret", nil},
		{"keyed/a", "all", nil},
		{"keyed/a", "cam", publish.ErrBadKey},
		{"cam/a", "cam", nil},
		{"cam/a", "s3cret", publish.ErrBadKey},
		{"cam/a", "", publish.ErrBadKey},
		{"cam/a", "watch", publish.ErrBadKey},
		{"cam/a", "wrong", publish.ErrBadKey},
		{"cam/a", "expired", publish.ErrExpired},
		{"cam/a", "unavailable", publish.ErrUnchecked},
		{"cam/a", "watch", publish.ErrNotAllowed},
	} {
		p, err := d.Open(t.Context(), publish.Request{Stream: fmt.Sprint(c.stream, i), Key: c.key, Remote: netip.MustParseAddrPort("192.0.2.1:1")})
		if !errors.Is(err, c.want) {
			t.Errorf("%s with %q: %v, want %v", c.stream, c.key, err, c.want)
		}
		if err == nil {
			p.Close(nil)
		}
	}
	s.Set(nil)
	if _, err := d.Open(t.Context(), publish.Request{Stream: "cam/a", Key: "cam"}); !errors.Is(err, publish.ErrUnknownStream) {
		t.Errorf("without tokens: %v", err)
	}
}

func TestPublisherEndsWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s auth.Switch
		s.Set(tokens{"t": {Streams: []string{"**"}, Actions: []auth.Action{auth.Publish}, Expires: time.Now().Add(3 * time.Second)}})
		d := New(hub.New(hub.Options{}), Options{Tokens: &s})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		p, err := d.Open(t.Context(), publish.Request{Stream: "cam", Key: "t", Remote: netip.MustParseAddrPort("192.0.2.1:1")})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		<-p.Done()
		if !errors.Is(p.Reason(), publish.ErrExpired) || time.Since(began) > 4*time.Second {
			t.Errorf("ended with %v after %v", p.Reason(), time.Since(began))
		}
		p.Close(p.Reason())
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestHooksTellOfPublishers(t *testing.T) {
	var told []string
	d := New(hub.New(hub.Options{}), Options{Rules: everybody, Hooks: Hooks{
		Opened: func(p Publisher) { told = append(told, fmt.Sprint("opened ", p.Stream)) },
		Closed: func(p Publisher, err error) {
			told = append(told, fmt.Sprint("closed ", p.Stream, " ", p.Bytes, " ", err))
		},
		Refused: func(r publish.Request, err error) { told = append(told, fmt.Sprint("refused ", r.Stream)) },
	}})
	p := open(t, d, "a", "")
	write(t, p, 0)
	if _, err := d.Open(t.Context(), publish.Request{Stream: "a"}); err == nil {
		t.Error("a second publisher was let in")
	}
	list := d.Publishers()
	if len(list) != 1 || list[0].Bytes != 100 || list[0].Samples != 1 {
		t.Errorf("%+v", list)
	}
	if !d.Discard("a", publish.ErrRemoved) || d.Discard("a", publish.ErrRemoved) || len(d.Publishers()) != 0 {
		t.Error("the stream was not discarded once")
	}
	<-p.Done()
	p.Close(nil)
	if got := fmt.Sprint(told); got != "[opened a refused a closed a 100 <nil>]" {
		t.Error(got)
	}
}
