// Package desk decides who may publish which stream, and keeps the stream for
// its viewers while publishers come and go.
//
//	publish/* --Open--> Desk --> publication --> ingest.Run --> hub.Stream
//
// A stream that a publisher makes stays for as long as it has a publisher or
// viewers, and a while longer. A publisher who comes back finds the same stream,
// and its viewers see the picture return without doing anything.
package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/ingest"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
)

// Rule lets publishers onto streams. The first rule whose pattern matches a name
// decides.
type Rule struct {
	// Streams is a pattern of names: see media.MatchStreamName.
	Streams string
	// Key is what the publisher has to give, empty for nothing.
	Key string
	// Takeover lets a second publisher take the stream from the first. Otherwise
	// the second is refused.
	Takeover bool
}

// Options bounds publishers. Zero fields take the default.
type Options struct {
	// Rules in the order in which they are tried. None: nobody may publish.
	Rules []Rule
	// Tokens, where it holds a verifier, lets in who has a token with the action
	// "publish" on the stream, whatever the rules say. It may be nil.
	Tokens *auth.Switch
	// Limits of what may change while the desk is in use.
	Limits Limits
	// MaxTracks of one publisher. Default 4.
	MaxTracks int
	// MaxPixels of a picture, width times height. Default 8192 x 4320.
	MaxPixels int
	// Silence is how long a publisher may send nothing. Default 10 s.
	Silence time.Duration
	// Grace is how long a stream whose publisher broke off counts as lost, before
	// it counts as offline. Default 20 s.
	Grace time.Duration
	// Linger is how long a stream made by a publisher is kept after it went
	// offline and its last viewer left. Default 60 s.
	Linger time.Duration

	// Gate limits how often the holder of a token may begin to publish: what goes by
	// the address was looked at before. Nil: as often as it likes.
	Gate *gate.Gate

	// Hooks are told what happens.
	Hooks Hooks

	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Limits = o.Limits.withDefaults()
	o.MaxTracks = cmp.Or(o.MaxTracks, 4)
	o.MaxPixels = cmp.Or(o.MaxPixels, 8192*4320)
	o.Silence = cmp.Or(o.Silence, 10*time.Second)
	o.Grace = cmp.Or(o.Grace, 20*time.Second)
	o.Linger = cmp.Or(o.Linger, time.Minute)
	o.Hooks = o.Hooks.withDefaults()
	if o.Tokens == nil {
		o.Tokens = new(auth.Switch)
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return o
}

// Desk implements publish.Desk over a hub. Its methods may be called from any
// goroutine.
type Desk struct {
	hub  *hub.Hub
	opts Options

	limits atomic.Pointer[Limits]

	mu         sync.Mutex
	rules      []Rule
	times      times
	slots      map[string]*slot // by name of stream
	publishers int
	closed     bool
}

// New returns a desk that publishes into h. Run must be running for its timeouts
// to work.
func New(h *hub.Hub, opts Options) *Desk {
	opts = opts.withDefaults()
	d := &Desk{hub: h, opts: opts, rules: slices.Clone(opts.Rules), slots: make(map[string]*slot)}
	d.SetTimes(opts.Silence, opts.Grace, opts.Linger)
	d.SetLimits(opts.Limits)
	return d
}

// SetRules replaces the rules. Publishers who are in stay.
func (d *Desk) SetRules(rules []Rule) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rules = slices.Clone(rules)
}

// times are those of Options.
type times struct{ silence, grace, linger time.Duration }

// SetTimes replaces Options.Silence, Grace and Linger, for all publishers and
// streams.
func (d *Desk) SetTimes(silence, grace, linger time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.times = times{silence, grace, linger}
}

// slot is a stream as publishers find it.
type slot struct {
	stream *hub.Stream
	feed   *ingest.Feed

	mu      sync.Mutex
	current *publication // nil without publisher
	left    time.Time    // when the last publisher left
}

// Open implements publish.Desk.
func (d *Desk) Open(ctx context.Context, r publish.Request) (publish.Publication, error) {
	p, err := d.open(ctx, r)
	if often := (*gate.Refusal)(nil); errors.As(err, &often) {
		return nil, err // told where the gate is
	}
	if err != nil {
		d.logOf(r).Info("publisher refused", "reason", err)
		d.opts.Hooks.Refused(r, err)
		return nil, err
	}
	return p, nil
}

// logOf returns the log for a publisher.
func (d *Desk) logOf(r publish.Request) *slog.Logger {
	log := d.opts.Log.With("stream", r.Stream, "protocol", string(r.Protocol), "remote", r.Remote.String())
	if r.Session != "" {
		log = log.With("session", r.Session)
	}
	return log
}

func (d *Desk) open(ctx context.Context, r publish.Request) (*publication, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := media.CheckStreamName(r.Stream); err != nil {
		return nil, fmt.Errorf("%w: %w", publish.ErrBadName, err)
	}
	rule, grant, err := d.admit(ctx, r)
	if err != nil {
		return nil, err
	}
	if refusal := d.opts.Gate.AdmitSubject("publish", grant.Subject, r.Remote.Addr()); refusal != nil {
		return nil, fmt.Errorf("%w: %w", publish.ErrTooManyPublishers, refusal)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, publish.ErrShutdown
	}
	if err := d.roomLocked(r, grant); err != nil {
		return nil, err
	}
	s, err := d.slotLocked(r.Stream)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		if !rule.Takeover {
			return nil, fmt.Errorf("%w: %q", publish.ErrStreamBusy, r.Stream)
		}
		s.current.endLocked(publish.ErrTakenOver)
	}
	d.publishers++
	return s.openLocked(d, r, grant), nil
}

// slotLocked finds the stream, or makes it.
func (d *Desk) slotLocked(name string) (*slot, error) {
	if s := d.slots[name]; s != nil {
		return s, nil
	}
	stream, err := d.hub.Create(name)
	if err != nil {
		// Another source feeds a stream of that name.
		return nil, fmt.Errorf("%w: %q has a source of its own", publish.ErrStreamBusy, name)
	}
	s := &slot{stream: stream, feed: ingest.New(stream, d.opts.Log.With("stream", name))}
	d.slots[name] = s
	return s, nil
}

// checkInterval is how often the timeouts are looked at: a fraction of the
// shortest of them that matters to a viewer.
const checkInterval = 500 * time.Millisecond

// Run watches over the timeouts until ctx is done, and then ends all
// publications.
func (d *Desk) Run(ctx context.Context) error {
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			d.shutdown()
			return nil
		case now := <-ticker.C:
			d.check(now)
		}
	}
}

// check ends silent publications, and streams that nobody needs any more.
func (d *Desk) check(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, s := range d.slots {
		if s.expired(now, d.times) {
			delete(d.slots, name)
			d.hub.Remove(name)
			d.opts.Log.Info("stream removed", "stream", name)
		}
	}
}

// expired looks at the slot's timeouts, and reports whether its stream can go.
func (s *slot) expired(now time.Time, t times) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.current; p != nil {
		if e := p.grant.Expires; !e.IsZero() && now.After(e) {
			p.endLocked(publish.ErrExpired)
		} else if now.Sub(p.heard) > t.silence {
			p.endLocked(fmt.Errorf("%w: %v", publish.ErrSilent, t.silence))
		}
		return false
	}
	gone := now.Sub(s.left)
	if gone > t.grace {
		s.stream.SetStatus(hub.Offline, "")
	}
	return gone > t.grace+t.linger && s.stream.Viewers() == 0
}

func (d *Desk) shutdown() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, s := range d.slots {
		s.mu.Lock()
		if s.current != nil {
			s.current.endLocked(publish.ErrShutdown)
		}
		s.mu.Unlock()
	}
}

// Discard ends the publisher of a stream, and the stream for its viewers. It
// reports whether the stream was the desk's.
func (d *Desk) Discard(name string, reason error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.slots[name]
	if s == nil {
		return false
	}
	delete(d.slots, name)
	s.mu.Lock()
	if s.current != nil {
		s.current.endLocked(reason)
	}
	s.mu.Unlock()
	d.hub.Remove(name)
	return true
}

// Remove ends the publisher of a stream. It reports whether there was one.
func (d *Desk) Remove(name string, reason error) bool {
	d.mu.Lock()
	s := d.slots[name]
	d.mu.Unlock()
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return false
	}
	s.current.endLocked(reason)
	return true
}

func (d *Desk) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.publishers--
}
