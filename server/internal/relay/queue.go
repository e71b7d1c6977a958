package relay

import (
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// maxQueueBytes bounds the queue whatever its times say: several seconds at the
// highest bitrate that servers take as a rule.
const maxQueueBytes = 64 << 20

// queue holds what waits for the network. Nothing is queued before open.
type queue struct {
	backlog  time.Duration
	tracks   []media.Track // as announced last
	items    []item
	bytes    int
	open     bool
	finished bool // nothing more comes
	needKey  bool // pictures are left out up to the next keyframe
	dropped  uint64
}

// item is a sample, or with tracks set a change of tracks before it.
type item struct {
	tracks []media.Track
	sample media.Sample
	kind   media.Kind
	at     time.Time // when it came
}

func (q *queue) start(tracks []media.Track) {
	changed := q.tracks != nil
	q.tracks = tracks
	if q.open && changed {
		q.items = append(q.items, item{tracks: tracks})
	}
}

func (q *queue) push(s media.Sample, now time.Time) {
	if !q.open {
		q.dropped++
		return
	}
	kind := q.kindOf(s.TrackID)
	if q.waiting(now) > q.backlog || q.bytes > maxQueueBytes {
		q.drop()
	}
	if kind == media.Video {
		if q.needKey && !s.Keyframe {
			q.dropped++
			return
		}
		q.needKey = false
	}
	if s.CapturedAt.IsZero() {
		s.CapturedAt = now
	}
	q.items = append(q.items, item{sample: s, kind: kind, at: now})
	q.bytes += len(s.Data)
}

func (q *queue) kindOf(id uint32) media.Kind {
	for i := range q.tracks {
		if q.tracks[i].ID == id {
			return q.tracks[i].Kind()
		}
	}
	return 0
}

// drop leaves out the samples that wait. Changes of tracks stay, the newest alone.
func (q *queue) drop() {
	var tracks []media.Track
	for _, i := range q.items {
		if i.tracks != nil {
			tracks = i.tracks
		} else {
			q.dropped++
		}
	}
	q.items, q.bytes, q.needKey = nil, 0, true
	if tracks != nil {
		q.items = append(q.items, item{tracks: tracks})
	}
}

// begin opens the queue: pictures are taken from the next keyframe on.
func (q *queue) begin() {
	q.hold()
	q.open = true
}

// hold closes the queue.
func (q *queue) hold() {
	q.drop()
	q.open, q.items = false, nil
}

func (q *queue) pop() (item, bool) {
	if len(q.items) == 0 {
		return item{}, false
	}
	i := q.items[0]
	q.items[0] = item{}
	q.items = q.items[1:]
	q.bytes -= len(i.sample.Data)
	return i, true
}

// waiting is for how long the oldest sample has waited.
func (q *queue) waiting(now time.Time) time.Duration {
	for _, i := range q.items {
		if i.tracks == nil {
			return now.Sub(i.at)
		}
	}
	return 0
}
