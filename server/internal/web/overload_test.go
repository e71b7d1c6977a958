package web_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/load"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/web"
	"github.com/framewire/framewire/server/internal/wire"
)

// crowd lets viewers join the stream "a".
func (s *site) crowd(o load.Options) *load.Report {
	s.t.Helper()
	o.URL = "ws://" + s.addr + "/ws?stream=a"
	o.SameClock = true
	o.Timeout = patience
	report, err := load.Run(context.Background(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	return report
}

// broadcast runs a stream of picture and sound in real time.
func (s *site) broadcast(frame int) (stop func()) {
	studio := s.offline("a")
	studio.size = frame
	studio.begin(h264, aac)
	studio.group(5)
	studio.live()
	return studio.run()
}

func TestViewersWhoStopReadingCostTheOthersNothing(t *testing.T) {
	s := serve(t, web.Options{Sessions: session.Options{Ladder: quick}})
	const viewers, stalled = 500 / raced, 50 / raced
	defer s.broadcast(5 << 10)() // 1 Mb/s
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	report := s.crowd(load.Options{
		Viewers: viewers, Rate: 1000, Duration: 6 * time.Second, Stall: 0.1, StallFor: 3 * time.Second,
		Phase: func(measuring bool) {
			if !measuring {
				runtime.ReadMemStats(&after)
			}
		},
	})
	healthy, slow := report.Steady, report.Stalled
	if healthy == nil || slow == nil || healthy.Viewers != viewers-stalled || slow.Viewers != stalled {
		t.Fatalf("%+v", report)
	}
	if healthy.Whole != viewers-stalled { // who misses something, or is a second behind, is not
		t.Errorf("healthy viewers: %+v", healthy)
	}
	if len(slow.Gaps) == 0 && len(slow.Ended) == 0 || slow.Holes > 0 {
		t.Errorf("stalled viewers were not told: %+v", slow)
	}
	for reason := range slow.Ended {
		if reason != "TOO_SLOW" {
			t.Errorf("a stalled viewer ended: %s", reason)
		}
	}
	// The ring holds 30 s of 1 Mb/s; what waits for those who stall is a few MB.
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 80<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

func TestViewersOfHalfTheBitrateSettle(t *testing.T) {
	s := serve(t, web.Options{Sessions: session.Options{Ladder: quick}})
	defer s.broadcast(20 << 10)()
	report := s.crowd(load.Options{
		Viewers: 20, Rate: 1000, Duration: 8 * time.Second, Throttle: 250 << 10, ThrottleShare: 0.5,
	})
	slow := report.Throttled
	if report.Steady.Whole != 10 || slow.Viewers != 10 {
		t.Fatalf("%+v %+v", report.Steady, slow)
	}
	if slow.Holes > 0 || len(slow.Ended) > 0 {
		t.Errorf("throttled viewers: %+v", slow)
	}
	// One who oscillated would change every half second.
	if slow.Steps > 8*slow.Viewers {
		t.Errorf("%d steps on the ladder of %d viewers in 8 s: %+v", slow.Steps, slow.Viewers, slow)
	}
}

func TestManyJoinAtOnceAndOthersAreUndisturbed(t *testing.T) {
	const many = 1000 / raced
	s := serve(t, web.Options{Sessions: session.Options{HandshakeTimeout: time.Minute}})
	defer s.broadcast(4 << 10)()
	settled := make(chan *load.Report, 1)
	begun := make(chan struct{})
	go func() {
		report, err := load.Run(context.Background(), load.Options{
			URL: "ws://" + s.addr + "/ws?stream=a", Viewers: 50, Duration: 4 * time.Second, SameClock: true,
			Phase: func(measuring bool) {
				if measuring {
					close(begun)
				}
			},
		})
		if err != nil {
			t.Error(err)
		}
		settled <- report
	}()
	<-begun
	rush := s.crowd(load.Options{Viewers: many, Rate: many, Duration: time.Second})
	if rush.Pictures != many || len(rush.Failed) > 0 {
		t.Errorf("%d of %d have a picture, failed: %v", rush.Pictures, many, rush.Failed)
	}
	if others := <-settled; others != nil && (others.Steady.Whole != 50 || others.Steady.WithHoles > 0) {
		t.Errorf("others: %+v", others.Steady)
	}
}

func TestJoiningAndLeavingLeavesNothingBehind(t *testing.T) {
	const total, atOnce = 10_000 / raced, 1000 / raced
	s := serve(t, web.Options{Sessions: session.Options{HandshakeTimeout: time.Minute}})
	defer s.broadcast(500)()
	s.crowd(load.Options{Viewers: atOnce, Rate: 5000, Duration: time.Second}) // what is kept for good is there now
	gone := func() bool { return len(s.Sessions().All()) == 0 }
	eventually(t, "all have left", gone)
	before := runtime.NumGoroutine()
	for range total / atOnce {
		r := s.crowd(load.Options{Viewers: atOnce, Rate: 5000, Duration: time.Second})
		if r.Joined != atOnce {
			t.Fatalf("%d joined, failed: %v", r.Joined, r.Failed)
		}
	}
	eventually(t, "all have left", gone)
	if n := s.hub.Lookup("a").Viewers(); n != 0 {
		t.Errorf("%d viewers are still counted", n)
	}
	eventually(t, "their goroutines have ended", func() bool { return runtime.NumGoroutine() <= before+5 })
}

func TestStreamsOfEveryWeight(t *testing.T) {
	for _, c := range []struct {
		name         string
		size, frames int // of a fragment; of a group
		viewers      int
	}{
		{"50 kb/s", 250, 13, 50},
		{"50 Mb/s", 250 << 10, 25, 4},
		{"keyframes of 4 MB, long groups", 500, 1500, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, web.Options{})
			studio := s.offline("a")
			studio.size = c.size
			studio.begin(h264, aac)
			if c.frames > 1000 {
				studio.size = 4 << 20
			}
			studio.frame(true)
			studio.size = c.size
			for range min(c.frames, 40) - 1 {
				studio.frame(false)
			}
			studio.live()
			defer studio.runGroups(c.frames)()
			report := s.crowd(load.Options{Viewers: c.viewers, Rate: 1000, Duration: 2 * time.Second})
			if g := report.Steady; report.Pictures != c.viewers || g == nil || g.Whole != c.viewers {
				t.Errorf("%+v %+v", report, g)
			}
		})
	}
}

func TestManyStreamsOfFewViewersStarveNobody(t *testing.T) {
	s := serve(t, web.Options{})
	const streams = 500 / raced
	var players []*player
	var studios []*studio
	for i := range streams {
		name := fmt.Sprintf("s%d", i)
		studios = append(studios, s.stream(name, 3))
		p := s.dial(client.Options{})
		p.must(p.Play(p.ctx, name))
		players = append(players, p)
	}
	for _, studio := range studios {
		defer studio.run()()
	}
	for range 5 {
		for _, p := range players {
			p.fragment()
		}
	}
}

func TestLimitsAreTold(t *testing.T) {
	goodbye := func(t *testing.T, s *site, reason framewirev1.GoodbyeReason, about string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		refused, err := client.Dial(ctx, "ws://"+s.addr+"/ws", client.Options{})
		if err == nil {
			_ = refused.Close()
		}
		var g *client.GoodbyeError
		if !errors.As(err, &g) || g.Reason != reason || g.RetryAfter <= 0 || !strings.Contains(g.Message, about) {
			t.Fatalf("got %v, want %v about %q", err, reason, about)
		}
	}
	overloaded := framewirev1.GoodbyeReason_GOODBYE_REASON_OVERLOADED
	told := make(chan error, 10)
	hooks := session.Hooks{Refused: func(_, _, _ string, err error) { told <- err }}
	hears := func(t *testing.T, want error) {
		t.Helper()
		if err := <-told; !errors.Is(err, want) {
			t.Errorf("the operator is told of %v, want %v", err, want)
		}
	}
	t.Run("in all", func(t *testing.T) {
		s := serve(t, web.Options{Sessions: session.Options{MaxSessions: 2, Hooks: hooks}})
		s.dial(client.Options{})
		s.dial(client.Options{})
		goodbye(t, s, overloaded, "server")
		hears(t, session.ErrServerFull)
	})
	t.Run("per address", func(t *testing.T) {
		s := serve(t, web.Options{Sessions: session.Options{MaxSessionsPerAddress: 2, Hooks: hooks}})
		s.dial(client.Options{})
		leaver := s.dial(client.Options{})
		goodbye(t, s, overloaded, "address")
		hears(t, session.ErrAddressFull)
		_ = leaver.Close()
		eventually(t, "the refused and the leaver are gone", func() bool { return len(s.Sessions().All()) == 1 })
		s.dial(client.Options{})
	})
	t.Run("per stream", func(t *testing.T) {
		s := serve(t, web.Options{Sessions: session.Options{MaxViewersPerStream: 1, Hooks: hooks}})
		s.stream("a", 3)
		first, second := s.dial(client.Options{}), s.dial(client.Options{})
		first.must(first.Play(first.ctx, "a"))
		first.fragment()
		second.refused(second.Play(second.ctx, "a"), framewirev1.ErrorCode_ERROR_CODE_OVERLOADED, "command.play.stream")
		hears(t, session.ErrStreamFull)
	})
	t.Run("bytes waiting in all", func(t *testing.T) {
		ladder := session.Ladder{Skip: time.Hour, Keyframes: time.Hour, Audio: time.Hour, Close: time.Hour}
		s := serve(t, web.Options{Sessions: session.Options{Ladder: ladder, MaxWaitingBytes: 1000}})
		defer s.broadcast(100 << 10)()
		s.stall(t, "a")
		eventually(t, "the stalled viewer is there", func() bool { return len(s.Sessions().All()) == 1 })
		eventually(t, "the stalled viewer is gone", func() bool { return len(s.Sessions().All()) == 0 })
	})
}

// What publishers have sent reaches those who watch before they are sent away.
func TestDrainDeliversWhatHasComeFirst(t *testing.T) {
	s := serve(t, web.Options{})
	studio := s.stream("a", 3)
	const viewers, pictures = 10, 60
	var players []*player
	for range viewers {
		p := s.dial(client.Options{}, "?stream=a")
		p.fragment()
		players = append(players, p)
	}
	for range pictures {
		studio.frame(false)
	}
	last := s.hub.Lookup("a").Tail().Next() - 1
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begun := time.Now()
	if err := s.Drain(ctx, wire.Restarting, time.Second); err != nil {
		t.Fatal(err)
	}
	for i, p := range players {
		var g *client.GoodbyeError
		var sequence uint64
		for g == nil {
			m, err := p.Receive(p.ctx)
			if f := m.GetFragment(); f != nil {
				sequence = f.GetSequence()
			}
			if err != nil && !errors.As(err, &g) {
				t.Fatal(err)
			}
		}
		if sequence != last {
			t.Errorf("viewer %d was sent away after fragment %d of %d", i, sequence, last)
		}
	}
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("took %v", took)
	}
}

func TestDrainSendsEverybodyAwaySpreadOut(t *testing.T) {
	s := serve(t, web.Options{})
	defer s.broadcast(2000)()
	const viewers = 20
	var players []*player
	for range viewers {
		p := s.dial(client.Options{}, "?stream=a")
		p.fragment()
		players = append(players, p)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	const spread = 10 * time.Second
	s.Refuse(wire.Restarting, spread)
	early, late := spread, time.Duration(0)
	turn := func(g *client.GoodbyeError) {
		if g.Reason != framewirev1.GoodbyeReason_GOODBYE_REASON_RESTARTING || g.RetryAfter <= 0 || g.RetryAfter > spread {
			t.Errorf("%v, to be back after %v", g.Reason, g.RetryAfter)
		}
		early, late = min(early, g.RetryAfter), max(late, g.RetryAfter)
	}
	// Whoever comes while the server goes is told the same, each another time.
	for range 3 * viewers {
		var g *client.GoodbyeError
		if _, err := client.Dial(ctx, "ws://"+s.addr+"/ws", client.Options{}); !errors.As(err, &g) {
			t.Fatalf("a new viewer: %v", err)
		}
		turn(g)
	}
	if late-early < spread/2 {
		t.Errorf("those who come are to be back between %v and %v", early, late)
	}
	if err := s.Drain(ctx, wire.Restarting, spread); err != nil {
		t.Fatal(err)
	}
	early, late = spread, 0
	times := make(map[time.Duration]bool)
	for _, p := range players {
		var g *client.GoodbyeError
		for err := error(nil); g == nil; {
			if _, err = p.Receive(p.ctx); err != nil && !errors.As(err, &g) {
				t.Fatalf("ended with %v", err)
			}
		}
		turn(g)
		times[g.RetryAfter] = true
	}
	if len(times) < viewers || late-early < spread*3/4 {
		t.Errorf("%d viewers come back at %d different times between %v and %v", viewers, len(times), early, late)
	}
	if late, err := client.Dial(ctx, "ws://"+s.addr+"/ws", client.Options{}); err == nil {
		_ = late.Close()
		t.Error("a new viewer was let in")
	}
}
