package wire

import (
	"math"
	"testing"
)

var readHeaders = []FragmentHeader{
	{},
	{TrackID: 1, Epoch: 2, Sequence: 3, DecodeTime: 4, CompositionOffset: -5, Duration: 6, Keyframe: true, CapturedAt: 7},
	{TrackID: math.MaxUint32, Epoch: math.MaxUint32, Sequence: math.MaxUint64, DecodeTime: -1,
		CompositionOffset: math.MinInt32, Duration: math.MaxUint32, Keyframe: true, CapturedAt: math.MaxInt64},
}

func TestFragmentHeaderIsReadAsWritten(t *testing.T) {
	for _, want := range readHeaders {
		const size = 1000
		message := AppendFragmentHeader(nil, want, size)
		if len(message) > FragmentHead {
			t.Errorf("%+v takes %d bytes, more than FragmentHead", want, len(message))
		}
		got, payload, ok := ReadFragmentHeader(message)
		if !ok || got != want || payload != size {
			t.Errorf("got %+v, payload %d, %v; want %+v", got, payload, ok, want)
		}
	}
}

func FuzzReadFragmentHeader(f *testing.F) {
	for _, h := range readHeaders {
		f.Add(AppendFragmentHeader(nil, h, 10))
	}
	f.Add([]byte{0x0a})
	f.Add([]byte{0x12, 0x00})
	f.Fuzz(func(t *testing.T, message []byte) {
		_, _, ok := ReadFragmentHeader(message)
		if ok && !IsFragment(message) {
			t.Error("read a fragment that is none")
		}
	})
}
