package roster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// probe is a source that runs until it is stopped, or fails.
type probe struct {
	fail          error
	runs, running atomic.Int32
}

func (p *probe) Run(ctx context.Context, _ media.Sink) error {
	p.runs.Add(1)
	p.running.Add(1)
	defer p.running.Add(-1)
	if p.fail != nil {
		return p.fail
	}
	<-ctx.Done()
	return ctx.Err()
}

func source(p *probe, url string) Source { return Source{Source: p, URL: url, Display: url} }

// run gives a test a roster that runs, in time that passes only while all wait.
func run(t *testing.T, test func(t *testing.T, r *Roster, h *hub.Hub)) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(hub.Options{})
		r := New(h, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = r.Run(ctx) })
		test(t, r, h)
		cancel()
		running.Wait()
		if err := r.Add("late", source(&probe{}, "u")); !errors.Is(err, ErrStopped) {
			t.Errorf("added after the end: %v", err)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSourcesRunFromAddToRemove(t *testing.T) {
	run(t, func(t *testing.T, r *Roster, h *hub.Hub) {
		var p probe
		must(t, r.Add("a", source(&p, "u")))
		synctest.Wait()
		if p.running.Load() != 1 || h.Lookup("a") == nil {
			t.Fatal("it does not run")
		}
		if err := r.Add("a", source(&p, "u")); !errors.Is(err, hub.ErrExists) {
			t.Errorf("added twice: %v", err)
		}
		if err := r.Add("../a", source(&p, "u")); err == nil {
			t.Error("a bad name was taken")
		}
		must(t, r.Remove("a"))
		if p.running.Load() != 0 || h.Lookup("a") != nil {
			t.Error("it still runs")
		}
		for name, err := range map[string]error{"remove": r.Remove("a"), "restart": r.Restart("a"), "replace": r.Replace("a", source(&p, "u"))} {
			if !errors.Is(err, ErrUnknown) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestSourcesAddedBeforeRunBeginWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(hub.New(hub.Options{}), slog.New(slog.DiscardHandler))
		var p, gone probe
		must(t, r.Add("a", source(&p, "u")))
		must(t, r.Add("b", source(&gone, "u")))
		must(t, r.Remove("b"))
		synctest.Wait()
		if p.runs.Load() != 0 {
			t.Error("it runs already")
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = r.Run(ctx) })
		synctest.Wait()
		if p.running.Load() != 1 || gone.runs.Load() != 0 {
			t.Errorf("%d runs, and %d of what was removed", p.running.Load(), gone.runs.Load())
		}
		cancel()
		running.Wait()
		if p.running.Load() != 0 {
			t.Error("it outlives the roster")
		}
	})
}

func TestRestartKeepsTheStream(t *testing.T) {
	run(t, func(t *testing.T, r *Roster, h *hub.Hub) {
		var p probe
		must(t, r.Add("a", source(&p, "u")))
		synctest.Wait()
		stream := h.Lookup("a")
		must(t, r.Restart("a"))
		synctest.Wait()
		if p.runs.Load() != 2 || p.running.Load() != 1 || h.Lookup("a") != stream {
			t.Errorf("%d runs", p.runs.Load())
		}
		if e, _ := r.Get("a"); e.Restarts != 1 {
			t.Errorf("%+v", e)
		}
	})
}

func TestRestartCutsThePauseAfterAFailure(t *testing.T) {
	run(t, func(t *testing.T, r *Roster, _ *hub.Hub) {
		p := probe{fail: errors.New("no such camera")}
		must(t, r.Add("a", source(&p, "u")))
		synctest.Wait() // it pauses now
		if e, _ := r.Get("a"); e.Err == nil || e.FailedAt.IsZero() || e.Restarts != 1 {
			t.Errorf("%+v", e)
		}
		must(t, r.Restart("a"))
		synctest.Wait()
		if n := p.runs.Load(); n != 2 {
			t.Errorf("%d runs", n)
		}
	})
}

func TestReplaceExchangesTheSourceOnly(t *testing.T) {
	run(t, func(t *testing.T, r *Roster, h *hub.Hub) {
		var first, second probe
		must(t, r.Add("a", source(&first, "one")))
		synctest.Wait()
		stream := h.Lookup("a")
		must(t, r.Replace("a", source(&first, "one")))
		synctest.Wait()
		if first.runs.Load() != 1 {
			t.Error("the same source was started again")
		}
		must(t, r.Replace("a", source(&second, "two")))
		synctest.Wait()
		if first.running.Load() != 0 || second.running.Load() != 1 || h.Lookup("a") != stream {
			t.Errorf("%d of the first run, %d of the second", first.running.Load(), second.running.Load())
		}
		if e, _ := r.Get("a"); e.Display != "two" {
			t.Errorf("%+v", e)
		}
	})
}

func TestAllIsOrderedByName(t *testing.T) {
	run(t, func(t *testing.T, r *Roster, _ *hub.Hub) {
		for _, name := range []string{"c", "a", "b"} {
			must(t, r.Add(name, source(&probe{}, "u")))
		}
		var names []string
		for _, e := range r.All() {
			names = append(names, e.Name)
		}
		if fmt.Sprint(names) != "[a b c]" {
			t.Errorf("%v", names)
		}
	})
}
