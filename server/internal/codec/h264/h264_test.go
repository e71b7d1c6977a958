package h264_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/codec/h264"
	"github.com/framewire/framewire/server/internal/codec/vui"
	"github.com/framewire/framewire/server/internal/mediatest"
)

// encode returns an H.264 byte stream of a test picture.
func encode(t *testing.T, size string, options string) []byte {
	t.Helper()
	path := mediatest.Make(t, "clip.h264", mediatest.Args(
		mediatest.Picture(size, 25, 0.4), strings.Fields("-c:v libx264 -preset veryfast -threads 1 "+options))...)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// parameterSets returns the first SPS and PPS of a byte stream.
func parameterSets(t *testing.T, stream []byte) (sps, pps []byte) {
	t.Helper()
	unit := h264.FromAnnexB(stream)
	if len(unit.SPS) == 0 || len(unit.PPS) == 0 {
		t.Fatal("no parameter sets")
	}
	return unit.SPS[0], unit.PPS[0]
}

func TestSPSOfEncodedStreams(t *testing.T) {
	for _, c := range []struct {
		name, size, options string
		want                h264.SPS
		codec               string
		shownWidth          int
	}{
		{
			"high with B-frames", "320x180", "-pix_fmt yuv420p -bf 2",
			h264.SPS{Width: 320, Height: 180, ChromaFormat: 1, BitDepth: 8, Look: vui.Look{SARWidth: 1, SARHeight: 1}, FrameRate: 25, Reorder: 2}, "avc1.64000c", 320,
		},
		{
			"baseline", "162x92", "-pix_fmt yuv420p -profile:v baseline",
			h264.SPS{Width: 162, Height: 92, ChromaFormat: 1, BitDepth: 8, Look: vui.Look{SARWidth: 1, SARHeight: 1}, FrameRate: 25, Reorder: 0}, "avc1.42c00b", 162,
		},
		{
			"interlaced with wide pixels", "720x576", "-pix_fmt yuv420p -flags +ilme+ildct -bf 0 -vf setsar=16/11",
			h264.SPS{Width: 720, Height: 576, ChromaFormat: 1, BitDepth: 8, Look: vui.Look{SARWidth: 16, SARHeight: 11}, FrameRate: 25, Reorder: 0, Interlaced: true}, "avc1.64001e", 1047,
		},
		{
			"4:4:4 with 10 bits", "320x182", "-pix_fmt yuv444p10 -bf 0",
			h264.SPS{Width: 320, Height: 182, ChromaFormat: 3, BitDepth: 10, Look: vui.Look{SARWidth: 1, SARHeight: 1}, FrameRate: 25, Reorder: 0}, "avc1.f4000c", 320,
		},
		{
			"4:2:2 with HRD", "322x180", "-pix_fmt yuv422p -bf 0 -nal-hrd cbr -b:v 200k -maxrate 200k -bufsize 200k",
			h264.SPS{Width: 322, Height: 180, ChromaFormat: 2, BitDepth: 8, Look: vui.Look{SARWidth: 1, SARHeight: 1}, FrameRate: 25, Reorder: 0}, "avc1.7a000d", 322,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			sps, pps := parameterSets(t, encode(t, c.size, c.options))
			s, err := h264.ParseSPS(sps)
			if err != nil {
				t.Fatal(err)
			}
			if s.Width != c.want.Width || s.Height != c.want.Height || s.ChromaFormat != c.want.ChromaFormat || s.BitDepth != c.want.BitDepth ||
				s.SARWidth != c.want.SARWidth || s.SARHeight != c.want.SARHeight || s.FrameRate != c.want.FrameRate ||
				s.Reorder != c.want.Reorder || s.Interlaced != c.want.Interlaced {
				t.Errorf("got %+v, want %+v", *s, c.want)
			}
			track, err := h264.NewTrack([][]byte{sps}, [][]byte{pps})
			if err != nil {
				t.Fatal(err)
			}
			if track.CodecString != c.codec || track.Width != c.shownWidth || track.Height != c.want.Height {
				t.Errorf("track %s %dx%d", track.CodecString, track.Width, track.Height)
			}
			config, err := h264.ParseConfig(track.Config)
			if err != nil || config.LengthSize != 4 || len(config.SPS) != 1 || !bytes.Equal(config.SPS[0], sps) ||
				len(config.PPS) != 1 || !bytes.Equal(config.PPS[0], pps) {
				t.Errorf("the record came back as %+v, %v", config, err)
			}
		})
	}
}

// A decoder must take the rewritten SPS, and give the same pictures.
func TestWithoutReorderingKeepsThePictures(t *testing.T) {
	for _, options := range []string{
		"-bf 0 -refs 3", "-bf 0 -refs 1 -bsf:v h264_metadata=sample_aspect_ratio=4/3", "-profile:v high422 -pix_fmt yuv422p -bf 0",
		"-bf 0 -nal-hrd vbr -b:v 200k -maxrate 200k -bufsize 200k",
	} {
		t.Run(options, func(t *testing.T) {
			stream := encode(t, "320x180", options)
			var out []byte
			for nal := range annexb.Split(stream) {
				if h264.Type(nal) == h264.TypeSPS {
					// as written by an encoder that says nothing of reordering
					bare := unrestricted(t, nal)
					rewritten, err := h264.WithoutReordering(bare)
					if err != nil {
						t.Fatal(err)
					}
					before, after := mustParse(t, bare), mustParse(t, rewritten)
					if before.Reorder != -1 || after.Reorder != 0 {
						t.Fatalf("reorder %d became %d, want -1 to become 0", before.Reorder, after.Reorder)
					}
					if before.Width != after.Width || before.Height != after.Height || before.SARWidth != after.SARWidth ||
						before.FrameRate != after.FrameRate || before.RefFrames != after.RefFrames {
						t.Fatalf("%+v became %+v", before, after)
					}
					again, err := h264.WithoutReordering(rewritten)
					if err != nil || !bytes.Equal(again, rewritten) {
						t.Fatalf("a second rewrite changed it to %x, %v", again, err)
					}
					nal = rewritten
				}
				out = annexb.AppendStream(out, nal)
			}
			path := filepath.Join(t.TempDir(), "out.h264")
			if err := os.WriteFile(path, out, 0o600); err != nil {
				t.Fatal(err)
			}
			mediatest.RequireDecodes(t, path)
			if probed := mediatest.Probe(t, path); probed.Streams[0].HasBFrames != 0 {
				t.Errorf("a decoder still expects to reorder by %d", probed.Streams[0].HasBFrames)
			}
		})
	}
}

func TestWithoutReorderingOverrulesALargerFigure(t *testing.T) {
	sps, _ := parameterSets(t, encode(t, "320x180", "-pix_fmt yuv420p -bf 2"))
	rewritten, err := h264.WithoutReordering(sps)
	if err != nil {
		t.Fatal(err)
	}
	if got := mustParse(t, rewritten).Reorder; got != 0 {
		t.Errorf("reorder is %d", got)
	}
}

func mustParse(t *testing.T, sps []byte) *h264.SPS {
	t.Helper()
	s, err := h264.ParseSPS(sps)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// unrestricted clears bitstream_restriction_flag: the last flag set of an SPS
// of x264's, 1 + 5 Exp-Golomb codes before the end.
func unrestricted(t *testing.T, sps []byte) []byte {
	t.Helper()
	rbsp := annexb.Unescape(sps)
	for cut := len(rbsp)*8 - 1; cut > 32; cut-- {
		shorter := append([]byte(nil), rbsp[:cut/8+1]...)
		shorter[cut/8] &= 0xff << (8 - cut%8)
		// one bit 0 for the flag, then the stop bit
		shorter[cut/8] &^= 0x80 >> (cut % 8)
		if stop := cut + 1; stop/8 < len(shorter) {
			shorter[stop/8] |= 0x80 >> (stop % 8)
		} else {
			shorter = append(shorter, 0x80)
		}
		nal := annexb.Escape(shorter)
		if s, err := h264.ParseSPS(nal); err == nil && s.Reorder == -1 && s.FrameRate == 25 && flagAt(rbsp, cut) {
			return nal
		}
	}
	t.Fatal("no restriction found")
	return nil
}

func flagAt(data []byte, bit int) bool { return data[bit/8]>>(7-bit%8)&1 == 1 }

func TestAccessUnits(t *testing.T) {
	slice := []byte{0x41, 0x9a, 0x02}
	idr, sps, pps := []byte{0x65, 0x88, 0x84}, []byte{0x67, 0x42, 0, 0x1e}, []byte{0x68, 0xce}
	recovery := []byte{0x06, 0x06, 0x01, 0xc4, 0x80}      // recovery_frame_cnt 0
	laterRecovery := []byte{0x06, 0x06, 0x01, 0x4c, 0x80} // recovery_frame_cnt 1
	intra := []byte{0x41, 0x88, 0x84}                     // first_mb 0, slice_type 7
	for _, c := range []struct {
		name          string
		units         [][]byte
		idr, recovery bool
		kept          int
	}{
		{"IDR with parameter sets", [][]byte{{9, 0xf0}, sps, pps, idr}, true, false, 1},
		{"P slice", [][]byte{{9, 0xf0}, slice}, false, false, 1},
		{"recovery point at an I slice", [][]byte{recovery, intra}, false, true, 2},
		{"recovery point at a P slice", [][]byte{recovery, slice}, false, false, 2},
		{"recovery point later", [][]byte{laterRecovery, intra}, false, false, 2},
		{"I slice alone", [][]byte{intra}, false, false, 1},
		{"filler", [][]byte{{12, 0xff}, slice, {10}, {11}}, false, false, 1},
		{"parameter sets alone", [][]byte{sps, sps, pps}, false, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stream, lengths []byte
			for _, nal := range c.units {
				stream = annexb.AppendStream(stream, nal)
				lengths = annexb.AppendUnit(lengths, nal)
			}
			fromSample, err := h264.FromSample(lengths, 4)
			if err != nil {
				t.Fatal(err)
			}
			for _, got := range []h264.AccessUnit{h264.FromAnnexB(stream), h264.FromUnits(c.units), fromSample} {
				kept := 0
				for range annexb.Units(got.Data, 4) {
					kept++
				}
				if got.IDR != c.idr || got.RecoveryPoint != c.recovery || kept != c.kept {
					t.Errorf("got IDR %v, recovery point %v, %d units", got.IDR, got.RecoveryPoint, kept)
				}
				if want := got.Keyframe(); h264.IsKeyframe(got.Data) != want {
					t.Errorf("IsKeyframe is not %v", want)
				}
			}
		})
	}
}

func TestConfigWithoutParameterSets(t *testing.T) {
	config, err := h264.ParseConfig([]byte{1, 0x64, 0, 0x1e, 0xff, 0xe0, 0})
	if err != nil || config.LengthSize != 4 {
		t.Fatalf("%+v, %v", config, err)
	}
	if _, err := config.Track(); !errors.Is(err, h264.ErrNoParameterSets) {
		t.Errorf("Track: %v", err)
	}
}

// seeds are parameter sets and records of encoders in use.
var seeds = []string{
	"6764001eacd940a02ff9610000030001000003003c8f162d96",
	"67640028ac2b402802dd80880000030008000003018478c195",
	"6742c01eda02802dd8088000000300080000030184783065c0",
	"674d0029e2900f0044fcb8086a0404061b06",
	"0164001effe1001967 64001eacd940a02ff9610000030001000003003c8f162d9601000568ebe3cb22c0fdf8f800",
	"0605ffff01",
}

func FuzzH264(f *testing.F) {
	for _, s := range seeds {
		data, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := h264.ParseSPS(data); err == nil {
			if s.Width < 1 || s.Height < 1 {
				t.Fatalf("picture of %dx%d", s.Width, s.Height)
			}
			rewritten, err := h264.WithoutReordering(data)
			if err != nil {
				t.Fatalf("%x parses, but cannot be rewritten: %v", data, err)
			}
			after, err := h264.ParseSPS(rewritten)
			if err != nil || after.Reorder != 0 || after.Width != s.Width || after.Height != s.Height {
				t.Fatalf("%x rewritten to %x: %+v, %v", data, rewritten, after, err)
			}
			if track, err := h264.NewTrack([][]byte{data}, [][]byte{{0x68}}); err == nil {
				if config, err := h264.ParseConfig(track.Config); err != nil || !bytes.Equal(config.SPS[0], data) {
					t.Fatalf("record %x: %v", track.Config, err)
				}
			}
		}
		if config, err := h264.ParseConfig(data); err == nil {
			_, _ = config.Track()
		}
		unit := h264.FromAnnexB(data)
		if h264.IsKeyframe(unit.Data) != unit.Keyframe() && !unit.IDR {
			t.Fatalf("%x: keyframe %v", data, unit.Keyframe())
		}
		for size := range 6 {
			_, _ = h264.FromSample(data, size)
		}
	})
}
