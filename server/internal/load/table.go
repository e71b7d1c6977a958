package load

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Print writes the report for people.
func (o *Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	failed := 0
	for _, n := range o.Failed {
		failed += n
	}
	row("viewers", "%d joined of %d, %d with a picture, %d failed", o.Joined, o.Viewers, o.Pictures, failed)
	counts(row, "  failed", o.Failed)
	row("join", "p50 %.1f  p99 %.1f  max %.1f ms", o.Join.P50, o.Join.P99, o.Join.Max)
	row("first keyframe", "p50 %.1f  p99 %.1f  max %.1f ms", o.FirstKeyframe.P50, o.FirstKeyframe.P99, o.FirstKeyframe.Max)
	row("delay while joining", "%s", o.JoiningDelay)
	row("measured", "%.1f s, %.3f GB, %.1f Mb/s", o.Seconds, float64(o.Bytes)/1e9, float64(o.Bytes)*8/o.Seconds/1e6)
	if o.RoundTripMS > 0 {
		row("clock", "%.2f ms ahead of the server's; shortest round trip %.2f ms", o.ClockAheadMS, o.RoundTripMS)
	}
	for _, c := range []struct {
		name  string
		group *Group
	}{{"steady", o.Steady}, {"stalled", o.Stalled}, {"throttled", o.Throttled}} {
		if c.group != nil {
			c.group.rows(c.name, row)
		}
	}
	return t.Flush()
}

func (g *Group) rows(name string, row func(name, format string, args ...any)) {
	row(name+" viewers", "%d, %d of them served whole", g.Viewers, g.Whole)
	row("  delay", "%s", g.Delay)
	row("  throughput", "min %.0f  median %.0f  max %.0f kb/s", g.Throughput.Min/1e3, g.Throughput.Median/1e3, g.Throughput.Max/1e3)
	row("  missing fragments", "%d without a word (%d viewers), %d announced", g.Holes, g.WithHoles, g.Skipped)
	counts(row, "  gaps", g.Gaps)
	row("  ladder", "%d steps", g.Steps)
	counts(row, "  at the end", g.Ladder)
	counts(row, "  ended", g.Ended)
}

func (s Spread) String() string {
	return fmt.Sprintf("p50 %.1f  p95 %.1f  p99 %.1f  max %.1f ms", s.P50, s.P95, s.P99, s.Max)
}

func counts(row func(name, format string, args ...any), name string, m map[string]int) {
	if len(m) == 0 {
		return
	}
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(m)) {
		list = append(list, fmt.Sprintf("%d %s", m[reason], reason))
	}
	row(name, "%s", strings.Join(list, ", "))
}
