package gate

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

var (
	one     = netip.MustParseAddr("198.51.100.1")
	another = netip.MustParseAddr("198.51.100.2")
)

// knock counts those of n who are let in.
func knock(g *Gate, from netip.Addr, n int) (let int) {
	for range n {
		if g.Admit("watch", from) == nil {
			let++
		}
	}
	return let
}

func TestAddressIsHeldToItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{Limits: Limits{PerSecond: 10, Burst: 50}})
		if let := knock(g, one, 200); let != 50 {
			t.Errorf("%d at once, want 50", let)
		}
		if let := knock(g, another, 50); let != 50 {
			t.Errorf("%d of another address, want 50", let)
		}
		time.Sleep(time.Second)
		if let := knock(g, one, 200); let != 10 {
			t.Errorf("%d after a second, want 10", let)
		}
		time.Sleep(time.Minute)
		if let := knock(g, one, 200); let != 50 {
			t.Errorf("%d after a minute, want 50", let)
		}
		g.SetLimits(Limits{PerSecond: 10, Burst: 60}, Limits{})
		if let := knock(g, one, 200); let != 10 {
			t.Errorf("%d with ten more allowed", let)
		}
		g.SetLimits(Limits{}, Limits{})
		if let := knock(g, one, 200); let != 200 {
			t.Errorf("%d without a limit", let)
		}
	})
}

func TestCrowdIsToldToComeBackOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{Limits: Limits{PerSecond: 10, Burst: 50}})
		knock(g, one, 50)
		var last time.Duration
		for i := range 50 {
			r := g.Admit("watch", one)
			if r == nil || r.Curt || r.First != (i == 0) || r.Wait < last || r.Wait < minWait {
				t.Fatalf("refusal %d: %+v, after one of %v", i, r, last)
			}
			last = r.Wait
		}
		if last != 5*time.Second {
			t.Errorf("the last of 50 is asked to wait %v, want 5s at 10 a second", last)
		}
		for range 20 {
			r := g.Admit("watch", one)
			if r == nil || !r.Curt || r.Wait != last+time.Second/10 {
				t.Fatalf("beyond that: %+v, after one of %v", r, last)
			}
			last = r.Wait
		}
		if !errors.Is(g.Admit("watch", one), ErrTooOften) {
			t.Error("a refusal of another kind")
		}
		time.Sleep(5 * time.Second)
		if let := knock(g, one, 50); let != 50 {
			t.Errorf("%d of those who wait are let in then", let)
		}
	})
}

func TestFloodIsForgottenSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{Limits: Limits{PerSecond: 10, Burst: 50}})
		waits := make(map[time.Duration]bool)
		for range 100_000 {
			if r := g.Admit("watch", one); r != nil {
				if r.Wait > maxWait {
					t.Fatalf("asked to wait %v", r.Wait)
				}
				waits[r.Wait] = true
			}
		}
		if len(waits) < 10_000 {
			t.Errorf("they come back at %d different times", len(waits))
		}
		time.Sleep(maxWait)
		knock(g, one, 50)
		if r := g.Admit("watch", one); r == nil || r.Wait > 2*time.Second || r.Curt {
			t.Errorf("one of the next crowd: %+v", r)
		}
	})
}

func TestHolderOfATokenIsHeldToItsRateFromWherever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []error
		g := New(Options{
			Kind: Commands, SubjectLimits: Limits{PerSecond: 2, Burst: 4}, Exempt: netip.Addr.IsLoopback,
			Refused: func(_ string, _ netip.Addr, r *Refusal) { told = append(told, r) },
		})
		let := func(subject string, n int) (let int) {
			for i := range n {
				if g.AdmitSubject("command", subject, []netip.Addr{one, another, netip.IPv6Loopback()}[i%3]) == nil {
					let++
				}
			}
			return let
		}
		if n := let("ann", 9); n != 4 || len(told) != 5 {
			t.Errorf("%d at once, want 4; told of %d", n, len(told))
		}
		if n, anyone, all := let("bob", 4), let("", 50), knock(g, one, 50); n != 4 || anyone != 50 || all != 50 {
			t.Errorf("%d of another, %d of nobody, %d by address", n, anyone, all)
		}
		time.Sleep(time.Second)
		if n := let("ann", 9); n != 2 {
			t.Errorf("%d after a second, want 2", n)
		}
		if err := told[0]; !errors.Is(err, ErrCommandsOfSubject) || !errors.Is(err, ErrTooOften) || errors.Is(err, ErrHandshakes) {
			t.Errorf("refused with %v", err)
		}
	})
}

func TestWhoIsNotLimited(t *testing.T) {
	var told []netip.Addr
	g := New(Options{
		Limits:  Limits{PerSecond: 1, Burst: 1},
		Exempt:  netip.Addr.IsLoopback,
		Refused: func(what string, from netip.Addr, r *Refusal) { told = append(told, from) },
	})
	var none *Gate
	for name, let := range map[string]int{
		"exempt":          knock(g, netip.MustParseAddr("::ffff:127.0.0.1"), 10),
		"without address": knock(g, netip.Addr{}, 10),
		"without gate":    knock(none, one, 10),
	} {
		if let != 10 {
			t.Errorf("%s: %d of 10 are let in", name, let)
		}
	}
	if knock(g, netip.MustParseAddr("::ffff:198.51.100.1"), 2) != 1 || len(told) != 1 || told[0] != one {
		t.Errorf("told of %v", told)
	}
}

func TestNetworkOfACustomerCountsAsOne(t *testing.T) {
	for from, want := range map[string]string{
		"198.51.100.1":        "198.51.100.1",
		"::ffff:198.51.100.1": "198.51.100.1",
		"2001:db8:1:2:3::4":   "2001:db8:1:2::",
		"fe80::1%eth0":        "fe80::",
		"2001:db8:1:3::":      "2001:db8:1:3::",
	} {
		if got := Network(netip.MustParseAddr(from)); got != netip.MustParseAddr(want) {
			t.Errorf("%s counts as %s, want %s", from, got, want)
		}
	}
	if Network(netip.Addr{}).IsValid() {
		t.Error("no address has a network")
	}
}

func TestABoundedNumberIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{Limits: Limits{PerSecond: 1, Burst: 5}})
		visit := func(n int) {
			for i := range n {
				var a [4]byte
				binary.BigEndian.PutUint32(a[:], uint32(i))
				g.Admit("watch", netip.AddrFrom4(a))
				if len(g.addresses.buckets) > maxRemembered {
					t.Fatalf("%d addresses are remembered", len(g.addresses.buckets))
				}
			}
		}
		visit(3 * maxRemembered) // at once: nobody's bucket is full again
		time.Sleep(time.Hour)
		visit(maxRemembered / 2)
		knock(g, one, 5)
		visit(maxRemembered) // those of before go first
		if knock(g, one, 1) != 0 {
			t.Error("one who is at the limit was forgotten for those who are not")
		}
	})
}
