package mpegts_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/mpegts"
)

// sink keeps everything.
type sink struct {
	starts  [][]media.Track
	samples []media.Sample
	epochs  []int
}

func (s *sink) Start(tracks []media.Track) error {
	s.starts = append(s.starts, tracks)
	return nil
}

func (s *sink) Write(sample media.Sample) error {
	s.samples = append(s.samples, sample)
	s.epochs = append(s.epochs, len(s.starts)-1)
	return nil
}

func (s *sink) track(kind media.Kind) *media.Track {
	if len(s.starts) == 0 {
		return nil
	}
	tracks := s.starts[len(s.starts)-1]
	for i := range tracks {
		if tracks[i].Kind() == kind {
			return &tracks[i]
		}
	}
	return nil
}

func (s *sink) of(kind media.Kind) []media.Sample {
	var list []media.Sample
	for i, sample := range s.samples {
		for _, t := range s.starts[s.epochs[i]] {
			if t.ID == sample.TrackID && t.Kind() == kind {
				list = append(list, sample)
			}
		}
	}
	return list
}

func demux(t testing.TB, data []byte) *sink {
	t.Helper()
	s := &sink{}
	if err := mpegts.Demux(bytes.NewReader(data), s, mpegts.Options{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// transport makes a transport stream of 2 s and returns its path and its bytes.
func transport(t testing.TB, args ...string) (string, []byte) {
	t.Helper()
	all := mediatest.Args(mediatest.Picture("160x90", 25, 2), mediatest.Tone(48000, 2), []string{"-pix_fmt", "yuv420p", "-g", "25"}, args, []string{"-f", "mpegts"})
	path := mediatest.Make(t, "made.ts", all...)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, data
}

func TestSamplesAreThoseThatFFprobeSees(t *testing.T) {
	for _, c := range []struct {
		name         string
		args         []string
		video, audio media.Codec
	}{
		{"h264 aac", []string{"-c:v", "libx264", "-bf", "0", "-c:a", "aac"}, media.H264, media.AAC},
		{"h264 with B-frames", []string{"-c:v", "libx264", "-bf", "3", "-c:a", "aac"}, media.H264, media.AAC},
		{"h265 aac", []string{"-c:v", "libx265", "-x265-params", "log-level=error", "-c:a", "aac"}, media.H265, media.AAC},
		{"h264 mp3", []string{"-c:v", "libx264", "-c:a", "libmp3lame"}, media.H264, media.MP3},
		{"h264 opus", []string{"-c:v", "libx264", "-c:a", "libopus"}, media.H264, media.Opus},
		{"one frame a PES packet", []string{"-c:v", "libx264", "-c:a", "aac", "-pes_payload_size", "0"}, media.H264, media.AAC},
		{"PES with length", []string{"-c:v", "libx264", "-c:a", "aac", "-omit_video_pes_length", "0"}, media.H264, media.AAC},
		{"constant rate", []string{"-c:v", "libx264", "-c:a", "aac", "-muxrate", "3M"}, media.H264, media.AAC},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path, data := transport(t, c.args...)
			got := demux(t, data)
			if n := len(got.starts); n != 1 {
				t.Fatalf("tracks were announced %d times", n)
			}
			probed := mediatest.ProbePackets(t, path)
			for i, kind := range []media.Kind{media.Video, media.Audio} {
				want := c.video
				if kind == media.Audio {
					want = c.audio
				}
				track := got.track(kind)
				if track == nil || track.Codec != want {
					t.Fatalf("%v track %+v, want %v", kind, track, want)
				}
				compare(t, track, got.of(kind), probed.PacketsOf(i))
			}
		})
	}
}

// compare holds samples against packets in 90 kHz.
func compare(t *testing.T, track *media.Track, samples []media.Sample, packets []mediatest.Packet) {
	t.Helper()
	if len(samples) != len(packets) {
		t.Errorf("%v: %d samples, ffprobe sees %d", track.Kind(), len(samples), len(packets))
		return
	}
	for i, s := range samples {
		dts := media.Rescale(s.DTS, track.Timescale, 90000)
		pts := media.Rescale(s.PTS(), track.Timescale, 90000)
		const rounding = 45 // half a millisecond
		if abs(dts-*packets[i].DTS) > rounding || abs(pts-*packets[i].PTS) > rounding {
			t.Errorf("%v %d: decode %d, presentation %d, ffprobe says %d, %d", track.Kind(), i, dts, pts, *packets[i].DTS, *packets[i].PTS)
		}
		if s.Keyframe != packets[i].Keyframe() {
			t.Errorf("%v %d: keyframe %v", track.Kind(), i, s.Keyframe)
		}
	}
}

func abs(v int64) int64 { return max(v, -v) }

func TestUnsupportedSoundIsReportedBeforeAnythingStarts(t *testing.T) {
	for _, codec := range []string{"ac3", "mp2", "eac3"} {
		_, data := transport(t, "-c:v", "libx264", "-c:a", codec)
		s := &sink{}
		err := mpegts.Demux(bytes.NewReader(data), s, mpegts.Options{})
		if !errors.Is(err, mpegts.ErrUnsupported) || len(s.starts) != 0 {
			t.Errorf("%s: %v after %d starts", codec, err, len(s.starts))
		}
		s = &sink{}
		if err := mpegts.Demux(bytes.NewReader(data), s, mpegts.Options{Partial: true}); err != nil {
			t.Errorf("%s, partial: %v", codec, err)
		}
		if len(s.of(media.Video)) != 50 || len(s.of(media.Audio)) != 0 {
			t.Errorf("%s, partial: %d pictures", codec, len(s.of(media.Video)))
		}
	}
}
