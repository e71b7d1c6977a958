package mp4_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"runtime"
	"testing"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mp4"
)

// seedFiles are small files of our own making, so that the fuzzer starts where
// boxes nest and tables agree.
func seedFiles(f *testing.F) {
	tracks := []media.Track{
		sound,
		{ID: 1, Codec: media.VP8, CodecString: "vp08.00.10.08", Config: []byte{1, 0, 0, 0, 0, 10, 0x82, 2, 2, 2, 0, 0}, Timescale: 90000, Width: 64, Height: 48},
		{ID: 3, Codec: media.MP3, CodecString: "mp4a.6b", Timescale: 44100, SampleRate: 44100, Channels: 1},
		{ID: 4, Codec: media.Opus, CodecString: "opus", Config: []byte{0, 2, 1, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 0}, Timescale: 48000, SampleRate: 48000, Channels: 2},
		{ID: 5, Codec: media.AV1, CodecString: "av01.0.00M.08", Config: []byte{0x81, 0, 12, 0, 10, 11, 0, 0, 0, 4, 0x3c, 0xff, 0xbc, 0xda, 0xb8, 0x84, 0x34}, Timescale: 90000, Width: 64, Height: 48},
	}
	for i := range tracks {
		file, err := mp4.InitSegment(tracks[i:])
		if err != nil {
			f.Fatal(err)
		}
		for n := range 3 {
			file, err = mp4.AppendFragment(file, mp4.Fragment{Sequence: uint32(n), TrackID: tracks[i].ID, DecodeTime: int64(n) * 1024, Samples: []media.Sample{
				{Duration: 512, Keyframe: n == 0, Data: []byte{1, 2, 3, 4}}, {Duration: 512, Offset: int32(n), Data: []byte{5, 6}},
			}})
			if err != nil {
				f.Fatal(err)
			}
		}
		f.Add(file)
	}
	f.Add(progressiveSeed())
	f.Add(progressiveSeed(40, 2304, 1<<16, 100, math.MaxUint32, 1<<16, 40, 1152, 1<<16, 40, 0, 1<<16))
	f.Add(progressiveSeed(40, 2304, 1<<16, 40, 0, 1<<15))
}

// container makes a box of boxes.
func container(name string, children ...[]byte) []byte {
	return rawBox(name, bytes.Join(children, nil)...)
}

// words makes the payload of a full box of 32-bit fields.
func words(name string, values ...uint32) []byte {
	var payload []byte
	for _, v := range values {
		payload = binary.BigEndian.AppendUint32(payload, v)
	}
	return rawBox(name, payload...)
}

// progressiveSeed is a file of three MP3 samples with every table there is. Each three
// fields are an edit; there are some where none are given.
func progressiveSeed(edits ...uint32) []byte {
	if len(edits) == 0 {
		edits = []uint32{100, math.MaxUint32, 1 << 16, 1000, 1152, 1 << 16}
	}
	edits = append([]uint32{0, uint32(len(edits) / 3)}, edits...)
	entry := rawBox(".mp3", append(make([]byte, 16), 0, 1, 0, 16, 0, 0, 0, 0, 0xac, 0x44, 0, 0)...)
	table := container("stbl",
		rawBox("stsd", append([]byte{0, 0, 0, 0, 0, 0, 0, 1}, entry...)...),
		words("stts", 0, 1, 3, 1152), words("ctts", 0, 2, 1, 5, 2, 0), words("stsc", 0, 2, 1, 2, 1, 2, 1, 1),
		words("stz2", 0, 8, 3, 0x04040400), words("stss", 0, 1, 1), words("stco", 0, 2, 8, 16))
	tkhd := make([]byte, 84)
	tkhd[15] = 9 // track id
	return joined(rawBox("mdat", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
		container("moov", words("mvhd", 0, 0, 0, 1000, 0), container("trak", rawBox("tkhd", tkhd...),
			container("edts", words("elst", edits...)),
			container("mdia", words("mdhd", 0, 0, 0, 44100, 3456, 0), words("hdlr", 0, 0, 0x736f756e),
				container("minf", table)))))
}

func TestProgressiveSeedIsRead(t *testing.T) {
	data := progressiveSeed()
	f, err := mp4.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Tracks()) != 1 {
		t.Fatal(f.Unsupported())
	}
	var got []media.Sample
	for c := f.Samples(9); ; {
		s, err := c.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	// An empty edit of 100 ms, then the media from 1152 on; the frame before
	// stays for the decoder.
	const delay = 4410 - 1152
	want := []media.Sample{
		{TrackID: 9, DTS: delay, Offset: 5, Duration: 1152, Keyframe: true, Data: []byte{1, 2, 3, 4}},
		{TrackID: 9, DTS: delay + 1152, Duration: 1152, Keyframe: true, Data: []byte{5, 6, 7, 8}},
		{TrackID: 9, DTS: delay + 2304, Duration: 1152, Keyframe: true, Data: []byte{9, 10, 11, 12}},
	}
	if len(got) != len(want) {
		t.Fatalf("%d samples", len(got))
	}
	for i := range want {
		if !equalSample(got[i], want[i]) {
			t.Errorf("sample %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

func FuzzOpen(f *testing.F) {
	seedFiles(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := mp4.Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		_ = file.Duration()
		_ = file.Unsupported()
		for _, track := range file.Tracks() {
			if track.ID == 0 || track.Timescale == 0 || track.CodecString == "" {
				t.Fatalf("incomplete track %+v", track)
			}
			_, _ = mp4.InitSegment([]media.Track{track})
		}
		cursor := file.Samples()
		for range 1000 {
			s, err := cursor.Next()
			if err != nil {
				break
			}
			if len(s.Data) > len(data)*4 { // lengths of one byte become four
				t.Fatalf("sample of %d bytes in a file of %d", len(s.Data), len(data))
			}
		}
	})
}

func FuzzDemux(f *testing.F) {
	seedFiles(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var got recorder
		_ = mp4.Demux(bytes.NewReader(data), &got, mp4.Options{})
		if len(got.samples) > 0 && len(got.starts) == 0 {
			t.Fatal("samples before Start")
		}
	})
}

// What a file claims must not cost memory that its bytes do not.
func TestClaimsCostNoMemory(t *testing.T) {
	data := progressiveSeed()
	grow := func(name string, at int, value uint32) {
		i := bytes.Index(data, []byte(name))
		binary.BigEndian.PutUint32(data[i+at:], value)
	}
	grow("stts", 12, math.MaxUint32)
	grow("stts", 16, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, name := range []string{"stsc", "stco", "stss", "elst", "ctts"} {
		hostile := bytes.Clone(data)
		i := bytes.Index(hostile, []byte(name))
		binary.BigEndian.PutUint32(hostile[i+8:], math.MaxUint32)
		if _, err := mp4.Open(bytes.NewReader(hostile), int64(len(hostile))); err == nil {
			t.Errorf("%s with 4294967295 entries is taken", name)
		}
	}
	claim := joined(rawBox("ftyp", []byte("iso6")...), []byte{0, 0x30, 0, 0, 'm', 'o', 'o', 'v'})
	var sink recorder
	if err := mp4.Demux(bytes.NewReader(claim), &sink, mp4.Options{}); err == nil {
		t.Error("a moov of 3 MB without bytes is taken")
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes were taken", grown)
	}
}

func joined(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
