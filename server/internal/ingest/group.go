package ingest

import (
	"math"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mp4"
	"github.com/framewire/framewire/server/internal/wire"
)

const (
	// groupTarget is the duration of sound at which a fragment is sent: sound that
	// waits in a group is latency, and every fragment costs some 150 bytes. One
	// frame of AAC (21 ms at 48 kHz) or Opus (20 ms) is a fragment of its own; the
	// shorter frames of low-delay encoders are joined.
	groupTarget = 19 * time.Millisecond

	// groupSamples bounds a group whatever its durations say.
	groupSamples = 64
)

// group collects the samples of one fragment.
type group struct {
	video   bool
	limit   int64 // ticks
	samples []media.Sample
	ticks   int64
}

// closesBefore reports whether the group has to be sent before s is added,
// because s does not follow it without a hole.
func (g *group) closesBefore(s *media.Sample) bool {
	if len(g.samples) == 0 {
		return false
	}
	end := g.samples[0].DTS + g.ticks
	return s.DTS < end-g.limit/4 || s.DTS > end+g.limit/4
}

func (g *group) add(s media.Sample) {
	g.samples = append(g.samples, s)
	g.ticks += int64(s.Duration)
}

func (g *group) full() bool {
	return len(g.samples) > 0 && (g.video || g.ticks >= g.limit || len(g.samples) >= groupSamples)
}

// take returns the samples and empties the group. They are valid until the next
// add.
func (g *group) take() []media.Sample {
	samples := g.samples
	g.samples, g.ticks = g.samples[:0], 0
	return samples
}

// pack makes the packet of a fragment with these samples: one allocation for the
// media and its envelope together.
func pack(t *track, samples []media.Sample, epoch uint32, sequence uint64) (*media.Packet, error) {
	first := &samples[0]
	var ticks int64
	for i := range samples {
		ticks += int64(samples[i].Duration)
	}
	ticks = min(ticks, math.MaxUint32)
	fragment := mp4.Fragment{
		Sequence:   uint32(sequence) + 1, // ISO/IEC 14496-12 8.8.5 counts from 1
		TrackID:    t.ID,
		DecodeTime: first.DTS,
		Samples:    samples,
	}
	size := mp4.FragmentSize(fragment)
	captured := first.CapturedAt.UnixMicro()
	message := wire.AppendFragmentHeader(make([]byte, 0, wire.FragmentRoom(size)), wire.FragmentHeader{
		TrackID:           t.ID,
		Epoch:             epoch,
		Sequence:          sequence,
		DecodeTime:        first.DTS,
		CompositionOffset: first.Offset,
		Duration:          uint32(ticks),
		Keyframe:          first.Keyframe,
		CapturedAt:        captured,
	}, size)
	header := len(message)
	message, err := mp4.AppendFragment(message, fragment)
	if err != nil {
		return nil, err
	}
	return &media.Packet{
		Message:    message,
		Payload:    message[header:],
		Epoch:      epoch,
		TrackID:    t.ID,
		Sequence:   sequence,
		Kind:       t.Kind(),
		Keyframe:   first.Keyframe,
		Time:       media.Duration(first.DTS, t.Timescale),
		Duration:   media.Duration(ticks, t.Timescale),
		CapturedAt: captured,
	}, nil
}
