package mp4_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mp4"
)

var sound = media.Track{ID: 2, Codec: media.AAC, CodecString: "mp4a.40.2", Config: []byte{0x11, 0x90}, Timescale: 48000, SampleRate: 48000, Channels: 2}

func TestInitSegmentIsLive(t *testing.T) {
	init, err := mp4.InitSegment([]media.Track{sound})
	if err != nil {
		t.Fatal(err)
	}
	for _, absent := range []string{"mehd", "elst", "edts"} {
		if bytes.Contains(init, []byte(absent)) {
			t.Errorf("there is a box %s", absent)
		}
	}
	for name, at := range map[string]int{"mvhd": 20, "tkhd": 24, "mdhd": 20} { // of the duration, from the type
		i := bytes.Index(init, []byte(name))
		if i < 0 || binary.BigEndian.Uint32(init[i+at:]) != 0 {
			t.Errorf("%s tells a duration", name)
		}
	}
	if !bytes.Contains(init, []byte("mvex")) || !bytes.Contains(init, []byte("trex")) {
		t.Error("no mvex with trex")
	}
}

func TestBadTracksAreRefused(t *testing.T) {
	with := func(change func(*media.Track)) []media.Track {
		track := sound
		change(&track)
		return []media.Track{track}
	}
	for name, tracks := range map[string][]media.Track{
		"none":             nil,
		"id 0":             with(func(t *media.Track) { t.ID = 0 }),
		"id twice":         {sound, sound},
		"timescale 0":      with(func(t *media.Track) { t.Timescale = 0 }),
		"no channels":      with(func(t *media.Track) { t.Channels = 0 }),
		"no configuration": with(func(t *media.Track) { t.Config = nil }),
		"unknown codec":    with(func(t *media.Track) { t.Codec = 99 }),
		"picture too wide": with(func(t *media.Track) { t.Codec, t.Width, t.Height = media.VP9, 70000, 1 }),
	} {
		if _, err := mp4.InitSegment(tracks); !errors.Is(err, mp4.ErrTrack) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadFragmentsAreRefused(t *testing.T) {
	one := []media.Sample{{Data: []byte{1}}}
	for name, f := range map[string]mp4.Fragment{
		"no samples":    {TrackID: 1},
		"track 0":       {Samples: one},
		"negative time": {TrackID: 1, DecodeTime: -1, Samples: one},
	} {
		if out, err := mp4.AppendFragment([]byte("kept"), f); !errors.Is(err, mp4.ErrFragment) || string(out) != "kept" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}

// Whatever the mix of durations, flags and offsets, a fragment is read back as
// it was, and FragmentSize is exact.
func TestFragmentsComeBack(t *testing.T) {
	init, err := mp4.InitSegment([]media.Track{sound, {
		ID: 7, Codec: media.VP8, CodecString: "vp08.00.10.08", Config: []byte{1, 0, 0, 0, 0, 10, 0x82, 2, 2, 2, 0, 0}, Timescale: 90000, Width: 64, Height: 48,
	}})
	if err != nil {
		t.Fatal(err)
	}
	at := int64(math.MaxUint32) + 5 // needs 64 bits
	out := init
	var want []media.Sample
	for shape := range 16 {
		f := mp4.Fragment{Sequence: uint32(shape), TrackID: 7, DecodeTime: at}
		for i := range shape%3 + 1 {
			s := media.Sample{TrackID: 7, DTS: at, Duration: 3000, Keyframe: true, Data: bytes.Repeat([]byte{byte(shape)}, 10+i)}
			if shape&1 != 0 {
				s.Duration += uint32(i)
			}
			if shape&2 != 0 {
				s.Keyframe = i == 0
			}
			if shape&4 != 0 {
				s.Offset = int32(3000 - 6000*i)
			}
			if shape&8 != 0 {
				s.Keyframe = false
			}
			f.Samples = append(f.Samples, s)
			at += int64(s.Duration)
		}
		want = append(want, f.Samples...)
		before := len(out)
		if out, err = mp4.AppendFragment(out, f); err != nil {
			t.Fatal(err)
		}
		if len(out)-before != mp4.FragmentSize(f) {
			t.Errorf("shape %d takes %d bytes, FragmentSize says %d", shape, len(out)-before, mp4.FragmentSize(f))
		}
	}
	var got recorder
	if err := mp4.Demux(bytes.NewReader(out), &got, mp4.Options{}); err != nil {
		t.Fatal(err)
	}
	if len(got.samples) != len(want) {
		t.Fatalf("%d samples came back of %d", len(got.samples), len(want))
	}
	for i := range want {
		if !equalSample(got.samples[i], want[i]) {
			t.Errorf("sample %d came back as %+v, was %+v", i, got.samples[i], want[i])
		}
	}
}

func TestAppendFragmentDoesNotAllocate(t *testing.T) {
	f := mp4.Fragment{Sequence: 1, TrackID: 1, DecodeTime: 90000, Samples: []media.Sample{{Duration: 3000, Keyframe: true, Offset: 1, Data: make([]byte, 5000)}}}
	room := make([]byte, 0, mp4.FragmentSize(f))
	if n := testing.AllocsPerRun(100, func() {
		if _, err := mp4.AppendFragment(room, f); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppendFragment(b *testing.B) {
	for name, samples := range map[string]int{"video frame": 1, "40 ms of sound": 2} {
		b.Run(name, func(b *testing.B) {
			f := mp4.Fragment{Sequence: 1, TrackID: 1, DecodeTime: 90000}
			for range samples {
				f.Samples = append(f.Samples, media.Sample{Duration: 1024, Keyframe: true, Data: make([]byte, 6000/samples)})
			}
			room := make([]byte, 0, mp4.FragmentSize(f))
			b.SetBytes(int64(mp4.FragmentSize(f)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := mp4.AppendFragment(room, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Chromium refuses a FLAC track whose entry and STREAMINFO differ.
func TestEntryTellsTheBitDepthOfFLAC(t *testing.T) {
	info := []byte{0x80, 0, 0, 34, 0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x17, 0x70, 0x01, 0x70}
	info = append(info, make([]byte, 38-len(info))...)
	track := media.Track{ID: 1, Codec: media.FLAC, CodecString: "flac", Config: info, Timescale: 96000, SampleRate: 96000, Channels: 1}
	init, err := mp4.InitSegment([]media.Track{track})
	if err != nil {
		t.Fatal(err)
	}
	entry := init[bytes.Index(init, []byte("fLaC"))+4:]
	if depth, rate := binary.BigEndian.Uint16(entry[18:]), binary.BigEndian.Uint16(entry[24:]); depth != 24 || rate != 48000 {
		t.Errorf("%d bits at %d Hz", depth, rate)
	}
}
