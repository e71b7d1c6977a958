package web_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
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
	"github.com/framewire/framewire/server/internal/web"
	"github.com/framewire/framewire/server/internal/wire"

	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

// site is a server on a real socket.
type site struct {
	*web.Server
	t    testing.TB
	hub  *hub.Hub
	addr string
}

// serve starts a server. With plain set its connections do not gather.
func serve(t testing.TB, opts web.Options, plain ...bool) *site {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if opts.Hub == nil {
		opts.Hub = hub.New(hub.Options{})
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	s := &site{Server: web.New(opts), t: t, hub: opts.Hub, addr: listener.Addr().String()}
	if len(plain) == 0 {
		listener = web.Listen(listener)
	}
	server := s.HTTPServer()
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Drain(ctx, wire.ShuttingDown, 0); err != nil {
			t.Errorf("drain: %v", err)
		}
		s.hub.Close()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// eventually waits for a condition of which nothing tells.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	over := time.After(patience)
	for !holds() {
		select {
		case <-ticker.C:
		case <-over:
			t.Fatalf("it does not come to pass that %s", what)
		}
	}
}

func (s *site) url(path string) string { return "http://" + s.addr + path }

// dial opens a session that is closed with the test.
func (s *site) dial(opts client.Options, query ...string) *player {
	s.t.Helper()
	url := "ws://" + s.addr + "/ws"
	for _, q := range query {
		url += q
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	session, err := client.Dial(ctx, url, opts)
	if err != nil {
		cancel()
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		cancel()
		_ = session.Close()
	})
	return &player{Session: session, t: s.t, ctx: ctx}
}

// player is a client that a test steers.
type player struct {
	*client.Session
	t   testing.TB
	ctx context.Context
}

// await returns the first message that pick takes, and all that came before it.
func (p *player) await(what string, pick func(*framewirev1.ServerMessage) bool) (found *framewirev1.ServerMessage, before []*framewirev1.ServerMessage) {
	p.t.Helper()
	for {
		m, err := p.Receive(p.ctx)
		if err != nil {
			p.t.Fatalf("waiting for %s: %v; before it came %s", what, err, summary(before))
		}
		if pick(m) {
			return m, before
		}
		before = append(before, m)
	}
}

func (p *player) fragment() *framewirev1.Fragment {
	p.t.Helper()
	m, _ := p.await("a fragment", func(m *framewirev1.ServerMessage) bool { return m.GetFragment() != nil })
	return m.GetFragment()
}

func (p *player) started() *framewirev1.StreamStarted {
	p.t.Helper()
	m, _ := p.await("StreamStarted", func(m *framewirev1.ServerMessage) bool { return m.GetStreamStarted() != nil })
	return m.GetStreamStarted()
}

func (p *player) state(what string, pick func(*framewirev1.SessionState) bool) *framewirev1.SessionState {
	p.t.Helper()
	m, _ := p.await("a state: "+what, func(m *framewirev1.ServerMessage) bool {
		return m.GetSessionState() != nil && pick(m.GetSessionState())
	})
	return m.GetSessionState()
}

func (p *player) waiting(reason framewirev1.WaitingReason) *framewirev1.StreamWaiting {
	p.t.Helper()
	m, _ := p.await(reason.String(), func(m *framewirev1.ServerMessage) bool {
		return m.GetStreamWaiting().GetReason() == reason && m.GetStreamWaiting() != nil
	})
	return m.GetStreamWaiting()
}

// must fails the test for an error.
func (p *player) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// refused fails the test unless err is a refusal with code and field.
func (p *player) refused(err error, code framewirev1.ErrorCode, field string) {
	p.t.Helper()
	var refusal *client.CommandError
	if !errors.As(err, &refusal) || refusal.Code != code || refusal.Field != field {
		p.t.Fatalf("got %v, want %v of field %q", err, code, field)
	}
	if refusal.Message == "" {
		p.t.Fatalf("%v has no message", code)
	}
}

// received returns the control messages and fragments that come until the
// server has answered a ping: all that it had to say by now.
func (p *player) drain() (control []*framewirev1.ServerMessage, fragments []*framewirev1.Fragment) {
	p.t.Helper()
	for range 2 { // a pong may leave together with media that comes after it
		if _, err := p.Ping(p.ctx); err != nil {
			p.t.Fatal(err)
		}
	}
	// What was sent before the pong is in the client's queue now.
	over, cancel := context.WithCancel(p.ctx)
	cancel()
	for {
		m, err := p.Receive(over)
		if err != nil {
			return control, fragments
		}
		if f := m.GetFragment(); f != nil {
			fragments = append(fragments, f)
		} else {
			control = append(control, m)
		}
	}
}

func summary(messages []*framewirev1.ServerMessage) string {
	text := fmt.Sprintf("%d messages:", len(messages))
	for _, m := range messages[max(0, len(messages)-12):] {
		text += fmt.Sprintf(" %T", m.GetBody())
		if s := m.GetSessionState(); s != nil {
			text += fmt.Sprintf("{%v}", s)
		}
	}
	return text
}

// Tracks of studio.
const (
	videoTrack = 1
	audioTrack = 2
	frameTime  = 40 * time.Millisecond
)

// studio feeds a stream with packets of a known pattern, at the pace of the
// test.
type studio struct {
	t      testing.TB
	stream *hub.Stream
	clock  time.Duration
	frames int
	size   int // of a video fragment's payload
	key    int // of a keyframe's, where it is another
	tracks []media.Track
}

var (
	h264 = media.Track{ID: videoTrack, Codec: media.H264, CodecString: "avc1.64001f", Timescale: 1000, Width: 320, Height: 180, FrameRate: 25}
	aac  = media.Track{ID: audioTrack, Codec: media.AAC, CodecString: "mp4a.40.2", Timescale: 1000, SampleRate: 48000, Channels: 2}
)

// stream creates a live stream of picture and sound, with one group of pictures
// of the given number of frames in it.
func (s *site) stream(name string, frames int) *studio {
	s.t.Helper()
	studio := s.offline(name)
	studio.begin(h264, aac)
	studio.group(frames)
	studio.live()
	return studio
}

// offline creates a stream that nobody feeds.
func (s *site) offline(name string) *studio {
	s.t.Helper()
	stream, err := s.hub.Create(name)
	if err != nil {
		s.t.Fatal(err)
	}
	return &studio{t: s.t, stream: stream, size: 2000}
}

func (s *studio) live() { s.stream.SetStatus(hub.Live, "") }

// begin opens an epoch with these tracks.
func (s *studio) begin(tracks ...media.Track) {
	s.t.Helper()
	id := uint32(1)
	if e := s.stream.Epoch(); e != nil {
		id = e.ID + 1
	}
	e := &media.Epoch{ID: id, Tracks: tracks, Start: s.clock}
	for range tracks {
		e.Inits = append(e.Inits, []byte("init"))
	}
	var err error
	if e.Message, err = proto.Marshal(wire.StreamStarted(s.stream.Name(), s.stream.Instance(), s.stream.Window(), e)); err != nil {
		s.t.Fatal(err)
	}
	if err := s.stream.Begin(e); err != nil {
		s.t.Fatal(err)
	}
	s.tracks = tracks
	s.frames = 0
}

// group publishes a keyframe and frames-1 others, each with its sound.
func (s *studio) group(frames int) {
	s.t.Helper()
	for i := range frames {
		s.frame(i == 0)
	}
}

// frame publishes one fragment of each track.
func (s *studio) frame(key bool) {
	s.t.Helper()
	for i := range s.tracks {
		t := &s.tracks[i]
		s.publish(t, key || t.Kind() == media.Audio)
	}
	s.clock += frameTime
	s.frames++
}

func (s *studio) publish(t *media.Track, key bool) {
	s.t.Helper()
	size := s.size
	if t.Kind() == media.Audio {
		size = 300
	} else if key && s.key > 0 {
		size = s.key
	}
	sequence := s.stream.NextSequence()
	h := wire.FragmentHeader{
		TrackID:    t.ID,
		Epoch:      s.stream.Epoch().ID,
		Sequence:   sequence,
		DecodeTime: s.clock.Milliseconds(),
		Duration:   uint32(frameTime.Milliseconds()),
		Keyframe:   key,
		CapturedAt: time.Now().UnixMicro(),
	}
	payload := make([]byte, size)
	binary.BigEndian.PutUint64(payload, sequence)
	message := append(wire.AppendFragmentHeader(nil, h, size), payload...)
	err := s.stream.Publish(&media.Packet{
		Message: message, Payload: message[len(message)-size:], Epoch: h.Epoch, TrackID: t.ID, Sequence: sequence,
		Kind: t.Kind(), Keyframe: key, Time: s.clock, Duration: frameTime, CapturedAt: h.CapturedAt,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// run publishes in real time, a group of pictures a second, until the returned
// function is called.
func (s *studio) run() (stop func()) { return s.runGroups(25) }

// runGroups does so with groups of the given number of frames.
func (s *studio) runGroups(frames int) (stop func()) {
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		ticker := time.NewTicker(frameTime)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				s.frame(s.frames%frames == 0)
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-over
	}
}
