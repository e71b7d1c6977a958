package events

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func emit(l *Log, from, to int) {
	for i := from; i < to; i++ {
		l.Emit(Event{Stream: fmt.Sprint(i), Body: Gap{}})
	}
}

// read returns the streams of the next n events, and what was missed.
func read(t *testing.T, w *Watcher, n int) (streams []string, missed uint64) {
	t.Helper()
	for range n {
		e, m, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.At.IsZero() {
			t.Error("an event without time")
		}
		streams, missed = append(streams, e.Stream), missed+m
	}
	return streams, missed
}

func TestWatcherBeginsWithThePastItAskedFor(t *testing.T) {
	for _, c := range []struct {
		emitted, recent, want int
	}{{0, 5, 0}, {3, 5, 3}, {3, 2, 2}, {3, 0, 0}, {30, 100, 8}, {3, -1, 0}} {
		l := New(8)
		emit(l, 0, c.emitted)
		w := l.Watch(c.recent)
		emit(l, 100, 101)
		// An event of now follows those of the past; where the ring is full it
		// pushes out the oldest.
		want := min(c.want, 7)
		streams, missed := read(t, w, want+1)
		if streams[want] != "100" || missed != uint64(c.want-want) {
			t.Errorf("%+v: %v, missed %d", c, streams, missed)
		}
	}
}

func TestSlowWatcherIsToldWhatItMissed(t *testing.T) {
	l := New(4)
	w := l.Watch(0)
	emit(l, 0, 10)
	streams, missed := read(t, w, 4)
	if fmt.Sprint(streams) != "[6 7 8 9]" || missed != 6 {
		t.Errorf("read %v, missed %d", streams, missed)
	}
}

func TestWatchersWaitForEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(4)
		var group sync.WaitGroup
		for range 3 {
			w := l.Watch(0)
			group.Go(func() {
				if e, _, err := w.Next(t.Context()); err != nil || e.Stream != "0" {
					t.Errorf("%+v, %v", e, err)
				}
			})
		}
		synctest.Wait() // all wait now
		emit(l, 0, 1)
		group.Wait()

		ctx, cancel := context.WithCancel(t.Context())
		w := l.Watch(0)
		group.Go(func() {
			if _, _, err := w.Next(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		cancel()
		group.Wait()
	})
}

func TestEmitWithoutWatcherAllocatesNothing(t *testing.T) {
	l := New(64)
	body := Body(Gap{})
	if n := testing.AllocsPerRun(100, func() { l.Emit(Event{Stream: "cam", Body: body}) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
