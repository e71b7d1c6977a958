// Package playback plays a recorded MP4 as if it were live: every sample at its
// decode time by the wall clock, and from the beginning again at the end, on
// decode times that only grow.
package playback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mp4"
)

// maxLate is how far playback catches up after it was held up (by a suspended
// machine, a slow disk). What is later than that is put off instead: viewers get
// a pause, not a burst.
const maxLate = 250 * time.Millisecond

// readAhead is how much is read before it is due. Pictures that are decoded from
// before the beginning of a pass, as B-frames have it, are due while the sound of
// the pass before still plays; this is more than any reordering takes.
const readAhead = 500 * time.Millisecond

// minPass is the length of a pass over a file that has next to none.
const minPass = 100 * time.Millisecond

// ErrEmpty reports a file without a single sample.
var ErrEmpty = errors.New("no samples")

// Loop plays the tracks over and over until ctx is done or the sink takes no more.
// The tracks are those of the file, each with a distinct ID.
func Loop(ctx context.Context, file *mp4.File, tracks []media.Track, sink media.Sink) error {
	return play(ctx, file, tracks, sink, false)
}

// Once plays the tracks to their end, and returns nil when the last sample's time
// is over.
func Once(ctx context.Context, file *mp4.File, tracks []media.Track, sink media.Sink) error {
	return play(ctx, file, tracks, sink, true)
}

func play(ctx context.Context, file *mp4.File, tracks []media.Track, sink media.Sink, once bool) error {
	p := player{once: once, tracks: make(map[uint32]*track, len(tracks))}
	ids := make([]uint32, len(tracks))
	for i, t := range tracks {
		ids[i] = t.ID
		p.tracks[t.ID] = &track{scale: t.Timescale, audio: t.Kind() == media.Audio}
	}
	p.cursor = file.Samples(ids...)
	if err := sink.Start(tracks); err != nil {
		return err
	}
	for {
		next, err := p.next()
		if errors.Is(err, io.EOF) {
			return p.wait(ctx, p.end)
		}
		if err != nil {
			return err
		}
		if err := p.wait(ctx, next.at); err != nil {
			return err
		}
		if err := sink.Write(next.Sample); err != nil {
			return err
		}
	}
}

// player is the state of one Loop.
type player struct {
	cursor *mp4.Cursor
	once   bool
	tracks map[uint32]*track

	queue   []due         // read ahead, in order
	horizon time.Duration // decode time of the sample read last
	end     time.Duration // of the sample that ends last
	over    bool          // there is no more to read

	passes int64 // over the whole file so far
	length int64 // of one pass, in ticks of scale; known after the first
	scale  uint32

	anchored bool
	anchor   time.Time // when decode time 0 of the first pass is due
	timer    *time.Timer
}

// due is a sample with its decode time since the beginning of the first pass.
type due struct {
	media.Sample
	at time.Duration
}

// track is what one pass over a track has shown.
type track struct {
	scale uint32
	audio bool

	// Of the samples that every pass plays.
	seen             bool
	beginDTS, endDTS int64
	beginPTS, endPTS int64
}

// next returns the sample that is due next, over all passes; io.EOF behind the
// last.
func (p *player) next() (due, error) {
	for !p.over && (len(p.queue) == 0 || p.horizon-p.queue[0].at < readAhead) {
		if err := p.read(); err != nil {
			return due{}, err
		}
	}
	if len(p.queue) == 0 {
		return due{}, io.EOF
	}
	first := p.queue[0]
	p.queue = slices.Delete(p.queue, 0, 1)
	return first, nil
}

// read puts one more sample of the file into the queue.
func (p *player) read() error {
	s, err := p.cursor.Next()
	if errors.Is(err, io.EOF) {
		return p.again()
	}
	if err != nil {
		return fmt.Errorf("read sample: %w", err)
	}
	t := p.tracks[s.TrackID]
	if t == nil {
		return nil
	}
	priming := t.audio && s.DTS+int64(s.Duration) <= 0
	switch {
	case priming && p.passes > 0:
		return nil // what primes the decoder has no place between two passes
	case !priming && p.passes == 0:
		t.note(&s)
	}
	s.DTS += media.Rescale(p.passes*p.length, p.scale, t.scale)
	at := media.Duration(s.DTS, t.scale)
	i := len(p.queue)
	for i > 0 && p.queue[i-1].at > at {
		i--
	}
	p.queue = slices.Insert(p.queue, i, due{s, at})
	p.horizon = at
	p.end = max(p.end, media.Duration(s.DTS+int64(s.Duration), t.scale))
	return nil
}

// again begins the next pass.
func (p *player) again() error {
	if p.passes == 0 {
		p.measure()
		if p.scale == 0 {
			return ErrEmpty
		}
	}
	if p.once {
		p.over = true
		return nil
	}
	p.passes++
	p.cursor.Rewind()
	return nil
}

// note remembers how far the track reaches.
func (t *track) note(s *media.Sample) {
	if !t.seen {
		t.seen = true
		t.beginDTS, t.endDTS = s.DTS, s.DTS
		t.beginPTS, t.endPTS = s.PTS(), s.PTS()
	}
	t.endDTS = max(t.endDTS, s.DTS+int64(s.Duration))
	t.beginPTS = min(t.beginPTS, s.PTS())
	t.endPTS = max(t.endPTS, s.PTS()+int64(s.Duration))
}

// measure sets the length of a pass: from what is shown or heard first to what is
// shown or heard last, and no less than what any track takes to decode. It is a
// whole number of one track's ticks, and each pass is laid at a whole multiple of
// it, so that no rounding adds up however often the file is played.
func (p *player) measure() {
	begin := time.Duration(math.MaxInt64)
	for _, t := range p.tracks {
		if t.seen {
			begin = min(begin, media.Duration(t.beginPTS, t.scale))
		}
	}
	begin = max(begin, 0) // what comes before is decoded only
	var longest time.Duration
	for _, t := range p.tracks {
		if !t.seen {
			continue
		}
		ticks := max(t.endDTS-t.beginDTS, t.endPTS-media.Ticks(begin, t.scale))
		if d := media.Duration(ticks, t.scale); d > longest || p.scale == 0 {
			longest, p.length, p.scale = d, ticks, t.scale
		}
	}
	if p.scale != 0 && longest < minPass {
		p.length, p.scale = int64(minPass), uint32(time.Second)
	}
}

// wait returns when the sample with the given decode time is due.
func (p *player) wait(ctx context.Context, at time.Duration) error {
	now := time.Now()
	if !p.anchored {
		p.anchored, p.anchor = true, now.Add(-at)
	}
	ahead := p.anchor.Add(at).Sub(now)
	if ahead < -maxLate {
		p.anchor = now.Add(-at)
	}
	if ahead <= 0 {
		return ctx.Err()
	}
	if p.timer == nil {
		p.timer = time.NewTimer(ahead)
	} else {
		p.timer.Reset(ahead)
	}
	select {
	case <-ctx.Done():
		p.timer.Stop()
		return ctx.Err()
	case <-p.timer.C:
		return nil
	}
}
