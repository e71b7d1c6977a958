package webm_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/framewire/framewire/server/internal/elementary"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/publishtest"
	"github.com/framewire/framewire/server/internal/webm"
)

// sink returns a sink that fails the test when it is misused.
func sink(t testing.TB) *publishtest.Publication {
	t.Helper()
	desk := publishtest.NewDesk(t, "")
	if _, err := desk.Open(t.Context(), publish.Request{Stream: "test"}); err != nil {
		t.Fatal(err)
	}
	return desk.Await(0)
}

var encoders = []struct {
	name   string
	file   string
	args   []string
	codecs []media.Codec
}{
	{"VP9 and Opus, live", "a.webm", []string{
		"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "15", "-c:a", "libopus", "-live", "1"},
		[]media.Codec{media.VP9, media.Opus}},
	{"AV1 and Opus", "a.webm", []string{"-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-g", "15", "-c:a", "libopus"},
		[]media.Codec{media.AV1, media.Opus}},
	{"H.264 with B-frames and AAC", "a.mkv", []string{
		"-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-b_strategy", "0", "-g", "15", "-pix_fmt", "yuv420p", "-c:a", "aac"},
		[]media.Codec{media.H264, media.AAC}},
	{"H.265 with B-frames and FLAC", "a.mkv", []string{
		"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:bframes=2", "-g", "15", "-c:a", "flac"},
		[]media.Codec{media.H265, media.FLAC}},
	{"H.264 and MP3, live", "a.mkv", []string{
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "15", "-pix_fmt", "yuv420p", "-c:a", "libmp3lame", "-live", "1"},
		[]media.Codec{media.H264, media.MP3}},
	{"Opus alone, fine timestamps", "a.webm", []string{"-vn", "-c:a", "libopus", "-frame_duration", "10"},
		[]media.Codec{media.Opus}},
}

// TestRealFiles compares what is read with what ffprobe reads.
func TestRealFiles(t *testing.T) {
	for _, c := range encoders {
		t.Run(c.name, func(t *testing.T) {
			path := mediatest.Make(t, c.file, mediatest.Args(
				mediatest.Picture("320x180", 30, 2), mediatest.Tone(48000, 2), c.args)...)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !webm.Recognize(data) {
				t.Error("not recognized")
			}
			out := sink(t)
			if err := webm.Demux(iotest.HalfReader(bytes.NewReader(data)), out); err != nil {
				t.Fatal(err)
			}
			epochs := out.Epochs()
			if len(epochs) != 1 || len(epochs[0].Tracks) != len(c.codecs) {
				t.Fatalf("%d epochs; tracks of the last: %+v", len(epochs), epochs[len(epochs)-1].Tracks)
			}
			probed := mediatest.ProbePackets(t, path)
			for i, codec := range c.codecs {
				track := &epochs[0].Tracks[i]
				if track.Codec != codec {
					t.Errorf("track %d is %v, want %v", i, track.Codec, codec)
				}
				compare(t, track, epochs[0].Of(codec.Kind()), probed.PacketsOf(i))
			}
			mediatest.RequireDecodes(t, epochs[0].File(t))
		})
	}
}

func compare(t *testing.T, track *media.Track, got []publishtest.Sample, want []mediatest.Packet) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%v: %d samples, ffprobe has %d", track.Codec, len(got), len(want))
		return
	}
	for i := range got {
		at, expected := media.Rescale(got[i].PTS(), track.Timescale, 1000), *want[i].PTS
		if i == 0 {
			continue
		}
		at -= media.Rescale(got[0].PTS(), track.Timescale, 1000)
		expected -= *want[0].PTS
		if at < expected-1 || at > expected+1 {
			t.Errorf("%v: sample %d at %d ms, ffprobe says %d", track.Codec, i, at, expected)
		}
		if track.Kind() == media.Video && got[i].Keyframe != want[i].Keyframe() {
			t.Errorf("%v: sample %d: keyframe %v", track.Codec, i, got[i].Keyframe)
		}
		if got[i].Offset < 0 {
			t.Errorf("%v: sample %d is shown %d ticks before it is decoded", track.Codec, i, -got[i].Offset)
		}
	}
}

// TestSamplesComeAtOnce feeds a file byte by byte and notes how many bytes there
// were when a sample was handed on.
func TestSamplesComeAtOnce(t *testing.T) {
	path := mediatest.Make(t, "a.webm", mediatest.Args(mediatest.Picture("160x90", 30, 1), encoders[0].args)...)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	counter := &counter{data: data}
	out := &arrivals{counter: counter}
	if err := webm.Demux(counter, out); err != nil {
		t.Fatal(err)
	}
	if len(out.at) != 30 {
		t.Fatalf("%d samples", len(out.at))
	}
	for i, at := range out.at {
		end := bytes.Index(data, out.samples[i]) + len(out.samples[i])
		if at != end {
			t.Errorf("sample %d was handed on after %d bytes, and ends at %d", i, at, end)
		}
	}
}

type counter struct {
	data []byte
	read int
}

func (c *counter) Read(p []byte) (int, error) {
	if c.read == len(c.data) {
		return 0, io.EOF
	}
	p[0] = c.data[c.read]
	c.read++
	return 1, nil
}

type arrivals struct {
	counter *counter
	at      []int
	samples [][]byte
}

func (a *arrivals) Start([]media.Track) error { return nil }

func (a *arrivals) Write(s media.Sample) error {
	a.at, a.samples = append(a.at, a.counter.read), append(a.samples, s.Data)
	return nil
}

func TestSinkErrorsEndReading(t *testing.T) {
	full := errors.New("full")
	data := build(header, segment(tracks(entryOpus)), cluster(0, block(0xa3, 0x81, 0, 0, 0x80, 0xfc, 0xff, 0xfe)))
	if err := webm.Demux(bytes.NewReader(data), failing{full}); !errors.Is(err, full) {
		t.Errorf("ended with %v", err)
	}
}

type failing struct{ err error }

func (f failing) Start([]media.Track) error { return f.err }
func (f failing) Write(media.Sample) error  { return f.err }

// build and those below it write crafted input.
func build(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func el(id uint32, data ...byte) []byte {
	var out []byte
	for shift := 24; shift >= 0; shift -= 8 {
		if b := byte(id >> shift); b != 0 || len(out) > 0 {
			out = append(out, b)
		}
	}
	n := len(data)
	return append(append(out, 0x10|byte(n>>24), byte(n>>16), byte(n>>8), byte(n)), data...)
}

func text(id uint32, s string) []byte { return el(id, []byte(s)...) }

var (
	header    = el(0x1A45DFA3, text(0x4282, "webm")...)
	opusHead  = "OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00"
	entryOpus = el(0xAE, build(el(0xD7, 1), el(0x83, 2), text(0x86, "A_OPUS"), text(0x63A2, opusHead))...)
)

func segment(parts ...[]byte) []byte {
	return append([]byte{0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, build(parts...)...)
}

func tracks(entries ...[]byte) []byte { return el(0x1654AE6B, build(entries...)...) }

func cluster(at byte, parts ...[]byte) []byte {
	return append([]byte{0x1F, 0x43, 0xB6, 0x75, 0xff}, build(el(0xE7, at), build(parts...))...)
}

func block(id uint32, data ...byte) []byte { return el(id, data...) }

// frames of Opus of 20 ms, of different lengths.
var opusFrames = []string{"\xfc\xff\xfe", "\xfc\xff\xfe\x00", "\xfc\xff\xfe\x00\x00"}

func TestLacing(t *testing.T) {
	all := strings.Join(opusFrames, "")
	for name, c := range map[string]struct {
		flags byte
		data  string
		sizes []int
	}{
		"none":  {0x80, opusFrames[0], []int{3}},
		"Xiph":  {0x82, "\x02\x03\x04" + all, []int{3, 4, 5}},
		"EBML":  {0x86, "\x02\x83\xc0" + all, []int{3, 4, 5}},
		"fixed": {0x84, "\x01" + opusFrames[0] + opusFrames[0], []int{3, 3}},
	} {
		out := sink(t)
		data := build(header, segment(tracks(entryOpus)),
			cluster(5, block(0xA3, append([]byte{0x81, 0, 10, c.flags}, c.data...)...)),
			cluster(100, el(0xA0, el(0xA1, append([]byte{0x81, 0, 10, c.flags &^ 0x80}, c.data...)...)...)))
		if err := webm.Demux(bytes.NewReader(data), out); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		samples := out.Epochs()[0].Samples
		if len(samples) != 2*len(c.sizes) || samples[0].DTS != 15*48 {
			t.Errorf("%s: %d samples, the first at %d", name, len(samples), samples[0].DTS)
			continue
		}
		for i, size := range c.sizes {
			if len(samples[i].Data) != size || samples[i].DTS != int64(15*48+i*960) {
				t.Errorf("%s: sample %d has %d bytes and lies at %d", name, i, len(samples[i].Data), samples[i].DTS)
			}
		}
	}
}

// TestHeaderStripping leaves the first bytes of each frame to the header.
func TestHeaderStripping(t *testing.T) {
	strip := el(0x6D80, el(0x6240, el(0x5034, build(el(0x4254, 3), el(0x4255, 0xfc, 0xff))...)...)...)
	entry := el(0xAE, build(el(0xD7, 1), el(0x83, 2), text(0x86, "A_OPUS"), text(0x63A2, opusHead), strip)...)
	out := sink(t)
	data := build(header, segment(tracks(entry)), cluster(0, block(0xA3, 0x81, 0, 0, 0x80, 0xfe)))
	if err := webm.Demux(bytes.NewReader(data), out); err != nil {
		t.Fatal(err)
	}
	if got := out.Epochs()[0].Samples[0].Data; string(got) != opusFrames[0] {
		t.Errorf("frame %x", got)
	}
}

// TestAnotherFileBehind puts two files one behind the other.
func TestAnotherFileBehind(t *testing.T) {
	one := build(header, segment(tracks(entryOpus)), cluster(0, block(0xA3, 0x81, 0, 0, 0x80, 0xfc, 0xff, 0xfe)))
	out := sink(t)
	if err := webm.Demux(bytes.NewReader(build(one, one)), out); err != nil {
		t.Fatal(err)
	}
	if n := len(out.Epochs()); n != 2 {
		t.Errorf("%d epochs", n)
	}
}

var faults = []struct {
	name string
	data []byte
	want error
}{
	{"no header", segment(tracks(entryOpus)), webm.ErrMalformed},
	{"no element", []byte{0}, webm.ErrMalformed},
	{"size of nine bytes", []byte{0x1A, 0x45, 0xDF, 0xA3, 0}, webm.ErrMalformed},
	{"another document type", el(0x1A45DFA3, text(0x4282, "other")...), webm.ErrUnsupported},
	{"a later version", el(0x1A45DFA3, el(0x4285, 9)...), webm.ErrUnsupported},
	{"huge header", []byte{0x1A, 0x45, 0xDF, 0xA3, 0x10, 0x7f, 0xff, 0xff}, webm.ErrMalformed},
	{"header cut off", header[:7], io.ErrUnexpectedEOF},
	{"child exceeds parent", build(header, segment(el(0x1654AE6B, 0xAE, 0x85, 0))), webm.ErrMalformed},
	{"no tracks", build(header, segment(tracks())), elementary.ErrNoTrack},
	{"VP8", build(header, segment(tracks(el(0xAE, build(el(0xD7, 1), el(0x83, 1), text(0x86, "V_VP8"))...)))), webm.ErrUnsupported},
	{"audio codec in video", build(header, segment(tracks(el(0xAE, build(el(0xD7, 1), el(0x83, 1), text(0x86, "A_OPUS"))...)))), webm.ErrMalformed},
	{"zero tick", build(header, segment(el(0x1549A966, el(0x2AD7B1, 0)...))), webm.ErrMalformed},
	{"block outside cluster", build(header, segment(tracks(entryOpus)), block(0xA3, 0x81, 0, 0, 0, 1)), webm.ErrMalformed},
	{"block without data", build(header, segment(tracks(entryOpus)), cluster(0, block(0xA3, 0x81))), webm.ErrMalformed},
	{"group without block", build(header, segment(tracks(entryOpus)), cluster(0, el(0xA0, el(0xFB, 1)...))), webm.ErrMalformed},
	{"block of unknown size", build(header, segment(tracks(entryOpus)), cluster(0, []byte{0xA3, 0xff})), webm.ErrMalformed},
	{"unknown element of unknown size", build(header, []byte{0xEC, 0xff}), webm.ErrMalformed},
	{"fixed lacing with a rest", build(header, segment(tracks(entryOpus)), cluster(0, block(0xA3, 0x81, 0, 0, 0x04, 1, 1, 2, 3))), webm.ErrMalformed},
	{"Xiph lacing too long", build(header, segment(tracks(entryOpus)), cluster(0, block(0xA3, 0x81, 0, 0, 0x02, 1, 9, 1))), webm.ErrMalformed},
	{"Xiph lacing cut off", build(header, segment(tracks(entryOpus)), cluster(0, block(0xA3, 0x81, 0, 0, 0x02, 2, 255))), webm.ErrMalformed},
	{"EBML lacing below zero", build(header, segment(tracks(entryOpus)), cluster(0, block(0xA3, 0x81, 0, 0, 0x06, 2, 0x81, 0x81, 1))), webm.ErrMalformed},
	{"element exceeds its cluster", build(header, segment(tracks(entryOpus)),
		[]byte{0x1F, 0x43, 0xB6, 0x75, 0x84, 0xE7, 0x85, 0, 0, 0, 0, 0}), webm.ErrMalformed},
}

func TestFaults(t *testing.T) {
	for _, c := range faults {
		if err := webm.Demux(bytes.NewReader(c.data), sink(t)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// FuzzDemux checks that any input ends, with what it holds in order.
func FuzzDemux(f *testing.F) {
	for _, c := range faults {
		f.Add(c.data)
	}
	f.Add(build(header, segment(tracks(entryOpus)), cluster(0, block(0xA3, 0x81, 0, 0, 0x86, 2, 0x83, 0xc0, 0xfc, 0xff, 0xfe))))
	if small, err := filepath.Glob(filepath.Join("testdata", "*.webm")); err == nil {
		for _, path := range small {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out := &bounded{limit: 17*len(data) + 1<<10} // 16 bytes put before frames of one
		err := webm.Demux(bytes.NewReader(data), out)
		if out.bytes > out.limit {
			t.Fatalf("%d bytes of samples of %d bytes of input (%v)", out.bytes, len(data), err)
		}
	})
}

type bounded struct{ bytes, limit int }

func (*bounded) Start([]media.Track) error { return nil }

func (b *bounded) Write(s media.Sample) error {
	b.bytes += len(s.Data)
	return nil
}
