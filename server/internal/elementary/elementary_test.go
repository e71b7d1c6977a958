package elementary_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/elementary"
	"github.com/framewire/framewire/server/internal/media"
)

// Parameter sets of a 640x360 baseline encoder, and slices of no meaning.
var (
	sps   = []byte{0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x16, 0x2e, 0x48}
	pps   = []byte{0x68, 0xcb, 0x83, 0xcb, 0x20}
	idr   = []byte{0x65, 0x88, 0x84, 1, 2, 3}
	slice = []byte{0x41, 0x9a, 4, 5, 6}
)

func start(units ...[]byte) []byte {
	var out []byte
	for _, u := range units {
		out = annexb.AppendStream(out, u)
	}
	return out
}

// adts makes a frame of AAC-LC at 48 kHz in stereo with a payload of n bytes.
func adts(n int) []byte {
	size := n + 7
	h := []byte{0xff, 0xf1, 0x4c, 0x80 | byte(size>>11), byte(size >> 3), byte(size<<5) | 0x1f, 0xfc}
	return append(h, bytes.Repeat([]byte{0x21}, n)...)
}

func newStream(t testing.TB, codec media.Codec, scale uint32) *elementary.Stream {
	t.Helper()
	s, err := elementary.NewStream(1, codec, scale)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func push(t testing.TB, s *elementary.Stream, p elementary.Packet) ([]media.Sample, bool) {
	t.Helper()
	samples, changed, err := s.Push(p)
	if err != nil {
		t.Fatal(err)
	}
	return samples, changed
}

func TestVideoWaitsForItsParameters(t *testing.T) {
	s := newStream(t, media.H264, 90000)
	if got, changed := push(t, s, elementary.Packet{Data: start(slice)}); len(got) != 0 || changed {
		t.Errorf("%d samples without parameters", len(got))
	}
	got, changed := push(t, s, elementary.Packet{Data: start(sps, pps, idr), DTS: 3000, PTS: 9000})
	if len(got) != 1 || !changed || !got[0].Keyframe || got[0].DTS != 3000 || got[0].Offset != 6000 || got[0].TrackID != 1 {
		t.Fatalf("%+v, changed %v", got, changed)
	}
	if want := annexb.AppendUnit(nil, idr); !bytes.Equal(got[0].Data, want) {
		t.Errorf("data % x, want % x", got[0].Data, want)
	}
	track, _ := s.Track()
	if track.Width != 640 || track.Height != 360 || track.Timescale != 90000 || track.ID != 1 {
		t.Errorf("%+v", track)
	}
	for i, c := range []struct {
		data    []byte
		changed bool
	}{
		{start(slice), false},
		{start(sps, pps, idr), false}, // the same again
		{start(append(bytes.Clone(pps), 0x80), slice), true},
	} {
		if _, changed := push(t, s, elementary.Packet{Data: c.data, DTS: int64(i+2) * 3000}); changed != c.changed {
			t.Errorf("packet %d: changed %v", i, changed)
		}
	}
}

func TestLengthsAndStartCodesAreToldApart(t *testing.T) {
	s := newStream(t, media.H264, 90000)
	avcC := append([]byte{1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, byte(len(sps))}, sps...)
	avcC = append(append(avcC, 1, 0, byte(len(pps))), pps...)
	if err := s.Configure(avcC); err != nil {
		t.Fatal(err)
	}
	want := annexb.AppendUnit(nil, idr)
	for _, data := range [][]byte{want, start(idr)} {
		got, _ := push(t, s, elementary.Packet{Data: data})
		if len(got) != 1 || !bytes.Equal(got[0].Data, want) {
			t.Errorf("% x gives %+v", data, got)
		}
	}
}

// Times in milliseconds, as FLV has them, make no holes.
func TestRoundedTimesOfSoundAreCounted(t *testing.T) {
	s := newStream(t, media.AAC, 1000)
	for i := range int64(2000) {
		exact := i * 1024 * 1000 / 48000
		got, _ := push(t, s, elementary.Packet{Data: adts(20), PTS: exact + 5000})
		if len(got) != 1 || got[0].DTS != i*1024+5000*48 || got[0].Duration != 1024 || len(got[0].Data) != 20 {
			t.Fatalf("frame %d: %+v", i, got)
		}
	}
	// A real hole stays one.
	got, _ := push(t, s, elementary.Packet{Data: adts(20), PTS: 100_000})
	if got[0].DTS != 4_800_000 {
		t.Errorf("after a hole: %d", got[0].DTS)
	}
}

// Frames that go on from packet to packet, at any cut, come out whole and in time.
func TestFramesAcrossPackets(t *testing.T) {
	var all []byte
	var starts []int
	for i := range 40 {
		starts = append(starts, len(all))
		all = append(all, adts(20+i)...)
	}
	for _, size := range []int{1, 5, 33, 100, 1000, len(all)} {
		s := newStream(t, media.AAC, 90000)
		var got []media.Sample
		next := 0 // frame that begins next
		for at := 0; at < len(all); at += size {
			end := min(at+size, len(all))
			p := elementary.Packet{Data: all[at:end], Untimed: true}
			if next < len(starts) && starts[next] < end {
				p.Untimed, p.PTS = false, 90000+int64(next)*1920
			}
			for next < len(starts) && starts[next] < end {
				next++
			}
			samples, _ := push(t, s, p)
			got = append(got, samples...)
		}
		if len(got) != 40 {
			t.Fatalf("%d bytes a packet: %d frames", size, len(got))
		}
		for i, f := range got {
			if off := f.DTS - 48000 - int64(i)*1024; off < -1024 || off > 1024 || len(f.Data) != 20+i {
				t.Errorf("%d bytes a packet, frame %d: %d bytes at %d", size, i, len(f.Data), f.DTS)
			}
		}
	}
}

func TestSoundFindsItsWayAfterDamage(t *testing.T) {
	var all []byte
	for range 20 {
		all = append(all, adts(50)...)
	}
	damaged := append(bytes.Clone(all[:133]), all[170:]...)
	damaged = append([]byte{1, 2, 0xff, 0xf1, 3}, damaged...)
	s := newStream(t, media.AAC, 90000)
	got, _, _ := s.Push(elementary.Packet{Data: damaged})
	if len(got) < 17 || len(got) > 19 {
		t.Errorf("%d frames of 19", len(got))
	}
	for i, f := range got {
		if len(f.Data) != 50 {
			t.Errorf("frame %d has %d bytes", i, len(f.Data))
		}
	}
}

func TestEndlessDamageIsAnError(t *testing.T) {
	s := newStream(t, media.Opus, 48000)
	for i := range 10_000 {
		if _, _, err := s.Push(elementary.Packet{Data: nil, PTS: int64(i)}); err != nil {
			return
		}
	}
	t.Error("ten thousand broken packets were taken")
}

func TestUnknownCodec(t *testing.T) {
	if _, err := elementary.NewStream(1, media.VP8, 1000); !errors.Is(err, elementary.ErrCodec) {
		t.Error(err)
	}
}

// sink notes what it is told.
type sink struct {
	starts  [][]media.Track
	samples []media.Sample
}

func (s *sink) Start(tracks []media.Track) error {
	s.starts = append(s.starts, tracks)
	return nil
}

func (s *sink) Write(sample media.Sample) error {
	s.samples = append(s.samples, sample)
	return nil
}

func TestProgramStartsWithAllTracksOrWithoutTheLate(t *testing.T) {
	for _, c := range []struct {
		name   string
		video  time.Duration // when its parameters come
		starts []int         // tracks of each Start
		held   int           // samples at the sink when they do
	}{
		{"in time", time.Second, []int{2}, 0},
		{"late", 4 * time.Second, []int{1, 2}, 199},
	} {
		synctest.Test(t, func(t *testing.T) {
			out := &sink{}
			p := elementary.NewProgram(out)
			video, err := elementary.NewStream(1, media.H264, 90000)
			if err != nil {
				t.Fatal(err)
			}
			audio, err := elementary.NewStream(2, media.AAC, 90000)
			if err != nil {
				t.Fatal(err)
			}
			p.Add(video)
			p.Add(audio)
			began := time.Now()
			keyframe := false
			for i := range int64(300) {
				if err := p.Push(audio, elementary.Packet{Data: adts(10), PTS: i * 1920}); err != nil {
					t.Fatal(err)
				}
				data := start(slice)
				if !keyframe && time.Since(began) >= c.video {
					keyframe = true
					data = start(sps, pps, idr)
					if n := len(out.samples); (n == 0) != (c.held == 0) {
						t.Errorf("%s: %d samples were handed over before", c.name, n)
					}
				}
				if err := p.Push(video, elementary.Packet{Data: data, DTS: i * 1920, PTS: i * 1920}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second * 1024 / 48000)
			}
			if len(out.starts) != len(c.starts) {
				t.Fatalf("%s: starts %+v", c.name, out.starts)
			}
			for i, n := range c.starts {
				if len(out.starts[i]) != n {
					t.Errorf("%s: start %d has %d tracks", c.name, i, len(out.starts[i]))
				}
			}
			// Nothing held back was lost, and each says when it came.
			sound := 0
			for _, s := range out.samples {
				if s.TrackID != 2 {
					continue
				}
				if at := s.CapturedAt.Sub(began); (at - time.Duration(sound)*time.Second*1024/48000).Abs() > time.Millisecond {
					t.Fatalf("%s: sound %d was captured after %v", c.name, sound, at)
				}
				sound++
			}
			if sound != 300 {
				t.Errorf("%s: %d frames of sound", c.name, sound)
			}
		})
	}
}

// Pictures do not wait long for sound that is announced and does not come; what comes
// late after all is announced then.
func TestPicturesDoNotWaitForSound(t *testing.T) {
	const frame = 40 * time.Millisecond
	for _, c := range []struct {
		name   string
		sound  time.Duration // when it comes
		first  time.Duration // when pictures do, at the latest
		starts []int         // tracks of each Start
	}{
		{"never", time.Hour, time.Second, []int{1}},
		{"as late as it may be", 700 * time.Millisecond, time.Second, []int{2}},
		{"too late", 2 * time.Second, time.Second, []int{1, 2}},
	} {
		synctest.Test(t, func(t *testing.T) {
			out := &sink{}
			p := elementary.NewProgram(out)
			video, audio := newStream(t, media.H264, 90000), newStream(t, media.AAC, 90000)
			p.Add(video)
			p.Add(audio)
			began := time.Now()
			for i := range int64(100) {
				data := start(slice)
				if i == 0 {
					data = start(sps, pps, idr)
				}
				if err := p.Push(video, elementary.Packet{Data: data, DTS: i * 3600, PTS: i * 3600}); err != nil {
					t.Fatal(err)
				}
				if time.Since(began) >= c.sound {
					if err := p.Push(audio, elementary.Packet{Data: adts(10), PTS: i * 3600}); err != nil {
						t.Fatal(err)
					}
				}
				if time.Since(began) > c.first && len(out.starts) == 0 {
					t.Fatalf("%s: no picture after %v", c.name, time.Since(began))
				}
				time.Sleep(frame)
			}
			var starts []int
			for _, tracks := range out.starts {
				starts = append(starts, len(tracks))
			}
			if !slices.Equal(starts, c.starts) {
				t.Errorf("%s: starts with %v tracks, want %v", c.name, starts, c.starts)
			}
		})
	}
}

func TestProgramWithoutMedia(t *testing.T) {
	p := elementary.NewProgram(&sink{})
	p.Add(newStream(t, media.H264, 90000))
	if err := p.Finish(); !errors.Is(err, elementary.ErrNoTrack) {
		t.Error(err)
	}
}

func FuzzPush(f *testing.F) {
	f.Add(byte(media.H264), start(sps, pps, idr), start(slice))
	f.Add(byte(media.AAC), adts(30), adts(3))
	f.Add(byte(media.H265), []byte{0, 0, 1, 0x40, 1, 0xc}, []byte{0, 0, 1, 0x42})
	f.Add(byte(media.Opus), []byte("OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00"), []byte{0xfc, 0xff, 0xfe})
	f.Add(byte(media.MP3), []byte{0xff, 0xfb, 0x90, 0x64}, make([]byte, 500))
	f.Add(byte(media.AV1), []byte{0x12, 0, 0x0a, 1, 2}, []byte{0x32, 1, 1})
	f.Fuzz(func(t *testing.T, codec byte, first, second []byte) {
		s, err := elementary.NewStream(1, media.Codec(codec), 90000)
		if err != nil {
			return
		}
		_ = s.Configure(first)
		for i, data := range [][]byte{first, second, append(bytes.Clone(second), first...)} {
			samples, _, err := s.Push(elementary.Packet{Data: data, PTS: int64(i) * 3000, DTS: int64(i) * 3000})
			if err != nil {
				t.Fatal(err)
			}
			track, known := s.Track()
			if len(samples) > 0 && (!known || track.Timescale == 0 || track.CodecString == "") {
				t.Fatalf("%d samples of %+v", len(samples), track)
			}
		}
	})
}
