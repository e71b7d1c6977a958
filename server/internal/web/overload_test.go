package web_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/load"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/web"
)

// crowd lets viewers join the stream "a".
func (s *site) crowd(o load.Options) *load.Report { return s.crowdOf("a", o) }

// crowdOf lets viewers join a stream.
func (s *site) crowdOf(stream string, o load.Options) *load.Report {
	s.t.Helper()
	o.URL = "ws://" + s.addr + "/ws?stream=" + stream
	o.SameClock = true
	o.Timeout = patience
	report, err := load.Run(context.Background(), o)
	if err != nil {
		s.t.Error(err)
		return &load.Report{Steady: &load.Group{}}
	}
	return report
}

// broadcast runs the stream "a" of picture and sound in real time.
func (s *site) broadcast(frame int) (stop func()) { return s.broadcastAs("a", frame) }

func (s *site) broadcastAs(name string, frame int) (stop func()) {
	studio := s.offline(name)
	studio.size = frame
	studio.begin(h264, aac)
	studio.group(5)
	studio.live()
	return studio.run()
}

// liveHeap is the memory in use once all garbage is gone.
func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Half of the viewers watch a stream of which some stop reading, the others one of
// which nobody does: whatever else keeps the machine busy, both feel.
func TestViewersWhoStopReadingCostTheOthersNothing(t *testing.T) {
	ladder := quick
	ladder.Close = time.Minute // so that all climb back
	s := serve(t, web.Options{Sessions: session.Options{Ladder: ladder}})
	const viewers, stalled, others = 500 / raced, 50 / raced, 450 / raced
	// 1 Mb/s each. In 3 s that is 20 MB for those who stall, if each had its own.
	defer s.broadcastAs("a", 5<<10)()
	defer s.broadcastAs("b", 5<<10)()
	before := liveHeap()
	grown := make(chan int64, 1)
	control := make(chan *load.Report, 1)
	go func() {
		control <- s.crowdOf("b", load.Options{Viewers: others, Rate: 1000, Duration: 7 * time.Second})
	}()
	report := s.crowdOf("a", load.Options{
		Viewers: viewers, Rate: 1000, Duration: 7 * time.Second, Stall: 0.1, StallFor: 3 * time.Second,
		Phase: func(measuring bool) {
			if measuring { // all stall between 2 and 3 s
				time.AfterFunc(2800*time.Millisecond, func() { grown <- liveHeap() - before })
			}
		},
	})
	healthy, slow, apart := report.Steady, report.Stalled, (<-control).Steady
	if healthy == nil || slow == nil || healthy.Viewers != viewers-stalled || slow.Viewers != stalled {
		t.Fatalf("%+v", report)
	}
	if healthy.Whole != viewers-stalled { // who misses something, or is a second behind, is not
		t.Errorf("healthy viewers: %+v", healthy)
	}
	if p, q := healthy.Delay.P95, apart.Delay.P95; p > 3*q+50 || healthy.Delay.P50 > 3*apart.Delay.P50+20 {
		t.Errorf("delay beside those who stall %s, apart from them %s", healthy.Delay, apart.Delay)
	}
	// Buffers of the system may carry one over whose stall is short.
	if slow.Told+slow.Whole < stalled || slow.Told < stalled/2 || slow.Holes > 0 || len(slow.Ended) > 0 {
		t.Errorf("not everybody was told: %+v", slow)
	}
	if back := slow.Ladder["NONE"]; back < stalled*3/4 {
		t.Errorf("%d of %d have climbed back: %+v", back, stalled, slow)
	}
	if n := <-grown; n > 16<<20 {
		t.Errorf("the heap grew by %d MiB while some stalled", n>>20)
	}
}

func TestViewersOfHalfTheBitrateSettle(t *testing.T) {
	ladder := quick
	ladder.Recover = time.Minute // to try again sooner, and how often, is the ladder's own test
	s := serve(t, web.Options{Sessions: session.Options{Ladder: ladder}})
	defer s.broadcast(20 << 10)()
	report := s.crowd(load.Options{
		Viewers: 20, Rate: 1000, Duration: 5 * time.Second, Throttle: 250 << 10, ThrottleShare: 0.5,
	})
	slow := report.Throttled
	if report.Steady.Whole != 10 || slow.Viewers != 10 {
		t.Fatalf("%+v %+v", report.Steady, slow)
	}
	if slow.Holes > 0 || len(slow.Ended) > 0 {
		t.Errorf("throttled viewers: %+v", slow)
	}
	// Keyframes and sound are a tenth of what they can take, pictures twice as much.
	if settled := slow.Ladder["KEYFRAMES_ONLY"]; settled < slow.Viewers {
		t.Errorf("%d of %d are where the stream fits: %+v", settled, slow.Viewers, slow)
	}
	// To skip, and to leave pictures out.
	if slow.Steps > 2*slow.Viewers {
		t.Errorf("%d steps on the ladder of %d viewers: %+v", slow.Steps, slow.Viewers, slow)
	}
}

func TestManyJoinAtOnceAndOthersAreUndisturbed(t *testing.T) {
	const many, others = 1000 / raced, 50
	s := serve(t, web.Options{Sessions: session.Options{HandshakeTimeout: time.Minute}})
	defer s.broadcastAs("a", 4<<10)()
	defer s.broadcastAs("b", 4<<10)()
	settled := make(map[string]chan *load.Report)
	var begun sync.WaitGroup
	for _, stream := range []string{"a", "b"} {
		begun.Add(1)
		report := make(chan *load.Report, 1)
		settled[stream] = report
		go func() {
			report <- s.crowdOf(stream, load.Options{
				Viewers: others, Duration: 4 * time.Second,
				Phase: func(measuring bool) {
					if measuring {
						begun.Done()
					}
				},
			})
		}()
	}
	begun.Wait()
	rush := s.crowd(load.Options{Viewers: many, Rate: many, Duration: time.Second})
	beside, apart := (<-settled["a"]).Steady, (<-settled["b"]).Steady
	if rush.Pictures != many || len(rush.Failed) > 0 {
		t.Errorf("%d of %d have a picture, failed: %v", rush.Pictures, many, rush.Failed)
	}
	for _, g := range []*load.Group{beside, apart} {
		if g.Whole != others || g.WithHoles > 0 {
			t.Errorf("others: %+v", g)
		}
	}
	// The longest that viewers of another stream had to wait is what the machine
	// itself was late.
	if first := rush.FirstKeyframe.Max; first > 2000+apart.Delay.Max {
		t.Errorf("first keyframe after %s, others of another stream wait %s", rush.FirstKeyframe, apart.Delay)
	}
	if p, q := beside.Delay.P95, apart.Delay.P95; p > 3*q+50 {
		t.Errorf("delay of others of the stream that many join %s, of another stream %s", beside.Delay, apart.Delay)
	}
}

// descriptors is how many files and sockets this process has open, 0 where the
// system does not tell.
func descriptors() int {
	list, _ := os.ReadDir("/proc/self/fd") // Linux
	return len(list)
}

func TestJoiningAndLeavingLeavesNothingBehind(t *testing.T) {
	const total, atOnce = 10_000 / raced, 1000 / raced
	// What 10,000 viewers leave if each leaves 400 bytes, and the stream's own growth.
	const heapBound = 4<<20 + 1<<20
	s := serve(t, web.Options{Sessions: session.Options{HandshakeTimeout: time.Minute}})
	defer s.broadcast(500)()
	s.crowd(load.Options{Viewers: atOnce, Rate: 5000, Duration: time.Second}) // what is kept for good is there now
	gone := func() bool { return len(s.Sessions().All()) == 0 }
	eventually(t, "all have left", gone)
	before, open, heap := runtime.NumGoroutine(), descriptors(), liveHeap()
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
	eventually(t, "their descriptors are closed", func() bool { return descriptors() <= open })
	eventually(t, "their memory is free", func() bool { return liveHeap() <= heap+heapBound })
}

func TestStreamsOfEveryWeight(t *testing.T) {
	for _, c := range []struct {
		name            string
		size, key       int // bytes of a picture, of a keyframe
		group, reported int // pictures in a group, and of the one that those who come find
		viewers         int
	}{
		{"50 kb/s, groups of half a second", 250, 250, 13, 13, 50},
		{"50 Mb/s, keyframes of 4 MB", 90 << 10, 4 << 20, 25, 25, 4},
		{"keyframes of 4 MB, groups of a minute", 500, 4 << 20, 1500, 45 * 25, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, web.Options{})
			before := liveHeap()
			studio := s.offline("a")
			studio.size, studio.key = c.size, c.key
			studio.begin(h264, aac)
			studio.group(c.reported)
			studio.live()
			defer studio.runGroups(c.group)()
			var grown int64
			report := s.crowd(load.Options{
				Viewers: c.viewers, Rate: 1000, Duration: 2 * time.Second,
				Phase: func(measuring bool) {
					if !measuring {
						grown = liveHeap() - before - studio.stream.Stats().Bytes
					}
				},
			})
			if g := report.Steady; report.Pictures != c.viewers || g == nil || g.Whole != c.viewers {
				t.Errorf("%+v %+v", report, g)
			}
			// All viewers share the stream's own bytes: not one has a keyframe of its own.
			if grown > 3<<20 {
				t.Errorf("besides the stream's media the heap grew by %d kB", grown>>10)
			}
		})
	}
}

func TestManyStreamsOfFewViewersStarveNobody(t *testing.T) {
	s := serve(t, web.Options{})
	const streams = 500 / raced
	before := liveHeap()
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
	var held int64
	for _, studio := range studios {
		held += studio.stream.Stats().Bytes
	}
	if each := (liveHeap() - before - held) / streams; each > 64<<10 {
		t.Errorf("a stream, its viewer and the client of that take %d kB besides media", each>>10)
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
