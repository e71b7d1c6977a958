package session

import (
	"math"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/wire"
)

// listInterval is the least time between two lists to one subscriber.
const listInterval = time.Second

// directory makes the list of streams for all sessions, at most once a second
// while nothing but figures changes.
type directory struct {
	hub       Hub
	latencies *latencies

	mu      sync.Mutex
	changed <-chan struct{} // of the hub, taken before last was made; nil at first
	made    time.Time
	last    *list
}

// list is one state of the list, shared by all sessions. Two lists that read the
// same are the same pointer.
type list struct {
	wire.StreamList
	encoded [2]struct {
		once    sync.Once
		message Message
	}
}

// message is the list as a message of its own.
func (l *list) message(e wire.Encoding) Message {
	slot := &l.encoded[e]
	slot.once.Do(func() { slot.message = Message{Data: e.Encode(l.StreamList), Text: e.Text()} })
	return slot.message
}

// get returns the list as it is now; its figures may be a second old.
func (d *directory) get(now time.Time) *list {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != nil && now.Sub(d.made) < listInterval {
		select {
		case <-d.changed:
		default:
			return d.last
		}
	}
	d.changed = d.hub.Changed()
	streams := d.hub.Streams()
	medians := d.latencies.medians(now)
	next := &list{StreamList: wire.StreamList{Streams: make([]wire.StreamInfo, 0, len(streams))}}
	for _, s := range streams {
		info := describe(s)
		if info.Status == wire.StatusLive {
			info.Latency = medians[info.Name]
		}
		if info.Status != 0 {
			next.Streams = append(next.Streams, info)
		}
	}
	d.made = now
	if d.last == nil || !sameList(d.last.Streams, next.Streams) {
		d.last = next
	}
	return d.last
}

func describe(s Stream) wire.StreamInfo {
	status := s.Status()
	info := wire.StreamInfo{Name: s.Name(), Since: status.Since, Viewers: s.Viewers()}
	switch status.State {
	case StreamLive:
		info.Status = wire.StatusLive
		info.Epoch = s.Epoch()
		info.Bitrate = roundBitrate(s.Bitrate())
	case StreamStarting, StreamLost:
		info.Status = wire.StatusStarting
	case StreamOffline, StreamFinished:
		info.Status = wire.StatusOffline
	}
	return info
}

// roundBitrate keeps two digits: what is beyond changes all the time and tells
// nobody anything.
func roundBitrate(bps float64) float64 {
	if bps < 1 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(bps))-1)
	return math.Round(bps/unit) * unit
}

func sameList(a, b []wire.StreamInfo) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// pushList sends the list of streams to a subscriber when it has changed.
func (v *Viewer) pushList(now time.Time, next *Next) {
	if !v.subscribed || v.queue.full() {
		return
	}
	if due := v.listedAt.Add(listInterval); now.Before(due) {
		next.sooner(due)
		return
	}
	v.listedAt = now
	if l := v.visible(v.host.list.get(now)); l != v.listed {
		v.listed = l
		v.queue.push(l.message(v.peer.Encoding))
	}
}
