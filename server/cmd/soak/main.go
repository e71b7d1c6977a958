// Soak runs the built server for a long while among everything that can go wrong
// at once: viewers and publishers of every kind that come and go, break off, stand
// still and send rubbish; networks that are cut, squeezed and held; sources that
// are killed; operators who restart, remove and send away; configurations that
// change, some of them wrong.
//
// It fails when the server panics or ends, when a viewer misses media without
// having been told, is sent media twice, or is left without while its stream is
// live, and when, after all have gone, the server holds more goroutines,
// descriptors or memory than before.
//
//	soak -binary bin/framewire -minutes 10
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

type options struct {
	binary  string
	minutes float64
	viewers int
	seed    uint64
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/framewire", "the server's `program`")
	flag.Float64Var(&o.minutes, "minutes", 10, "how long to make trouble")
	flag.IntVar(&o.viewers, "viewers", 16, "viewers at the same time")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "what chance is drawn from")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

const (
	// warmUp is trouble before the idle level is measured: pools are filled then,
	// and everything that is made once is made.
	warmUp = 25 * time.Second

	// settleTime is how long all that is over may take to be gone: the longest of
	// the server's timeouts, and half as much again.
	settleTime = 90 * time.Second

	// More than at the idle level counts as lost from here on. Goroutines and
	// descriptors come and go with requests; memory breathes with what sources
	// send, and with the runtime's own.
	spareGoroutines  = 6
	spareDescriptors = 6
	spareHeap        = 24 << 20
)

// problems are what the run fails with. Its methods may be called from any
// goroutine.
type problems struct {
	mu   sync.Mutex
	list []error
}

// maxProblems is how many are told; one fault shows many times.
const maxProblems = 30

func (p *problems) add(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.list) < maxProblems {
		err := fmt.Errorf(format, args...)
		p.list = append(p.list, err)
		fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), "PROBLEM:", err)
	}
}

func (p *problems) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.list...)
}

func run(ctx context.Context, o options) error {
	folder, err := os.MkdirTemp("", "framewire-soak-")
	if err != nil {
		return err
	}
	var found problems
	s, err := startServer(ctx, o.binary, folder, &found)
	if err != nil {
		return err
	}
	fmt.Printf("seed %d, log in %s\n", o.seed, s.log)
	w, err := newWorld(s, o, &found)
	if err == nil {
		carried, stop := context.WithCancel(context.Background())
		var carrying sync.WaitGroup
		carrying.Go(func() { w.carry(carried) })
		err = w.soak(ctx, time.Duration(o.minutes*float64(time.Minute)))
		stop()
		carrying.Wait()
	}
	if e := s.stop(); e != nil {
		found.add("the server did not end well: %w", e)
	}
	err = errors.Join(err, found.err())
	if err == nil {
		_ = os.RemoveAll(folder)
	}
	return err
}

// soak makes trouble twice, and compares what is left afterwards.
func (w *world) soak(ctx context.Context, length time.Duration) error {
	if err := w.ready(ctx); err != nil {
		return err
	}
	first, err := w.server.figures(ctx)
	if err != nil {
		return err
	}
	fmt.Println("begins with", first)
	w.trouble(ctx, min(warmUp, length))
	idle, err := w.settle(ctx, first)
	if err != nil {
		return err
	}
	fmt.Println("idles with", idle)
	w.trouble(ctx, length)
	w.tell()
	end, err := w.settle(ctx, idle)
	if err != nil {
		return err
	}
	fmt.Println("ends with", end)
	w.compare(ctx, idle, end)
	return ctx.Err()
}

// settle waits until the sources run, and no more is left than there was.
func (w *world) settle(ctx context.Context, before figures) (figures, error) {
	if err := w.ready(ctx); err != nil {
		return figures{}, err
	}
	deadline := time.Now().Add(settleTime)
	for {
		now, err := w.server.figures(ctx)
		if err != nil || now.within(before) || time.Now().After(deadline) {
			return now, err
		}
		if err := pause(ctx, time.Second); err != nil {
			return now, err
		}
	}
}

func (w *world) compare(ctx context.Context, idle, end figures) {
	if end.within(idle) {
		return
	}
	w.found.add("more is left than there was: %v, and before %v", end, idle)
	if err := w.server.dump(ctx); err != nil {
		w.found.add("where it is cannot be told: %w", err)
	}
}

// pause waits, unless ctx is done before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
