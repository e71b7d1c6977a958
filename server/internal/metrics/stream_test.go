package metrics_test

import (
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/wire"
)

// live gives a stream an epoch and a keyframe.
func live(t testing.TB, s *hub.Stream) {
	t.Helper()
	track := media.Track{ID: 1, Codec: media.H264, CodecString: "avc1.64001f", Timescale: 1000, Width: 320, Height: 180}
	if err := s.Begin(&media.Epoch{ID: 1, Tracks: []media.Track{track}}); err != nil {
		t.Fatal(err)
	}
	message := make([]byte, 100)
	err := s.Publish(&media.Packet{
		Message: message, Payload: message, Epoch: 1, TrackID: 1, Kind: media.Video, Keyframe: true,
		Sequence: s.NextSequence(), Duration: 40 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.SetStatus(hub.Live, "")
}

func TestLiveStreamIsShown(t *testing.T) {
	w := newWorld(t)
	s, err := w.hub.Create("cam")
	if err != nil {
		t.Fatal(err)
	}
	w.want(t, `framewire_stream_live{stream="cam"} 0`)
	live(t, s)
	w.want(t,
		`framewire_stream_live{stream="cam"} 1`,
		`framewire_stream_epoch{stream="cam"} 1`,
		`framewire_stream_ring_bytes{stream="cam"} 100`,
		`framewire_stream_ring_seconds{stream="cam"} 0.04`,
		`framewire_stream_bitrate_bits_per_second{stream="cam"} 20000`,
	)
}

func TestReportsAreCountedWithoutAllocating(t *testing.T) {
	w := newWorld(t)
	report := wire.Report{Latency: 200 * time.Millisecond}
	n := testing.AllocsPerRun(100, func() {
		w.metrics.SessionOpened()
		w.metrics.Moved(true)
		w.metrics.Reported("s", &report, time.Millisecond)
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestStallsAreAddedUpFromPlayersSums(t *testing.T) {
	w := newWorld(t)
	report := func(session string, stalls uint32, stalled time.Duration) {
		w.metrics.Reported(session, &wire.Report{Stalls: stalls, Stalled: stalled}, 0)
	}
	report("a", 5, 9*time.Second) // of sessions before
	report("b", 0, 0)
	w.want(t, `framewire_player_stalls_total 0`, `framewire_player_stalled_seconds_total 0`)
	report("a", 7, 10*time.Second)
	report("b", 1, 500*time.Millisecond)
	report("a", 7, 10*time.Second)
	w.want(t, `framewire_player_stalls_total 3`, `framewire_player_stalled_seconds_total 1.5`)
	report("a", 1, time.Second) // another player
	report("a", 2, 2*time.Second)
	w.metrics.SessionClosed("b", wire.Idle)
	report("b", 100, time.Hour)
	w.want(t, `framewire_player_stalls_total 4`, `framewire_player_stalled_seconds_total 2.5`)
	report("b", 1<<31, 1000*time.Hour) // a lie, as far as it goes
	w.want(t, `framewire_player_stalls_total 24`, `framewire_player_stalled_seconds_total 62.5`)
}
