package mp4

import (
	"errors"
	"fmt"
	"math"

	"github.com/framewire/framewire/server/internal/media"
)

// audioPrerollMillis is how much sound before the beginning is kept for the decoder
// to settle: 80 ms, what Opus asks for (RFC 7845 4.6); AAC wants one frame.
const audioPrerollMillis = 80

// plan is which samples of a track are played.
type plan struct {
	track *track
	parts []part // one behind the other, one at least
	end   int64  // presentation time, after edits, at which the last ends
}

// part is a run of samples that are played in a row.
type part struct {
	edited
	track       *track
	inner       bool // another part follows
	later       bool // another part is before
	first, stop uint64
	started     bool
	shown       bool  // a sample of it is seen or heard
	ends        int64 // presentation time, after edits, at which its last sample ends

	// The sample that is seen last is shown for longer where the next part keeps it
	// waiting.
	lasting uint64
	longer  uint32

	at   uint64      // the number of the sample that from is before
	from *fileCursor // nil for the beginning
}

// beginAt notes that the part begins at a sample, before which the cursor of the file
// and that of its tables stand as told. A part may have many such, each later than the
// last.
func (p *part) beginAt(number uint64, file *fileCursor, tables *tableCursor) {
	if p.from == nil {
		p.from = &fileCursor{tables: new(tableCursor)}
	}
	own := p.from.tables
	*p.from, *own = *file, *tables
	p.at, p.from.tables = number, own
}

// plan looks through all samples of a track once, without their data, and through
// those of several parts once more.
func (f *File) plan(t *track) (plan, error) {
	p := plan{track: t, end: math.MinInt64}
	for i, e := range t.parts {
		p.parts = append(p.parts, part{
			edited: e, track: t, later: i > 0, inner: i+1 < len(t.parts), ends: math.MinInt64, lasting: math.MaxUint64,
		})
	}
	c := newFileCursor(f, t)
	var ticks, frames uint64
	for number := uint64(0); ; number++ {
		before, tables := *c, *c.tables
		r, ok, err := c.next()
		if err != nil {
			return p, err
		}
		if !ok {
			break
		}
		if r.place > f.size || int64(r.size) > f.size-r.place {
			f.truncated = true
			break
		}
		if r.size > maxSample {
			return p, &FormatError{Path: "sample", Offset: r.place, Err: fmt.Errorf("%d bytes exceed %d", r.size, maxSample)}
		}
		for i := range p.parts {
			if part := &p.parts[i]; part.note(&r, number) && part.later {
				part.beginAt(number, &before, &tables)
			}
		}
		ticks += uint64(r.duration)
		frames++
	}
	if t.Kind() == media.Video && ticks > 0 {
		t.FrameRate = float64(frames) * float64(t.Timescale) / float64(ticks)
	}
	return p, p.finish(f)
}

// finish leaves out parts of which nothing is shown, and checks how the rest go together.
func (p *plan) finish(f *File) error {
	var parts []part
	for _, one := range p.parts {
		if one.stop > one.first && (one.shown || len(p.parts) == 1) {
			parts = append(parts, one)
			p.end = max(p.end, one.ends)
		}
	}
	if p.parts = parts; len(parts) == 0 {
		p.track.err = errors.New("no samples from a keyframe on")
		return nil
	}
	for i := range parts {
		if len(parts) == 1 || p.track.Kind() != media.Video {
			break
		}
		if err := parts[i].join(f); errors.Is(err, ErrEdits) {
			p.track.err = err
			return nil
		} else if err != nil {
			return err
		}
		if i+1 < len(parts) {
			parts[i].longer = uint32(min(max(parts[i+1].start+parts[i+1].shift-parts[i].ends, 0), math.MaxInt32))
		}
	}
	return nil
}

// begin is the media time at or before which reading must begin for the first
// moment of the part to be right. Sound of a later part begins with the frame
// that is nearest: there is no time for what is before.
func (p *part) begin(r *sampleRef) int64 {
	switch {
	case p.track.Kind() != media.Audio:
		return p.start
	case p.later:
		return p.start + int64(r.duration)/2
	default:
		return p.start - int64(p.track.Timescale)*audioPrerollMillis/1000
	}
}

// until is the media time before which samples belong to the part.
func (p *part) until(r *sampleRef) int64 {
	if p.track.Kind() == media.Audio && p.inner {
		return p.end - int64(r.duration)/2
	}
	return p.end
}

// note takes in the next sample of the track. It reports whether the part begins
// with it, as far as is known.
func (p *part) note(r *sampleRef, number uint64) (first bool) {
	if r.sync && (!p.started || r.pts() <= p.begin(r)) {
		p.first, p.started, first = number, true, true
	}
	if p.started && r.pts() < p.until(r) {
		p.stop = number + 1
		p.shown = p.shown || r.pts()+int64(r.duration) > p.start
		p.ends = max(p.ends, min(r.pts()+int64(r.duration), p.end)+p.shift)
	}
	return first
}

// cursor returns a cursor before sample number at.
func (p *part) cursor(f *File) *fileCursor {
	if p.from == nil {
		return newFileCursor(f, p.track)
	}
	c, tables := *p.from, *p.from.tables
	c.tables = &tables
	return &c
}

// join goes through the pictures of a part among others. Pictures that are decoded
// and not shown have no place between two parts, be it before the first that is shown
// or after the last: then it is an ErrEdits.
func (p *part) join(f *File) error {
	c := p.cursor(f)
	latest := int64(math.MinInt64)
	for number := p.at; number < p.stop; number++ {
		r, ok, err := c.next()
		if err != nil || !ok {
			return err
		}
		if number < p.first {
			continue
		}
		half := int64(r.duration) / 2
		if p.later && r.pts() < p.start-half || p.inner && r.pts() >= p.end+half {
			return fmt.Errorf("%w: a part is cut within a group of pictures", ErrEdits)
		}
		if r.pts() > latest {
			latest, p.lasting = r.pts(), number
		}
	}
	return nil
}
