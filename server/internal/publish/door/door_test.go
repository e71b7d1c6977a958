package door

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/publish"
)

func TestKey(t *testing.T) {
	for _, c := range []struct{ name, target, header, want string }{
		{"none", "/publish/cam", "", ""},
		{"query", "/publish/cam?key=a%20b", "", "a b"},
		{"bearer", "/whip/cam", "Bearer secret", "secret"},
		{"bearer in other case", "/whip/cam", "bearer  secret ", "secret"},
		{"basic", "/publish/cam", "Basic dXNlcjpwYXNz", "pass"},
		{"broken basic", "/publish/cam", "Basic !!", ""},
		{"header before query", "/publish/cam?key=a", "Bearer b", "b"},
		{"other scheme", "/publish/cam?key=a", "Digest x", "a"},
		{"too long", "/publish/cam", "Bearer " + strings.Repeat("x", maxKey+1), ""},
	} {
		r := httptest.NewRequest(http.MethodPost, c.target, nil)
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		if got := Key(r); got != c.want {
			t.Errorf("%s: key %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRefuse(t *testing.T) {
	for _, c := range []struct {
		err    error
		keyed  bool
		status int
	}{
		{publish.ErrBadName, true, 400},
		{publish.ErrBadKey, false, 401},
		{publish.ErrBadKey, true, 403},
		{publish.ErrUnknownStream, true, 404},
		{publish.ErrExpired, true, 401},
		{publish.ErrSilent, true, 408},
		{publish.ErrStreamBusy, true, 409},
		{publish.ErrRemoved, true, 410},
		{publish.ErrLimit, true, 413},
		{publish.ErrUnsupported, true, 415},
		{publish.ErrTooManyPublishers, true, 429},
		{publish.ErrShutdown, true, 503},
		{publish.ErrUnchecked, true, 503},
		{fmt.Errorf("%w: %w", publish.ErrTooManyPublishers, &gate.Refusal{Wait: time.Minute}), true, 429},
		{errors.New("disk /secret/path is full"), true, 500},
	} {
		w := httptest.NewRecorder()
		Refuse(w, fmt.Errorf("cam: %w", c.err), c.keyed)
		if w.Code != c.status {
			t.Errorf("%v (key given: %v): status %d, want %d", c.err, c.keyed, w.Code, c.status)
		}
		if shown := strings.Contains(w.Body.String(), c.err.Error()); shown != (c.status != 500) {
			t.Errorf("%v: body %q", c.err, w.Body)
		}
		if challenged := w.Header().Get("WWW-Authenticate") != ""; challenged != (c.status == 401) {
			t.Errorf("%v: challenged: %v", c.err, challenged)
		}
		if later := w.Header().Get("Retry-After") != ""; later != (c.status == 429 || c.status == 503) {
			t.Errorf("%v: Retry-After: %v", c.err, later)
		}
	}
}

func TestBrakeHoldsWhoeverGuesses(t *testing.T) {
	var b Brake
	now := time.Unix(1_700_000_000, 0)
	bad, good := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8:0:1::1")
	for i := range maxFailures {
		if wait := b.Wait(bad, now); wait != 0 {
			t.Fatalf("after %d failures: wait %v", i, wait)
		}
		b.Refused(bad, true, publish.ErrBadKey, now)
	}
	if wait := b.Wait(bad, now); wait != ownRecovery {
		t.Errorf("after %d failures: wait %v, want %v", maxFailures, wait, ownRecovery)
	}
	if wait := b.Wait(netip.MustParseAddr("2001:db8::2"), now); wait == 0 {
		t.Error("another address of the same customer need not wait")
	}
	if wait := b.Wait(good, now); wait != 0 {
		t.Errorf("another customer has to wait %v", wait)
	}
	if wait := b.Wait(bad, now.Add(ownRecovery)); wait != 0 {
		t.Errorf("after the time of recovery: wait %v", wait)
	}
}

func TestBrakeHoldsNobodyWhoDidNotGuess(t *testing.T) {
	var b Brake
	now := time.Unix(1_700_000_000, 0)
	from := netip.MustParseAddr("198.51.100.1")
	for _, err := range []error{
		publish.ErrExpired, publish.ErrUnchecked, publish.ErrNotAllowed, publish.ErrUnknownStream, publish.ErrStreamBusy, publish.ErrTooManyPublishers, nil,
	} {
		for range 10 * maxFailures {
			b.Refused(from, true, fmt.Errorf("cam: %w", err), now)
		}
	}
	for range 10 * maxFailures {
		b.Refused(from, false, publish.ErrBadKey, now)
	}
	if wait := b.Wait(from, now); wait != 0 {
		t.Errorf("wait %v", wait)
	}
}

// Behind a proxy that does not tell for whom it comes, one who guesses does not hold
// up the others, unless by a flood.
func TestBrakeBearsMoreOfManyThanOfOne(t *testing.T) {
	b := Brake{Shared: netip.Addr.IsLoopback}
	now := time.Unix(1_700_000_000, 0)
	proxy := netip.MustParseAddr("::ffff:127.0.0.1")
	for range sharedFailures - 1 {
		b.Refused(proxy, true, publish.ErrBadKey, now)
	}
	if wait := b.Wait(proxy, now); wait != 0 {
		t.Errorf("after %d failures: wait %v", sharedFailures-1, wait)
	}
	b.Refused(proxy, true, publish.ErrBadKey, now)
	if wait := b.Wait(proxy, now); wait != sharedRecovery {
		t.Errorf("after %d failures: wait %v, want %v", sharedFailures, wait, sharedRecovery)
	}
}

func TestBrakeRemembersABoundedNumber(t *testing.T) {
	var b Brake
	now := time.Unix(1_700_000_000, 0)
	for i := range 3 * maxAddresses {
		b.Refused(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), true, publish.ErrBadKey, now)
	}
	if len(b.failed) > maxAddresses {
		t.Errorf("%d addresses remembered", len(b.failed))
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	for range maxFailures {
		b.Refused(Remote(r).Addr(), true, publish.ErrBadKey, time.Now())
	}
	w := httptest.NewRecorder()
	if !b.Hold(w, r) || w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("held with status %d, %v", w.Code, w.Header())
	}
}
