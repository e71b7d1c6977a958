package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/framewire/framewire/server/internal/wire"
)

// What one report may add at the most: players report every second or so, and not
// all of them are well-meaning.
const (
	mostStalls  = 20
	mostStalled = time.Minute
)

// stalls adds up what players report as sums of their own. A player outlives its
// sessions, so that the first report of a session only tells where it stands.
type stalls struct {
	count   prometheus.Counter
	seconds prometheus.Counter

	mu   sync.Mutex
	last map[string]stood // by session
}

type stood struct {
	count   uint32
	stalled time.Duration
}

func newStalls() *stalls {
	return &stalls{
		count: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "framewire_player_stalls_total", Help: "Times that playback stood still for want of media, as players report it.",
		}),
		seconds: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "framewire_player_stalled_seconds_total", Help: "Time that playback stood still for want of media, as players report it.",
		}),
		last: make(map[string]stood),
	}
}

// report takes a report of the session.
func (s *stalls) report(session string, r *wire.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := stood{r.Stalls, r.Stalled}
	before, known := s.last[session]
	s.last[session] = now
	if known && now.count > before.count { // less is another player's
		s.count.Add(float64(min(now.count-before.count, mostStalls)))
	}
	if known && now.stalled > before.stalled {
		s.seconds.Add(min(now.stalled-before.stalled, mostStalled).Seconds())
	}
}

// forget lets go of a session.
func (s *stalls) forget(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.last, session)
}
