package session

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hubs shows a hub as sessions want to see it.
type hubs struct{ *hub.Hub }

func (h hubs) Lookup(name string) Stream {
	if s := h.Hub.Lookup(name); s != nil {
		return hubStream{s}
	}
	return nil
}

func (h hubs) Streams() []Stream { return nil }

type hubStream struct{ *hub.Stream }

func (s hubStream) Subscribe() Cursor { return s.Stream.Subscribe() }
func (s hubStream) Tail() Cursor      { return s.Stream.Tail() }
func (s hubStream) Bitrate() float64  { return s.Stats().Bitrate }
func (s hubStream) Status() Status {
	status := s.Stream.Status()
	return Status{State: StreamState(status.State), Since: status.Since}
}

// link is a connection of a certain rate, in the time of a laboratory.
type link struct {
	lab     *laboratory
	rate    float64 // bytes a second
	pending float64
	most    int       // bytes sent at once
	sent    time.Time // up to when pending was worked off
	got     []*framewirev1.ServerMessage
	keep    bool // got
	count   func(*framewirev1.ServerMessage)
	closed  int
}

func (l *link) Receive() ([]byte, bool, error) { return nil, false, errors.New("not used") }
func (l *link) Ping(context.Context) error     { return nil }
func (l *link) Close(code int, _ string)       { l.closed = code }

func (l *link) Send(batch []Message) error {
	if l.pending == 0 {
		l.sent = l.lab.now
	}
	bytes := 0
	for _, m := range batch {
		bytes += len(m.Data)
		l.most = max(l.most, bytes)
		l.pending += float64(len(m.Data))
		if l.count == nil && !l.keep {
			continue
		}
		var got framewirev1.ServerMessage
		if err := proto.Unmarshal(m.Data, &got); err != nil {
			return err
		}
		if l.keep {
			l.got = append(l.got, &got)
		}
		if l.count != nil {
			l.count(&got)
		}
	}
	return nil
}

func (l *link) Flush(time.Duration) (int, error) {
	l.pending = max(0, l.pending-l.rate*l.lab.now.Sub(l.sent).Seconds())
	l.sent = l.lab.now
	return int(l.pending), nil
}

// laboratory runs a stream and one viewer in a time of its own.
type laboratory struct {
	t      testing.TB
	now    time.Time
	hub    *hub.Hub
	stream *hub.Stream
	epoch  uint32
	clock  time.Duration // of the stream
	frames int
	gop    int // frames
	key    int // bytes
	delta  int // bytes
	viewer *Viewer
	link   *link
	batch  Batch
	over   bool
}

const labFrame = 40 * time.Millisecond

// newLaboratory makes a stream of 25 frames a second with a keyframe every gop
// frames, and sound of 64 kb/s.
func newLaboratory(t testing.TB, gop, key, delta int) *laboratory {
	lab := &laboratory{t: t, now: time.Now(), hub: hub.New(hub.Options{}), gop: gop, key: key, delta: delta}
	var err error
	if lab.stream, err = lab.hub.Create("s"); err != nil {
		t.Fatal(err)
	}
	lab.begin()
	lab.link = &link{lab: lab}
	host := New(hubs{lab.hub}, Options{IdleTimeout: 1000 * time.Hour}, slog.New(slog.DiscardHandler))
	lab.viewer = newViewer(host, lab.link, Peer{Play: "s"})
	return lab
}

// begin opens an epoch.
func (lab *laboratory) begin() {
	lab.epoch++
	lab.frames = 0
	epoch := &media.Epoch{ID: lab.epoch, Inits: [][]byte{nil, nil}, Tracks: []media.Track{
		{ID: 1, Codec: media.H264, CodecString: "avc1.64001f", Timescale: 1000},
		{ID: 2, Codec: media.AAC, CodecString: "mp4a.40.2", Timescale: 1000},
	}}
	var err error
	if epoch.Message, err = proto.Marshal(wire.StreamStarted("s", "i", 0, epoch)); err != nil {
		lab.t.Fatal(err)
	}
	if err := lab.stream.Begin(epoch); err != nil {
		lab.t.Fatal(err)
	}
}

// join publishes a first group and lets the viewer in.
func (lab *laboratory) join() {
	for range lab.gop {
		lab.publish()
	}
	lab.stream.SetStatus(hub.Live, "")
	lab.say(&framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_Hello{Hello: &framewirev1.Hello{ProtocolVersion: 1}}})
}

func (lab *laboratory) say(m *framewirev1.ClientMessage) {
	data, err := proto.Marshal(m)
	if err != nil {
		lab.t.Fatal(err)
	}
	lab.viewer.handle(data, lab.now)
}

func (lab *laboratory) publish() {
	key := lab.frames%lab.gop == 0
	size := lab.delta
	if key {
		size = lab.key
	}
	lab.packet(1, media.Video, key, size)
	lab.packet(2, media.Audio, true, 320)
	lab.frames++
	lab.clock += labFrame
}

func (lab *laboratory) packet(track uint32, kind media.Kind, key bool, size int) {
	sequence := lab.stream.NextSequence()
	h := wire.FragmentHeader{TrackID: track, Epoch: lab.epoch, Sequence: sequence, DecodeTime: lab.clock.Milliseconds(), Keyframe: key}
	message := append(wire.AppendFragmentHeader(nil, h, size), make([]byte, size)...)
	err := lab.stream.Publish(&media.Packet{
		Message: message, Payload: message[len(message)-size:], Epoch: lab.epoch, TrackID: track, Sequence: sequence,
		Kind: kind, Keyframe: key, Time: lab.clock, Duration: labFrame,
	})
	if err != nil {
		lab.t.Fatal(err)
	}
}

// run lets d pass. After each frame the viewer is stepped as often as it asks,
// and once when it is blocked.
func (lab *laboratory) run(d time.Duration, each func()) {
	for end := lab.now.Add(d); lab.now.Before(end) && !lab.over; {
		lab.now = lab.now.Add(labFrame)
		lab.publish()
		lab.step()
		if each != nil {
			each()
		}
	}
}

// step steps the viewer as often as it asks, and once when it is blocked.
func (lab *laboratory) step() {
	for range 10000 {
		next := lab.viewer.Step(lab.now, &lab.batch)
		lab.over = next.Done
		if next.Done || !next.Now || lab.link.pending > 0 {
			return
		}
	}
	lab.t.Fatal("the viewer asks to be stepped for ever")
}
