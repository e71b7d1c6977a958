package vp8_test

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/framewire/framewire/server/internal/codec/vp8"
	"github.com/framewire/framewire/server/internal/mediatest"
)

func TestEncodedStream(t *testing.T) {
	data, err := os.ReadFile(mediatest.Make(t, "clip.ivf", mediatest.Args(
		mediatest.Picture("322x182", 25, 0.6), strings.Fields("-c:v libvpx -g 5 -b:v 200k -deadline realtime"))...))
	if err != nil {
		t.Fatal(err)
	}
	for i, rest := 0, data[32:]; len(rest) >= 12; i++ {
		size := binary.LittleEndian.Uint32(rest)
		frame := rest[12 : 12+size]
		rest = rest[12+size:]
		if vp8.IsKeyframe(frame) != (i%5 == 0) {
			t.Errorf("frame %d: keyframe %v", i, vp8.IsKeyframe(frame))
		}
		track, err := vp8.NewTrack(frame)
		if i%5 == 0 && (err != nil || track.Width != 322 || track.Height != 182 || track.CodecString != "vp08.00.10.08") {
			t.Errorf("frame %d: %+v, %v", i, track, err)
		}
		if i%5 != 0 && err == nil {
			t.Errorf("frame %d makes a track", i)
		}
	}
}

func FuzzVP8(f *testing.F) {
	f.Add([]byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x42, 0x01, 0xb6, 0x00})
	f.Fuzz(func(t *testing.T, data []byte) {
		if track, err := vp8.NewTrack(data); err == nil && (track.Width < 1 || track.Height < 1) {
			t.Fatalf("%+v", track)
		}
	})
}
