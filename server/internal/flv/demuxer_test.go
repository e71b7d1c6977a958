package flv

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/flv/amf0"
	"github.com/framewire/framewire/server/internal/media"
)

const (
	monoConfig   = "\xaf\x00\x11\x88" // AAC-LC, 48 kHz, mono
	stereoConfig = "\xaf\x00\x11\x90"
	soundFrame   = "\xaf\x01\x21\x10"
)

// pictures are the bodies of H.264 tags: configuration and frames.
type pictures struct {
	config []byte
	frames [][]byte
}

func makePictures(t testing.TB, size string) pictures {
	t.Helper()
	tracks, samples := movie(t, clip(t, "clip.mp4", append(x264, "-s", size), nil))
	p := pictures{config: append([]byte{0x17, 0, 0, 0, 0}, tracks[0].Config...)}
	for i := range samples {
		first := byte(0x27)
		if samples[i].Keyframe {
			first = 0x17
		}
		p.frames = append(p.frames, append([]byte{first, 1, 0, 0, 0}, samples[i].Data...))
	}
	return p
}

// feeder gives tags to a Demuxer and fails the test at an error.
type feeder struct {
	t testing.TB
	d *Demuxer
	r recorder
}

func newFeeder(t testing.TB) *feeder {
	f := &feeder{t: t}
	f.d = NewDemuxer(&f.r)
	return f
}

func (f *feeder) video(timestamp uint32, body []byte) {
	f.t.Helper()
	if err := f.d.Video(timestamp, body, time.Time{}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *feeder) audio(timestamp uint32, body string) {
	f.t.Helper()
	if err := f.d.Audio(timestamp, []byte(body), time.Time{}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *feeder) metadata(fields amf0.Object) {
	f.t.Helper()
	body, err := amf0.Append(nil, "onMetaData", fields)
	if err != nil {
		f.t.Fatal(err)
	}
	f.d.Metadata(body)
}

func (f *feeder) expect(starts, samples int) {
	f.t.Helper()
	if len(f.r.starts) != starts || len(f.r.samples) != samples {
		f.t.Errorf("%d starts and %d samples, want %d and %d", len(f.r.starts), len(f.r.samples), starts, samples)
	}
}

func times(samples []media.Sample) []int64 {
	var dts []int64
	for _, s := range samples {
		dts = append(dts, s.DTS)
	}
	return dts
}

func TestStartsWithBothConfigurations(t *testing.T) {
	p := makePictures(t, "160x90")
	f := newFeeder(t)
	f.video(0, p.config)
	f.video(0, p.frames[0])
	f.expect(0, 0)
	f.audio(0, monoConfig)
	f.expect(1, 1)
	f.audio(0, soundFrame)
	f.expect(1, 2)
	if tracks := f.r.starts[0]; len(tracks) != 2 || tracks[0].ID != idVideo || tracks[1].ID != idAudio {
		t.Errorf("tracks %+v", tracks)
	}
}

func TestMetadataTellWhatToWaitFor(t *testing.T) {
	f := newFeeder(t)
	f.metadata(amf0.Object{{Name: "audiocodecid", Value: "mp4a"}})
	f.audio(0, monoConfig)
	f.expect(1, 0)
	f.audio(0, soundFrame)
	f.expect(1, 1)
}

func TestWaitForAnotherTrackIsBounded(t *testing.T) {
	t.Run("by messages", func(t *testing.T) {
		f := newFeeder(t)
		f.audio(0, monoConfig)
		for i := range startMessages - 2 {
			f.audio(uint32(i), soundFrame)
		}
		f.expect(0, 0)
		f.audio(100, soundFrame)
		f.expect(1, startMessages-1)
	})
	t.Run("by time", func(t *testing.T) {
		f := newFeeder(t)
		f.audio(0xffffff00, monoConfig) // and it wraps
		f.audio(0xffffff00, soundFrame)
		f.audio(700, soundFrame)
		f.expect(0, 0)
		f.audio(startMillis-0x100, soundFrame)
		f.expect(1, 3)
	})
	t.Run("by bytes", func(t *testing.T) {
		f := newFeeder(t)
		f.audio(0, monoConfig)
		f.audio(0, "\xaf\x01"+string(make([]byte, startBytes)))
		f.expect(0, 0)
		f.audio(0, soundFrame)
		f.expect(1, 2)
	})
	t.Run("by the end", func(t *testing.T) {
		f := newFeeder(t)
		f.audio(0, monoConfig)
		f.audio(0, soundFrame)
		if err := f.d.Flush(); err != nil {
			t.Fatal(err)
		}
		f.expect(1, 1)
	})
}

func TestLateTrackStartsAnew(t *testing.T) {
	p := makePictures(t, "160x90")
	f := newFeeder(t)
	f.metadata(amf0.Object{{Name: "videocodecid", Value: 7}})
	f.video(0, p.frames[0]) // nothing can be done with it
	f.video(0, p.config)
	f.video(0, p.frames[0])
	f.audio(20, monoConfig)
	f.audio(20, soundFrame)
	f.expect(2, 2)
	if len(f.r.starts[0]) != 1 || len(f.r.starts[1]) != 2 {
		t.Errorf("starts %+v", f.r.starts)
	}
}

func TestConfigurationChangeStartsAnew(t *testing.T) {
	small, large := makePictures(t, "160x90"), makePictures(t, "320x180")
	f := newFeeder(t)
	f.metadata(amf0.Object{{Name: "videocodecid", Value: 7}, {Name: "framerate", Value: 25}})
	f.video(0, small.config)
	f.video(0, small.frames[0])
	f.video(40, small.config) // repeated, as some publishers do with every keyframe
	f.expect(1, 1)
	f.video(40, large.config)
	f.video(40, large.frames[0])
	f.expect(2, 2)
	if track := f.r.starts[1][0]; track.Width != 320 || track.FrameRate != 25 || track.ID != idVideo {
		t.Errorf("second track %+v", track)
	}
	f.audio(80, "\x2f"+mp3Frame) // a track, and then another codec for it
	f.audio(80, monoConfig)
	f.audio(80, stereoConfig)
	f.expect(5, 3)
	if last := f.r.starts[4]; last[1].Codec != media.AAC || last[1].Channels != 2 {
		t.Errorf("last tracks %+v", last)
	}
}

func TestConfigurationChangeBeforeTheStartDropsWhatIsHeld(t *testing.T) {
	f := newFeeder(t)
	f.audio(0, monoConfig)
	f.audio(0, soundFrame)
	f.audio(20, stereoConfig)
	f.audio(20, soundFrame)
	if err := f.d.Flush(); err != nil {
		t.Fatal(err)
	}
	f.expect(1, 1)
	if f.r.starts[0][0].Channels != 2 {
		t.Errorf("tracks %+v", f.r.starts[0])
	}
}

// mp3Frame is MPEG-1 layer III, 32 kbit/s, 48 kHz, mono: 96 bytes, 1152 samples.
var mp3Frame = "\xff\xfb\x14\xc0" + string(make([]byte, 92))

func TestSeveralMP3FramesInATag(t *testing.T) {
	f := newFeeder(t)
	f.d.expect(false, true)
	f.audio(1000, "\x2f"+mp3Frame+mp3Frame)
	f.audio(1048, "\x2f"+mp3Frame)
	if got, want := times(f.r.samples), []int64{48000, 48000 + 1152, 48000 + 2*1152}; !slices.Equal(got, want) {
		t.Errorf("decode times %v, want %v", got, want)
	}
}

func TestTimes(t *testing.T) {
	p := makePictures(t, "160x90")
	for _, c := range []struct {
		name       string
		timestamps []uint32
		want       []int64 // in ticks
	}{
		{"wrap-around", []uint32{0xffffffff, 39}, []int64{0xffffffff * 90, (0xffffffff + 40) * 90}},
		{"equal", []uint32{10, 10, 10, 11}, []int64{900, 901, 902, 990}},
		{"a little back", []uint32{100, 60, 140}, []int64{9000, 9001, 12600}},
		{"far back, for the timeline to see", []uint32{10000, 0, 40}, []int64{900000, 0, 3600}},
		{"far ahead", []uint32{0, 3_600_000}, []int64{0, 324_000_000}},
		{"before zero", []uint32{0, 0xffffff00 - 400}, []int64{0, -656 * 90}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFeeder(t)
			f.d.expect(true, false)
			f.video(c.timestamps[0], p.config)
			for i, timestamp := range c.timestamps {
				f.video(timestamp, bytes.Clone(p.frames[i]))
			}
			if got := times(f.r.samples); !slices.Equal(got, c.want) {
				t.Errorf("decode times %v, want %v", got, c.want)
			}
			for i, s := range f.r.samples { // none of these has a composition time
				if back := s.PTS() - int64(int32(c.timestamps[i]-c.timestamps[0]))*90 - int64(c.timestamps[0])*90; back != 0 {
					t.Errorf("sample %d is shown %d ticks off", i, back)
				}
			}
		})
	}
}

func TestNanosecondsRefineTheTime(t *testing.T) {
	p := makePictures(t, "160x90")
	f := newFeeder(t)
	f.d.expect(true, false)
	f.video(0, p.config)
	enhanced := append([]byte("\x97\x02\x05\x16\x15\x03avc1"), p.frames[0][5:]...) // 333,333 ns
	f.video(33, enhanced)
	if got := times(f.r.samples); !slices.Equal(got, []int64{3000}) {
		t.Errorf("decode times %v, want 3000", got)
	}
}

// TestSoundIsWithoutGaps: timestamps rounded to milliseconds give frames that
// meet exactly, and real gaps stay.
func TestSoundIsWithoutGaps(t *testing.T) {
	f := newFeeder(t)
	f.d.expect(false, true)
	f.audio(0, monoConfig)
	for i := range 1000 {
		f.audio(uint32(i*1024/48), soundFrame)
	}
	f.audio(uint32(1000*1024/48+500), soundFrame)
	for i, s := range f.r.samples[:1000] {
		if s.DTS != int64(i*1024) || s.Duration != 1024 {
			t.Fatalf("sample %d at %d, %d long", i, s.DTS, s.Duration)
		}
	}
	if gap := f.r.samples[1000].DTS - 1000*1024; gap < 490*48 || gap > 510*48 {
		t.Errorf("gap of %d ticks, want about %d", gap, 500*48)
	}
}

func TestOtherTracksAreLeftOut(t *testing.T) {
	f := newFeeder(t)
	f.d.expect(false, true)
	var told []string
	f.d.LeftOut = func(kind media.Kind, track uint8, codec media.Codec) {
		told = append(told, fmt.Sprint(kind, track, codec))
	}
	f.audio(0, "\x95\x10mp4a\x00\x00\x00\x02\x11\x88\x01\x00\x00\x02\x11\x90")
	f.audio(0, "\x95\x11mp4a\x01\x00\x00\x02\x21\x10\x00\x00\x00\x03\x21\x10\x05")
	f.expect(1, 1)
	if f.r.starts[0][0].Channels != 1 || len(f.r.samples[0].Data) != 3 {
		t.Errorf("track %+v, sample %+v", f.r.starts[0][0], f.r.samples[0])
	}
	if want := fmt.Sprint(media.Audio, 1, media.AAC); len(told) != 1 || told[0] != want {
		t.Errorf("told of %q, want %q once", told, want)
	}
}

// stubborn is a sink that takes nothing.
type stubborn struct{ start, write error }

func (s *stubborn) Start([]media.Track) error { return s.start }
func (s *stubborn) Write(media.Sample) error  { return s.write }

func TestSinkErrorsArePassedOn(t *testing.T) {
	full := errors.New("full")
	for _, sink := range []*stubborn{{start: full}, {write: full}} {
		d := NewDemuxer(sink)
		d.expect(false, true)
		err := d.Audio(0, []byte(monoConfig), time.Time{})
		if err == nil {
			err = d.Audio(0, []byte(soundFrame), time.Time{})
		}
		if !errors.Is(err, full) {
			t.Errorf("error %v", err)
		}
	}
}

// checked is a sink that fails the test when a Demuxer breaks its promises.
type checked struct {
	t      *testing.T
	tracks []media.Track
}

func (c *checked) Start(tracks []media.Track) error {
	if len(tracks) == 0 || len(tracks) > 2 {
		c.t.Fatalf("started with %d tracks", len(tracks))
	}
	for i := range tracks {
		if tracks[i].ID == 0 || tracks[i].Timescale == 0 || tracks[i].CodecString == "" {
			c.t.Fatalf("track %+v", tracks[i])
		}
	}
	c.tracks = tracks
	return nil
}

func (c *checked) Write(s media.Sample) error {
	if trackOf(c.tracks, s.TrackID) == nil {
		c.t.Fatalf("sample of track %d, which was not announced", s.TrackID)
	}
	if len(s.Data) == 0 {
		c.t.Fatal("empty sample")
	}
	return nil
}

// FuzzDemux reads anything as a file.
func FuzzDemux(f *testing.F) {
	for _, c := range fileCases {
		f.Add([]byte(c.data))
	}
	sound := appendTag(appendTag([]byte(header), TagAudio, 0, []byte(monoConfig)), TagAudio, 20, []byte(soundFrame))
	f.Add(appendTag(sound, TagAudio, 41, []byte("\x2f"+mp3Frame)))
	for _, c := range tagCases {
		kind := byte(TagVideo)
		if c.kind == media.Audio {
			kind = TagAudio
		}
		f.Add(appendTag([]byte(header), kind, 0, []byte(c.body)))
	}
	if p := makePictures(f, "16x16"); len(p.frames) > 1 {
		out := appendTag(appendTag([]byte(header), TagVideo, 0, p.config), TagVideo, 0, p.frames[0])
		f.Add(appendTag(out, TagVideo, 40, p.frames[1]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = Demux(bytes.NewReader(data), &checked{t: t})
	})
}

// FuzzTagBodies parses anything as the body of a tag.
func FuzzTagBodies(f *testing.F) {
	for _, c := range tagCases {
		f.Add(c.kind == media.Video, []byte(c.body))
	}
	f.Fuzz(func(t *testing.T, video bool, body []byte) {
		parse := AppendAudio
		if video {
			parse = AppendVideo
		}
		packets, err := parse(nil, body)
		if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) {
			t.Fatalf("untyped error %v", err)
		}
		total := 0
		for _, p := range packets {
			total += len(p.Data)
			if p.Codec == 0 || p.Type == 0 || (p.Codec.Kind() == media.Video) != video {
				t.Fatalf("packet %+v", p)
			}
		}
		if total > len(body) || len(packets) > maxTracks {
			t.Fatalf("%d packets of %d bytes out of %d", len(packets), total, len(body))
		}
	})
}
