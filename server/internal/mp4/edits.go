package mp4

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// maxParts bounds the parts of a track that are played one behind the other: each
// costs a walk over the sample tables.
const maxParts = 64

// normalRate is 1 as media_rate has it.
const normalRate = 1 << 16

// ErrEdits reports a track whose edit list asks for more than playing parts of it
// one behind the other. A program that decodes can follow it.
var ErrEdits = errors.New("edit list cannot be followed without decoding")

// edited is a part of a track that its edit list has the movie show: from where to
// where in the media, and where it is put.
type edited struct {
	shift int64 // added to media times
	start int64 // first media time shown
	end   int64 // media time at which the part ends
}

func (t *track) parseEdits(b *box) error {
	for child, err := range b.children(0) {
		if err != nil {
			return err
		}
		if child.name != "elst" {
			continue
		}
		f := child.fields()
		version, _ := f.full()
		count := int64(f.u32())
		size := int64(12)
		if version > 0 {
			size = 20
		}
		if f.err() != nil || count*size > int64(len(f.data)) {
			return child.fail("%d entries in %d bytes", count, len(f.data))
		}
		for range count {
			duration := f.sized(version)
			mediaTime := int64(int32(uint32(f.uint(4))))
			if version > 0 {
				mediaTime = mediaTime<<32 | int64(f.u32())
			}
			rate := int32(f.u32())
			if duration > maxTime || mediaTime > maxTime || mediaTime < -1 {
				return child.fail("duration %d at media time %d is out of range", duration, mediaTime)
			}
			t.edits = append(t.edits, edit{int64(duration), mediaTime, rate})
		}
	}
	return nil
}

// applyEdits turns the edit list into the parts of the track that are played, one at
// least, in order. An edit that goes on where the one before ends is none of its own.
// In a fragmented movie the list covers the samples of moov alone: of what it says
// the delay and the beginning are taken.
func (t *track) applyEdits(movieTimescale uint32, fragmented bool) ([]edited, error) {
	whole := []edited{{end: math.MaxInt64}}
	var parts []edited
	var odd error
	slack := media.Rescale(1, movieTimescale, t.Timescale) + 1 // of rounding
	edits, passed := 0, int64(0)                               // media edits, and time of the movie
	for _, one := range t.edits {
		at := media.Rescale(passed, movieTimescale, t.Timescale)
		length := media.Rescale(one.duration, movieTimescale, t.Timescale)
		if passed += one.duration; passed > maxTime || at > maxTime || length > maxTime-at {
			return whole, nil
		}
		if one.mediaTime < 0 {
			whole[0].shift = at + length
			continue
		}
		if edits++; one.rate != normalRate {
			odd = fmt.Errorf("%w: a part is played at %g times the speed", ErrEdits, float64(one.rate)/normalRate)
		}
		e := edited{shift: at - one.mediaTime, start: one.mediaTime, end: math.MaxInt64}
		if fragmented || length == 0 { // to the end of the media
			parts = append(parts, e)
			break
		}
		e.end = one.mediaTime + length
		if n := len(parts); n > 0 && near(parts[n-1].end, e.start, slack) && near(parts[n-1].shift, e.shift, slack) {
			parts[n-1].end = e.end
			continue
		}
		if parts = append(parts, e); len(parts) > maxParts {
			return parts, fmt.Errorf("%w: more than %d parts", ErrEdits, maxParts)
		}
	}
	switch {
	case len(parts) == 0:
		return whole, nil
	case edits > 1 && odd != nil: // of one alone it is left out, as by other players
		return parts, odd
	default:
		return parts, nil
	}
}

// firstParts leaves of the tracks what comes first, where the edit list of one of them
// cannot be followed: as much of that track as is played in a row, and of the others
// what goes with it. It returns when that ends, or false where all lists can be
// followed.
func (m *movie) firstParts() (end time.Duration, cut bool) {
	end = math.MaxInt64
	for _, t := range m.tracks {
		if !errors.Is(t.err, ErrEdits) {
			continue
		}
		t.err, cut = nil, true
		if first := t.parts[0]; first.end < math.MaxInt64 {
			end = min(end, media.Duration(first.end+first.shift, t.Timescale))
		}
	}
	if !cut {
		return 0, false
	}
	for _, t := range m.tracks {
		t.parts = t.parts[:min(len(t.parts), 1)]
		if len(t.parts) == 1 && t.Timescale > 0 && end < math.MaxInt64 {
			t.parts[0].end = min(t.parts[0].end, media.Ticks(end, t.Timescale)-t.parts[0].shift)
		}
	}
	return end, true
}

func near(a, b, slack int64) bool { return a-b <= slack && b-a <= slack }
