package mp4_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/mp4"
)

// recorder is a Sink that keeps everything.
type recorder struct {
	starts  [][]media.Track
	samples []media.Sample
	wrote   chan struct{} // when set, told of every sample
	refuse  error
}

func (r *recorder) Start(tracks []media.Track) error {
	r.starts = append(r.starts, tracks)
	return nil
}

func (r *recorder) Write(s media.Sample) error {
	r.samples = append(r.samples, s)
	if r.wrote != nil {
		r.wrote <- struct{}{}
	}
	return r.refuse
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// trickle gives a few bytes at a time.
type trickle struct{ r io.Reader }

func (t trickle) Read(p []byte) (int, error) { return t.r.Read(p[:min(len(p), 37)]) }

const fragmented = "frag_every_frame+empty_moov+default_base_moof"

func live(t *testing.T, movflags, options string) []byte {
	t.Helper()
	return read(t, mediatest.Make(t, "live.mp4", mediatest.Args(
		mediatest.Picture("160x90", 25, 1), mediatest.Tone(48000, 1),
		args("-pix_fmt yuv420p -c:v libx264 -preset veryfast -bf 2 -g 10 -c:a aac "+options+" -movflags "+movflags))...))
}

func TestDemuxGivesWhatTheFileReaderGives(t *testing.T) {
	for _, movflags := range []string{fragmented, "frag_keyframe+delay_moov", "frag_keyframe+empty_moov", "dash+frag_keyframe+delay_moov+global_sidx", "cmaf"} {
		t.Run(movflags, func(t *testing.T) {
			data := live(t, movflags, "")
			var got recorder
			if err := mp4.Demux(trickle{bytes.NewReader(data)}, &got, mp4.Options{}); err != nil {
				t.Fatal(err)
			}
			f, err := mp4.Open(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			if len(got.starts) != 1 || len(got.starts[0]) != 2 {
				t.Fatalf("started with %+v", got.starts)
			}
			for _, track := range f.Tracks() {
				var want []media.Sample
				for c := f.Samples(track.ID); ; {
					s, err := c.Next()
					if err != nil {
						break
					}
					want = append(want, s)
				}
				have := slices.DeleteFunc(slices.Clone(got.samples), func(s media.Sample) bool { return s.TrackID != track.ID })
				if len(want) < 25 || !slices.EqualFunc(have, want, equalSample) {
					t.Errorf("%v: %d samples differ from %d of the file", track.Codec, len(have), len(want))
				}
			}
			for _, s := range got.samples {
				if s.CapturedAt.IsZero() {
					t.Fatal("a sample without the time at which it came")
				}
			}
		})
	}
}

func equalSample(a, b media.Sample) bool {
	return a.TrackID == b.TrackID && a.DTS == b.DTS && a.Offset == b.Offset && a.Duration == b.Duration &&
		a.Keyframe == b.Keyframe && bytes.Equal(a.Data, b.Data)
}

func TestSamplesComeBeforeTheirBoxIsWhole(t *testing.T) {
	track := media.Track{ID: 1, Codec: media.MP3, CodecString: "mp4a.6b", Timescale: 48000, SampleRate: 48000, Channels: 2}
	init, err := mp4.InitSegment([]media.Track{track})
	if err != nil {
		t.Fatal(err)
	}
	chunk, err := mp4.AppendFragment(nil, mp4.Fragment{Sequence: 1, TrackID: 1, Samples: []media.Sample{
		{Duration: 1152, Keyframe: true, Data: []byte("first")}, {Duration: 1152, Keyframe: true, Data: []byte("second")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	in, out := io.Pipe()
	got := recorder{wrote: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- mp4.Demux(in, &got, mp4.Options{}) }()
	upTo := len(chunk) - len("second")
	if _, err := out.Write(append(init, chunk[:upTo]...)); err != nil {
		t.Fatal(err)
	}
	<-got.wrote // hangs where a sample waits for the one behind it
	if s := got.samples[0]; string(s.Data) != "first" || s.DTS != 0 {
		t.Errorf("got %+v", s)
	}
	go func() {
		_, _ = out.Write(chunk[upTo:])
		out.Close()
	}()
	<-got.wrote
	if err := <-done; err != nil || len(got.samples) != 2 || got.samples[1].DTS != 1152 {
		t.Errorf("%d samples, %v", len(got.samples), err)
	}
}

func rawBox(name string, payload ...byte) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(payload))), name...), payload...)
}

func TestDemuxPassesOverOtherBoxes(t *testing.T) {
	data := live(t, fragmented, "")
	var plain recorder
	if err := mp4.Demux(bytes.NewReader(data), &plain, mp4.Options{}); err != nil {
		t.Fatal(err)
	}
	var padded []byte
	for at := 0; at < len(data); {
		size := int(binary.BigEndian.Uint32(data[at:]))
		if name := string(data[at+4 : at+8]); name == "moof" {
			for _, other := range []string{"styp", "sidx", "emsg", "free", "prft", "uuid", "mfra", "what"} {
				padded = append(padded, rawBox(other, 1, 2, 3, 4)...)
			}
		}
		padded = append(padded, data[at:at+size]...)
		at += size
	}
	var got recorder
	if err := mp4.Demux(bytes.NewReader(padded), &got, mp4.Options{}); err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(plain.samples, got.samples, equalSample) {
		t.Errorf("%d samples, want %d", len(got.samples), len(plain.samples))
	}
}

func TestNewMovieInTheMiddleStartsAnew(t *testing.T) {
	first := live(t, fragmented, "")
	second := live(t, fragmented, "-s 320x180 -ar 44100")
	var got recorder
	if err := mp4.Demux(bytes.NewReader(slices.Concat(first, second)), &got, mp4.Options{}); err != nil {
		t.Fatal(err)
	}
	if len(got.starts) != 2 || got.starts[0][0].Width != 160 || got.starts[1][0].Width != 320 || got.starts[1][1].SampleRate != 44100 {
		t.Errorf("started with %+v", got.starts)
	}
}

func TestParameterSetsInBand(t *testing.T) {
	path := mediatest.Make(t, "inband.mp4", mediatest.Args(mediatest.Picture("160x90", 25, 1),
		args("-pix_fmt yuv420p -c:v libx264 -preset veryfast -bf 2 -g 10 -x264-params repeat-headers=1 -tag:v avc3 -movflags "+fragmented))...)
	data := read(t, path)
	at := bytes.Index(data, []byte("avcC"))
	size := int(binary.BigEndian.Uint32(data[at-4:]))
	empty := []byte{1, 0x64, 0, 0x0b, 0xff, 0xe0, 0} // no sets; the rest of the box becomes a free box
	copy(data[at-4:], rawBox("avcC", empty...))
	rest := data[at-4+8+len(empty) : at-4+size]
	copy(rest, append(binary.BigEndian.AppendUint32(nil, uint32(len(rest))), "free"...))

	var got recorder
	if err := mp4.Demux(bytes.NewReader(data), &got, mp4.Options{}); err != nil {
		t.Fatal(err)
	}
	f, err := mp4.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.starts) != 1 || len(got.samples) != 25 || !got.samples[0].Keyframe || len(f.Tracks()) != 1 {
		t.Fatalf("%d starts, %d samples, %v", len(got.starts), len(got.samples), f.Unsupported())
	}
	for _, track := range []media.Track{got.starts[0][0], f.Tracks()[0]} {
		if track.CodecString != "avc1.64000b" || track.Width != 160 {
			t.Errorf("track %+v", track)
		}
	}
}

func TestDemuxErrors(t *testing.T) {
	data := live(t, fragmented, "")
	moov := int(binary.BigEndian.Uint32(data))
	moof := moov + int(binary.BigEndian.Uint32(data[moov:]))
	mdat := moof + int(binary.BigEndian.Uint32(data[moof:]))
	progressive := live(t, "+faststart", "")
	refused := errors.New("refused")
	change := func(at int, value uint32) []byte {
		changed := slices.Clone(data)
		binary.BigEndian.PutUint32(changed[at:], value)
		return changed
	}
	trun := bytes.Index(data[moof:], []byte("trun")) + moof
	for _, c := range []struct {
		name  string
		input []byte
		sink  recorder
		want  error
		text  string
	}{
		{name: "empty", input: nil, want: mp4.ErrNoMovie},
		{name: "cut in a header", input: data[:moov+3], want: io.ErrUnexpectedEOF},
		{name: "cut in moov", input: data[:moov+100], want: io.ErrUnexpectedEOF},
		{name: "cut in a sample", input: data[:mdat+20], want: io.ErrUnexpectedEOF},
		{name: "no moov", input: slices.Concat(data[:moov], data[moof:]), want: mp4.ErrNoMovie, text: "moof at offset"},
		{name: "progressive", input: progressive, want: mp4.ErrNotFragmented},
		{name: "no track of use", input: live(t, fragmented, "-c:v mpeg4 -an"), want: mp4.ErrNoTracks, text: "mp4v"},
		{name: "huge moov", input: change(moov, 1<<30), want: mp4.ErrInvalid, text: "moov at offset 28: 1073741816 bytes exceed"},
		{name: "small box", input: change(moof, 7), want: mp4.ErrInvalid, text: "moof at offset"},
		{name: "too many samples", input: change(trun+8, 9999999), want: mp4.ErrInvalid, text: "moof/traf/trun at offset"},
		{name: "data outside of the box", input: change(trun+12, 1<<20), want: mp4.ErrInvalid, text: "have no data"},
		{name: "data before the box", input: change(trun+12, 4), want: mp4.ErrInvalid, text: "mdat at offset"},
		{name: "refused", input: data, sink: recorder{refuse: refused}, want: refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := mp4.Demux(bytes.NewReader(c.input), &c.sink, mp4.Options{})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v with %q", err, c.want, c.text)
			}
		})
	}
}

func TestTruncatedFilesGiveWhatIsThere(t *testing.T) {
	for _, movflags := range []string{"+faststart", fragmented} {
		data := live(t, movflags, "")
		for _, part := range []int{len(data) / 2, len(data) * 9 / 10} {
			f, err := mp4.Open(bytes.NewReader(data[:part]), int64(part))
			if err != nil {
				t.Fatal(err)
			}
			count := 0
			for c := f.Samples(); ; count++ {
				if _, err := c.Next(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if count < 10 || !f.Truncated() {
				t.Errorf("%s: %d samples of the first %d bytes, truncated %v", movflags, count, part, f.Truncated())
			}
		}
	}
	full := live(t, "disable_chpl", "")
	at := bytes.LastIndex(full, []byte("moov")) - 4
	if _, err := mp4.Open(bytes.NewReader(full[:at]), int64(at)); !errors.Is(err, mp4.ErrNoMovie) {
		t.Errorf("a recording without its moov: %v", err)
	}
}
