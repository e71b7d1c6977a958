package badnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// wire is a link between two in-memory ends, for tests in synctest's time.
type wire struct {
	link     *link
	in, out  net.Conn
	moved    atomic.Int64
	stop     context.CancelFunc
	finished sync.WaitGroup
}

func newWire(t *testing.T, profile Link, seed uint64) *wire {
	t.Helper()
	if err := profile.validate(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	in, src := net.Pipe()
	dst, out := net.Pipe()
	w := &wire{link: newLink(profile, seed), in: in, out: out, stop: stop}
	p := newPump(w.link, src, dst, &w.moved, 1)
	w.finished.Go(func() { p.read(ctx) })
	w.finished.Go(func() {
		p.write(ctx)
		dst.Close()
	})
	t.Cleanup(w.close)
	return w
}

func (w *wire) close() {
	w.stop()
	w.in.Close()
	w.out.Close()
	w.finished.Wait()
}

func (w *wire) send(t *testing.T, data []byte) {
	t.Helper()
	if _, err := w.in.Write(data); err != nil {
		t.Fatal(err)
	}
}

// receive reads n bytes and returns them with when the last one came.
func (w *wire) receive(t *testing.T, n int) ([]byte, time.Time) {
	t.Helper()
	data := make([]byte, n)
	if _, err := io.ReadFull(w.out, data); err != nil {
		t.Fatal(err)
	}
	return data, time.Now()
}

func TestDelayHoldsEveryByteUpByTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, Link{Delay: 20 * time.Millisecond}, 1)
		defer w.close()
		for i := range 5 {
			sent := time.Now()
			w.send(t, []byte{byte(i)})
			data, at := w.receive(t, 1)
			if data[0] != byte(i) || at.Sub(sent) != 20*time.Millisecond {
				t.Errorf("byte %d came as %d after %v", i, data[0], at.Sub(sent))
			}
		}
	})
}

func TestDelayedBytesTravelTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, Link{Delay: 50 * time.Millisecond}, 1)
		defer w.close()
		start := time.Now()
		for i := range 10 { // one each 10 ms, more than the delay in all
			time.AfterFunc(time.Duration(i)*10*time.Millisecond, func() { w.in.Write([]byte{byte(i)}) })
		}
		for i := range 10 {
			data, at := w.receive(t, 1)
			if want := time.Duration(i)*10*time.Millisecond + 50*time.Millisecond; data[0] != byte(i) || at.Sub(start) != want {
				t.Errorf("byte %d came as %d at %v, want %v", i, data[0], at.Sub(start), want)
			}
		}
	})
}

// arrivals sends a byte each 10 ms and returns how long each one took.
func arrivals(t *testing.T, profile Link, seed uint64, n int) []time.Duration {
	var took []time.Duration
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, profile, seed)
		defer w.close()
		start := time.Now()
		for i := range n {
			time.AfterFunc(time.Duration(i)*10*time.Millisecond, func() { w.in.Write([]byte{byte(i)}) })
		}
		for i := range n {
			data, at := w.receive(t, 1)
			if data[0] != byte(i) {
				t.Fatalf("byte %d came in the place of %d", data[0], i)
			}
			took = append(took, at.Sub(start)-time.Duration(i)*10*time.Millisecond)
		}
	})
	return took
}

func TestJitterStaysInItsBoundsAndVaries(t *testing.T) {
	took := arrivals(t, Link{Delay: 20 * time.Millisecond, Jitter: 20 * time.Millisecond}, 7, 200)
	seen := make(map[time.Duration]bool)
	for i, d := range took {
		if d < 20*time.Millisecond || d > 40*time.Millisecond {
			t.Errorf("byte %d took %v", i, d)
		}
		seen[d.Round(time.Millisecond)] = true
	}
	if len(seen) < 10 {
		t.Errorf("only %d different delays in 200 bytes", len(seen))
	}
}

func TestSameSeedMakesTheSameNetwork(t *testing.T) {
	profile := Link{
		Jitter:           30 * time.Millisecond,
		StallProbability: 0.1, StallLength: 250 * time.Millisecond,
	}
	first, again, other := arrivals(t, profile, 5, 200), arrivals(t, profile, 5, 200), arrivals(t, profile, 6, 200)
	same := 0
	for i := range first {
		if first[i] != again[i] {
			t.Fatalf("byte %d took %v, and %v with the same seed", i, first[i], again[i])
		}
		if first[i] == other[i] {
			same++
		}
	}
	if same > len(first)/2 {
		t.Errorf("%d of %d delays are the same with another seed", same, len(first))
	}
}

func TestStallsComeAsOftenAndAsLongAsAsked(t *testing.T) {
	const bytes = 100 * 60 // a minute: 600 slots, 18 stalls expected
	took := arrivals(t, Link{StallProbability: 0.03, StallLength: 250 * time.Millisecond}, 3, bytes)
	stalls, longest := 0, time.Duration(0)
	for i, d := range took {
		if d > 0 && (i == 0 || took[i-1] == 0) {
			stalls++
		}
		longest = max(longest, d)
	}
	if stalls < 9 || stalls > 27 { // two standard deviations
		t.Errorf("%d stalls in a minute, want about 18", stalls)
	}
	// Stalls may run into each other, a byte may arrive just as one begins.
	if longest < 250*time.Millisecond || longest > time.Second {
		t.Errorf("the longest delay was %v", longest)
	}
}

func TestRateIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, Link{Rate: 50_000, Queue: 20_000}, 1)
		defer w.close()
		sent := bytes.Repeat([]byte("framewire "), 10_000)
		start := time.Now()
		w.finished.Go(func() { w.in.Write(sent) })
		got, at := w.receive(t, len(sent))
		if !bytes.Equal(got, sent) {
			t.Error("the bytes have changed on the way")
		}
		if took := at.Sub(start); took < 1990*time.Millisecond || took > 2010*time.Millisecond {
			t.Errorf("100 kB at 50 kB/s took %v", took)
		}
	})
}

func TestSenderIsHeldUpByAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, Link{Hold: true, Queue: 1000}, 1)
		defer w.close()
		var accepted atomic.Int64
		w.finished.Go(func() {
			for {
				n, err := w.in.Write(make([]byte, 100))
				accepted.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
		synctest.Wait()
		if got := accepted.Load(); got != 1000 {
			t.Errorf("the proxy took %d bytes in with a queue of 1000", got)
		}
	})
}

func TestChangeOfProfileReachesBytesUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, bad := range []Link{
			{Delay: time.Hour}, {Hold: true}, {Rate: 1},
			{StallProbability: 1, StallLength: time.Minute},
		} {
			w := newWire(t, bad, 1)
			w.send(t, []byte("x"))
			synctest.Wait()
			start := time.Now()
			w.link.set(Link{})
			if _, at := w.receive(t, 1); !at.Equal(start) {
				t.Errorf("%+v: the byte came %v after the link was clear", bad, at.Sub(start))
			}
			w.close()
		}
	})
}

func TestEndComesAfterTheLastByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, Link{Delay: 30 * time.Millisecond}, 1)
		defer w.close()
		start := time.Now()
		w.send(t, []byte("last words"))
		w.in.Close()
		got, err := io.ReadAll(w.out)
		if err != nil || string(got) != "last words" {
			t.Errorf("got %q, %v", got, err)
		}
		if took := time.Since(start); took != 30*time.Millisecond {
			t.Errorf("the end came after %v", took)
		}
	})
}

func TestProfileThatMakesNoSenseIsRefused(t *testing.T) {
	nan := 0.0
	nan /= nan
	for _, bad := range []Link{
		{Delay: -1}, {Delay: 2 * maxTime}, {Jitter: -1}, {StallLength: -1},
		{StallProbability: 1.5}, {StallProbability: nan}, {StallProbability: 0.5},
		{Rate: -1}, {Queue: -1},
	} {
		for _, p := range []Profile{{Up: bad}, {Down: bad}} {
			if err := p.Validate(); !errors.Is(err, ErrProfile) {
				t.Errorf("%+v: %v", p, err)
			}
		}
	}
}
