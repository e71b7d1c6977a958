package session

import (
	"slices"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/wire"
)

const (
	// freshReport is how long a report counts: players report once a second.
	freshReport = 4 * time.Second
	// latencyStep is what latencies are rounded to in the list of streams, which
	// would change all the time otherwise.
	latencyStep = 10 * time.Millisecond
)

// latencies holds what players last reported between capture and display.
type latencies struct {
	mu sync.Mutex
	of map[string]latency // by session
}

type latency struct {
	stream string
	is     time.Duration
	at     time.Time
}

// told takes a report of a session. Only one that plays at the live edge, in
// sight, says how far behind the stream is seen; any other takes back what it
// said before.
func (l *latencies) told(id, stream string, live bool, r *wire.Report, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !live || !r.Visible || r.State != wire.PlayerPlaying || r.Latency <= 0 {
		delete(l.of, id)
		return
	}
	if l.of == nil {
		l.of = make(map[string]latency)
	}
	l.of[id] = latency{stream, r.Latency, now}
}

// forget drops what a session said.
func (l *latencies) forget(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.of, id)
}

// medians returns the latency that half of the viewers of each stream stay
// below. Streams of which nobody says are not in it.
func (l *latencies) medians(now time.Time) map[string]time.Duration {
	all := make(map[string][]time.Duration)
	l.mu.Lock()
	for id, is := range l.of {
		if now.Sub(is.at) >= freshReport {
			delete(l.of, id)
			continue
		}
		all[is.stream] = append(all[is.stream], is.is)
	}
	l.mu.Unlock()
	medians := make(map[string]time.Duration, len(all))
	for stream, each := range all {
		slices.Sort(each)
		medians[stream] = max(latencyStep, each[len(each)/2].Round(latencyStep))
	}
	return medians
}
