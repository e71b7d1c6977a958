package media

import (
	"math/bits"
	"time"
)

// Rescale converts a time from one timescale to another, rounding to nearest
// (halves away from zero). It does not overflow in between. A scale of 0 gives
// 0.
func Rescale(ticks int64, from, to uint32) int64 {
	if from == 0 || to == 0 {
		return 0
	}
	if from == to {
		return ticks
	}
	negative := ticks < 0
	magnitude := uint64(ticks)
	if negative {
		magnitude = -magnitude
	}
	hi, lo := bits.Mul64(magnitude, uint64(to))
	lo, carry := bits.Add64(lo, uint64(from)/2, 0)
	hi += carry
	if hi >= uint64(from) { // the result would not fit; hold at the bound
		if negative {
			return minInt64
		}
		return maxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(from))
	switch {
	case negative && q > maxInt64:
		return minInt64
	case negative:
		return -int64(q)
	case q > maxInt64:
		return maxInt64
	}
	return int64(q)
}

const (
	maxInt64 = 1<<63 - 1
	minInt64 = -1 << 63
)

// Duration converts ticks of a timescale to a time.Duration.
func Duration(ticks int64, timescale uint32) time.Duration {
	return time.Duration(Rescale(ticks, timescale, uint32(time.Second)))
}

// Ticks converts a time.Duration to ticks of a timescale.
func Ticks(d time.Duration, timescale uint32) int64 {
	return Rescale(int64(d), uint32(time.Second), timescale)
}
