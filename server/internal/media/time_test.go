package media

import (
	"math"
	"testing"
	"time"
)

func TestRescale(t *testing.T) {
	for _, c := range []struct {
		ticks    int64
		from, to uint32
		want     int64
	}{
		{0, 1, 1, 0},
		{90000, 90000, 48000, 48000},
		{1, 3, 1, 0},
		{2, 3, 1, 1},
		{1, 2, 1, 1},
		{-1, 2, 1, -1},
		{-2, 3, 1, -1},
		{math.MaxInt64, 1, 2, math.MaxInt64},
		{math.MinInt64, 1, 2, math.MinInt64},
		{math.MinInt64, 2, 1, math.MinInt64 / 2},
		{1 << 60, 90000, 1000, 12810238940076078},
		{5, 0, 1, 0},
		{5, 1, 0, 0},
	} {
		if got := Rescale(c.ticks, c.from, c.to); got != c.want {
			t.Errorf("Rescale(%d, %d, %d) = %d, want %d", c.ticks, c.from, c.to, got, c.want)
		}
	}
}

func TestDurationAndTicksAreInverse(t *testing.T) {
	for _, scale := range []uint32{1000, 44100, 48000, 90000, 15360} {
		for ticks := int64(0); ticks < 5000; ticks += 7 {
			if back := Ticks(Duration(ticks, scale), scale); back != ticks {
				t.Fatalf("%d ticks of 1/%d s came back as %d", ticks, scale, back)
			}
		}
	}
	if got := Duration(45000, 90000); got != 500*time.Millisecond {
		t.Errorf("Duration(45000, 90000) = %v", got)
	}
}
