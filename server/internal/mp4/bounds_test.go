package mp4

import (
	"math"
	"testing"

	"github.com/framewire/framewire/server/internal/media"
)

// What no file lasts is that of a damaged one, or of an attack: the list is left out,
// and no time of what is played leaves the bounds.
func TestEditsBeyondAllTimeAreLeftOut(t *testing.T) {
	const huge = maxTime
	for name, edits := range map[string][]edit{
		"a delay behind a part":    {{huge - 10, 0, normalRate}, {20, -1, normalRate}},
		"a part behind a delay":    {{huge - 10, -1, normalRate}, {20, 0, normalRate}},
		"one part that is too far": {{huge, 0, normalRate}, {huge, huge, normalRate}},
		"to the end of all time":   {{huge, huge, normalRate}},
	} {
		tr := &track{Track: media.Track{Timescale: 1000}, edits: edits}
		parts, err := tr.applyEdits(1000, false)
		if err != nil || len(parts) == 0 {
			t.Errorf("%s: %v, %v", name, parts, err)
		}
		for _, p := range parts {
			if p.end < math.MaxInt64 && p.end+p.shift > maxTime || p.shift > maxTime || p.shift < -maxTime {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
}
