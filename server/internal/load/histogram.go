package load

import (
	"math/bits"
	"time"
)

// A histogram counts durations in buckets whose width grows with their value, at
// most 1.6 % of it.
const (
	subBits    = 6
	subBuckets = 1 << subBits
	maxExp     = 30 // about 19 hours in microseconds
	buckets    = subBuckets * (maxExp + 2)
)

type histogram struct {
	counts [buckets]uint32
	total  uint64
	most   time.Duration
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.most = max(h.most, d)
	h.total++
	v := uint64(d.Microseconds())
	e := max(0, bits.Len64(v)-subBits-1)
	if e > maxExp {
		e, v = maxExp, 2*subBuckets<<maxExp-1
	}
	h.counts[e*subBuckets+int(v>>e)]++
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.most = max(h.most, o.most)
}

// quantile returns the value that the share q of all does not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := uint64(q*float64(h.total-1)) + 1
	var seen uint64
	for i, n := range h.counts {
		seen += uint64(n)
		if seen >= rank {
			return min(upper(i), h.most)
		}
	}
	return h.most
}

// upper is the largest value of bucket i.
func upper(i int) time.Duration {
	e := max(0, i/subBuckets-1)
	v := uint64(i-e*subBuckets+1)<<e - 1
	return time.Duration(v) * time.Microsecond
}
