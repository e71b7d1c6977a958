package session

import (
	"maps"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/wire"
)

func TestLatencyIsTheMedianOfThoseWhoWatchLive(t *testing.T) {
	const ms = time.Millisecond
	now := time.Unix(1000, 0)
	playing := wire.Report{State: wire.PlayerPlaying, Visible: true}
	report := func(latency time.Duration) *wire.Report {
		r := playing
		r.Latency = latency
		return &r
	}
	hidden, unknown, paused := report(900*ms), report(0), report(900*ms)
	hidden.Visible = false
	paused.State = wire.PlayerPaused
	var l latencies
	for _, c := range []struct {
		id, stream string
		live       bool
		report     *wire.Report
		age        time.Duration
	}{
		{"a", "yard", true, report(104 * ms), 0},
		{"b", "yard", true, report(131 * ms), 0},
		{"c", "yard", true, report(2 * time.Second), 0},
		{"behind", "yard", false, report(time.Minute), 0},
		{"hidden", "yard", true, hidden, 0},
		{"unknown", "yard", true, unknown, 0},
		{"silent", "yard", true, report(10 * ms), freshReport},
		{"pauses", "yard", true, report(10 * ms), 0},
		{"pauses", "yard", true, paused, 0},
		{"leaves", "yard", true, report(10 * ms), 0},
		{"d", "door", true, report(2 * ms), 0},
	} {
		l.told(c.id, c.stream, c.live, c.report, now.Add(-c.age))
	}
	l.forget("leaves")
	want := map[string]time.Duration{"yard": 130 * ms, "door": latencyStep}
	if got := l.medians(now); !maps.Equal(got, want) {
		t.Errorf("medians are %v, want %v", got, want)
	}
}
