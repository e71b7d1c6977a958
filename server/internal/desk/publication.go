package desk

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/ingest"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
)

// bitrateSpan is the time over which MaxBitrate is measured: a keyframe alone
// does not exceed it.
const bitrateSpan = 5 * time.Second

// publication is one publisher on one stream. Its slot's mutex guards it: when
// another takes the stream over, the run changes hands at once, whatever the
// first publisher's goroutine is doing.
type publication struct {
	desk *Desk
	slot *slot
	log  *slog.Logger
	done chan struct{} // closed when the desk ends it

	request publish.Request // without its key
	keyed   bool            // was let in by a rule, not by a token
	address netip.Addr      // that limits go by
	opened  time.Time

	// guarded by slot.mu
	grant  *auth.Grant // that it lives by; without end for one with a key
	run    *ingest.Run // nil once ended
	reason error
	heard  time.Time // when media came last
	spanAt time.Time // when the present span of the bitrate began
	bytes  int64     // in that span
	total  uint64    // bytes of media received in all
	frames uint64    // samples received in all

	closing sync.Once
}

func (s *slot) openLocked(d *Desk, r publish.Request, grant *auth.Grant) *publication {
	p := &publication{
		desk:  d,
		slot:  s,
		log:   d.logOf(r),
		done:  make(chan struct{}),
		run:   s.feed.Open(),
		heard: time.Now(),

		request: r,
		keyed:   grant == byKey,
		address: gate.Network(r.Remote.Addr()),
		opened:  time.Now(),
		grant:   grant,
	}
	p.request.Key = ""
	if r.Keyframes != nil {
		s.stream.SetKeyframeRequester(r.Keyframes.RequestKeyframe)
	}
	s.current = p
	p.log.Info("publisher came", "client", r.Client)
	d.opts.Hooks.Opened(p.describeLocked())
	return p
}

// Start implements media.Sink.
func (p *publication) Start(tracks []media.Track) error {
	o := &p.desk.opts
	if len(tracks) > o.MaxTracks {
		return fmt.Errorf("%w: %d tracks, at most %d are allowed", publish.ErrLimit, len(tracks), o.MaxTracks)
	}
	for i := range tracks {
		if t := &tracks[i]; t.Width > 0 && t.Height > o.MaxPixels/t.Width {
			return fmt.Errorf("%w: a picture of %dx%d", publish.ErrLimit, t.Width, t.Height)
		}
	}
	p.slot.mu.Lock()
	defer p.slot.mu.Unlock()
	if p.run == nil {
		return p.reason
	}
	if err := p.run.Start(tracks); err != nil {
		return fmt.Errorf("%w: %w", publish.ErrUnsupported, err)
	}
	return nil
}

// Write implements media.Sink.
func (p *publication) Write(sample media.Sample) error {
	p.slot.mu.Lock()
	defer p.slot.mu.Unlock()
	if p.run == nil {
		return p.reason
	}
	if sample.CapturedAt.IsZero() {
		sample.CapturedAt = time.Now()
	}
	if err := p.measure(time.Now(), len(sample.Data)); err != nil {
		return err
	}
	if err := p.run.Write(sample); err != nil {
		return fmt.Errorf("%w: %w", publish.ErrMalformed, err)
	}
	return nil
}

// measure notes that media came, and holds it to the bitrate.
func (p *publication) measure(now time.Time, size int) error {
	p.heard = now
	if now.Sub(p.spanAt) > bitrateSpan {
		p.spanAt, p.bytes = now, 0
	}
	p.bytes += int64(size)
	p.total += uint64(size)
	p.frames++
	if limit := p.desk.limits.Load().Bitrate; p.bytes*8 > limit*int64(bitrateSpan/time.Second) {
		return fmt.Errorf("%w: more than %d bits per second", publish.ErrLimit, limit)
	}
	return nil
}

// endLocked takes the stream from the publisher, and has it told why.
func (p *publication) endLocked(reason error) {
	if p.run == nil {
		return
	}
	p.reason = reason
	close(p.done)
	p.finishLocked(reason)
}

// finishLocked closes the run. err is what viewers are told about: nil when the
// publisher ended in good order.
func (p *publication) finishLocked(err error) {
	state, message := hub.Lost, "The publisher broke off. The picture returns when the publisher does."
	if err == nil {
		state, message = hub.Offline, "The publisher has ended."
	}
	if e := p.run.Close(state, message); e != nil && !errors.Is(e, hub.ErrClosed) {
		p.log.Warn("publication", "error", e)
	}
	p.run = nil
	p.slot.current = nil
	p.slot.left = time.Now()
}

// Close implements publish.Publication.
func (p *publication) Close(err error) {
	p.closing.Do(func() {
		p.slot.mu.Lock()
		if p.run != nil {
			p.reason = errors.Join(publish.ErrDisconnected, err)
			p.finishLocked(err)
		}
		p.slot.mu.Unlock()
		p.desk.release()
		p.slot.mu.Lock()
		last := p.describeLocked()
		p.slot.mu.Unlock()
		p.desk.opts.Hooks.Closed(last, err)
		if err != nil {
			p.log.Info("publisher left", "reason", err)
		} else {
			p.log.Info("publisher left")
		}
	})
}

// Done implements publish.Publication.
func (p *publication) Done() <-chan struct{} { return p.done }

// Reason implements publish.Publication.
func (p *publication) Reason() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	p.slot.mu.Lock()
	defer p.slot.mu.Unlock()
	return p.reason
}
