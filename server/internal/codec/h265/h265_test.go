package h265_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/codec/h265"
	"github.com/framewire/framewire/server/internal/mediatest"
)

func encode(t *testing.T, size, options string) []byte {
	t.Helper()
	path := mediatest.Make(t, "clip.h265", mediatest.Args(
		mediatest.Picture(size, 25, 0.4), strings.Fields("-c:v libx265 -preset ultrafast "+options))...)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParameterSetsOfEncodedStreams(t *testing.T) {
	const quiet = "log-level=none:pools=1:"
	for _, c := range []struct {
		name, size, options   string
		width, height         int
		shownWidth            int
		chroma, depth         uint8
		codec                 string
		hasColour, hasReorder bool
	}{
		{"main", "322x182", "-pix_fmt yuv420p -x265-params " + quiet + "bframes=3", 322, 182, 322, 1, 8, "hvc1.1.6.L60.90", false, true},
		{"main 10, HDR colours", "320x180", "-pix_fmt yuv420p10le -x265-params " + quiet + "colorprim=9:transfer=16:colormatrix=9:bframes=0", 320, 180, 320, 1, 10, "hvc1.2.4.L60.90", true, false},
		{"4:2:2", "320x180", "-pix_fmt yuv422p10le -x265-params " + quiet + "bframes=0", 320, 180, 320, 2, 10, "hvc1.4.10.L60.9D.8", false, false},
		{"4:4:4 with scaling lists", "320x180", "-pix_fmt yuv444p -x265-params " + quiet + "scaling-list=default:bframes=0", 320, 180, 320, 3, 8, "hvc1.4.10.L60.9E.8", false, false},
		{"wide pixels, high tier", "320x180", "-pix_fmt yuv420p -vf setsar=16/11 -x265-params " + quiet + "bframes=0:level-idc=4.1:high-tier=1:vbv-maxrate=30000:vbv-bufsize=30000", 320, 180, 465, 1, 8, "hvc1.1.6.H123.90", false, false},
		{"temporal layers", "320x180", "-pix_fmt yuv420p -x265-params " + quiet + "temporal-layers=1:bframes=3:b-adapt=0", 320, 180, 320, 1, 8, "hvc1.1.6.L60.90", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			unit := h265.FromAnnexB(encode(t, c.size, c.options))
			if len(unit.VPS) == 0 || len(unit.SPS) == 0 || len(unit.PPS) == 0 || !unit.Keyframe() {
				t.Fatalf("%d VPS, %d SPS, %d PPS", len(unit.VPS), len(unit.SPS), len(unit.PPS))
			}
			s, err := h265.ParseSPS(unit.SPS[0])
			if err != nil {
				t.Fatal(err)
			}
			if s.Width != c.width || s.Height != c.height || s.ChromaFormat != c.chroma || s.BitDepth != c.depth ||
				(s.Colour != nil) != c.hasColour || (s.Reorder > 0) != c.hasReorder || s.FrameRate != 25 {
				t.Errorf("got %+v", *s)
			}
			if c.hasColour && (s.Colour.Primaries != 9 || s.Colour.Transfer != 16 || s.Colour.Matrix != 9) {
				t.Errorf("colours %+v", *s.Colour)
			}
			track, err := h265.NewTrack(unit.VPS, unit.SPS, unit.PPS)
			if err != nil {
				t.Fatal(err)
			}
			if track.CodecString != c.codec || track.Width != c.shownWidth || track.Height != c.height {
				t.Errorf("track %s %dx%d", track.CodecString, track.Width, track.Height)
			}
			config, err := h265.ParseConfig(track.Config)
			if err != nil || config.LengthSize != 4 || !bytes.Equal(config.VPS[0], unit.VPS[0]) ||
				!bytes.Equal(config.SPS[0], unit.SPS[0]) || !bytes.Equal(config.PPS[0], unit.PPS[0]) {
				t.Errorf("the record came back as %+v, %v", config, err)
			}
		})
	}
}

func TestAccessUnits(t *testing.T) {
	nal := func(kind, layer byte) []byte { return []byte{kind<<1 | layer>>5, layer<<3 | 1, 0x80} }
	for _, c := range []struct {
		name     string
		units    [][]byte
		keyframe bool
		kept     int
	}{
		{"IDR", [][]byte{nal(35, 0), nal(32, 0), nal(33, 0), nal(34, 0), nal(39, 0), nal(19, 0)}, true, 2},
		{"CRA", [][]byte{nal(21, 0)}, true, 1},
		{"BLA", [][]byte{nal(16, 0)}, true, 1},
		{"trailing picture", [][]byte{nal(1, 0), nal(38, 0)}, false, 1},
		{"RASL", [][]byte{nal(9, 0)}, false, 1},
		{"IDR of another layer", [][]byte{nal(1, 0), nal(19, 1)}, false, 1},
		{"one byte", [][]byte{{0x26}}, false, 0},
	} {
		var stream, sample []byte
		for _, n := range c.units {
			stream = annexb.AppendStream(stream, n)
			sample = annexb.AppendUnit(sample, n)
		}
		fromSample, err := h265.FromSample(sample, 4)
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []h265.AccessUnit{h265.FromAnnexB(stream), h265.FromUnits(c.units), fromSample} {
			kept := 0
			for range annexb.Units(got.Data, 4) {
				kept++
			}
			if got.Keyframe() != c.keyframe || h265.IsKeyframe(got.Data) != c.keyframe || kept != c.kept {
				t.Errorf("%s: keyframe %v, %d units", c.name, got.Keyframe(), kept)
			}
		}
	}
}

func TestConfigWithoutParameterSets(t *testing.T) {
	record := append([]byte{1}, make([]byte, 22)...)
	record[21] = 3
	config, err := h265.ParseConfig(record)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Track(); !errors.Is(err, h265.ErrNoParameterSets) {
		t.Errorf("Track: %v", err)
	}
}

func FuzzH265(f *testing.F) {
	for _, s := range []string{
		"42010101600000030090000003000003003ca00a080b9f79657924daec0800001f480003a980400000030040000006422b0040",
		"420101022000000300b00000030000030078a0028080" + "2d16205ee45914bff2e7f13fa2",
		"0101600000009000000000003cf000fcfdf8f800000f03200001000440010c01210001000642010101600022000100034401c1",
	} {
		data, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := h265.ParseSPS(data); err == nil && s.Width > 0 && s.Height > 0 {
			track, err := h265.NewTrack([][]byte{{0x40, 1}}, [][]byte{data}, [][]byte{{0x44, 1}})
			if err != nil {
				if len(data) < 0xffff {
					t.Fatalf("%x parses, but makes no track: %v", data, err)
				}
				return
			}
			if config, err := h265.ParseConfig(track.Config); err != nil || !bytes.Equal(config.SPS[0], data) {
				t.Fatalf("record %x: %v", track.Config, err)
			}
		}
		if config, err := h265.ParseConfig(data); err == nil {
			_, _ = config.Track()
		}
		h265.IsKeyframe(h265.FromAnnexB(data).Data)
		for size := range 6 {
			_, _ = h265.FromSample(data, size)
		}
	})
}
