package ws_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/desk"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/publishtest"
	"github.com/framewire/framewire/server/internal/publish/ws"
)

const fast = "-c:v libx264 -preset ultrafast -g 30 -pix_fmt yuv420p -c:a libopus"

func TestEveryCodecArrivesAsItWasSent(t *testing.T) {
	for name, options := range map[string]string{
		"H.264 and Opus":               fast,
		"H.264 with B-frames and AAC":  "-c:v libx264 -preset veryfast -bf 3 -g 30 -pix_fmt yuv420p -c:a aac",
		"H.265 and FLAC":               "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=30 -pix_fmt yuv420p -c:a flac -strict -2",
		"VP9 and MP3":                  "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -c:a libmp3lame",
		"AV1":                          "-c:v libaom-av1 -usage realtime -cpu-used 8 -g 30 -an",
		"sound alone, without picture": "-vn -c:a aac",
	} {
		for _, subprotocol := range []string{client.Proto, client.JSON} {
			t.Run(name+" over "+subprotocol, func(t *testing.T) {
				ctx := withTimeout(t)
				c := makeClip(t, options)
				d := publishtest.NewDesk(t, "secret")
				s := serve(t, d, hub.New(hub.Options{}), ws.Options{}).dial(ctx, client.Options{Subprotocol: subprotocol})
				p, err := s.Publish(ctx, c.start("cam/1", "secret"))
				if err != nil {
					t.Fatal(err)
				}
				c.write(ctx, t, p)
				if err := p.Close(ctx); err != nil {
					t.Fatal(err)
				}
				pub := d.Await(0)
				if err := pub.AwaitClose(); err != nil {
					t.Errorf("the publication ended with %v", err)
				}
				epochs := pub.Epochs()
				if len(epochs) != 1 {
					t.Fatalf("%d epochs", len(epochs))
				}
				for _, kind := range []media.Kind{media.Video, media.Audio} {
					if got, want := len(epochs[0].Of(kind)), c.count(kind); got != want {
						t.Errorf("%d samples of %v, want %d", got, kind, want)
					}
				}
				mediatest.RequireDecodes(t, epochs[0].File(t))
			})
		}
	}
}

func TestTracksWithoutConfigurationAreReadFromTheMedia(t *testing.T) {
	ctx := withTimeout(t)
	c := makeClip(t, "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -c:a libopus")
	for i := range c.tracks {
		c.tracks[i].Config = nil
	}
	d := publishtest.NewDesk(t, "")
	s := serve(t, d, hub.New(hub.Options{}), ws.Options{}).dial(ctx, client.Options{})
	p, err := s.Publish(ctx, c.start("cam", ""))
	if err != nil {
		t.Fatal(err)
	}
	c.write(ctx, t, p)
	e := d.Await(0).Await("it all came", publishtest.Frames(c.count(media.Video), c.count(media.Audio)))[0]
	if v := e.Track(media.Video); v.Width != 320 || v.Height != 180 || len(v.Config) == 0 {
		t.Errorf("video track %+v", v)
	}
}

func TestRefusalsAreTyped(t *testing.T) {
	ctx := withTimeout(t)
	d := publishtest.NewDesk(t, "secret")
	s := serve(t, d, hub.New(hub.Options{}), ws.Options{}).dial(ctx, client.Options{})
	for _, c := range []struct {
		start *framewirev1.PublishStart
		want  framewirev1.PublishEndReason
	}{
		{&framewirev1.PublishStart{Stream: "cam"}, framewirev1.PublishEndReason_PUBLISH_END_REASON_BAD_KEY},
		{&framewirev1.PublishStart{Stream: "cam", Key: "wrong"}, framewirev1.PublishEndReason_PUBLISH_END_REASON_BAD_KEY},
		{&framewirev1.PublishStart{Stream: "../cam", Key: "secret"}, framewirev1.PublishEndReason_PUBLISH_END_REASON_BAD_NAME},
		{&framewirev1.PublishStart{Stream: "unknown", Key: "secret"}, framewirev1.PublishEndReason_PUBLISH_END_REASON_UNKNOWN_STREAM},
		{&framewirev1.PublishStart{Stream: strings.Repeat("a", 200), Key: "secret"}, framewirev1.PublishEndReason_PUBLISH_END_REASON_MALFORMED},
	} {
		_, err := s.Publish(ctx, c.start)
		var refused *client.PublishError
		if !errors.As(err, &refused) || refused.Reason != c.want {
			t.Errorf("%v: %v, want %v", c.start, err, c.want)
		}
	}
	// What is wrong with tracks shows after the stream was opened.
	for name, c := range map[string]struct {
		track *framewirev1.PublishTrack
		want  framewirev1.PublishEndReason
	}{
		"unknown codec": {&framewirev1.PublishTrack{Id: 1, Codec: "theora", Timescale: 1000}, framewirev1.PublishEndReason_PUBLISH_END_REASON_UNSUPPORTED},
		"bad record": {&framewirev1.PublishTrack{Id: 1, Codec: "avc1.42e01f", Timescale: 1000, DecoderConfig: []byte("no record")},
			framewirev1.PublishEndReason_PUBLISH_END_REASON_MALFORMED},
	} {
		p, err := s.Publish(ctx, &framewirev1.PublishStart{Stream: "cam", Key: "secret", Tracks: []*framewirev1.PublishTrack{c.track}})
		if err != nil {
			t.Fatal(err)
		}
		awaitEnd(t, p, c.want)
		_ = name
	}
}

func awaitEnd(t *testing.T, p *client.Publication, want framewirev1.PublishEndReason) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatal("the publication does not end")
	}
	var ended *client.PublishError
	if !errors.As(p.Err(), &ended) || ended.Reason != want {
		t.Errorf("ended with %v, want %v", p.Err(), want)
	}
}

func TestTooManyWrongKeysAreHeldBack(t *testing.T) {
	ctx := withTimeout(t)
	d := publishtest.NewDesk(t, "secret")
	s := serve(t, d, hub.New(hub.Options{}), ws.Options{}).dial(ctx, client.Options{})
	for range 30 {
		_, err := s.Publish(ctx, &framewirev1.PublishStart{Stream: "cam", Key: "guess"})
		var refused *client.PublishError
		if errors.As(err, &refused) && refused.Reason == framewirev1.PublishEndReason_PUBLISH_END_REASON_TOO_MANY_ATTEMPTS {
			if refused.RetryAfter <= 0 {
				t.Error("no word of when to come back")
			}
			return
		}
	}
	t.Error("30 keys could be tried")
}

func TestPublisherIsEnded(t *testing.T) {
	for want, reason := range map[framewirev1.PublishEndReason]error{
		framewirev1.PublishEndReason_PUBLISH_END_REASON_TAKEN_OVER:    publish.ErrTakenOver,
		framewirev1.PublishEndReason_PUBLISH_END_REASON_REMOVED:       publish.ErrRemoved,
		framewirev1.PublishEndReason_PUBLISH_END_REASON_SILENT:        publish.ErrSilent,
		framewirev1.PublishEndReason_PUBLISH_END_REASON_SHUTTING_DOWN: publish.ErrShutdown,
	} {
		t.Run(want.String(), func(t *testing.T) {
			ctx := withTimeout(t)
			c := makeClip(t, fast)
			d := publishtest.NewDesk(t, "")
			s := serve(t, d, hub.New(hub.Options{}), ws.Options{}).dial(ctx, client.Options{})
			p, err := s.Publish(ctx, c.start("cam", ""))
			if err != nil {
				t.Fatal(err)
			}
			c.write(ctx, t, p)
			d.Await(0).End(reason)
			awaitEnd(t, p, want)
			// The session goes on, and may publish again.
			again, err := s.Publish(ctx, c.start("cam", ""))
			if err != nil {
				t.Fatal(err)
			}
			c.write(ctx, t, again)
			if err := again.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBrokenSessionEndsThePublicationAsLost(t *testing.T) {
	ctx := withTimeout(t)
	c := makeClip(t, fast)
	d := publishtest.NewDesk(t, "")
	s := serve(t, d, hub.New(hub.Options{}), ws.Options{}).dial(ctx, client.Options{})
	p, err := s.Publish(ctx, c.start("cam", ""))
	if err != nil {
		t.Fatal(err)
	}
	c.write(ctx, t, p)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Await(0).AwaitClose(); !errors.Is(err, publish.ErrDisconnected) {
		t.Errorf("the publication ended with %v", err)
	}
}

func TestSecondPublicationInASessionIsRefused(t *testing.T) {
	ctx := withTimeout(t)
	c := makeClip(t, fast)
	d := publishtest.NewDesk(t, "")
	s := serve(t, d, hub.New(hub.Options{}), ws.Options{}).dial(ctx, client.Options{})
	p, err := s.Publish(ctx, c.start("a", ""))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Publish(ctx, c.start("b", ""))
	var refused *client.PublishError
	if !errors.As(err, &refused) || refused.Reason != framewirev1.PublishEndReason_PUBLISH_END_REASON_ALREADY_PUBLISHING {
		t.Errorf("the second: %v", err)
	}
	c.write(ctx, t, p)
	d.Await(0).Await("the first goes on", publishtest.Frames(c.count(media.Video), c.count(media.Audio)))
}

func TestSamplesAboveTheLimitEndThePublication(t *testing.T) {
	ctx := withTimeout(t)
	c := makeClip(t, fast)
	d := publishtest.NewDesk(t, "")
	s := serve(t, d, hub.New(hub.Options{}), ws.Options{SampleBytes: 200_000}).dial(ctx, client.Options{})
	p, err := s.Publish(ctx, c.start("cam", ""))
	if err != nil {
		t.Fatal(err)
	}
	if p.MaxSampleBytes() != 200_000 {
		t.Errorf("%d bytes a sample are announced", p.MaxSampleBytes())
	}
	// Larger than other clients may send, and still allowed.
	big := sampleOf(c.samples[0])
	big.Data = append(big.Data, make([]byte, 150_000)...)
	if err := p.Write(ctx, big); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(ctx, &framewirev1.PublishSample{TrackId: 1, Data: make([]byte, 300_000)}); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, p, framewirev1.PublishEndReason_PUBLISH_END_REASON_LIMIT)
	if _, err := s.ListStreams(ctx); err != nil {
		t.Errorf("the session does not go on: %v", err)
	}
}

func TestMessagesAreOnlyLargeAfterAdmission(t *testing.T) {
	ctx := withTimeout(t)
	d := publishtest.NewDesk(t, "secret")
	s := serve(t, d, hub.New(hub.Options{}), ws.Options{}).dial(ctx, client.Options{})
	if _, err := s.Publish(ctx, &framewirev1.PublishStart{Stream: "cam", Key: "wrong"}); err == nil {
		t.Fatal("let in with a wrong key")
	}
	err := s.Send(ctx, &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_PublishSample{
		PublishSample: &framewirev1.PublishSample{TrackId: 1, Data: make([]byte, 100_000)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range s.Messages(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if e := m.GetCommandResult().GetError(); e != nil {
			if e.GetCode() != framewirev1.ErrorCode_ERROR_CODE_MESSAGE_TOO_LARGE {
				t.Errorf("%v", e)
			}
			return
		}
	}
}

func TestOneSessionPublishesAndWatches(t *testing.T) {
	ctx := withTimeout(t)
	c := makeClip(t, fast)
	streams := hub.New(hub.Options{})
	d := desk.New(streams, desk.Options{Rules: []desk.Rule{{Streams: "**"}}})
	s := serve(t, d, streams, ws.Options{AckInterval: 10 * time.Millisecond}).dial(ctx, client.Options{})
	p, err := s.Publish(ctx, c.start("cam", ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Play(ctx, "cam"); err != nil {
		t.Fatal(err)
	}
	c.write(ctx, t, p)
	asked, fragments, whole := false, 0, uint64(len(c.samples))
	for m, err := range s.Messages(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if m.GetFragment() == nil {
			continue
		}
		fragments++
		if !asked {
			asked = true
			if err := s.RequestKeyframe(ctx); err != nil {
				t.Fatalf("request a keyframe: %v", err)
			}
		}
		ack := p.Ack()
		if n := ack.GetSamples(); n > uint64(len(c.samples)) {
			t.Fatalf("%d samples are acknowledged, %d were written", n, len(c.samples))
		}
		if fragments > 10 && ack.GetViewers() == 1 && ack.GetSamples() >= whole && ack.GetBitrateBps() > 0 {
			break
		}
		// A viewer who began late has little to wait for; and an acknowledgement
		// follows a sample.
		if err := p.Write(ctx, sampleOf(next(&c))); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-p.Keyframes():
	case <-ctx.Done():
		t.Error("the publisher was not asked for a keyframe")
	}
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
}

// next appends another sample of the last track to a clip.
func next(c *clip) media.Sample {
	s := c.samples[len(c.samples)-1]
	s.DTS += int64(max(1, s.Duration))
	c.samples = append(c.samples, s)
	return s
}

func TestAnotherConfigurationOpensAnotherEpoch(t *testing.T) {
	ctx := withTimeout(t)
	small, large := makeClip(t, fast), makeClip(t, "-vf scale=640:360 "+fast)
	d := publishtest.NewDesk(t, "")
	s := serve(t, d, hub.New(hub.Options{}), ws.Options{}).dial(ctx, client.Options{})
	p, err := s.Publish(ctx, small.start("cam", ""))
	if err != nil {
		t.Fatal(err)
	}
	small.write(ctx, t, p)
	if err := p.SetTracks(ctx, large.describe()...); err != nil {
		t.Fatal(err)
	}
	large.write(ctx, t, p)
	epochs := d.Await(0).Await("both came", func(e []publishtest.Epoch) bool {
		return len(e) == 2 && len(e[1].Of(media.Video)) == large.count(media.Video)
	})
	if w := epochs[1].Track(media.Video).Width; w != 640 {
		t.Errorf("the second epoch is %d wide", w)
	}
}
