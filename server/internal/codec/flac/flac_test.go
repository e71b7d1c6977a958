package flac_test

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/framewire/framewire/server/internal/codec/flac"
	"github.com/framewire/framewire/server/internal/mediatest"
)

func encode(t *testing.T, options string) []byte {
	t.Helper()
	data, err := os.ReadFile(mediatest.Make(t, "clip.flac", mediatest.Args(mediatest.Tone(48000, 0.5), strings.Fields(options))...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEncodedStreams(t *testing.T) {
	for _, c := range []struct {
		options              string
		rate, channels, bits int
	}{
		{"-ac 2 -sample_fmt s16", 48000, 2, 16},
		{"-ac 1 -ar 96000 -sample_fmt s32", 96000, 1, 24},
		{"-ac 6 -ar 44100 -sample_fmt s16", 44100, 6, 16},
	} {
		data := encode(t, c.options)
		track, err := flac.NewTrack(data)
		if err != nil {
			t.Fatal(err)
		}
		info, err := flac.ParseConfig(track.Config)
		if err != nil {
			t.Fatal(err)
		}
		if track.SampleRate != c.rate || track.Channels != c.channels || info.BitDepth != c.bits || len(track.Config) != 38 {
			t.Errorf("%s: %+v, %+v", c.options, track, info)
		}
		frame := firstFrame(t, data)
		if n, err := flac.FrameSamples(frame); err != nil || n != info.MaxBlock {
			t.Errorf("%s: a frame of %d samples, %v, want %d", c.options, n, err, info.MaxBlock)
		}
		if bare, err := flac.NewTrack(track.Config[4:]); err != nil || !bare.Equal(&track) {
			t.Errorf("%s: by STREAMINFO alone: %+v, %v", c.options, bare, err)
		}
	}
}

// firstFrame passes over the metadata blocks of a native file.
func firstFrame(t *testing.T, data []byte) []byte {
	t.Helper()
	for at := 4; at+4 <= len(data); {
		last := data[at]&0x80 != 0
		at += 4 + (int(data[at+1])<<16 | int(data[at+2])<<8 | int(data[at+3]))
		if last {
			return data[at:]
		}
	}
	t.Fatal("no frame")
	return nil
}

func TestFrameSamples(t *testing.T) {
	for head, want := range map[string]int{
		"fff8180800":     192,
		"fff8280800":     576,
		"fff8680800ff":   256,  // size in 8 bits
		"fff978080012bf": 4800, // in 16 bits
		"fff8c908c3a9":   4096, // behind a frame number of two bytes
		"fff97808c3a912": 0,    // cut off
		"fff8080800":     0,    // reserved
		"aabbccddee":     0,
	} {
		data, err := hex.DecodeString(head)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := flac.FrameSamples(data); got != want || (err != nil) != (want == 0) {
			t.Errorf("FrameSamples(%s) = %d, %v; want %d", head, got, err, want)
		}
	}
}

func FuzzFLAC(f *testing.F) {
	info, _ := hex.DecodeString("80000022100010000000000000000bb802f000000000000000000000000000000000000000000000")
	f.Add(info)
	f.Add(info[4:38])
	f.Add([]byte{0xff, 0xf8, 0xc9, 0x08, 0xc3, 0xa9})
	f.Fuzz(func(t *testing.T, data []byte) {
		if track, err := flac.NewTrack(data); err == nil {
			if _, err := flac.ParseConfig(track.Config); err != nil || track.SampleRate < 1 {
				t.Fatalf("%+v, %v", track, err)
			}
		}
		if n, err := flac.FrameSamples(data); err == nil && (n < 1 || n > 65536) {
			t.Fatalf("frame of %d samples", n)
		}
	})
}
