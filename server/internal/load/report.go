package load

import (
	"cmp"
	"slices"
	"strings"
	"time"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
)

// Report is what came of a run. It is also the JSON output, whose names carry
// units.
type Report struct {
	URL      string  `json:"url"`
	Viewers  int     `json:"viewers"`  // asked for
	Joined   int     `json:"joined"`   // Welcome came
	Pictures int     `json:"pictures"` // a first keyframe came
	Seconds  float64 `json:"seconds"`  // measured
	// Failed counts those who did not join, by reason.
	Failed map[string]int `json:"failed"`

	Join          Spread `json:"join_ms"`           // dialling to Welcome
	FirstKeyframe Spread `json:"first_keyframe_ms"` // dialling to the first keyframe
	// JoiningDelay is of fragments captured and received while others joined.
	JoiningDelay Spread `json:"joining_delay_ms"`

	// Bytes is all media received while measuring, and Steady, Stalled and
	// Throttled tell of the viewers by how they read. Absent: there was none.
	Bytes     uint64 `json:"bytes"`
	Steady    *Group `json:"steady,omitempty"`
	Stalled   *Group `json:"stalled,omitempty"`
	Throttled *Group `json:"throttled,omitempty"`

	ClockAheadMS float64 `json:"clock_ahead_ms"` // this clock before the server's
	RoundTripMS  float64 `json:"round_trip_ms"`
}

// Spread is a distribution in milliseconds.
type Spread struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Rates is a distribution in bits per second over viewers.
type Rates struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// Group tells of viewers who read alike, while measuring.
type Group struct {
	Viewers int `json:"viewers"`
	// Delay is from capture to receipt.
	Delay      Spread `json:"delay_ms"`
	Throughput Rates  `json:"throughput_bps"`
	Bytes      uint64 `json:"bytes"`
	Fragments  uint64 `json:"fragments"`
	Videos     uint64 `json:"video_fragments"`
	VideoBytes uint64 `json:"video_bytes"`
	// Holes are missing fragments that nothing explains; WithHoles counts the
	// viewers who have any. Skipped are missing fragments that a Gap or a
	// degradation explains, joining included.
	Holes     uint64 `json:"holes"`
	WithHoles int    `json:"viewers_with_holes"`
	Skipped   uint64 `json:"skipped"`
	// Whole counts viewers who missed nothing and are at most a second behind
	// the foremost.
	Whole int `json:"viewers_served_whole"`
	// Told counts viewers who heard of a gap, of a step on the ladder or of the end.
	Told int `json:"viewers_told"`
	// Gaps by reason, Ladder by the degradation at the end, Steps on the ladder,
	// and Ended by the reason of the session's end.
	Gaps   map[string]int `json:"gaps"`
	Ladder map[string]int `json:"ladder"`
	Steps  int            `json:"ladder_steps"`
	Ended  map[string]int `json:"ended"`
}

func (h *histogram) spread() Spread {
	return Spread{
		P50: milliseconds(h.quantile(0.50)), P95: milliseconds(h.quantile(0.95)),
		P99: milliseconds(h.quantile(0.99)), Max: milliseconds(h.most),
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (r *run) report(measured time.Duration) *Report {
	o := &Report{
		URL: r.opts.URL, Viewers: r.opts.Viewers, Seconds: measured.Seconds(),
		Failed: r.failed, ClockAheadMS: milliseconds(r.offset.Ahead), RoundTripMS: milliseconds(r.offset.RoundTrip),
	}
	var join, first, joining histogram
	var delays [groups]histogram
	var members [groups][]*viewer
	for _, s := range r.shards {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, v := range s.viewers {
			if v.welcome == 0 {
				o.Failed[cmp.Or(v.end, "no Welcome in time")]++
				continue
			}
			o.Joined++
			join.add(v.welcome)
			if v.firstKey > 0 {
				o.Pictures++
				first.add(v.firstKey)
			}
			members[v.group] = append(members[v.group], v)
		}
		for g := range groups {
			joining.merge(&s.joining[g])
			delays[g].merge(&s.measured[g])
		}
	}
	o.Join, o.FirstKeyframe, o.JoiningDelay = join.spread(), first.spread(), joining.spread()
	for g, into := range map[group]**Group{steady: &o.Steady, stalled: &o.Stalled, throttled: &o.Throttled} {
		if len(members[g]) > 0 {
			*into = newGroup(members[g], &delays[g], measured)
			o.Bytes += (*into).Bytes
		}
	}
	return o
}

func newGroup(viewers []*viewer, delays *histogram, measured time.Duration) *Group {
	g := &Group{
		Viewers: len(viewers), Delay: delays.spread(),
		Gaps: make(map[string]int), Ladder: make(map[string]int), Ended: make(map[string]int),
	}
	bytes := make([]uint64, 0, len(viewers))
	for _, v := range viewers {
		if v.at.valid {
			n := v.bytes - v.at.bytes
			bytes = append(bytes, n)
			g.Bytes += n
			g.Fragments += v.fragments - v.at.fragments
			g.Videos += v.videos - v.at.videos
			g.VideoBytes += v.videoBytes - v.at.videoBytes
		}
		g.Holes += v.holes
		if v.holes > 0 {
			g.WithHoles++
		}
		g.Skipped += v.skipped
		g.Steps += int(v.steps)
		told := 0
		for reason, n := range v.gaps {
			told += int(n)
			if n > 0 {
				g.Gaps[strings.TrimPrefix(pb.GapReason(reason).String(), "GAP_REASON_")] += int(n)
			}
		}
		if v.end != "" || v.steps > 0 || told > 0 {
			g.Told++
		}
		if v.end != "" {
			g.Ended[v.end]++
		} else {
			g.Ladder[strings.TrimPrefix(v.degradation.String(), "DEGRADATION_")]++
		}
	}
	if len(bytes) == 0 {
		return g
	}
	slices.Sort(bytes)
	rate := func(n uint64) float64 { return float64(n) * 8 / measured.Seconds() }
	best := bytes[len(bytes)-1]
	g.Throughput = Rates{Min: rate(bytes[0]), Median: rate(bytes[len(bytes)/2]), Max: rate(best)}
	g.Whole = whole(viewers, float64(g.Fragments)/float64(len(bytes))/measured.Seconds())
	return g
}

// whole counts viewers who were served in full, of a stream with so many
// fragments a second.
func whole(viewers []*viewer, rate float64) int {
	var foremost uint64
	for _, v := range viewers {
		foremost = max(foremost, v.next)
	}
	n := 0
	for _, v := range viewers {
		missed := v.holes + v.skipped - v.at.missing
		if v.at.valid && v.end == "" && missed == 0 && float64(foremost-v.next) <= rate {
			n++
		}
	}
	return n
}
