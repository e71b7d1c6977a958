package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/publishtest"
	"github.com/framewire/framewire/server/internal/publish/ws"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/source/demo"
	"github.com/framewire/framewire/server/internal/web"
	"github.com/framewire/framewire/server/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// serve starts a server that takes publishers, and returns its /ws and its
// sessions.
func serve(t *testing.T, desk publish.Desk) (string, *session.Sessions) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	publishers := ws.New(ws.Options{Desk: desk, Log: log, AckInterval: 20 * time.Millisecond})
	streams := hub.New(hub.Options{})
	server := web.New(web.Options{Hub: streams, Log: log, Sessions: session.Options{
		Publisher: func(o session.Outlet) session.Publisher {
			return publishers.Open(ws.Client{Address: o.Address, Name: o.Client, Send: o.Send})
		},
	}})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	httpServer := server.HTTPServer()
	done := make(chan error, 1)
	go func() { done <- httpServer.Serve(web.Listen(listener)) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(server.Drain(ctx, wire.ShuttingDown, 0), httpServer.Shutdown(ctx)); err != nil {
			t.Error(err)
		}
		streams.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return "ws://" + listener.Addr().String() + "/ws", server.Sessions()
}

// run starts a sender that is fed by the demo.
func run(t *testing.T, opts Options) (*Sender, context.CancelFunc, <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	sender := New(opts)
	ended, fed := make(chan error, 1), make(chan struct{})
	feeding, starve := context.WithCancel(context.Background())
	go func() {
		defer close(fed)
		if err := demo.New().Run(feeding, sender); err != nil && feeding.Err() == nil {
			t.Error(err)
		}
	}()
	go func() { ended <- sender.Run(ctx) }()
	t.Cleanup(func() { cancel(); starve(); <-fed })
	return sender, cancel, ended
}

func TestSenderEndsTheStreamInGoodOrder(t *testing.T) {
	desk := publishtest.NewDesk(t, "secret")
	url, _ := serve(t, desk)
	sender, cancel, ended := run(t, Options{URL: url, Stream: "relay", Key: "secret"})
	pub := desk.Await(0)
	epochs := pub.Await("pictures and sound", publishtest.Frames(30, 40))
	for _, s := range epochs[0].Samples {
		if late := s.Written.Sub(s.CapturedAt); late < -50*time.Millisecond || late > 5*time.Second {
			t.Errorf("a sample was captured %v before it came", late)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := pub.AwaitClose(); err != nil {
		t.Errorf("the publication ended with %v", err)
	}
	if s := sender.Status(); s.Pictures < 30 || s.Bytes == 0 || s.Ack == nil || s.Reconnects != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestSenderConnectsAgainAndBeginsWithAKeyframe(t *testing.T) {
	desk := publishtest.NewDesk(t, "")
	url, sessions := serve(t, desk)
	sender, _, _ := run(t, Options{URL: url, Stream: "relay"})
	for i := range 2 {
		// The desk of the test fails where a stream does not begin with one.
		desk.Await(i).Await("pictures", publishtest.Frames(20, 20))
		for _, v := range sessions.All() {
			v.Goodbye(wire.Goodbye{Reason: wire.TooSlow})
		}
	}
	desk.Await(2).Await("pictures", publishtest.Frames(20, 20))
	if s := sender.Status(); s.Reconnects != 2 || s.Since.IsZero() {
		t.Errorf("status %+v", s)
	}
}

func TestSenderGivesUpWhereItIsRefusedForGood(t *testing.T) {
	desk := publishtest.NewDesk(t, "secret")
	url, _ := serve(t, desk)
	_, _, ended := run(t, Options{URL: url, Stream: "relay", Key: "wrong"})
	var refused *client.PublishError
	if err := <-ended; !errors.As(err, &refused) || refused.Reason != framewirev1.PublishEndReason_PUBLISH_END_REASON_BAD_KEY {
		t.Errorf("Run: %v", err)
	}
}

func TestFinishSendsWhatWaits(t *testing.T) {
	desk := publishtest.NewDesk(t, "")
	url, _ := serve(t, desk)
	sender := New(Options{URL: url, Stream: "relay"})
	ended := make(chan error, 1)
	go func() { ended <- sender.Run(t.Context()) }()
	if err := sender.Start([]media.Track{{ID: 1, Codec: media.Opus, CodecString: "opus", Timescale: 48000, SampleRate: 48000, Channels: 2}}); err != nil {
		t.Fatal(err)
	}
	pub := desk.Await(0)
	const samples = 50
	sent := 0
	for n := int64(0); sent < samples; n++ {
		before := sender.Status().Dropped
		if err := sender.Write(media.Sample{TrackID: 1, DTS: n * 960, Duration: 960, Keyframe: true, Data: []byte{0xfc, 0xff, 0xfe}}); err != nil {
			t.Fatal(err)
		}
		if sender.Status().Dropped == before { // it is connected
			sent++
		}
	}
	sender.Finish()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := pub.AwaitClose(); err != nil {
		t.Errorf("the publication ended with %v", err)
	}
	if got := len(pub.Epochs()[0].Samples); got != samples {
		t.Errorf("%d samples came, want %d", got, samples)
	}
}

func TestQueueLeavesOutUpToTheNextKeyframe(t *testing.T) {
	q := queue{backlog: 2 * time.Second}
	q.start([]media.Track{{ID: 1, Codec: media.H264}, {ID: 2, Codec: media.AAC}})
	now := time.Unix(1000, 0)
	q.push(media.Sample{TrackID: 1, Keyframe: true}, now)
	if _, waits := q.pop(); waits {
		t.Fatal("a sample waits before there is a connection")
	}
	q.begin()
	push := func(track uint32, keyframe bool) { q.push(media.Sample{TrackID: track, Keyframe: keyframe}, now) }
	push(1, false)
	push(2, true)
	if i, waits := q.pop(); !waits || i.sample.TrackID != 2 {
		t.Fatalf("the first is %+v, want the sound: the picture is no keyframe", i)
	}
	push(1, true)
	now = now.Add(3 * time.Second)
	push(1, false) // too late: what waits is left out, and this with it
	push(2, true)
	push(1, true)
	var order []uint32
	for i, waits := q.pop(); waits; i, waits = q.pop() {
		order = append(order, i.sample.TrackID)
	}
	if len(order) != 2 || order[0] != 2 || order[1] != 1 {
		t.Errorf("tracks %v are left, want sound and a keyframe", order)
	}
}

func TestEndpoint(t *testing.T) {
	for raw, want := range map[string]string{
		"http://host:8080":       "ws://host:8080/ws",
		"https://host/":          "wss://host/ws",
		"wss://host/behind/ws":   "wss://host/behind/ws",
		"ws://localhost:8080/ws": "ws://localhost:8080/ws",
	} {
		if got, err := Endpoint(raw); err != nil || got != want {
			t.Errorf("Endpoint(%q) = %q, %v, want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{"", "host:8080", "rtmp://host/live", "ws://", "http://[", "ftp://host"} {
		if got, err := Endpoint(raw); err == nil {
			t.Errorf("Endpoint(%q) = %q", raw, got)
		}
	}
}
