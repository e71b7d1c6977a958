package webm

import (
	"slices"

	"github.com/framewire/framewire/server/internal/codec/h264"
	"github.com/framewire/framewire/server/internal/codec/h265"
	"github.com/framewire/framewire/server/internal/media"
)

// maxReorder is the most that H.264 and H.265 allow.
const maxReorder = 16

// jumpSeconds is how far times may lie apart before the publisher's clock is
// taken to have jumped.
const jumpSeconds = 10

// order works out decode times, which Matroska does not store: frames come in
// decode order with their times of presentation. When at most depth frames come
// before one that is shown earlier, the n-th decode time is the time of
// presentation that is n-depth-th in order, and no frame has to wait.
type order struct {
	depth   int
	pending []int64 // times of presentation, sorted, at most depth after add
	jump    int64   // how far apart times of presentation may lie
	last    int64   // the latest decode time
	started bool
}

// newOrder reads the depth from the decoder configuration.
func newOrder(codec media.Codec, config []byte, timescale uint32) order {
	depth := 0
	switch codec {
	case media.H264:
		if c, err := h264.ParseConfig(config); err == nil && len(c.SPS) > 0 {
			if sps, err := h264.ParseSPS(c.SPS[0]); err == nil {
				depth = sps.Reorder // -1 where any would do: encoders that reorder tell
			}
		}
	case media.H265:
		if c, err := h265.ParseConfig(config); err == nil && len(c.SPS) > 0 {
			if sps, err := h265.ParseSPS(c.SPS[0]); err == nil {
				depth = sps.Reorder
			}
		}
	}
	return order{depth: min(max(depth, 0), maxReorder), jump: jumpSeconds * int64(timescale)}
}

// add returns the decode time of the next frame. It only grows, save for jumps.
func (o *order) add(pts int64) int64 {
	if n := len(o.pending); n > 0 && (pts < o.pending[0]-o.jump || pts > o.pending[n-1]+o.jump) {
		o.pending = o.pending[:0]
	}
	at, _ := slices.BinarySearch(o.pending, pts)
	o.pending = slices.Insert(o.pending, at, pts)
	dts := o.pending[0]
	if len(o.pending) > o.depth {
		o.pending = slices.Delete(o.pending, 0, 1)
	} else {
		// The first frames are decoded before any is shown.
		dts -= int64(o.depth - len(o.pending) + 1)
	}
	if o.started && dts <= o.last && dts > o.last-o.jump {
		dts = o.last + 1
	}
	o.started, o.last = true, dts
	return dts
}
