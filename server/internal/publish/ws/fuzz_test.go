package ws

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/wire"
)

// strict is a desk that lets everybody in and fails the test when what it is
// given breaks the contract of media.Sink.
type strict struct{ t *testing.T }

func (d strict) Open(context.Context, publish.Request) (publish.Publication, error) {
	return &strictPublication{t: d.t, done: make(chan struct{})}, nil
}

type strictPublication struct {
	t      *testing.T
	done   chan struct{}
	tracks []media.Track
	closed bool
}

func (p *strictPublication) Start(tracks []media.Track) error {
	for _, t := range tracks {
		if t.ID == 0 || t.Timescale == 0 || t.CodecString == "" || t.Kind() == 0 {
			p.t.Errorf("incomplete track %+v", t)
		}
	}
	p.tracks = tracks
	return nil
}

func (p *strictPublication) Write(s media.Sample) error {
	known := false
	for _, t := range p.tracks {
		known = known || t.ID == s.TrackID
	}
	if !known || p.closed {
		p.t.Errorf("sample of track %d, closed %v", s.TrackID, p.closed)
	}
	if s.CapturedAt.IsZero() {
		p.t.Error("a sample without a time of capture")
	}
	return nil
}

func (p *strictPublication) Close(error) {
	if p.closed {
		p.t.Error("closed twice")
	}
	p.closed = true
}
func (p *strictPublication) Renew(context.Context, string) error { return nil }
func (p *strictPublication) Done() <-chan struct{}               { return p.done }
func (p *strictPublication) Reason() error                       { return nil }

// FuzzPublisher reads a script of client messages, each behind its length in one
// byte, as a session would.
func FuzzPublisher(f *testing.F) {
	script := func(messages ...*framewirev1.ClientMessage) []byte {
		var all []byte
		for _, m := range messages {
			data, err := proto.Marshal(m)
			if err != nil {
				f.Fatal(err)
			}
			all = append(append(all, byte(len(data))), data...)
		}
		return all
	}
	start := &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_PublishStart{PublishStart: &framewirev1.PublishStart{
		Id: 1, Stream: "cam", Tracks: []*framewirev1.PublishTrack{
			{Id: 1, Codec: "vp09.00.10.08", Timescale: 1_000_000}, {Id: 2, Codec: "opus", Timescale: 48000},
		},
	}}}
	sample := func(track uint32, data string) *framewirev1.ClientMessage {
		return &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_PublishSample{PublishSample: &framewirev1.PublishSample{
			TrackId: track, DecodeTimeTicks: 1 << 40, CapturedAtUnixUs: 1, Data: []byte(data),
		}}}
	}
	end := &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_PublishEnd{PublishEnd: &framewirev1.PublishEnd{}}}
	f.Add(script(start, sample(1, "\x82\x49\x83\x42\x00\x13\xf0\x0b\x30"), sample(2, "\xfc\xff\xfe"), end))
	f.Add(script(start, sample(3, "x"), start, end, end))
	f.Add(script(sample(1, "x"), end, start, start))
	f.Fuzz(func(t *testing.T, data []byte) {
		open := 0
		p := New(Options{Desk: strict{t}, AckInterval: time.Hour}).Open(Client{Send: func(m wire.ServerMessage) {
			switch m := m.(type) {
			case wire.PublishStarted:
				open++
			case wire.PublishEnded:
				if m.Reason == 0 {
					t.Error("an end without a reason")
				}
			}
		}})
		defer p.Close()
		for len(data) > 0 && open < 50 {
			n := min(int(data[0]), len(data)-1)
			m, err := wire.Proto.Decode(data[1 : 1+n])
			data = data[1+n:]
			var d *wire.DecodeError
			if message, ok := m.(wire.PublishMessage); ok && err == nil {
				p.Take(message, time.Now())
			} else if errors.As(err, &d) && d.Publish != nil {
				p.Fail(wire.PublishMalformed, d.Error())
			}
		}
	})
}
