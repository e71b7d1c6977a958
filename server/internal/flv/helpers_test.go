package flv

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/mp4"
)

// recorder is a Sink that keeps everything.
type recorder struct {
	starts  [][]media.Track
	samples []media.Sample
	epochs  []int // of each sample, the number of starts before it
}

func (r *recorder) Start(tracks []media.Track) error {
	r.starts = append(r.starts, tracks)
	return nil
}

func (r *recorder) Write(s media.Sample) error {
	r.samples = append(r.samples, s)
	r.epochs = append(r.epochs, len(r.starts))
	return nil
}

func (r *recorder) of(id uint32) []media.Sample {
	var of []media.Sample
	for _, s := range r.samples {
		if s.TrackID == id {
			of = append(of, s)
		}
	}
	return of
}

// remux writes what was recorded in the first epoch as fragmented MP4, one
// fragment a sample, and returns the file's path.
func (r *recorder) remux(t testing.TB) string {
	t.Helper()
	if len(r.starts) == 0 {
		t.Fatal("the sink was never started")
	}
	out, err := mp4.InitSegment(r.starts[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, track := range r.starts[0] {
		samples := r.of(track.ID)
		for i := range samples {
			s := samples[i]
			if s.Duration == 0 {
				s.Duration = track.Timescale / 25
				if i+1 < len(samples) {
					s.Duration = uint32(samples[i+1].DTS - s.DTS)
				}
			}
			out, err = mp4.AppendFragment(out, mp4.Fragment{
				Sequence: uint32(i + 1), TrackID: s.TrackID, DecodeTime: s.DTS, Samples: []media.Sample{s},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "remuxed.mp4")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// appendTag appends a tag and its back pointer.
func appendTag(dst []byte, kind byte, timestamp uint32, body []byte) []byte {
	size := len(body)
	dst = append(dst, kind, byte(size>>16), byte(size>>8), byte(size),
		byte(timestamp>>16), byte(timestamp>>8), byte(timestamp), byte(timestamp>>24), 0, 0, 0)
	dst = append(dst, body...)
	return binary.BigEndian.AppendUint32(dst, uint32(tagHeaderSize+size))
}

// clip makes a file of two seconds with the codecs told by args.
func clip(t testing.TB, name string, video, audio []string) string {
	t.Helper()
	var inputs [][]string
	if video != nil {
		inputs = append(inputs, mediatest.Picture("160x90", 25, 2))
	}
	if audio != nil {
		inputs = append(inputs, mediatest.Tone(48000, 2))
	}
	return mediatest.Make(t, name, mediatest.Args(append(inputs, video, audio)...)...)
}

func open(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
