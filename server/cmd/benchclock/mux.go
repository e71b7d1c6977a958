package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/framewire/framewire/server/internal/elementary"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mp4"
)

// defaultDuration is written for samples whose container does not tell.
var defaultDuration = map[media.Kind]time.Duration{
	media.Video: time.Second / frameRate,
	media.Audio: time.Second * blockSamples / sampleRate,
}

// muxer writes fragmented MP4, one sample to a fragment and one write to a
// fragment: ffmpeg's own keeps each one until the next is there. It is a
// media.Sink.
type muxer struct {
	w        io.Writer
	stamps   *stamps
	interval time.Duration // between reports; 0 for none

	tracks   []media.Track
	sequence uint32
	buffer   []byte
	reported time.Time
	delays   map[media.Kind][]time.Duration
}

func newMuxer(w io.Writer, s *stamps, interval time.Duration) *muxer {
	return &muxer{
		w: w, stamps: s, interval: interval,
		reported: time.Now(), delays: make(map[media.Kind][]time.Duration),
	}
}

// run writes packets of the given number of tracks until ctx is done or a write
// fails. It does not return nil.
func (m *muxer) run(ctx context.Context, tracks int, packets <-chan packet) error {
	program := elementary.NewProgram(m)
	program.Expect(tracks)
	streams := make([]*elementary.Stream, tracks)
	nums := make([]int64, tracks)
	for {
		var p packet
		select {
		case p = <-packets:
		case <-ctx.Done():
			return ctx.Err()
		}
		if p.header != nil {
			s, err := elementaryOf(p)
			if err != nil {
				return err
			}
			streams[p.track], nums[p.track] = s, p.header.TimeNum
			program.Add(s)
			continue
		}
		num := nums[p.track]
		if err := program.Push(streams[p.track], elementary.Packet{
			Data: p.frame.Data, PTS: p.frame.PTS * num, DTS: p.frame.DTS * num, Keyframe: p.frame.Keyframe,
		}); err != nil {
			return err
		}
	}
}

// Start writes the init segment.
func (m *muxer) Start(tracks []media.Track) error {
	init, err := mp4.InitSegment(tracks)
	if err != nil {
		return err
	}
	m.tracks = tracks
	_, err = m.w.Write(init)
	return err
}

// Write writes one fragment.
func (m *muxer) Write(s media.Sample) error {
	i := slices.IndexFunc(m.tracks, func(t media.Track) bool { return t.ID == s.TrackID })
	track := &m.tracks[i]
	if s.Duration == 0 {
		s.Duration = uint32(media.Ticks(defaultDuration[track.Kind()], track.Timescale))
	}
	m.sequence++
	var err error
	m.buffer, err = mp4.AppendFragment(m.buffer[:0], mp4.Fragment{
		Sequence: m.sequence, TrackID: s.TrackID, DecodeTime: s.DTS, Samples: []media.Sample{s},
	})
	if err != nil {
		return err
	}
	if _, err := m.w.Write(m.buffer); err != nil {
		return err
	}
	if m.interval > 0 {
		m.report(track, &s)
	}
	return nil
}

// report keeps how long ago the sample was made, and says so when it is time to:
// a picture since it was drawn, a piece of sound since its end was due.
func (m *muxer) report(track *media.Track, s *media.Sample) {
	at := media.Duration(s.PTS(), track.Timescale) - outputOffset
	made := m.stamps.start.Add(at + media.Duration(int64(s.Duration), track.Timescale))
	if track.Kind() == media.Video {
		made = m.stamps.get(int64(at*frameRate+time.Second/2) / int64(time.Second))
	}
	now := time.Now()
	m.delays[track.Kind()] = append(m.delays[track.Kind()], now.Sub(made))
	if now.Sub(m.reported) < m.interval {
		return
	}
	m.reported = now
	for _, kind := range []media.Kind{media.Video, media.Audio} {
		d := m.delays[kind]
		if len(d) == 0 {
			continue
		}
		slices.Sort(d)
		fmt.Fprintf(os.Stderr, "%v: made to written: p50 %.1f p95 %.1f max %.1f ms of %d\n", kind,
			milliseconds(d[len(d)/2]), milliseconds(d[len(d)*95/100]), milliseconds(d[len(d)-1]), len(d))
		m.delays[kind] = d[:0]
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
