package flv

import (
	"slices"
	"testing"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
)

var (
	x264     = []string{"-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "0"}
	bFrames  = []string{"-c:v", "libx264", "-preset", "medium", "-g", "25", "-bf", "2", "-b_strategy", "0"}
	aacSound = []string{"-c:a", "aac"}
	mp3Sound = []string{"-c:a", "libmp3lame", "-ar", "44100"}
)

// TestFilesOfFFmpeg compares what comes out of a file with what ffmpeg itself
// reads from it, and has ffmpeg decode it all.
func TestFilesOfFFmpeg(t *testing.T) {
	for _, c := range []struct {
		name         string
		video, audio []string
		codecs       []media.Codec
	}{
		{"H.264 and AAC", x264, aacSound, []media.Codec{media.H264, media.AAC}},
		{"B-frames and MP3", bFrames, mp3Sound, []media.Codec{media.H264, media.MP3}},
		{"pictures only", x264, nil, []media.Codec{media.H264}},
		{"AAC only", nil, aacSound, []media.Codec{media.AAC}},
		{"MP3 only", nil, mp3Sound, []media.Codec{media.MP3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := clip(t, "clip.flv", c.video, c.audio)
			var r recorder
			if err := Demux(open(t, path), &r); err != nil {
				t.Fatal(err)
			}
			if len(r.starts) != 1 {
				t.Fatalf("started %d times", len(r.starts))
			}
			var codecs []media.Codec
			for _, track := range r.starts[0] {
				codecs = append(codecs, track.Codec)
			}
			if !slices.Equal(codecs, c.codecs) {
				t.Fatalf("tracks %v, want %v", codecs, c.codecs)
			}
			want := mediatest.ProbePackets(t, path)
			for _, stream := range want.Streams {
				comparePackets(t, &r, stream, want.PacketsOf(stream.Index))
			}
			mediatest.RequireDecodes(t, r.remux(t))
		})
	}
}

func comparePackets(t *testing.T, r *recorder, stream mediatest.Stream, want []mediatest.Packet) {
	t.Helper()
	id, roundedTo := uint32(idVideo), int64(0)
	if stream.CodecType == "audio" {
		id, roundedTo = idAudio, roundingMillis
	}
	var track media.Track
	for _, track = range r.starts[0] {
		if track.ID == id {
			break
		}
	}
	if id == idVideo && (track.Width != 160 || track.Height != 90 || track.FrameRate != 25) {
		t.Errorf("track of %dx%d at %g frames a second", track.Width, track.Height, track.FrameRate)
	}
	got := r.of(id)
	if len(got) != len(want) {
		t.Fatalf("%s: %d samples, want %d", stream.CodecType, len(got), len(want))
	}
	for i, s := range got {
		dts := media.Rescale(s.DTS, track.Timescale, 1000)
		pts := media.Rescale(s.PTS(), track.Timescale, 1000)
		if off := dts - *want[i].DTS; off < -roundedTo || off > roundedTo {
			t.Errorf("%s sample %d: DTS %d ms, want %d", stream.CodecType, i, dts, *want[i].DTS)
		}
		if off := pts - *want[i].PTS; off < -roundedTo || off > roundedTo {
			t.Errorf("%s sample %d: PTS %d ms, want %d", stream.CodecType, i, pts, *want[i].PTS)
		}
		if s.Keyframe != want[i].Keyframe() {
			t.Errorf("%s sample %d: keyframe %t", stream.CodecType, i, s.Keyframe)
		}
		if id == idAudio && i > 0 && s.DTS != got[i-1].DTS+int64(got[i-1].Duration) {
			t.Errorf("audio sample %d begins at %d, the one before ends at %d", i, s.DTS, got[i-1].DTS+int64(got[i-1].Duration))
		}
	}
}
