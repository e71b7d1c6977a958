package nut_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/nut"
)

// readAll returns the streams and, of each, the frames with their decode times.
func readAll(r io.Reader) ([]nut.Stream, map[int][]nut.Timed, error) {
	reader := nut.NewReader(r)
	streams, err := reader.Streams()
	if err != nil {
		return nil, nil, err
	}
	orders := make([]*nut.Order, len(streams))
	for i, s := range streams {
		orders[i] = nut.NewOrder(s)
	}
	frames := make(map[int][]nut.Timed)
	for {
		f, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return streams, frames, nil
		}
		if err != nil {
			return streams, frames, err
		}
		frames[f.Stream] = append(frames[f.Stream], slices.Clone(orders[f.Stream].Add(f))...)
	}
}

func TestFramesAreThoseThatFFprobeSees(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    []string
		reorder int
	}{
		{"no reordering", []string{"-c:v", "libx264", "-bf", "0", "-c:a", "aac"}, 0},
		{"B-frames", []string{"-c:v", "libx264", "-bf", "3", "-c:a", "aac"}, 2},
		{"large frames", []string{"-c:v", "rawvideo", "-c:a", "pcm_s16le"}, 0},
		{"opus and vp9", []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libopus"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := mediatest.Make(t, "made.nut", mediatest.Args(mediatest.Picture("320x180", 25, 3), mediatest.Tone(48000, 3),
				[]string{"-pix_fmt", "yuv420p"}, c.args)...)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			streams, frames, err := readAll(iotest.HalfReader(bytes.NewReader(data)))
			if err != nil {
				t.Fatal(err)
			}
			if len(streams) != 2 || streams[0].Class != nut.ClassVideo || streams[0].Width != 320 || streams[1].SampleRate != 48000 || streams[0].DecodeDelay != c.reorder {
				t.Errorf("streams %+v", streams)
			}
			probed := mediatest.ProbePackets(t, path)
			for i := range streams {
				want := probed.PacketsOf(i)
				if len(frames[i]) != len(want) {
					t.Fatalf("stream %d: %d frames, ffprobe sees %d", i, len(frames[i]), len(want))
				}
				for j, f := range frames[i] {
					if f.PTS != *want[j].PTS || f.Keyframe != want[j].Keyframe() || len(f.Data) != want[j].Size {
						t.Fatalf("stream %d, frame %d: %d at %d, ffprobe says %+v", i, j, len(f.Data), f.PTS, want[j])
					}
					if want[j].DTS != nil && f.DTS != *want[j].DTS {
						t.Errorf("stream %d, frame %d: decoded at %d, ffprobe says %d", i, j, f.DTS, *want[j].DTS)
					}
				}
			}
		})
	}
}

func TestDamageIsFound(t *testing.T) {
	data := seed(t)
	if _, _, err := readAll(bytes.NewReader(data[:len(data)-5])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut off: %v", err)
	}
	header := bytes.Clone(data)
	header[40] ^= 1
	if _, _, err := readAll(bytes.NewReader(header)); !errors.Is(err, nut.ErrFormat) {
		t.Errorf("a bit of the header: %v", err)
	}
	if _, _, err := readAll(bytes.NewReader([]byte("nothing of the kind, but long enough"))); !errors.Is(err, nut.ErrFormat) {
		t.Errorf("text: %v", err)
	}
}

func seed(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "h264-aac.nut"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func FuzzReader(f *testing.F) {
	f.Add(seed(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, frames, _ := readAll(bytes.NewReader(data))
		total := 0
		for _, list := range frames {
			for _, frame := range list {
				total += len(frame.Data)
			}
		}
		if limit := 300*len(data) + 1<<16; total > limit { // 255 bytes may be elided
			t.Errorf("%d bytes of frames out of %d", total, len(data))
		}
	})
}

func TestOrder(t *testing.T) {
	for _, c := range []struct {
		delay int
		pts   []int64
		dts   []int64
	}{
		{0, []int64{5, 6, 7}, []int64{5, 6, 7}},
		{1, []int64{0, 2, 1, 4, 3, 5}, []int64{-2, 0, 1, 2, 3, 4}},
		{2, []int64{10, 40, 20, 30, 80, 60, 50, 70}, []int64{-10, 0, 10, 20, 30, 40, 50, 60}},
	} {
		order := nut.NewOrder(nut.Stream{DecodeDelay: c.delay})
		var got []int64
		for _, pts := range c.pts {
			for _, f := range order.Add(nut.Frame{PTS: pts}) {
				got = append(got, f.DTS)
			}
		}
		if !slices.Equal(got, c.dts) {
			t.Errorf("delay %d: %v gives %v, want %v", c.delay, c.pts, got, c.dts)
		}
	}
}
