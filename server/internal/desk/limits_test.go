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
	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/publish"
)

func publisher(subject string) *auth.Grant {
	return &auth.Grant{Subject: subject, Streams: []string{"**"}, Actions: []auth.Action{auth.Publish}}
}

func TestPublishersOfAnAddressAndOfASubjectAreLimited(t *testing.T) {
	var s auth.Switch
	s.Set(tokens{"ann": publisher("ann"), "ann too": publisher("ann"), "bob": publisher("bob"), "nobody": publisher("")})
	h := hub.New(hub.Options{})
	d := New(h, Options{
		Rules:  []Rule{{Streams: "shared", Key: "k", Takeover: true}, {Streams: "keyed/*", Key: "k"}},
		Tokens: &s, Limits: Limits{PerAddress: 2, PerSubject: 1},
	})
	try := func(stream, key, from string) (publish.Publication, error) {
		return d.Open(t.Context(), publish.Request{Stream: stream, Key: key, Remote: netip.MustParseAddrPort(from)})
	}
	const here, there = "198.51.100.1:1", "198.51.100.2:1"
	first, err := try("a", "ann", here)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		stream, key, from string
		want              error
	}{
		{"b", "ann too", there, publish.ErrSubjectFull},
		{"b", "bob", "[::ffff:198.51.100.1]:2", nil},
		{"c", "nobody", here, publish.ErrAddressFull},
		{"keyed/a", "k", here, publish.ErrAddressFull},
		{"c", "nobody", there, nil},
		{"keyed/a", "k", there, nil},
		{"keyed/b", "k", "[2001:db8:0:1::1]:1", nil},
		{"keyed/c", "k", "[2001:db8:0:1::2]:1", nil},
		{"keyed/d", "k", "[2001:db8:0:1::3]:1", publish.ErrAddressFull},
		{"shared", "k", "192.0.2.1:1", nil},
		{"d", "nobody", "192.0.2.1:1", nil},
		{"shared", "k", "192.0.2.1:2", nil}, // takes over from itself
		{"a", "nobody", "192.0.2.7:1", publish.ErrStreamBusy},
	} {
		p, err := try(c.stream, c.key, c.from)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s with %q from %s: %v, want %v", c.stream, c.key, c.from, err, c.want)
		}
		if errors.Is(c.want, publish.ErrTooManyPublishers) && h.Lookup(c.stream) != nil {
			t.Errorf("%s was made for one who is refused", c.stream)
		}
		if err == nil {
			defer p.Close(nil)
		}
	}
	first.Close(nil)
	if p, err := try("z", "ann", here); err != nil {
		t.Errorf("the place is not free again: %v", err)
	} else {
		p.Close(nil)
	}
	d.SetLimits(Limits{})
	if p, err := try("z", "ann", here); err != nil {
		t.Errorf("without limits: %v", err)
	} else {
		p.Close(nil)
	}
}

func TestPublisherThatGivesANewTokenGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lasting := func(subject string, d time.Duration) *auth.Grant {
			g := publisher(subject)
			g.Expires = time.Now().Add(d)
			return g
		}
		var s auth.Switch
		s.Set(tokens{
			"old": lasting("ann", 3*time.Second), "new": lasting("ann", 10*time.Second), "past": lasting("ann", -time.Second),
			"bob": lasting("bob", time.Hour), "watch": {Streams: []string{"**"}, Actions: []auth.Action{auth.Watch}},
		})
		d := New(hub.New(hub.Options{}), Options{Rules: []Rule{{Streams: "keyed", Key: "k"}}, Tokens: &s, Limits: Limits{PerSubject: 1}, Silence: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		enter := func(stream, key string) publish.Publication {
			p, err := d.Open(t.Context(), publish.Request{Stream: stream, Key: key, Remote: netip.MustParseAddrPort("192.0.2.1:1")})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		began := time.Now()
		p, other, keyed := enter("a", "old"), enter("b", "bob"), enter("keyed", "k")
		for token, want := range map[string]error{"watch": auth.ErrForbidden, "past": auth.ErrExpired, "": auth.ErrNoToken, "bob": publish.ErrSubjectFull, "new": nil} {
			if err := p.Renew(t.Context(), token); !errors.Is(err, want) {
				t.Errorf("with %q: %v, want %v", token, err, want)
			}
		}
		if err := keyed.Renew(t.Context(), "watch"); err != nil {
			t.Errorf("a publisher with a key: %v", err)
		}
		<-p.Done()
		if took := time.Since(began); !errors.Is(p.Reason(), publish.ErrExpired) || took < 10*time.Second || took > 11*time.Second {
			t.Errorf("ended with %v after %v, want the new token's 10s", p.Reason(), took)
		}
		if err := p.Renew(t.Context(), "new"); err == nil {
			t.Error("one that has ended is renewed")
		}
		if other.Reason() != nil || keyed.Reason() != nil {
			t.Errorf("others ended with %v, %v", other.Reason(), keyed.Reason())
		}
		for _, p := range []publish.Publication{p, other, keyed} {
			p.Close(nil)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestHolderOfATokenDoesNotPublishTooOften(t *testing.T) {
	var s auth.Switch
	s.Set(tokens{"ann": publisher("ann"), "bob": publisher("bob")})
	var told []string
	d := New(hub.New(hub.Options{}), Options{
		Tokens: &s, Rules: []Rule{{Streams: "keyed", Key: "k", Takeover: true}},
		Gate: gate.New(gate.Options{SubjectLimits: gate.Limits{PerSecond: 1, Burst: 2}, Refused: func(what string, from netip.Addr, r *gate.Refusal) {
			told = append(told, fmt.Sprint(what, " ", from, " ", r.Unwrap()))
		}}),
		Hooks: Hooks{Refused: func(_ publish.Request, err error) { t.Errorf("told twice, of %v", err) }},
	})
	refused := 0
	for range 4 {
		p, err := d.Open(t.Context(), publish.Request{Stream: "a", Key: "ann", Remote: netip.MustParseAddrPort("192.0.2.1:1")})
		var refusal *gate.Refusal
		switch {
		case err == nil:
			p.Close(nil)
		case !errors.Is(err, publish.ErrTooManyPublishers) || !errors.As(err, &refusal) || refusal.Wait <= 0:
			t.Errorf("%v", err)
		default:
			refused++
		}
	}
	if refused != 2 || len(told) != 2 || told[0] != "publish 192.0.2.1 "+gate.ErrHandshakesOfSubject.Error() {
		t.Errorf("%d of 4 are refused, told of %q", refused, told)
	}
	for _, r := range []publish.Request{{Stream: "b", Key: "bob"}, {Stream: "keyed", Key: "k"}, {Stream: "keyed", Key: "k"}, {Stream: "keyed", Key: "k"}} {
		r.Remote = netip.MustParseAddrPort("192.0.2.1:1")
		p, err := d.Open(t.Context(), r)
		if err != nil {
			t.Errorf("%s: %v", r.Stream, err)
			continue
		}
		p.Close(nil)
	}
}
