package flv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/codec/opus"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/mp4"
)

// ffmpeg of today's distributions writes no enhanced FLV. These tests have it
// encode into MP4 and wrap that.

var codesOf = map[media.Codec]string{
	media.H264: "avc1", media.H265: "hvc1", media.AV1: "av01", media.VP9: "vp09",
	media.AAC: "mp4a", media.Opus: "Opus", media.FLAC: "fLaC", media.MP3: ".mp3",
}

// enhancedHeader is the first bytes of an enhanced tag.
func enhancedHeader(codec media.Codec, packetType byte, keyframe bool) []byte {
	first := byte(soundFormatEnhanced<<4) | packetType
	if codec.Kind() == media.Video {
		first = videoEnhanced | 2<<4 | packetType
		if keyframe {
			first = videoEnhanced | frameTypeKey<<4 | packetType
		}
	}
	return append([]byte{first}, codesOf[codec]...)
}

// sequenceStart is the configuration tag of a track.
func sequenceStart(t testing.TB, track *media.Track) []byte {
	t.Helper()
	config := track.Config
	switch track.Codec {
	case media.Opus:
		c, err := opus.ParseConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		config = c.Head()
	case media.FLAC:
		config = append([]byte("fLaC"), config...)
	}
	return append(enhancedHeader(track.Codec, exSequenceStart, true), config...)
}

func codedFrame(s *media.Sample, track *media.Track) []byte {
	if track.Codec != media.H264 && track.Codec != media.H265 {
		return append(enhancedHeader(track.Codec, exCodedFrames, s.Keyframe), s.Data...)
	}
	ms := media.Rescale(int64(s.Offset), track.Timescale, 1000)
	if ms == 0 {
		return append(enhancedHeader(track.Codec, exCodedFramesX, s.Keyframe), s.Data...)
	}
	tag := append(enhancedHeader(track.Codec, exCodedFrames, s.Keyframe), byte(ms>>16), byte(ms>>8), byte(ms))
	return append(tag, s.Data...)
}

// movie reads an MP4 file whole.
func movie(t testing.TB, path string) ([]media.Track, []media.Sample) {
	t.Helper()
	f := open(t, path)
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	m, err := mp4.Open(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	var samples []media.Sample
	for cursor := m.Samples(); ; {
		s, err := cursor.Next()
		if errors.Is(err, io.EOF) {
			return m.Tracks(), samples
		}
		if err != nil {
			t.Fatal(err)
		}
		samples = append(samples, s)
	}
}

func trackOf(tracks []media.Track, id uint32) *media.Track {
	for i := range tracks {
		if tracks[i].ID == id {
			return &tracks[i]
		}
	}
	return nil
}

// origin is what enhance adds to decode times, in milliseconds: an edit list
// makes the first ones negative.
const origin = 1000

// enhance wraps a movie as enhanced FLV.
func enhance(t testing.TB, tracks []media.Track, samples []media.Sample) []byte {
	t.Helper()
	out := binary.BigEndian.AppendUint32([]byte("FLV\x01\x05\x00\x00\x00\x09"), 0)
	tagOf := map[media.Kind]byte{media.Video: TagVideo, media.Audio: TagAudio}
	for i := range tracks {
		if tracks[i].Codec != media.MP3 {
			out = appendTag(out, tagOf[tracks[i].Kind()], 0, sequenceStart(t, &tracks[i]))
		}
	}
	for i := range samples {
		track := trackOf(tracks, samples[i].TrackID)
		ms := media.Rescale(samples[i].DTS, track.Timescale, 1000) + origin
		out = appendTag(out, tagOf[track.Kind()], uint32(ms), codedFrame(&samples[i], track))
	}
	return out
}

func TestEnhancedCodecs(t *testing.T) {
	for _, c := range []struct {
		name         string
		video, audio []string
	}{
		{"H.265 with B-frames and FLAC", []string{"-c:v", "libx265", "-preset", "ultrafast", "-bf", "2", "-x265-params", "log-level=error", "-tag:v", "hvc1"},
			[]string{"-c:a", "flac", "-strict", "-2"}},
		{"AV1 and Opus", []string{"-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-g", "25"}, []string{"-c:a", "libopus"}},
		{"VP9 and AAC", []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25"}, []string{"-c:a", "aac"}},
		{"H.264 and MP3", bFrames, []string{"-c:a", "libmp3lame"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tracks, samples := movie(t, clip(t, "clip.mp4", c.video, c.audio))
			if len(tracks) != 2 {
				t.Fatalf("%d tracks", len(tracks))
			}
			var r recorder
			if err := Demux(bytes.NewReader(enhance(t, tracks, samples)), &r); err != nil {
				t.Fatal(err)
			}
			if len(r.starts) != 1 || len(r.starts[0]) != 2 {
				t.Fatalf("started with %v", r.starts)
			}
			for i := range tracks {
				compareTracks(t, &tracks[i], &r, samples)
			}
			mediatest.RequireDecodes(t, r.remux(t))
		})
	}
}

func compareTracks(t *testing.T, want *media.Track, r *recorder, samples []media.Sample) {
	t.Helper()
	id := uint32(idVideo)
	if want.Kind() == media.Audio {
		id = idAudio
	}
	got := trackOf(r.starts[0], id)
	if got.Codec != want.Codec || got.Width != want.Width || got.Height != want.Height || got.SampleRate != want.SampleRate {
		t.Errorf("track %+v, want %+v", got, want)
	}
	all := r.of(id)
	n := 0
	for i := range samples {
		s := &samples[i]
		if s.TrackID != want.ID {
			continue
		}
		if n == len(all) {
			t.Fatalf("%v: %d samples only", want.Codec, n)
		}
		g := &all[n]
		n++
		if g.Keyframe != s.Keyframe {
			t.Errorf("%v sample %d: keyframe %t", want.Codec, n, g.Keyframe)
		}
		near := func(what string, a, b int64) {
			off := media.Duration(a, got.Timescale) - media.Duration(b, want.Timescale)
			if off.Abs() > roundingMillis*time.Millisecond {
				t.Errorf("%v sample %d: %s off by %v", want.Codec, n, what, off)
			}
		}
		shift := media.Rescale(origin, 1000, want.Timescale)
		near("decode time", g.DTS, s.DTS+shift)
		near("presentation time", g.PTS(), s.PTS()+shift)
		// The last Opus packet is declared shorter than it is.
		if g.Duration != 0 && n < len(all) {
			near("duration", int64(g.Duration), int64(s.Duration))
		}
	}
	if n != len(all) {
		t.Errorf("%v: %d samples, want %d", want.Codec, len(all), n)
	}
}

// TestConfigurationInBand: the sequence start of MPEG-2 TS, or a record without
// parameter sets, leaves the configuration to the frames.
func TestConfigurationInBand(t *testing.T) {
	t.Run("AV1", func(t *testing.T) {
		tracks, samples := movie(t, clip(t, "clip.mp4", []string{"-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime"}, nil))
		var r recorder
		d := NewDemuxer(&r)
		d.expect(true, false)
		descriptor := append(enhancedHeader(media.AV1, exMPEG2TSStart, true), 0x80, 4, 0x81, 0, 0, 0)
		if err := d.Video(0, descriptor, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if err := d.Video(0, codedFrame(&samples[0], &tracks[0]), time.Time{}); err != nil {
			t.Fatal(err)
		}
		if len(r.starts) != 1 || r.starts[0][0].Width != 160 || len(r.samples) != 1 || !r.samples[0].Keyframe {
			t.Errorf("starts %v, %d samples", r.starts, len(r.samples))
		}
	})
	t.Run("H.264", func(t *testing.T) {
		tracks, samples := movie(t, clip(t, "clip.mp4", x264, nil))
		config := bytes.Clone(tracks[0].Config)
		sps, pps := parameterSets(t, config)
		var r recorder
		d := NewDemuxer(&r)
		d.expect(true, false)
		empty := append(bytes.Clone(config[:5]), 0xe0, 0)
		if err := d.Video(0, append([]byte{0x17, 0, 0, 0, 0}, empty...), time.Time{}); err != nil {
			t.Fatal(err)
		}
		frame := []byte{0x17, 1, 0, 0, 0}
		for _, nal := range [][]byte{sps, pps} {
			frame = append(binary.BigEndian.AppendUint32(frame, uint32(len(nal))), nal...)
		}
		if err := d.Video(0, append(frame, samples[0].Data...), time.Time{}); err != nil {
			t.Fatal(err)
		}
		if len(r.starts) != 1 || !bytes.Equal(r.starts[0][0].Config, config) || len(r.samples) != 1 {
			t.Errorf("starts %v, %d samples", r.starts, len(r.samples))
		}
	})
}
