package av1_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/framewire/framewire/server/internal/codec/av1"
	"github.com/framewire/framewire/server/internal/mediatest"
)

// ivf returns the frames of an IVF file of a test picture.
func ivf(t *testing.T, size, options string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(mediatest.Make(t, "clip.ivf", mediatest.Args(
		mediatest.Picture(size, 25, 0.6), strings.Fields(options))...))
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
	const aom = "-c:v libaom-av1 -cpu-used 8 -usage realtime -b:v 100k "
	for _, c := range []struct {
		name, size, options string
		width, height       int
		codec               string
		every               int // keyframe interval
	}{
		{"aom", "322x182", aom + "-pix_fmt yuv420p -g 5", 322, 182, "av01.0.00M.08", 5},
		{"aom 10 bits", "320x180", aom + "-pix_fmt yuv420p10le -g 5", 320, 180, "av01.0.00M.10", 5},
		{"aom 4:4:4, full range", "320x180", aom + "-pix_fmt yuv444p -color_range pc -g 5", 320, 180, "av01.1.00M.08.0.000.01.01.01.1", 5},
		{"aom HDR", "320x180", aom + "-pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -g 5", 320, 180, "av01.0.00M.10.0.110.09.16.09.0", 5},
		{"svt, hidden frames", "1280x720", "-c:v libsvtav1 -preset 12 -pix_fmt yuv420p -g 10 -svtav1-params lp=1", 1280, 720, "av01.0.05M.08", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, frame := range ivf(t, c.size, c.options) {
				unit, err := av1.FromUnit(frame)
				if err != nil {
					t.Fatal(err)
				}
				if av1.HasDelimiter(unit.Data) || av1.IsKeyframe(unit.Data) != unit.Keyframe {
					t.Fatalf("frame %d: delimiter %v, keyframe %v", i, av1.HasDelimiter(unit.Data), unit.Keyframe)
				}
				if c.every > 0 && unit.Keyframe != (i%c.every == 0) || i == 0 && !unit.Keyframe {
					t.Errorf("frame %d: keyframe %v", i, unit.Keyframe)
				}
				if i > 0 {
					continue
				}
				track, err := av1.NewTrack(unit.SequenceHeader)
				if err != nil {
					t.Fatal(err)
				}
				if track.CodecString != c.codec || track.Width != c.width || track.Height != c.height {
					t.Errorf("track %s %dx%d, want %s", track.CodecString, track.Width, track.Height, c.codec)
				}
				config, err := av1.ParseConfig(track.Config)
				if err != nil || !bytes.Equal(config.SequenceHeader, unit.SequenceHeader) {
					t.Errorf("the record came back as %+v, %v", config, err)
				}
			}
		})
	}
}

// Units without size fields, as RTP carries them, get them.
func TestSizesAreAdded(t *testing.T) {
	unit, err := av1.FromUnit([]byte{0x12, 0x00, 0x0a, 0x01, 0xaa, 0x34, 0x08, 0x55})
	if err != nil {
		t.Fatal(err)
	}
	if want := []byte{0x0a, 0x01, 0xaa, 0x36, 0x08, 0x01, 0x55}; !bytes.Equal(unit.Data, want) {
		t.Errorf("got %x, want %x", unit.Data, want)
	}
}

func TestBrokenUnits(t *testing.T) {
	for _, unit := range [][]byte{{0x80}, {0x0a}, {0x0a, 0x05, 1}, {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x0e}} {
		if _, err := av1.FromUnit(unit); !errors.Is(err, av1.ErrOBU) {
			t.Errorf("%x: %v", unit, err)
		}
	}
}

func TestConfigWithoutSequenceHeader(t *testing.T) {
	config, err := av1.ParseConfig([]byte{0x81, 0x04, 0x0c, 0})
	if err != nil || config.Level != 4 || config.BitDepth != 8 {
		t.Fatalf("%+v, %v", config, err)
	}
	if _, err := config.Track(); !errors.Is(err, av1.ErrNoSequenceHeader) {
		t.Errorf("Track: %v", err)
	}
}

func TestExtradata(t *testing.T) {
	sequence := []byte{0x0a, 0x0b, 0, 0, 0, 0x04, 0x3c, 0xff, 0xbc, 0xda, 0xb8, 0x84, 0x34}
	for _, c := range []struct {
		name       string
		data, want []byte
	}{
		{"a record", append([]byte{0x81, 0, 0x0c, 0}, sequence...), sequence},
		{"a record without OBUs", []byte{0x81, 0, 0x0c, 0}, nil},
		{"bare OBUs", sequence, sequence},
		{"a delimiter before", append([]byte{0x12, 0}, sequence...), sequence},
		{"without a size", append([]byte{0x08}, sequence[2:]...), sequence},
		{"nothing", nil, nil},
	} {
		if got, err := av1.FromExtradata(c.data); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %x, %v", c.name, got, err)
		}
	}
	for _, bad := range [][]byte{{0x81}, {0x82, 0, 0, 0}, {0x0a, 0x0b, 0}} {
		if got, err := av1.FromExtradata(bad); err == nil {
			t.Errorf("%x gives %x", bad, got)
		}
	}
}

func FuzzAV1(f *testing.F) {
	for _, s := range []string{"0a0b0000000 43cffbcdab88434", "12000a0a00000002aff89f5f3a0832 0210 00", "8100 0c00 0a0b00000004 3cffbcdab88434"} {
		data, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if unit, err := av1.FromUnit(data); err == nil {
			again, err := av1.FromUnit(unit.Data)
			if err != nil || !bytes.Equal(again.Data, unit.Data) || again.Keyframe != unit.Keyframe {
				t.Fatalf("%x came back as %x, %v", unit.Data, again.Data, err)
			}
			if av1.IsKeyframe(unit.Data) != unit.Keyframe {
				t.Fatalf("%x: keyframe %v", data, unit.Keyframe)
			}
		}
		if track, err := av1.NewTrack(data); err == nil {
			config, err := av1.ParseConfig(track.Config)
			if err != nil {
				t.Fatalf("record %x: %v", track.Config, err)
			}
			if again, err := config.Track(); err != nil || again.CodecString != track.CodecString {
				t.Fatalf("%+v came back as %+v, %v", track, again, err)
			}
		}
		if sequence, err := av1.FromExtradata(data); err == nil && sequence != nil {
			if again, err := av1.FromExtradata(sequence); err != nil || !bytes.Equal(again, sequence) {
				t.Fatalf("%x came back as %x, %v", sequence, again, err)
			}
		}
		if config, err := av1.ParseConfig(data); err == nil {
			_, _ = config.Track()
		}
	})
}
