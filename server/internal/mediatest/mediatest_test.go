package mediatest_test

import (
	"testing"

	"github.com/framewire/framewire/server/internal/mediatest"
)

func TestMadeMediaIsWhatWasAskedFor(t *testing.T) {
	path := mediatest.Make(t, "clip.mp4", mediatest.Args(
		mediatest.Picture("160x90", 25, 0.4), mediatest.Tone(48000, 0.4),
		[]string{"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"})...)
	got := mediatest.ProbePackets(t, path)
	if len(got.Streams) != 2 || got.Streams[0].Width != 160 || got.Streams[1].SampleRate != "48000" {
		t.Fatalf("streams: %+v", got.Streams)
	}
	video := got.PacketsOf(0)
	if len(video) != 10 || !video[0].Keyframe() || video[0].PTS == nil || video[0].Hash == "" || video[0].Size == 0 {
		t.Fatalf("%d video packets, first %+v", len(video), video[0])
	}
	mediatest.RequireDecodes(t, path)
}
