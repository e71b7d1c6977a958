package wire

import (
	"bytes"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
)

var headers = []FragmentHeader{
	{},
	{TrackID: 1, Epoch: 1, Sequence: 1, DecodeTime: 3000, CompositionOffset: 6000, Duration: 3000, Keyframe: true, CapturedAt: 1_790_000_000_000_000},
	{TrackID: 2, Epoch: 7, Sequence: 1 << 40, DecodeTime: 1 << 50, CompositionOffset: -1, Duration: 1024},
	{TrackID: math.MaxUint32, Epoch: math.MaxUint32, Sequence: math.MaxUint64, DecodeTime: -1, CompositionOffset: math.MinInt32, Duration: math.MaxUint32, Keyframe: true, CapturedAt: -1},
}

func TestFragmentHeaderAndPayloadMakeTheMessage(t *testing.T) {
	for _, h := range headers {
		for _, size := range []int{1, 127, 128, 16383, 16384, 100_000, 1 << 21} {
			payload := bytes.Repeat([]byte{0xab}, size)
			got := append(AppendFragmentHeader(nil, h, size), payload...)
			if len(got) > FragmentRoom(size) {
				t.Errorf("%+v takes %d bytes, FragmentRoom(%d) is %d", h, len(got), size, FragmentRoom(size))
			}
			var message framewirev1.ServerMessage
			if err := proto.Unmarshal(got, &message); err != nil {
				t.Fatalf("%+v with %d bytes: %v", h, size, err)
			}
			want := &framewirev1.Fragment{
				TrackId: h.TrackID, Epoch: h.Epoch, Sequence: h.Sequence,
				DecodeTimeTicks: h.DecodeTime, CompositionOffsetTicks: h.CompositionOffset,
				DurationTicks: h.Duration, Keyframe: h.Keyframe, CapturedAtUnixUs: h.CapturedAt,
				Payload: payload,
			}
			if !proto.Equal(want, message.GetFragment()) {
				t.Errorf("%+v with %d bytes came back otherwise", h, size)
			}
		}
	}
}

func TestFragmentHeaderNeedsNoAllocation(t *testing.T) {
	room := make([]byte, 0, FragmentRoom(0))
	if n := testing.AllocsPerRun(100, func() { AppendFragmentHeader(room, headers[1], 5000) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
