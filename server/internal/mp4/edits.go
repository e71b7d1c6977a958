package mp4

import (
	"math"

	"github.com/framewire/framewire/server/internal/media"
)

// audioPreroll is how much sound before an edit's start is kept for the decoder
// to settle: 80 ms, what Opus asks for (RFC 7845 4.6); AAC wants one frame.
const audioPrerollMillis = 80

// edited is an edit list, boiled down to what a player of whole files makes of
// it: where in the media the movie begins and ends, and where it is put.
type edited struct {
	shift int64 // added to media times
	start int64 // first media time shown
	end   int64 // media time at which the movie ends
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
			f.skip(4) // media_rate
			if duration > maxTime || mediaTime > maxTime || mediaTime < -1 {
				return child.fail("duration %d at media time %d is out of range", duration, mediaTime)
			}
			t.edits = append(t.edits, edit{int64(duration), mediaTime})
		}
	}
	return nil
}

// applyEdits reduces the edit list to its leading empty edits and the first that
// is not: a delay and a trim, which is what encoders and cameras write. Later
// edits, which only editing programs write, are not followed; what is played
// then ends with the first.
func (t *track) applyEdits(movieTimescale uint32, fragmented bool) edited {
	e := edited{end: math.MaxInt64}
	var delay int64
	for _, one := range t.edits {
		length := media.Rescale(one.duration, movieTimescale, t.Timescale)
		if length > maxTime {
			return edited{end: math.MaxInt64}
		}
		if one.mediaTime < 0 {
			if delay += length; delay > maxTime {
				return edited{end: math.MaxInt64}
			}
			continue
		}
		e.start = one.mediaTime
		if length > 0 && !fragmented { // in fragments it covers the samples of moov alone
			e.end = one.mediaTime + length
		}
		break
	}
	e.shift = delay - e.start
	return e
}

// from is the media time at or before which reading must begin for the movie's
// first moment to be right.
func (t *track) from() int64 {
	if t.Kind() == media.Audio {
		return t.edited.start - int64(t.Timescale)*audioPrerollMillis/1000
	}
	return t.edited.start
}
