package aac_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/framewire/framewire/server/internal/codec/aac"
	"github.com/framewire/framewire/server/internal/mediatest"
)

// configs are AudioSpecificConfigs and what they mean.
var configs = []struct {
	name           string
	data           []byte
	codec          string
	rate, channels int
	samples        int  // of a frame, at rate
	marshals       bool // Marshal gives the same bytes
}{
	{"LC 44.1 kHz stereo", []byte{0x12, 0x10}, "mp4a.40.2", 44100, 2, 1024, true},
	{"LC 48 kHz mono", []byte{0x11, 0x88}, "mp4a.40.2", 48000, 1, 1024, true},
	{"LC 48 kHz 7.1", []byte{0x11, 0xb8}, "mp4a.40.2", 48000, 8, 1024, true},
	{"LC short frames", []byte{0x11, 0x94}, "mp4a.40.2", 48000, 2, 960, true},
	{"LC 37 kHz, escaped", []byte{0x17, 0x80, 0x48, 0x44, 0x10}, "mp4a.40.2", 37000, 2, 1024, true},
	{"HE, hierarchical", []byte{0x2b, 0x11, 0x88, 0x00}, "mp4a.40.5", 48000, 2, 2048, true},
	{"HE v2, hierarchical", []byte{0xeb, 0x09, 0x88, 0x00}, "mp4a.40.29", 48000, 2, 2048, true},
	{"HE, backward compatible", []byte{0x13, 0x10, 0x56, 0xe5, 0x98}, "mp4a.40.5", 48000, 2, 2048, false},
	{"HE v2, backward compatible", []byte{0x13, 0x08, 0x56, 0xe5, 0x9d, 0x48, 0x80}, "mp4a.40.29", 48000, 2, 2048, false},
	{"LC with SBR denied", []byte{0x11, 0x90, 0x56, 0xe5, 0x00}, "mp4a.40.2", 48000, 2, 1024, false},
	{"xHE", []byte{0xf9, 0x46, 0x40}, "mp4a.40.42", 48000, 2, 0, false},
}

func TestConfigs(t *testing.T) {
	for _, c := range configs {
		t.Run(c.name, func(t *testing.T) {
			config, err := aac.ParseConfig(c.data)
			if err != nil {
				t.Fatal(err)
			}
			track, err := aac.NewTrack(c.data)
			if err != nil {
				t.Fatal(err)
			}
			if track.CodecString != c.codec || track.SampleRate != c.rate || track.Channels != c.channels || config.FrameSamples() != c.samples {
				t.Errorf("got %s, %d Hz, %d channels, %d samples", track.CodecString, track.SampleRate, track.Channels, config.FrameSamples())
			}
			data, err := config.Marshal()
			if c.marshals && (err != nil || !bytes.Equal(data, c.data)) {
				t.Errorf("Marshal gives %x, %v", data, err)
			}
		})
	}
}

func TestBadConfigs(t *testing.T) {
	for _, data := range [][]byte{nil, {0x12}, {0x16, 0x90}, {0x11, 0xf8}, {0x17, 0x80, 0, 0, 0x10}, {0x11, 0x80}} {
		if config, err := aac.ParseConfig(data); err == nil {
			t.Errorf("%x is taken as %+v", data, config)
		}
	}
}

func encode(t *testing.T, options string) []byte {
	t.Helper()
	data, err := os.ReadFile(mediatest.Make(t, "clip.aac", mediatest.Args(mediatest.Tone(48000, 0.5), strings.Fields(options))...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestADTS(t *testing.T) {
	for options, channels := range map[string]int{"-c:a aac -ac 2": 2, "-c:a aac -ac 1 -ar 22050": 1, "-c:a aac -ac 6": 6} {
		data := encode(t, options)
		frames, bytes := 0, 0
		for f, err := range aac.Split(data) {
			if err != nil {
				t.Fatal(err)
			}
			track, err := f.Track()
			if err != nil || track.Channels != channels || track.CodecString != "mp4a.40.2" {
				t.Fatalf("%s: %+v, %v", options, track, err)
			}
			frames++
			bytes += f.Size + len(f.Data)
		}
		if frames < 10 || bytes != len(data) {
			t.Errorf("%s: %d frames, %d of %d bytes", options, frames, bytes, len(data))
		}
	}
}

// What is cut off comes back, to be put before the bytes that follow.
func TestADTSInPieces(t *testing.T) {
	data := encode(t, "-c:a aac -ac 2")
	var whole, pieces [][]byte
	for f := range aac.Split(data) {
		whole = append(whole, f.Data)
	}
	var rest []byte
	for at := 0; at < len(data); at += 101 {
		rest = append(rest, data[at:min(at+101, len(data))]...)
		var left []byte
		for f, err := range aac.Split(rest) {
			if errors.Is(err, aac.ErrShort) {
				left = f.Data
			} else if err != nil {
				t.Fatal(err)
			} else {
				pieces = append(pieces, bytes.Clone(f.Data))
			}
		}
		rest = bytes.Clone(left)
	}
	if len(pieces) != len(whole) || !bytes.Equal(bytes.Join(pieces, nil), bytes.Join(whole, nil)) {
		t.Errorf("%d frames in pieces, %d whole", len(pieces), len(whole))
	}
}

func FuzzAAC(f *testing.F) {
	for _, c := range configs {
		f.Add(c.data)
	}
	f.Add([]byte{0xff, 0xf1, 0x4c, 0x80, 0x01, 0x3f, 0xfc, 1, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		if track, err := aac.NewTrack(data); err == nil && (track.SampleRate < 1 || track.Channels < 1) {
			t.Fatalf("%x: %+v", data, track)
		}
		if c, err := aac.ParseConfig(data); err == nil {
			_ = c.FrameSamples()
			if out, err := c.Marshal(); err == nil {
				again, err := aac.ParseConfig(out)
				if err != nil || again != c {
					t.Fatalf("%+v came back as %+v, %v", c, again, err)
				}
			}
		}
		bytes := 0
		for frame, err := range aac.Split(data) {
			if err == nil {
				bytes += frame.FrameSize
			}
			_, _ = frame.Track()
		}
		if bytes > len(data) {
			t.Fatalf("frames of %d bytes in %d", bytes, len(data))
		}
	})
}
