package mpegts_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mpegts"
)

const packet = 188

var plain = []string{"-c:v", "libx264", "-bf", "0", "-c:a", "aac"}

// packets cuts a stream of plain packets.
func packets(data []byte) [][]byte {
	var list [][]byte
	for ; len(data) >= packet; data = data[packet:] {
		list = append(list, bytes.Clone(data[:packet]))
	}
	return list
}

func pid(p []byte) int { return int(p[1]&0x1f)<<8 | int(p[2]) }

// join puts packets together again with something before and behind each.
func join(list [][]byte, before, behind int) []byte {
	var all []byte
	for _, p := range list {
		all = append(all, make([]byte, before)...)
		all = append(all, p...)
		all = append(all, make([]byte, behind)...)
	}
	return all
}

// The PIDs that ffmpeg gives to the first video and the first sound.
const (
	videoPID = 0x100
	audioPID = 0x101
)

func TestPacketSizes(t *testing.T) {
	_, data := transport(t, plain...)
	for _, c := range []struct{ before, behind int }{{4, 0}, {0, 16}} {
		s := demux(t, join(packets(data), c.before, c.behind))
		if n := len(s.of(media.Video)); n != 50 {
			t.Errorf("%d bytes before, %d behind: %d pictures", c.before, c.behind, n)
		}
	}
}

func TestAnySizeOfReadWillDo(t *testing.T) {
	_, data := transport(t, plain...)
	s := &sink{}
	if err := mpegts.Demux(iotest.OneByteReader(bytes.NewReader(data)), s, mpegts.Options{}); err != nil {
		t.Fatal(err)
	}
	if n := len(s.of(media.Video)); n != 50 {
		t.Errorf("%d pictures", n)
	}
}

// stepper gives out a packet a Read, on the goroutine of Demux: what was complete
// before has been handed over then.
type stepper struct {
	list [][]byte
	next func(p []byte)
}

func (s *stepper) Read(b []byte) (int, error) {
	if len(s.list) == 0 {
		return 0, io.EOF
	}
	s.next(s.list[0])
	n := copy(b, s.list[0])
	s.list = s.list[1:]
	return n, nil
}

// A picture comes out with its last packet, before anything of the next is there;
// but for those, one in 184, that fill it to the last byte and whose length is not
// told.
func TestPictureIsNotHeldBack(t *testing.T) {
	for _, c := range []struct {
		args []string
		held int // pictures that may wait
	}{
		{plain, 3},
		{append([]string{"-omit_video_pes_length", "0"}, plain...), 0},
	} {
		_, data := transport(t, c.args...)
		s := &sink{}
		begun, held := 0, 0
		r := &stepper{list: packets(data), next: func(p []byte) {
			if pid(p) == videoPID && p[1]&0x40 != 0 {
				if n := len(s.of(media.Video)); begun > 10 && n != begun { // once both tracks are known
					held++
				}
				begun++
			}
		}}
		if err := mpegts.Demux(r, s, mpegts.Options{}); err != nil {
			t.Fatal(err)
		}
		if begun != 50 || held > c.held {
			t.Errorf("%v: %d of %d pictures were held back", c.args, held, begun)
		}
	}
}

func TestLostAndDamagedPackets(t *testing.T) {
	_, data := transport(t, plain...)
	random := rand.New(rand.NewPCG(1, 2))
	for name, damage := range map[string]func([][]byte) []byte{
		"one in fifty lost": func(list [][]byte) []byte {
			var left [][]byte
			for _, p := range list {
				if random.IntN(50) > 0 {
					left = append(left, p)
				}
			}
			return join(left, 0, 0)
		},
		"every packet twice": func(list [][]byte) []byte {
			var twice [][]byte
			for _, p := range list {
				twice = append(twice, p, p)
			}
			return join(twice, 0, 0)
		},
		"bytes lost": func(list [][]byte) []byte {
			all := join(list, 0, 0)
			return append(all[:20*packet+77:20*packet+77], all[30*packet+5:]...)
		},
		"garbage before and within": func(list [][]byte) []byte {
			garbage := bytes.Repeat([]byte{0x47, 1, 2, 3, 4, 5, 6}, 100)
			return bytes.Join([][]byte{garbage, join(list[:40], 0, 0), garbage, join(list[40:], 0, 0)}, nil)
		},
		"begins in the middle": func(list [][]byte) []byte { return join(list[len(list)/3:], 0, 0) },
		"cut off":              func(list [][]byte) []byte { return join(list, 0, 0)[:len(list)*packet-100] },
		"transport errors": func(list [][]byte) []byte {
			for i := 20; i < len(list); i += 60 {
				list[i][1] |= 0x80
			}
			return join(list, 0, 0)
		},
	} {
		s := demux(t, damage(packets(data)))
		if n := len(s.of(media.Video)); n < 15 || n > 50 {
			t.Errorf("%s: %d pictures of 50", name, n)
		}
		if n := len(s.of(media.Audio)); n < 30 || n > 96 {
			t.Errorf("%s: %d frames of sound", name, n)
		}
		var last int64 = -1
		for _, p := range s.of(media.Video) {
			if p.DTS <= last {
				t.Errorf("%s: decode time %d after %d", name, p.DTS, last)
			}
			last = p.DTS
		}
	}
}

// restamp adds to the times of all PES packets, which begin in these packets.
func restamp(list [][]byte, add int64) {
	for _, p := range list {
		if p[1]&0x40 == 0 || pid(p) != videoPID && pid(p) != audioPID {
			continue
		}
		at := 4
		if p[3]&0x20 != 0 {
			at += 1 + int(p[4])
		}
		h := p[at:]
		for i, flag := range []byte{0x80, 0x40} {
			if h[7]&flag == 0 {
				continue
			}
			b := h[9+5*i:]
			v := int64(b[0]>>1&7)<<30 | int64(b[1])<<22 | int64(b[2]>>1)<<15 | int64(b[3])<<7 | int64(b[4]>>1)
			v = (v + add) & (1<<33 - 1)
			b[0] = b[0]&0xf1 | byte(v>>30&7)<<1
			b[1], b[2], b[3], b[4] = byte(v>>22), byte(v>>14)|1, byte(v>>7), byte(v<<1)|1
		}
	}
}

func TestTimesGoOnOverTheWrap(t *testing.T) {
	_, data := transport(t, "-c:v", "libx264", "-bf", "2", "-c:a", "aac")
	want := demux(t, data)
	list := packets(data)
	const shift = 1<<33 - 2*90000 - 45000 // the wrap comes half a second in
	restamp(list, shift)
	got := demux(t, join(list, 0, 0))
	for _, kind := range []media.Kind{media.Video, media.Audio} {
		a, b := want.of(kind), got.of(kind)
		if len(a) != len(b) {
			t.Fatalf("%v: %d samples, want %d", kind, len(b), len(a))
		}
		scale := want.track(kind).Timescale
		for i := range a {
			moved := b[i].DTS - a[i].DTS - media.Rescale(shift, 90000, scale)
			if moved < -1 || moved > 1 || a[i].Offset != b[i].Offset {
				t.Fatalf("%v %d: %d became %d", kind, i, a[i].DTS, b[i].DTS)
			}
		}
	}
}

// The first pictures are without parameter sets; nothing comes out before the
// first that can be decoded, and sound beside it.
func TestLateParameterSets(t *testing.T) {
	_, data := transport(t, plain...)
	var late [][]byte
	keyframes := 0
	for _, p := range packets(data) {
		if pid(p) == videoPID && p[1]&0x40 != 0 && p[3]&0x20 != 0 && p[5]&0x40 != 0 {
			keyframes++
		}
		if pid(p) == videoPID && keyframes == 1 && bytes.Contains(p, []byte{0, 0, 1, 0x67}) {
			i := bytes.Index(p, []byte{0, 0, 1, 0x67})
			p[i+3] = 0x6c // an SPS becomes filler
		}
		late = append(late, p)
	}
	s := demux(t, join(late, 0, 0))
	if len(s.starts) != 1 || len(s.starts[0]) != 2 {
		t.Fatalf("starts %+v", s.starts)
	}
	first := s.of(media.Video)[0]
	if n := len(s.of(media.Video)); n != 25 || !first.Keyframe {
		t.Errorf("%d pictures, keyframe first: %v", n, first.Keyframe)
	}
	if n := len(s.of(media.Audio)); n < 90 {
		t.Errorf("%d frames of sound", n)
	}
}

// Another size begins in the middle of the stream.
func TestChangedParametersAreAnnounced(t *testing.T) {
	_, small := transport(t, plain...)
	_, large := transport(t, append([]string{"-s", "320x180"}, plain...)...)
	s := demux(t, append(small, large...))
	if len(s.starts) != 2 {
		t.Fatalf("%d starts", len(s.starts))
	}
	if w := s.track(media.Video).Width; w != 320 {
		t.Errorf("width %d", w)
	}
	if n := len(s.of(media.Video)); n < 98 {
		t.Errorf("%d pictures of 100", n)
	}
}

func TestTracksComeAndGoWithTheProgramMap(t *testing.T) {
	_, both := transport(t, plain...)
	_, video := transport(t, "-c:v", "libx264", "-bf", "0", "-an")
	s := demux(t, bytes.Join([][]byte{both, video, both}, nil))
	var counts []int
	for _, tracks := range s.starts {
		counts = append(counts, len(tracks))
	}
	if len(counts) < 3 || counts[0] != 2 || counts[1] != 1 || counts[len(counts)-1] != 2 {
		t.Errorf("tracks of each start: %v", counts)
	}
}

func TestWhatIsNoTransportStream(t *testing.T) {
	for name, data := range map[string][]byte{
		"nothing": nil,
		"text":    bytes.Repeat([]byte("this is no transport stream\n"), 1000),
		"zeros":   make([]byte, 1<<21),
		"syncs":   bytes.Repeat([]byte{0x47}, 100*packet),
	} {
		err := mpegts.Demux(bytes.NewReader(data), &sink{}, mpegts.Options{})
		if !errors.Is(err, mpegts.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if name != "syncs" && mpegts.Recognize(data) {
			t.Errorf("%s is recognised", name)
		}
	}
}

func TestScrambledIsUnsupported(t *testing.T) {
	_, data := transport(t, plain...)
	list := packets(data)
	for _, p := range list {
		if pid(p) == videoPID {
			p[3] |= 0x80
		}
	}
	err := mpegts.Demux(bytes.NewReader(join(list, 0, 0)), &sink{}, mpegts.Options{})
	if !errors.Is(err, mpegts.ErrUnsupported) {
		t.Error(err)
	}
}

func TestReadErrorsComeThrough(t *testing.T) {
	_, data := transport(t, plain...)
	broken := errors.New("broken")
	r := io.MultiReader(bytes.NewReader(data[:50*packet]), iotest.ErrReader(broken))
	if err := mpegts.Demux(r, &sink{}, mpegts.Options{}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func FuzzDemux(f *testing.F) {
	for _, name := range []string{"h264-aac.ts", "h265-opus.ts", "mpeg2-mp3.ts"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &sink{}
		_ = mpegts.Demux(bytes.NewReader(data), s, mpegts.Options{Partial: true})
		total := 0
		for _, sample := range s.samples {
			total += len(sample.Data)
		}
		if limit := 2*len(data) + 1<<16; total > limit {
			t.Errorf("%d bytes of samples out of %d", total, len(data))
		}
	})
}
