package app_test

import (
	"fmt"
	"log/slog"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framewire/framewire/server/internal/elementary"
	"github.com/framewire/framewire/server/internal/flv"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/ingest"
	"github.com/framewire/framewire/server/internal/media"
)

// driftConfig is the avcC of a baseline encoder, driftPicture its keyframe, and
// driftSound a frame of AAC.
const (
	driftConfig = "\x01\x42\xc0\x1e\xff\xe1\x00\x19" +
		"\x67\x42\xc0\x1e\xd9\x00\xa0\x2f\xf9\x70\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x3c\x0f\x16\x2e\x48" +
		"\x01\x00\x05\x68\xcb\x83\xcb\x20"
	driftPicture = "\x00\x00\x00\x04\x65\x88\x84\x01"
	driftSound   = "\x21\x10\x05"

	// soundConfig8k is AAC-LC in mono at 8 kHz, whose frames are so long that hours of
	// it are soon over.
	soundConfig8k = "\x15\x88"
)

// drifting takes what a publisher sends at a time of its own clock.
type drifting interface {
	picture(at time.Duration) error
	sound(at time.Duration) error
	// slack is how far times may be from the publisher's.
	slack() time.Duration
}

// driftRTMP sends times in milliseconds, which begin anew on the way.
type driftRTMP struct{ *flv.Demuxer }

func newDriftRTMP(sink media.Sink) (drifting, error) {
	d := driftRTMP{flv.NewDemuxer(sink)}
	if err := d.Video(d.stamp(0), []byte("\x17\x00\x00\x00\x00"+driftConfig), time.Now()); err != nil {
		return nil, err
	}
	return d, d.Audio(d.stamp(0), []byte("\xaf\x00"+soundConfig8k), time.Now())
}

func (driftRTMP) stamp(at time.Duration) uint32 {
	return uint32((at - driftTime/2).Milliseconds()) // wraps on the way
}

func (d driftRTMP) picture(at time.Duration) error {
	return d.Video(d.stamp(at), []byte("\x17\x01\x00\x00\x00"+driftPicture), time.Now())
}

func (d driftRTMP) sound(at time.Duration) error {
	return d.Audio(d.stamp(at), []byte("\xaf\x01"+driftSound), time.Now())
}

func (driftRTMP) slack() time.Duration { return 4 * time.Millisecond }

// driftES sends elementary streams with the clock of MPEG-TS.
type driftES struct {
	*elementary.Program
	pictures, sounds *elementary.Stream
}

func newDriftES(sink media.Sink) (drifting, error) {
	d := driftES{Program: elementary.NewProgram(sink)}
	for _, s := range []struct {
		to     **elementary.Stream
		codec  media.Codec
		config string
	}{{&d.pictures, media.H264, driftConfig}, {&d.sounds, media.AAC, soundConfig8k}} {
		stream, err := elementary.NewStream(uint32(s.codec), s.codec, 90_000)
		if err != nil {
			return nil, err
		}
		if err := stream.Configure([]byte(s.config)); err != nil {
			return nil, err
		}
		*s.to = stream
		d.Add(stream)
	}
	return d, nil
}

func (d driftES) picture(at time.Duration) error {
	return d.Push(d.pictures, elementary.Packet{Data: []byte(driftPicture), PTS: ticks90k(at), DTS: ticks90k(at)})
}

func (d driftES) sound(at time.Duration) error {
	return d.Push(d.sounds, elementary.Packet{Data: []byte(driftSound), PTS: ticks90k(at), DTS: ticks90k(at)})
}

// A quarter of a frame of sound, and rounding.
func (driftES) slack() time.Duration { return 32*time.Millisecond + time.Millisecond }

// driftTime is long enough for the slowest drift to be ten times what is allowed
// of one.
const driftTime = time.Hour

// TestClocksThatDriftForAnHour has publishers whose clocks are wrong, while the card
// that their sound is from keeps the time: a frame takes not quite as long as they say.
// The stream keeps the publisher's time, sound and picture both, and tells of each
// fragment when it came: whoever plays it can follow, and nothing grows with the hours.
func TestClocksThatDriftForAnHour(t *testing.T) {
	const (
		pictureEvery = 400 * time.Millisecond
		soundEvery   = 128 * time.Millisecond
	)
	for protocol, c := range map[string]struct {
		open  func(media.Sink) (drifting, error)
		drift []time.Duration // in millionths
	}{"RTMP": {newDriftRTMP, []time.Duration{100, -1000}}, "MPEG-TS": {newDriftES, []time.Duration{-100, 1000}}} {
		for _, millionths := range c.drift {
			t.Run(fmt.Sprintf("%+d ppm over %s", millionths, protocol), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					v := newDriftViewer(t, millionths)
					p, err := c.open(v.run)
					if err != nil {
						t.Fatal(err)
					}
					v.slack = p.slack()
					began, sent := time.Now(), map[media.Kind]int{}
					for picture, sound := time.Duration(0), time.Duration(0); picture < driftTime; {
						at := min(picture, sound)
						time.Sleep(time.Until(began.Add(at)))
						at += at * millionths / 1_000_000
						if picture <= sound {
							err = p.picture(at)
							picture += pictureEvery
							sent[media.Video]++
						} else {
							err = p.sound(at)
							sound += soundEvery
							sent[media.Audio]++
						}
						if err != nil {
							t.Fatal(err)
						}
						v.look(t, time.Now())
					}
					if !maps.Equal(v.seen, sent) {
						t.Errorf("%v are shown of %v", v.seen, sent)
					}
				})
			})
		}
	}
}

// driftViewer is what comes out.
type driftViewer struct {
	run        *ingest.Run
	cursor     *hub.Cursor
	millionths time.Duration
	slack      time.Duration
	began      time.Time

	packets [16]*media.Packet // scratch
	last    map[media.Kind]time.Duration
	seen    map[media.Kind]int
}

func newDriftViewer(t *testing.T, millionths time.Duration) *driftViewer {
	t.Helper()
	stream, err := hub.New(hub.Options{Window: 10 * time.Second}).Create("drift")
	if err != nil {
		t.Fatal(err)
	}
	v := &driftViewer{
		run: ingest.New(stream, slog.New(slog.DiscardHandler)).Open(), cursor: stream.Subscribe(), millionths: millionths,
		began: time.Now(), last: map[media.Kind]time.Duration{}, seen: map[media.Kind]int{},
	}
	t.Cleanup(v.cursor.Close)
	return v
}

// look checks what came since the last time.
func (v *driftViewer) look(t *testing.T, now time.Time) {
	n, evicted := v.cursor.Read(v.packets[:])
	if evicted {
		t.Fatal("packets were evicted")
	}
	for _, p := range v.packets[:n] {
		arrived := time.UnixMicro(p.CapturedAt).Sub(v.began)
		// By the publisher's clock it was sent when it arrived: nothing waits.
		if off := p.Time - arrived - arrived*v.millionths/1_000_000; off.Abs() > v.slack {
			t.Fatalf("after %v: %v is off by %v", arrived, p.Kind, off)
		}
		if late := now.Sub(time.UnixMicro(p.CapturedAt)); late > time.Second {
			t.Fatalf("after %v: %v was held back for %v", arrived, p.Kind, late)
		}
		if before, any := v.last[p.Kind]; any && p.Time <= before || p.Epoch != 1 {
			t.Fatalf("after %v: %v of epoch %d at %v follows %v", arrived, p.Kind, p.Epoch, p.Time, before)
		}
		v.last[p.Kind] = p.Time
		v.seen[p.Kind]++
	}
}
