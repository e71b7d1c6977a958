package ingest

import (
	"slices"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// stillAfter is how long no picture has to come for an epoch to wait for one no
// longer.
const stillAfter = 5 * time.Second

// maxDefer is how long an epoch waits for a keyframe at the most. Encoders that are
// not told otherwise make one every 250 pictures, 17 s at 15 a second; one that has
// made none by then may never do so, and refresh its pictures by parts instead.
const maxDefer = 20 * time.Second

// same reports whether two sets of tracks are one, also in how the source calls them.
func same(a, b []*track) bool {
	return slices.EqualFunc(a, b, func(a, b *track) bool {
		return a.source == b.source && a.Track.Equal(&b.Track)
	})
}

// defers reports whether the epoch of next can wait for a keyframe: pictures flow, and
// stay as they are. An epoch begins with a keyframe, so that opening one at once for
// sound that comes, goes or changes would stop the picture until there is one.
func (r *Run) defers(next []*track) bool {
	if r.epoch == nil || r.gathering {
		return false
	}
	pictures := func(tracks []*track) []*track {
		return slices.DeleteFunc(slices.Clone(tracks), func(t *track) bool { return t.Kind() != media.Video })
	}
	now := pictures(r.tracks)
	return len(now) > 0 && same(now, pictures(next)) && !slices.ContainsFunc(now, func(t *track) bool { return t.waits })
}

// deferred takes a sample while the tracks of an epoch wait for a keyframe, which
// begins it, or for pictures to stop, when it holds up none, or for maxDefer. It
// reports whether the sample has a place: that of a track still to come has none.
func (r *Run) deferred(s *media.Sample) (bool, error) {
	if r.since.IsZero() {
		r.since = s.CapturedAt
	}
	to := find(r.next, s.TrackID)
	if to.Kind() == media.Video && s.Keyframe || to.Kind() == media.Audio && r.still(s.CapturedAt) {
		return true, r.turn(r.next)
	}
	if s.CapturedAt.Sub(r.since) >= maxDefer {
		r.feed.log.Info("other sound begins without a keyframe: none came", "after", maxDefer)
		r.carry(r.next)
		return true, r.turn(r.next)
	}
	from := find(r.tracks, s.TrackID)
	return from != nil && from.Track.Equal(&to.Track), nil
}

// carry has pictures go on in the next epoch where they are. Whoever has decoded them
// so far goes on decoding; a player that has to begin anew for the sound shows them
// from its own copy, or from the next keyframe on.
func (r *Run) carry(next []*track) {
	for _, t := range next {
		if t.Kind() == media.Video {
			t.waits = false
		}
	}
}

// still reports whether pictures have stopped coming.
func (r *Run) still(now time.Time) bool {
	return !slices.ContainsFunc(r.tracks, func(t *track) bool {
		return t.Kind() == media.Video && now.Sub(t.clock.arrived) < stillAfter
	})
}

// find returns the track to which a source gives the ID, or nil.
func find(tracks []*track, source uint32) *track {
	for _, t := range tracks {
		if t.source == source {
			return t
		}
	}
	return nil
}
