package nut

import "slices"

// Order works out the decode times that NUT does not store: the n-th frame is
// decoded at the n-th smallest presentation time, DecodeDelay frames earlier.
type Order struct {
	delay   int
	pending []int64 // presentation times not yet given out, sorted
	first   []Timed // frames that wait for the first decode time
}

// Timed is a frame with its decode time.
type Timed struct {
	Frame
	DTS int64 // ticks
}

// NewOrder returns the order of a stream's frames.
func NewOrder(s Stream) *Order { return &Order{delay: s.DecodeDelay} }

// Add returns the frames whose decode times are known with f: f itself, but for
// the first few of a stream with reordering, which come together. The slice is
// valid until the next call.
func (o *Order) Add(f Frame) []Timed {
	i, _ := slices.BinarySearch(o.pending, f.PTS)
	o.pending = slices.Insert(o.pending, i, f.PTS)
	if len(o.pending) <= o.delay {
		o.first = append(o.first, Timed{Frame: f})
		return nil
	}
	dts := o.pending[0]
	if len(o.first) > 0 {
		o.first = append(o.first, Timed{Frame: f, DTS: dts})
		step := max(1, o.pending[1]-dts)
		for i := range o.delay {
			o.first[i].DTS = dts - int64(o.delay-i)*step
		}
		out := o.first
		o.pending, o.first = o.pending[1:], nil
		return out
	}
	o.pending = slices.Delete(o.pending, 0, 1)
	return []Timed{{Frame: f, DTS: dts}}
}
