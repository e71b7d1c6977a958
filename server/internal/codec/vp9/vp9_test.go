package vp9_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/framewire/framewire/server/internal/codec/vp9"
	"github.com/framewire/framewire/server/internal/mediatest"
)

// ivf returns the frames of an IVF file of a test picture.
func ivf(t *testing.T, size, options string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(mediatest.Make(t, "clip.ivf", mediatest.Args(
		mediatest.Picture(size, 25, 1.2), strings.Fields("-c:v libvpx-vp9 -b:v 200k "+options))...))
	if err != nil {
		t.Fatal(err)
	}
	var frames [][]byte
	for data = data[32:]; len(data) >= 12; {
		size := binary.LittleEndian.Uint32(data)
		frames = append(frames, data[12:12+size])
		data = data[12+size:]
	}
	return frames
}

func TestEncodedStreams(t *testing.T) {
	superframes := 0
	const fast = "-deadline realtime -cpu-used 8 -g 5 "
	for _, c := range []struct {
		name, size, options string
		width, height       int
		codec               string
	}{
		{"profile 0", "322x182", fast + "-pix_fmt yuv420p", 322, 182, "vp09.00.11.08"},
		{"profile 1", "320x180", fast + "-pix_fmt yuv444p", 320, 180, "vp09.01.11.08.03.02.02.02.00"},
		{"profile 2, full range", "320x180", fast + "-pix_fmt yuv420p10le -colorspace bt709 -color_range pc", 320, 180, "vp09.02.11.10.01.01.01.01.01"},
		{"profile 3", "320x180", fast + "-pix_fmt yuv422p12le", 320, 180, "vp09.03.11.12.02.02.02.02.00"},
		{"looking ahead", "640x360", "-deadline good -cpu-used 5 -auto-alt-ref 1 -lag-in-frames 25 -g 5 -pix_fmt yuv420p", 640, 360, "vp09.00.21.08"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, sample := range ivf(t, c.size, c.options) {
				frames, err := vp9.Frames(sample)
				if err != nil {
					t.Fatal(err)
				}
				if len(frames) > 1 {
					superframes++
				}
				if got := vp9.IsKeyframe(sample); got != (i%5 == 0) {
					t.Errorf("sample %d: keyframe %v", i, got)
				}
				track, err := vp9.NewTrack(sample, 25)
				if i%5 != 0 {
					if !errors.Is(err, vp9.ErrNotKeyframe) {
						t.Errorf("sample %d makes a track: %v", i, err)
					}
					continue
				}
				if err != nil || track.CodecString != c.codec || track.Width != c.width || track.Height != c.height {
					t.Fatalf("track %+v, %v; want %s", track, err, c.codec)
				}
				config, err := vp9.ParseConfig(track.Config)
				if err != nil || !bytes.Equal(config.Marshal(), track.Config) {
					t.Errorf("the record came back as %+v, %v", config, err)
				}
			}
		})
	}
	if superframes == 0 {
		t.Error("no superframe among all these streams")
	}
}

func TestBrokenSuperframes(t *testing.T) {
	for _, c := range []struct {
		sample []byte
		frames int // 0: refused
	}{
		{nil, 0},
		{[]byte{1, 2, 3, 0xc1, 2, 1, 0xc1}, 2},
		{[]byte{1, 2, 3, 0xc1, 3, 1, 0xc1}, 0}, // sizes exceed the data
		{[]byte{1, 2, 3, 0xc1, 0, 0, 0xc1}, 0}, // no frames
		{[]byte{1, 2, 3, 0x00, 2, 1, 0xc1}, 1}, // no index: a frame
		{[]byte{0xc1}, 1},
	} {
		frames, err := vp9.Frames(c.sample)
		if len(frames) != c.frames || (err != nil) != (c.frames == 0) {
			t.Errorf("Frames(%x) = %x, %v", c.sample, frames, err)
		}
	}
}

func TestBadRecords(t *testing.T) {
	good := vp9.Config{BitDepth: 8, Level: 10}.Marshal()
	if _, err := vp9.ParseConfig(good); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, good[:11], append([]byte{0}, good[1:]...), append([]byte{1, 0, 0, 0, 9}, good[5:]...)} {
		if c, err := vp9.ParseConfig(bad); err == nil {
			t.Errorf("%x is taken as %+v", bad, c)
		}
	}
}

func FuzzVP9(f *testing.F) {
	for _, s := range []string{"824983420013f00b3400", "a249834200013f00b340", "010000000 00b82020202 0000", "010203c10201c1"} {
		data, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		total := 0
		frames, _ := vp9.Frames(data)
		for _, frame := range frames {
			total += len(frame)
		}
		if total > len(data) {
			t.Fatalf("frames of %d bytes in %d", total, len(data))
		}
		if track, err := vp9.NewTrack(data, 0); err == nil {
			if _, err := vp9.ParseConfig(track.Config); err != nil || track.Width < 1 || !vp9.IsKeyframe(data) {
				t.Fatalf("%+v, %v", track, err)
			}
		}
		if c, err := vp9.ParseConfig(data); err == nil {
			if again, err := vp9.ParseConfig(c.Marshal()); err != nil || again != c {
				t.Fatalf("%+v came back as %+v, %v", c, again, err)
			}
		}
	})
}
