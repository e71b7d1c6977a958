package ingest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The configuration of a 640x360 baseline encoder.
var avcC = []byte{
	1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 23,
	0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x16,
	1, 0, 4, 0x68, 0xcb, 0x8c, 0xb2,
}

func videoTrack() media.Track {
	return media.Track{ID: 1, Codec: media.H264, CodecString: "avc1.42c01e", Config: avcC, Timescale: 90000, Width: 640, Height: 360, FrameRate: 30}
}

func audioTrack() media.Track {
	return media.Track{ID: 2, Codec: media.AAC, CodecString: "mp4a.40.2", Config: []byte{0x11, 0x90}, Timescale: 48000, SampleRate: 48000, Channels: 2}
}

// fixture is a stream with its feed and everything that a viewer would read.
type fixture struct {
	t      *testing.T
	stream *hub.Stream
	feed   *Feed
	cursor *hub.Cursor
	epoch  time.Time
}

func newFixture(t *testing.T) *fixture {
	h := hub.New(hub.Options{Window: time.Hour})
	s, err := h.Create("test")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, stream: s, feed: New(s, slog.New(slog.DiscardHandler)), cursor: s.Subscribe(), epoch: time.Unix(1_790_000_000, 0)}
	t.Cleanup(f.cursor.Close)
	return f
}

func (f *fixture) packets() []*media.Packet {
	dst := make([]*media.Packet, 1000)
	n, evicted := f.cursor.Read(dst)
	if evicted {
		f.t.Fatal("packets were evicted")
	}
	return dst[:n]
}

func (f *fixture) start(r *Run, tracks ...media.Track) {
	f.t.Helper()
	if err := r.Start(tracks); err != nil {
		f.t.Fatal(err)
	}
}

// write hands over a sample that arrives at the given time.
func (f *fixture) write(r *Run, at time.Duration, s media.Sample) {
	f.t.Helper()
	s.CapturedAt = f.epoch.Add(at)
	if s.Data == nil {
		s.Data = []byte{0, 0, 0, 1, 0x65}
	}
	if err := r.Write(s); err != nil {
		f.t.Fatal(err)
	}
}

// times returns the decode times of the packets of one kind.
func times(packets []*media.Packet, kind media.Kind) []time.Duration {
	var list []time.Duration
	for _, p := range packets {
		if p.Kind == kind {
			list = append(list, p.Time.Round(time.Millisecond))
		}
	}
	return list
}

func expectTimes(t *testing.T, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("times %v, want %v", got, want)
	}
	for i := range want {
		if (got[i] - want[i]).Abs() > time.Millisecond {
			t.Fatalf("times %v, want %v", got, want)
		}
	}
}

const frame = time.Second / 30

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func TestPacketIsTheMessageThatItSays(t *testing.T) {
	f := newFixture(t)
	r := f.feed.Open()
	f.start(r, videoTrack())
	f.write(r, 0, media.Sample{TrackID: 1, DTS: 900000, Offset: 3000, Duration: 3000, Keyframe: true})
	packets := f.packets()
	if len(packets) != 1 {
		t.Fatalf("%d packets, want 1", len(packets))
	}
	p := packets[0]
	var message framewirev1.ServerMessage
	if err := proto.Unmarshal(p.Message, &message); err != nil {
		t.Fatal(err)
	}
	fragment := message.GetFragment()
	if !bytes.Equal(fragment.GetPayload(), p.Payload) || !bytes.HasSuffix(p.Message, p.Payload) {
		t.Error("the payload is not the end of the message")
	}
	if fragment.GetSequence() != p.Sequence || fragment.GetTrackId() != 1 || fragment.GetEpoch() != 1 ||
		!fragment.GetKeyframe() || fragment.GetDurationTicks() != 3000 || fragment.GetCompositionOffsetTicks() != 3000 ||
		fragment.GetCapturedAtUnixUs() != f.epoch.UnixMicro() {
		t.Errorf("envelope %v", fragment)
	}
	if state := f.stream.Status().State; state != hub.Live {
		t.Errorf("status %v after a keyframe", state)
	}
}

func TestRestartGoesOnBehindTheRunBefore(t *testing.T) {
	f := newFixture(t)
	for i, origin := range []int64{5 << 32, 90000, -4000} {
		r := f.feed.Open()
		f.start(r, videoTrack(), audioTrack())
		f.write(r, 0, media.Sample{TrackID: 1, DTS: origin, Duration: 3000, Keyframe: true})
		f.write(r, 0, media.Sample{TrackID: 2, DTS: media.Rescale(origin, 90000, 48000), Duration: 1024})
		f.write(r, frame, media.Sample{TrackID: 1, DTS: origin + 3000, Duration: 3000})
		if err := r.Close(hub.Lost, "gone"); err != nil {
			t.Fatal(err)
		}
		packets := f.packets()
		begin := time.Duration(i) * 2 * frame
		expectTimes(t, times(packets, media.Video), begin, begin+frame)
		expectTimes(t, times(packets, media.Audio), begin)
		if got := packets[0].Epoch; got != uint32(i+1) {
			t.Errorf("run %d is epoch %d", i, got)
		}
	}
	if status := f.stream.Status(); status.State != hub.Lost || status.Message != "gone" {
		t.Errorf("status %+v", status)
	}
}

func TestIdenticalTracksKeepTheEpochAndTheirIDs(t *testing.T) {
	f := newFixture(t)
	r := f.feed.Open()
	f.start(r, audioTrack(), videoTrack())
	first := f.stream.Epoch()
	f.start(r, audioTrack(), videoTrack())
	if f.stream.Epoch() != first {
		t.Error("the same tracks opened another epoch")
	}
	f.start(r, audioTrack())
	second := f.stream.Epoch()
	if second.ID != 2 || second.Tracks[0].ID != first.Tracks[1].ID {
		t.Errorf("audio is track %d of epoch %d", second.Tracks[0].ID, second.ID)
	}
	if !bytes.Equal(second.Inits[0], first.Inits[1]) {
		t.Error("the audio track's init segment changed")
	}
}

func TestEarlierTrackSetsTheOrigin(t *testing.T) {
	f := newFixture(t)
	r := f.feed.Open()
	f.start(r, videoTrack(), audioTrack())
	f.write(r, 0, media.Sample{TrackID: 1, DTS: 9000, Keyframe: true})
	if got := f.packets(); len(got) != 0 {
		t.Fatalf("%d packets before audio was seen", len(got))
	}
	f.write(r, ms(5), media.Sample{TrackID: 2, DTS: 0, Duration: 1024})
	packets := f.packets()
	expectTimes(t, times(packets, media.Video), ms(100))
	expectTimes(t, times(packets, media.Audio), 0)
}

func TestMissingAudioDoesNotHoldThePicture(t *testing.T) {
	f := newFixture(t)
	r := f.feed.Open()
	f.start(r, videoTrack(), audioTrack())
	for i := range 12 {
		f.write(r, time.Duration(i)*frame, media.Sample{TrackID: 1, DTS: int64(i) * 3000, Keyframe: i == 0})
	}
	if got := len(f.packets()); got != 12 {
		t.Errorf("%d packets, want 12", got)
	}
	// Sound that comes late finds its place beside the picture.
	f.write(r, ms(400), media.Sample{TrackID: 2, DTS: 19200, Duration: 1024})
	expectTimes(t, times(f.packets(), media.Audio), ms(400))
}

func TestNothingBeforeTheFirstKeyframe(t *testing.T) {
	f := newFixture(t)
	r := f.feed.Open()
	f.start(r, videoTrack())
	for i := range 5 {
		f.write(r, time.Duration(i)*frame, media.Sample{TrackID: 1, DTS: int64(i) * 3000, Keyframe: i == 3})
	}
	packets := f.packets()
	if len(packets) != 2 || !packets[0].Keyframe {
		t.Errorf("%d packets", len(packets))
	}
}

func TestClockJumpsAreTakenOut(t *testing.T) {
	const wrap = 1 << 33
	for _, c := range []struct {
		name  string
		delta int64 // added to the source's times, in ticks of 90 kHz
	}{
		{"back to zero", -90000 * 3600},
		{"wrap of 33 bits", -wrap},
		{"far ahead", 90000 * 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			r := f.feed.Open()
			f.start(r, videoTrack(), audioTrack())
			for i := range 60 {
				dts, at := int64(i)*3000+wrap, time.Duration(i)*frame
				audio := media.Rescale(dts, 90000, 48000)
				if i >= 30 {
					dts += c.delta
				}
				if i >= 33 { // sound jumps a little later
					audio += media.Rescale(c.delta, 90000, 48000)
				}
				f.write(r, at, media.Sample{TrackID: 1, DTS: dts, Keyframe: i == 0})
				f.write(r, at, media.Sample{TrackID: 2, DTS: audio, Duration: 1600})
			}
			packets := f.packets()
			for _, kind := range []media.Kind{media.Video, media.Audio} {
				var want []time.Duration
				for i := range 60 {
					want = append(want, time.Duration(i)*frame)
				}
				expectTimes(t, times(packets, kind), want...)
			}
		})
	}
}

func TestSlowCameraIsNotAJump(t *testing.T) {
	f := newFixture(t)
	r := f.feed.Open()
	f.start(r, videoTrack())
	for i := range 4 {
		f.write(r, time.Duration(i)*10*time.Second, media.Sample{TrackID: 1, DTS: int64(i) * 900000, Keyframe: true})
	}
	expectTimes(t, times(f.packets(), media.Video), 0, 10*time.Second, 20*time.Second, 30*time.Second)
}

func TestDisorderKeepsDecodeTimesGrowing(t *testing.T) {
	f := newFixture(t)
	r := f.feed.Open()
	f.start(r, videoTrack())
	for i, dts := range []int64{0, 6000, 3000, 3000, 9000} {
		f.write(r, time.Duration(i)*frame, media.Sample{TrackID: 1, DTS: dts, Keyframe: i == 0})
	}
	packets := f.packets()
	if len(packets) != 5 {
		t.Fatalf("%d packets, want 5", len(packets))
	}
	for i := 1; i < len(packets); i++ {
		if packets[i].Time <= packets[i-1].Time {
			t.Errorf("packet %d at %v follows %v", i, packets[i].Time, packets[i-1].Time)
		}
	}
}

// Browsers discard pictures up to the next keyframe where decode time steps by
// more than twice the duration of the picture before.
func TestPicturesLeftOutDoNotBreakTheGroup(t *testing.T) {
	for _, test := range []struct {
		name    string
		numbers []int64 // of the pictures that come
	}{
		{"one left out", []int64{0, 1, 3, 4, 5}},
		{"four left out", []int64{0, 1, 2, 7, 8, 9, 10}},
		{"a slower rate than they say", []int64{0, 1, 2, 6, 10, 14, 18, 22}},
		{"more and more left out", []int64{0, 1, 4, 10, 20, 35, 36}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			r := f.feed.Open()
			f.start(r, videoTrack())
			for i, n := range test.numbers {
				f.write(r, time.Duration(n)*frame, media.Sample{TrackID: 1, DTS: n * 3000, Duration: 3000, Keyframe: i == 0})
			}
			var last, length int64
			for i, p := range f.packets() {
				var message framewirev1.ServerMessage
				if err := proto.Unmarshal(p.Message, &message); err != nil {
					t.Fatal(err)
				}
				g := message.GetFragment()
				at := int64(g.GetDecodeTimeTicks())
				if got, want := at+int64(g.GetCompositionOffsetTicks()), test.numbers[i]*3000; got != want {
					t.Errorf("picture %d is presented at %d, want %d", i, got, want)
				}
				if i > 0 && (at <= last || at-last > 2*length) {
					t.Errorf("picture %d: decode time steps by %d after a picture of %d", i, at-last, length)
				}
				last, length = at, int64(g.GetDurationTicks())
			}
		})
	}
}

func TestOutageIsNotBridged(t *testing.T) {
	f := newFixture(t)
	r := f.feed.Open()
	f.start(r, videoTrack())
	f.write(r, 0, media.Sample{TrackID: 1, DTS: 0, Duration: 3000, Keyframe: true})
	f.write(r, 2*time.Second, media.Sample{TrackID: 1, DTS: 180000, Duration: 3000})
	expectTimes(t, times(f.packets(), media.Video), 0, 2*time.Second)
}

func TestUnknownDurationCostsNoDelay(t *testing.T) {
	f := newFixture(t)
	r := f.feed.Open()
	f.start(r, videoTrack())
	f.write(r, 0, media.Sample{TrackID: 1, DTS: 0, Keyframe: true})
	packets := f.packets()
	if len(packets) != 1 || packets[0].Duration.Round(time.Millisecond) != ms(33) {
		t.Errorf("packets %v", packets)
	}
}

func TestShortAudioFramesAreJoined(t *testing.T) {
	f := newFixture(t)
	r := f.feed.Open()
	opus := media.Track{ID: 1, Codec: media.Opus, CodecString: "opus", Config: []byte{0, 2, 1, 56, 0, 0, 0xbb, 0x80, 0, 0, 0}, Timescale: 48000, SampleRate: 48000, Channels: 2}
	f.start(r, opus)
	for i := range 8 {
		f.write(r, time.Duration(i)*ms(5), media.Sample{TrackID: 1, DTS: int64(i) * 240, Duration: 240, Keyframe: true})
	}
	packets := f.packets()
	expectTimes(t, times(packets, media.Audio), 0, ms(20))
	if packets[0].Duration != ms(20) {
		t.Errorf("duration %v", packets[0].Duration)
	}
}

func TestBadInputIsNamed(t *testing.T) {
	f := newFixture(t)
	r := f.feed.Open()
	unknown := videoTrack()
	unknown.Codec = 0
	twice := audioTrack()
	twice.ID = 1
	for _, tracks := range [][]media.Track{nil, {unknown}, {videoTrack(), twice}, make([]media.Track, maxTracks+1)} {
		if err := r.Start(tracks); !errors.Is(err, ErrTracks) {
			t.Errorf("%d tracks: %v", len(tracks), err)
		}
	}
	f.start(r, videoTrack())
	if err := r.Write(media.Sample{TrackID: 9, Data: []byte{1}}); !errors.Is(err, ErrSample) {
		t.Error(err)
	}
	if err := r.Write(media.Sample{TrackID: 1, Data: make([]byte, maxSample+1)}); !errors.Is(err, ErrSample) {
		t.Error(err)
	}
}

// flaky is a source that gives one keyframe and fails.
type flaky struct{ runs int }

func (s *flaky) Run(ctx context.Context, sink media.Sink) error {
	s.runs++
	if err := sink.Start([]media.Track{videoTrack()}); err != nil {
		return err
	}
	if err := sink.Write(media.Sample{TrackID: 1, Duration: 3000, Keyframe: true, Data: []byte{1}}); err != nil {
		return err
	}
	return errors.New("cable cut")
}

func TestSuperviseRestartsUntilStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		source := &flaky{}
		if err := Supervise(ctx, f.stream, source, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		if source.runs < 6 || source.runs > 20 {
			t.Errorf("%d runs in a minute", source.runs)
		}
		if got := len(f.packets()); got != source.runs {
			t.Errorf("%d packets from %d runs", got, source.runs)
		}
		if state := f.stream.Status().State; state != hub.Lost {
			t.Errorf("status %v", state)
		}
	})
}

// brief is a source with an end.
type brief struct{ flaky }

func (b *brief) Run(ctx context.Context, sink media.Sink) error {
	_ = b.flaky.Run(ctx, sink)
	return media.ErrFinished
}

func TestFinishedSourceRunsAgainOnlyWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		source := &brief{}
		restart := make(chan struct{}, 1)
		var ended []error
		s := Supervision{
			Stream: f.stream, Source: func() media.Source { return source }, Restart: restart,
			Ended: func(err error) { ended = append(ended, err) }, Log: slog.New(slog.DiscardHandler),
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		for runs := 1; runs <= 2; runs++ {
			time.Sleep(time.Hour)
			synctest.Wait()
			if source.runs != runs || f.stream.Status().State != hub.Finished || f.stream.Status().Message == "" {
				t.Errorf("%d runs, want %d; status %+v", source.runs, runs, f.stream.Status())
			}
			restart <- struct{}{}
		}
		time.Sleep(time.Hour)
		cancel()
		if err := <-done; err != nil || source.runs != 3 || len(ended) != 3 || ended[0] != nil {
			t.Errorf("%v, %d runs, ended %v", err, source.runs, ended)
		}
	})
}

func TestSuperviseEndsWithItsStream(t *testing.T) {
	h := hub.New(hub.Options{})
	s, _ := h.Create("test")
	h.Remove("test")
	err := Supervise(t.Context(), s, &flaky{}, slog.New(slog.DiscardHandler))
	if !errors.Is(err, hub.ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
}
