package main

import (
	"testing"

	"go.uber.org/goleak"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func message(sequence uint64, track uint32) *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_Fragment{Fragment: &pb.Fragment{Sequence: sequence, TrackId: track}}}
}

func gap() *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_Gap{Gap: &pb.Gap{Reason: pb.GapReason_GAP_REASON_TOO_SLOW}}}
}

func state(d pb.Degradation) *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_SessionState{SessionState: &pb.SessionState{Degradation: d}}}
}

func TestViewersNoticeWhatTheyMiss(t *testing.T) {
	const picture, sound = 1, 2
	begin := func(instance string) *pb.ServerMessage {
		return &pb.ServerMessage{Body: &pb.ServerMessage_StreamStarted{StreamStarted: &pb.StreamStarted{Instance: instance, Tracks: []*pb.Track{
			{Id: picture, Kind: pb.TrackKind_TRACK_KIND_VIDEO}, {Id: sound, Kind: pb.TrackKind_TRACK_KIND_AUDIO},
		}}}}
	}
	for name, c := range map[string]struct {
		messages []*pb.ServerMessage
		bad      bool
	}{
		"all":                   {[]*pb.ServerMessage{message(7, picture), message(8, sound), message(9, picture)}, false},
		"hole":                  {[]*pb.ServerMessage{message(7, picture), message(9, picture)}, true},
		"hole before sound":     {[]*pb.ServerMessage{message(7, picture), message(9, sound), message(10, picture)}, true},
		"hole told":             {[]*pb.ServerMessage{message(7, picture), gap(), message(9, picture)}, false},
		"hole after one told":   {[]*pb.ServerMessage{message(7, picture), gap(), message(9, picture), message(11, picture)}, true},
		"thinned":               {[]*pb.ServerMessage{message(7, picture), state(pb.Degradation_DEGRADATION_KEYFRAMES_ONLY), message(20, picture), message(30, picture)}, false},
		"hole after thinning":   {[]*pb.ServerMessage{state(pb.Degradation_DEGRADATION_KEYFRAMES_ONLY), message(7, picture), state(pb.Degradation_DEGRADATION_NONE), message(9, picture), message(11, picture)}, true},
		"twice":                 {[]*pb.ServerMessage{message(7, picture), message(7, picture)}, true},
		"another life":          {[]*pb.ServerMessage{message(7, picture), begin("b"), message(1, picture)}, false},
		"another epoch, a hole": {[]*pb.ServerMessage{message(7, picture), begin("a"), message(9, picture)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{found: &problems{}, counts: make(map[string]int)}
			v := &viewer{world: w, manner: steady}
			v.take(begin("a"))
			for _, m := range c.messages {
				v.take(m)
			}
			if err := w.found.err(); (err != nil) != c.bad {
				t.Errorf("found %v", err)
			}
		})
	}
}

func TestWhatIsLeftOverIsNoticed(t *testing.T) {
	idle := figures{goroutines: 40, descriptors: 20, heap: 10 << 20}
	for _, more := range []figures{
		{goroutines: 60, descriptors: 20, heap: 10 << 20}, {goroutines: 40, descriptors: 40, heap: 10 << 20},
		{goroutines: 40, descriptors: 20, heap: 100 << 20}, {goroutines: 40, descriptors: 20, heap: 10 << 20, sessions: 1},
	} {
		if more.within(idle) {
			t.Errorf("%v counts as idle", more)
		}
	}
	if !idle.within(idle) {
		t.Error("idle does not count as idle")
	}
}
