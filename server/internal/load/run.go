package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxDialing bounds the joins under way at once, whatever the rate.
	maxDialing = 512

	// progressEvery is how often Options.Progress is called.
	progressEvery = 500 * time.Millisecond
)

// leaving is the frame with which viewers go (RFC 6455 7.4.1: 1000).
var leaving = clientFrame(opClose, []byte{0x03, 0xe8})

// Progress is how a run stands.
type Progress struct {
	Elapsed                 time.Duration
	Measuring               bool
	Joined, Playing, Failed int // viewers
	Ended                   int // of those who had joined
	Bytes                   uint64
	DelayP99                time.Duration // of the present phase
}

// run is one Run.
type run struct {
	opts      Options
	dialer    *dialer
	shards    []*shard
	pollers   []*poller
	pumps     sync.WaitGroup
	measuring chan struct{} // closed when measuring begins
	started   time.Time
	offset    offset
	random    *rand.Rand // of the goroutine that starts joins

	joined atomic.Int64
	mu     sync.Mutex
	failed map[string]int
}

// Run lets viewers join, measures, and reports. It returns when all have left.
// When ctx ends early, so does Run, with a report of what was and ctx's error.
func Run(ctx context.Context, opts Options) (*Report, error) {
	opts, u, err := opts.check()
	if err != nil {
		return nil, err
	}
	if err := checkDescriptors(opts.Viewers); err != nil {
		return nil, err
	}
	dialCtx, cancel := context.WithTimeout(ctx, opts.Timeout)
	defer cancel()
	d, err := newDialer(dialCtx, u, opts.Token)
	if err != nil {
		return nil, err
	}
	r := &run{
		opts: opts, dialer: d, measuring: make(chan struct{}), started: time.Now(),
		failed: make(map[string]int), random: rand.New(rand.NewPCG(1, 2)),
	}
	if !opts.SameClock {
		if r.offset, err = d.measureOffset(dialCtx); err != nil {
			return nil, fmt.Errorf("measure the server's clock: %w", err)
		}
	}
	for range runtime.GOMAXPROCS(0) {
		s := &shard{ahead: r.offset.Ahead}
		p, err := newPoller(s, opts.ReadEvery)
		if err != nil {
			return nil, err
		}
		r.shards, r.pollers = append(r.shards, s), append(r.pollers, p)
	}
	return r.run(ctx)
}

func (r *run) run(ctx context.Context) (*Report, error) {
	viewersCtx, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		leave()
		for _, p := range r.pollers {
			p.stop()
		}
		r.pumps.Wait()
	}()
	stopProgress := r.watch()
	defer stopProgress()

	r.join(ctx, viewersCtx)
	r.settle(ctx)
	r.phase(true)
	close(r.measuring)
	begun := time.Now()
	pause(ctx, r.opts.Duration)
	r.phase(false)
	return r.report(time.Since(begun)), ctx.Err()
}

func (r *run) phase(measuring bool) {
	for _, s := range r.shards {
		s.measure(measuring)
	}
	if r.opts.Phase != nil {
		r.opts.Phase(measuring)
	}
}

// join starts all viewers at their time, and returns when each has joined or
// failed.
func (r *run) join(ctx, viewersCtx context.Context) {
	var dialing sync.WaitGroup
	tickets := make(chan struct{}, maxDialing)
	begun := time.Now()
	for i := range r.opts.Viewers {
		due := begun.Add(time.Duration(float64(i) / r.opts.Rate * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			pause(ctx, wait)
		}
		if ctx.Err() != nil {
			break
		}
		tickets <- struct{}{}
		how, g := r.pace(i)
		dialing.Go(func() {
			defer func() { <-tickets }()
			if err := r.start(ctx, viewersCtx, i, g, how); err != nil {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.failed[reason(err)]++
			}
		})
	}
	dialing.Wait()
}

// pace decides how the i-th viewer reads. Slow ones are spread evenly among all.
func (r *run) pace(i int) (pace, group) {
	o := &r.opts
	chosen := func(share float64) bool { return int(float64(i+1)*share) > int(float64(i)*share) }
	switch {
	case o.Stall > 0 && chosen(o.Stall):
		latest := float64(o.Duration-o.StallFor) / 2
		return pace{stallAt: time.Duration(r.random.Float64() * latest), stallFor: o.StallFor}, stalled
	case o.Throttle > 0 && chosen(o.ThrottleShare):
		return pace{throttle: o.Throttle}, throttled
	default:
		return pace{}, steady
	}
}

func (r *run) start(ctx, viewersCtx context.Context, i int, g group, how pace) error {
	s := i % len(r.shards)
	v := &viewer{shard: r.shards[s], group: g, dialed: time.Now()}
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	conn, early, err := r.dialer.dial(ctx, i, g != steady)
	if err != nil {
		return err
	}
	r.joined.Add(1)
	v.shard.mu.Lock()
	v.shard.viewers = append(v.shard.viewers, v)
	v.shard.mu.Unlock()
	if g == steady {
		taken, err := r.pollers[s].add(v, conn, early)
		if err != nil {
			v.shard.finish(v, err)
			_ = conn.Close()
			return nil
		}
		if taken {
			return nil
		}
	}
	r.pumps.Go(func() { pump(viewersCtx, v, conn, early, how, r.measuring) })
	return nil
}

// settle waits until every viewer has a picture, but no longer than Timeout.
func (r *run) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	for ctx.Err() == nil {
		open, keys := 0, 0
		for _, s := range r.shards {
			s.mu.Lock()
			keys += s.keys
			for _, v := range s.viewers {
				if v.end == "" || v.firstKey > 0 {
					open++
				}
			}
			s.mu.Unlock()
		}
		if keys >= open {
			return
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// watch reports progress until the returned function is called.
func (r *run) watch() (stop func()) {
	if r.opts.Progress == nil {
		return func() {}
	}
	done := make(chan struct{})
	var over sync.WaitGroup
	over.Go(func() {
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				r.opts.Progress(r.progress())
			case <-done:
				return
			}
		}
	})
	return func() { close(done); over.Wait() }
}

func (r *run) progress() Progress {
	p := Progress{Elapsed: time.Since(r.started), Joined: int(r.joined.Load())}
	r.mu.Lock()
	for _, n := range r.failed {
		p.Failed += n
	}
	r.mu.Unlock()
	var delays histogram
	for _, s := range r.shards {
		s.mu.Lock()
		p.Measuring = s.measuring
		p.Playing += s.keys
		for _, v := range s.viewers {
			p.Bytes += v.bytes
			if v.end != "" {
				p.Ended++
			}
		}
		delays.merge(s.delays(steady))
		s.mu.Unlock()
	}
	p.DelayP99 = delays.quantile(0.99)
	return p
}

// offset is how the loader's clock stands to the server's.
type offset struct {
	Ahead, RoundTrip time.Duration
}

// measureOffset opens a session, and believes the ping with the shortest way.
func (d *dialer) measureOffset(ctx context.Context) (offset, error) {
	var conn net.Conn
	conn, early, err := d.dial(ctx, 0, false)
	if err != nil {
		return offset{}, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	return ask(conn, early)
}
