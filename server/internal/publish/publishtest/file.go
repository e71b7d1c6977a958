package publishtest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mp4"
)

// File writes an epoch as a fragmented MP4 of a fragment for each sample, and
// returns its path.
func (e *Epoch) File(t testing.TB) string {
	t.Helper()
	data, err := mp4.InitSegment(e.Tracks)
	if err != nil {
		t.Fatal(err)
	}
	origin := e.origin()
	var sequence uint32
	for i := range e.Samples {
		s := e.Samples[i].Sample
		track := e.track(s.TrackID)
		s.Duration = e.duration(i)
		sequence++
		data, err = mp4.AppendFragment(data, mp4.Fragment{
			Sequence: sequence, TrackID: s.TrackID,
			DecodeTime: max(0, s.DTS-media.Ticks(origin, track.Timescale)), Samples: []media.Sample{s},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "epoch.mp4")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// origin is the earliest decode time of the epoch.
func (e *Epoch) origin() time.Duration {
	var first time.Duration
	for i, s := range e.Samples {
		if at := media.Duration(s.DTS, e.track(s.TrackID).Timescale); i == 0 || at < first {
			first = at
		}
	}
	return first
}

// duration is the time to the track's next sample.
func (e *Epoch) duration(i int) uint32 {
	s := &e.Samples[i]
	for j := i + 1; j < len(e.Samples); j++ {
		if e.Samples[j].TrackID == s.TrackID {
			return uint32(e.Samples[j].DTS - s.DTS)
		}
	}
	return max(s.Duration, 1)
}
