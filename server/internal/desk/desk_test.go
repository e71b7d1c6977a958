package desk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var track = media.Track{ID: 1, Codec: media.AAC, CodecString: "mp4a.40.2", Config: []byte{0x11, 0x90}, Timescale: 48000, SampleRate: 48000, Channels: 2}

func open(t *testing.T, d *Desk, stream, key string) publish.Publication {
	t.Helper()
	p, err := d.Open(t.Context(), publish.Request{Stream: stream, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start([]media.Track{track}); err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, p publish.Publication, n int64) {
	t.Helper()
	if err := p.Write(media.Sample{TrackID: 1, DTS: n * 1024, Duration: 1024, Keyframe: true, Data: make([]byte, 100)}); err != nil {
		t.Fatal(err)
	}
}

var everybody = []Rule{{Streams: "**"}}

func TestFirstMatchingRuleDecides(t *testing.T) {
	d := New(hub.New(hub.Options{}), Options{Rules: []Rule{
		{Streams: "cam/*", Key: "s3cret"},
		{Streams: "open/**"},
	}})
	for _, c := range []struct {
		stream, key string
		want        error
	}{
		{"cam/1", "s3cret", nil},
		{"cam/2", "", publish.ErrBadKey},
		{"cam/2", "s3cre", publish.ErrBadKey},
		{"open/a/b", "", nil},
		{"other", "s3cret", publish.ErrUnknownStream},
		{"../etc", "", publish.ErrBadName},
		{"cam/1", "s3cret", publish.ErrStreamBusy},
	} {
		p, err := d.Open(t.Context(), publish.Request{Stream: c.stream, Key: c.key})
		if !errors.Is(err, c.want) {
			t.Errorf("%s with key %q: %v, want %v", c.stream, c.key, err, c.want)
		}
		if err == nil {
			defer p.Close(nil)
		}
	}
	d.SetRules(nil)
	if _, err := d.Open(t.Context(), publish.Request{Stream: "open/x"}); !errors.Is(err, publish.ErrUnknownStream) {
		t.Error(err)
	}
}

func TestSecondPublisherTakesOverWhereAllowed(t *testing.T) {
	h := hub.New(hub.Options{})
	d := New(h, Options{Rules: []Rule{{Streams: "**", Takeover: true}}})
	first := open(t, d, "a", "")
	write(t, first, 0)
	if first.Reason() != nil {
		t.Error("a reason before the end")
	}
	second := open(t, d, "a", "")
	<-first.Done()
	if !errors.Is(first.Reason(), publish.ErrTakenOver) {
		t.Error(first.Reason())
	}
	if err := first.Write(media.Sample{TrackID: 1, Data: []byte{1}}); !errors.Is(err, publish.ErrTakenOver) {
		t.Errorf("the first publisher still writes: %v", err)
	}
	write(t, second, 0)
	first.Close(nil) // late, and without harm to the second
	write(t, second, 1)
	if s := h.Lookup("a"); s.Status().State != hub.Live || s.Epoch().ID != 2 {
		t.Errorf("status %v", s.Status())
	}
	second.Close(nil)
	second.Close(nil)
	if d.publishers != 0 {
		t.Errorf("%d publishers are left", d.publishers)
	}
}

func TestStreamWithASourceIsNotPublished(t *testing.T) {
	h := hub.New(hub.Options{})
	if _, err := h.Create("demo"); err != nil {
		t.Fatal(err)
	}
	d := New(h, Options{Rules: everybody})
	if _, err := d.Open(t.Context(), publish.Request{Stream: "demo"}); !errors.Is(err, publish.ErrStreamBusy) {
		t.Error(err)
	}
}

func TestLimitsAreKept(t *testing.T) {
	d := New(hub.New(hub.Options{}), Options{Rules: everybody, Limits: Limits{Publishers: 1, Bitrate: 8000}, MaxTracks: 1, MaxPixels: 640 * 360})
	p := open(t, d, "a", "")
	defer p.Close(nil)
	if _, err := d.Open(t.Context(), publish.Request{Stream: "b"}); !errors.Is(err, publish.ErrTooManyPublishers) {
		t.Error(err)
	}
	if err := p.Start([]media.Track{track, track}); !errors.Is(err, publish.ErrLimit) {
		t.Error(err)
	}
	if err := p.Start([]media.Track{{ID: 1, Codec: media.H264, Timescale: 1, Width: 641, Height: 360}}); !errors.Is(err, publish.ErrLimit) {
		t.Error(err)
	}
	if err := p.Write(media.Sample{TrackID: 1, Data: make([]byte, 5001)}); !errors.Is(err, publish.ErrLimit) {
		t.Error(err)
	}
}

func TestPublisherComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(hub.Options{})
		d := New(h, Options{Rules: everybody, Grace: 20 * time.Second, Linger: time.Minute, Silence: 10 * time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- d.Run(ctx) }()

		p := open(t, d, "a", "")
		write(t, p, 0)
		stream := h.Lookup("a")
		viewer := stream.Subscribe()
		p.Close(errors.New("cable cut"))
		if state := stream.Status().State; state != hub.Lost {
			t.Errorf("status %v after the publisher broke off", state)
		}

		time.Sleep(5 * time.Second)
		p = open(t, d, "a", "")
		write(t, p, 0)
		if h.Lookup("a") != stream || stream.Status().State != hub.Live {
			t.Error("the publisher who came back found another stream")
		}

		time.Sleep(11 * time.Second)
		<-p.Done()
		if !errors.Is(p.Reason(), publish.ErrSilent) {
			t.Error(p.Reason())
		}
		p.Close(p.Reason())

		time.Sleep(21 * time.Second)
		if state := stream.Status().State; state != hub.Offline {
			t.Errorf("status %v after the grace time", state)
		}
		time.Sleep(time.Hour)
		if h.Lookup("a") == nil {
			t.Error("a stream with a viewer was removed")
		}
		viewer.Close()
		time.Sleep(time.Second)
		if h.Lookup("a") != nil {
			t.Error("a stream that nobody needs was kept")
		}

		p = open(t, d, "b", "")
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		<-p.Done()
		if !errors.Is(p.Reason(), publish.ErrShutdown) {
			t.Error(p.Reason())
		}
		p.Close(p.Reason())
		if _, err := d.Open(context.Background(), publish.Request{Stream: "c"}); !errors.Is(err, publish.ErrShutdown) {
			t.Error(err)
		}
	})
}
