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
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mp4"
)

// maxLate is how far playback catches up after it was held up (by a suspended
// machine, a slow disk). What is later than that is put off instead: viewers get
// a pause, not a burst.
const maxLate = 250 * time.Millisecond

// ErrEmpty reports a file without a single sample.
var ErrEmpty = errors.New("no samples")

// Loop plays the tracks over and over until ctx is done or the sink takes no more.
// The tracks are those of the file, each with a distinct ID.
func Loop(ctx context.Context, file *mp4.File, tracks []media.Track, sink media.Sink) error {
	p := player{sink: sink, tracks: make(map[uint32]*track, len(tracks))}
	ids := make([]uint32, len(tracks))
	for i, t := range tracks {
		ids[i] = t.ID
		p.tracks[t.ID] = &track{scale: t.Timescale, audio: t.Kind() == media.Audio}
	}
	if err := sink.Start(tracks); err != nil {
		return err
	}
	cursor := file.Samples(ids...)
	for {
		if err := p.pass(ctx, cursor); err != nil {
			return err
		}
		if p.samples == 0 {
			return ErrEmpty
		}
		p.passes++
		if p.passes == 1 {
			p.measure()
		}
		cursor.Rewind()
	}
}

// player is the state of one Loop.
type player struct {
	sink    media.Sink
	tracks  map[uint32]*track
	samples int

	passes   int64 // over the whole file so far
	length   int64 // of one pass, in ticks of scale; known after the first
	scale    uint32
	anchored bool
	anchor   time.Time // when decode time 0 of the first pass is due
	timer    *time.Timer
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

// pass plays the file once.
func (p *player) pass(ctx context.Context, cursor *mp4.Cursor) error {
	for {
		s, err := cursor.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read sample: %w", err)
		}
		t := p.tracks[s.TrackID]
		if t == nil {
			continue
		}
		priming := t.audio && s.DTS+int64(s.Duration) <= 0
		switch {
		case priming && p.passes > 0:
			continue // what primes the decoder has no place between two passes
		case !priming && p.passes == 0:
			t.note(&s)
		}
		s.DTS += media.Rescale(p.passes*p.length, p.scale, t.scale)
		if err := p.wait(ctx, media.Duration(s.DTS, t.scale)); err != nil {
			return err
		}
		if err := p.sink.Write(s); err != nil {
			return err
		}
		p.samples++
	}
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
		if d := media.Duration(ticks, t.scale); d > longest {
			longest, p.length, p.scale = d, ticks, t.scale
		}
	}
	if p.length <= 0 { // one sample without a duration
		p.length, p.scale = 1, 1
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
