package mp3_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/framewire/framewire/server/internal/codec/mp3"
	"github.com/framewire/framewire/server/internal/mediatest"
)

func TestEncodedStreams(t *testing.T) {
	for _, c := range []struct {
		options                 string
		rate, channels, samples int
	}{
		{"-ar 44100 -ac 2 -b:a 128k", 44100, 2, 1152},
		{"-ar 48000 -ac 1 -q:a 2", 48000, 1, 1152},
		{"-ar 24000 -ac 1 -b:a 32k", 24000, 1, 576},
		{"-ar 11025 -ac 1 -b:a 16k", 11025, 1, 576},
	} {
		path := mediatest.Make(t, "clip.mp3", mediatest.Args(mediatest.Tone(48000, 0.5),
			strings.Fields(c.options+" -c:a libmp3lame -id3v2_version 0 -write_id3v1 0 -write_xing 0"))...)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		frames, bytes := 0, 0
		for f, err := range mp3.Split(data) {
			if err != nil {
				t.Fatalf("%s: after %d frames: %v", c.options, frames, err)
			}
			if track := f.Track(); track.SampleRate != c.rate || track.Channels != c.channels || f.Samples != c.samples {
				t.Fatalf("%s: %+v", c.options, f.Header)
			}
			frames++
			bytes += len(f.Data)
		}
		if frames < 8 || bytes != len(data) {
			t.Errorf("%s: %d frames, %d of %d bytes", c.options, frames, bytes, len(data))
		}
	}
}

func TestBadHeaders(t *testing.T) {
	for _, c := range []struct {
		data []byte
		want error
	}{
		{[]byte{0xff, 0xfb, 0x90}, mp3.ErrShort},
		{[]byte{0xff, 0xfd, 0x90, 0}, mp3.ErrHeader}, // layer II
		{[]byte{0xff, 0xfb, 0x00, 0}, mp3.ErrHeader}, // free format
		{[]byte{0xff, 0xfb, 0xf0, 0}, mp3.ErrHeader},
		{[]byte{0xff, 0xfb, 0x9c, 0}, mp3.ErrHeader},
		{[]byte{0xff, 0xeb, 0x90, 0}, mp3.ErrHeader}, // reserved version
		{[]byte("ID3\x04"), mp3.ErrHeader},
	} {
		if _, err := mp3.ParseHeader(c.data); !errors.Is(err, c.want) {
			t.Errorf("ParseHeader(%x): %v, want %v", c.data, err, c.want)
		}
	}
}

func FuzzMP3(f *testing.F) {
	f.Add([]byte{0xff, 0xfb, 0x90, 0x64, 0, 0})
	f.Add([]byte{0xff, 0xf3, 0x14, 0xc4, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		total := 0
		for frame, err := range mp3.Split(data) {
			if err == nil {
				if frame.FrameSize < mp3.HeaderSize || frame.SampleRate < 8000 {
					t.Fatalf("%+v", frame.Header)
				}
				total += len(frame.Data)
			}
		}
		if total > len(data) {
			t.Fatalf("frames of %d bytes in %d", total, len(data))
		}
	})
}
