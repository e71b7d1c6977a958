package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/badnet"
)

// Streams that are configured, and live but for moments.
var sources = []string{"demo", "clip", "picture"}

// patience is how long a viewer of a live stream may be without media, on a good
// network and a busy machine; a source that was killed takes its restart pause.
const patience = 45 * time.Second

// world is everything around the server.
type world struct {
	server  *server
	options options
	found   *problems

	web, rtmp *badnet.Proxy
	h264      string // file of a WHIP publisher

	picks  atomic.Uint64 // seeds handed out
	mu     sync.Mutex
	counts map[string]int // what happened, by name
}

func newWorld(s *server, o options, found *problems) (*world, error) {
	w := &world{server: s, options: o, found: found, counts: make(map[string]int), h264: filepath.Join(s.folder, "picture.h264")}
	var err error
	if w.web, err = badnet.Listen(badnet.Options{Listen: "127.0.0.1:0", Target: s.addr, Seed: o.seed}); err != nil {
		return nil, err
	}
	if w.rtmp, err = badnet.Listen(badnet.Options{Listen: "127.0.0.1:0", Target: s.rtmp, Seed: o.seed}); err != nil {
		return nil, err
	}
	err = ffmpeg(context.Background(), "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=15:duration=4",
		"-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-g", "15", "-pix_fmt", "yuv420p", "-bsf:v", "dump_extra", w.h264)
	return w, err
}

func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

// tell says what happened.
func (w *world) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(w.counts)) {
		fmt.Printf("%8d %s\n", w.counts[what], what)
	}
	fmt.Printf("         bad network: web %+v, RTMP %+v\n", w.web.Stats(), w.rtmp.Stats())
}

// chance is drawn by one goroutine each.
func (w *world) chance() *rand.Rand { return rand.New(rand.NewPCG(w.options.seed, w.picks.Add(1))) }

// between draws a time.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

// pick draws one of several.
func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// ready waits until the configured streams are live.
func (w *world) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	for {
		list, err := w.server.admin.ListStreams(ctx, connect.NewRequest(&pb.ListStreamsRequest{}))
		if err != nil {
			return fmt.Errorf("list streams: %w", err)
		}
		live := 0
		for _, s := range list.Msg.GetStreams() {
			if slices.Contains(sources, s.GetInfo().GetName()) && s.GetInfo().GetStatus() == pb.StreamStatus_STREAM_STATUS_LIVE {
				live++
			}
		}
		if live == len(sources) && len(list.Msg.GetStreams()) == live {
			return nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("the streams do not become those of the configuration, and live: %v", list.Msg.GetStreams())
		}
	}
}

// trouble lets everybody loose for a time, and calls them back.
func (w *world) trouble(ctx context.Context, length time.Duration) {
	ctx, stop := context.WithTimeout(ctx, length)
	defer stop()
	var all sync.WaitGroup
	for _, p := range []*badnet.Proxy{w.web, w.rtmp} {
		all.Go(func() { w.shake(ctx, p) })
	}
	for i := range w.options.viewers {
		all.Go(func() { w.watch(ctx, i) })
	}
	for name, publish := range w.publishers() {
		all.Go(func() { w.repeat(ctx, name, publish) })
	}
	for name, act := range w.mischief() {
		all.Go(func() { w.repeat(ctx, name, act) })
	}
	all.Wait()
	if err := w.server.configure(plainConfig); err != nil {
		w.found.add("write the configuration: %w", err)
	}
}

// repeat does something again and again, with pauses.
func (w *world) repeat(ctx context.Context, name string, do func(ctx context.Context, r *rand.Rand) error) {
	r := w.chance()
	for pause(ctx, between(r, 0, 2*time.Second)) == nil {
		if err := do(ctx, r); err != nil && ctx.Err() == nil {
			w.found.add("%s: %w", name, err)
		}
		w.count(name)
	}
}

// carry serves both networks until ctx is done.
func (w *world) carry(ctx context.Context) {
	var carrying sync.WaitGroup
	for _, p := range []*badnet.Proxy{w.web, w.rtmp} {
		carrying.Go(func() {
			if err := p.Serve(ctx); err != nil {
				w.found.add("the bad network: %w", err)
			}
		})
	}
	carrying.Wait()
}

// shake makes a network bad in turns until ctx is done, and leaves it clear and
// without connections.
func (w *world) shake(ctx context.Context, p *badnet.Proxy) {
	r := w.chance()
	for pause(ctx, between(r, time.Second, 5*time.Second)) == nil {
		var profile badnet.Profile
		switch r.IntN(7) {
		case 0:
			w.count("cut connections")
			p.Cut()
		case 1:
			profile = badnet.Both(badnet.Link{Rate: int64(5_000 + r.IntN(100_000))})
		case 2:
			profile = badnet.Both(badnet.Link{Hold: true})
		case 3:
			profile = badnet.Both(badnet.Link{Delay: between(r, 0, 300*time.Millisecond), Jitter: between(r, 0, 200*time.Millisecond)})
		case 4:
			profile = badnet.Profile{Refuse: true}
		case 5:
			profile = badnet.Both(badnet.Link{StallProbability: 0.2, StallLength: between(r, 50*time.Millisecond, time.Second)})
		}
		if err := p.Set(profile); err != nil {
			w.found.add("%w", err)
		}
	}
	_ = p.Set(badnet.Profile{}) // a clear network is always valid
	p.Cut()
}
