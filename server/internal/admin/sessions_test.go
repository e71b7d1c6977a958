package admin_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
)

func TestSessionsAreListedInPages(t *testing.T) {
	s := serve(t)
	c := s.client()
	var want []string
	for range 5 {
		want = append(want, s.play("demo", obey).id)
	}
	idle := s.play("", obey).id
	list := func(r *framewirev1.ListSessionsRequest) ([]string, string) {
		response, err := c.ListSessions(s.ctx, connect.NewRequest(r))
		m := must(t, response, err)
		var ids []string
		for _, v := range m.GetSessions() {
			ids = append(ids, v.GetSessionId())
		}
		return ids, m.GetNextPageToken()
	}
	var got []string
	token := ""
	for pages := 0; pages < 10; pages++ {
		ids, next := list(&framewirev1.ListSessionsRequest{PageSize: 2, PageToken: token})
		got = append(got, ids...)
		if token = next; token == "" {
			break
		}
	}
	if strings.Join(got, " ") != strings.Join(append(want, idle), " ") {
		t.Errorf("pages hold %v, want %v", got, append(want, idle))
	}
	if ids, next := list(&framewirev1.ListSessionsRequest{Stream: "demo", PageSize: 5}); len(ids) != 5 || next != "" {
		t.Errorf("of the stream: %v, next %q", ids, next)
	}
	for _, bad := range []*framewirev1.ListSessionsRequest{{PageSize: 1001}, {PageToken: "x"}, {PageToken: "1."}} {
		_, err := c.ListSessions(s.ctx, connect.NewRequest(bad))
		code(t, bad.String(), err, connect.CodeInvalidArgument)
	}
}

func TestSessionIsDescribed(t *testing.T) {
	s := serve(t)
	p := s.play("demo", obey)
	if err := p.SetVolume(s.ctx, 0.5); err != nil {
		t.Fatal(err)
	}
	err := p.Send(s.ctx, &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_PlaybackReport{PlaybackReport: &framewirev1.PlaybackReport{
		State: framewirev1.PlayerState_PLAYER_STATE_PLAYING, LatencyMs: 180.5, PlaybackRate: 1, FramesDecoded: 7,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var v *framewirev1.AdminSession
	s.wait("the report came and media went", func() bool {
		r, err := s.client().GetSession(s.ctx, connect.NewRequest(&framewirev1.GetSessionRequest{SessionId: p.id}))
		v = must(t, r, err).GetSession()
		return v.GetReport() != nil && v.GetSentBytes() > 0
	})
	if v.GetClient() != "tester 2" || v.GetState().GetVolume() != 0.5 || v.GetState().GetStream() != "demo" ||
		v.GetReport().GetLatencyMs() != 180.5 || v.GetReport().GetFramesDecoded() != 7 ||
		v.GetSubprotocol() != "framewire.v1.proto" || v.GetSentFragments() == 0 {
		t.Errorf("%v", v)
	}
	if _, err := netip.ParseAddrPort(v.GetRemote()); err != nil {
		t.Errorf("remote %q", v.GetRemote())
	}
}

func TestKickedViewerIsToldWhy(t *testing.T) {
	s := serve(t)
	c := s.client()
	p, stays := s.play("demo", obey), s.play("demo", obey)
	kick := func(id, message string) error {
		_, err := c.KickSession(s.ctx, connect.NewRequest(&framewirev1.KickSessionRequest{SessionId: id, Message: message}))
		return err
	}
	code(t, "a long message", kick(p.id, strings.Repeat("x", 201)), connect.CodeInvalidArgument)
	if err := kick(p.id, "Closing time."); err != nil {
		t.Fatal(err)
	}
	p.done.Wait()
	var g *client.GoodbyeError
	if !errors.As(p.ended, &g) || g.Reason != framewirev1.GoodbyeReason_GOODBYE_REASON_KICKED || g.Message != "Closing time." || g.RetryAfter == 0 {
		t.Errorf("ended with %v", p.ended)
	}
	s.wait("the session is gone", func() bool { return s.Lookup(p.id) == nil })
	code(t, "kicked twice", kick(p.id, ""), connect.CodeNotFound)
	if err := stays.Pause(s.ctx); err != nil {
		t.Errorf("the other session: %v", err)
	}
}

func TestPublishersAreListedAndKicked(t *testing.T) {
	s := serve(t)
	c := s.client()
	p, err := s.desk.Open(s.ctx, publish.Request{Stream: "pub", Protocol: publish.RTMP, Client: "OBS \xff", Remote: netip.MustParseAddrPort("192.0.2.1:5")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { p.Close(nil) }()
	if err := p.Start([]media.Track{{ID: 1, Codec: media.Opus, CodecString: "opus", Timescale: 48000, SampleRate: 48000, Channels: 2, Config: []byte{
		1, 2, 0x38, 1, 0x80, 0xbb, 0, 0, 0, 0, 0,
	}}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(media.Sample{TrackID: 1, Data: []byte{0xfc, 0xff, 0xfe}, Duration: 960, Keyframe: true}); err != nil {
		t.Fatal(err)
	}
	list, err := c.ListPublishers(s.ctx, connect.NewRequest(&framewirev1.ListPublishersRequest{}))
	got := must(t, list, err).GetPublishers()
	if len(got) != 1 || got[0].GetStream() != "pub" || got[0].GetProtocol() != "rtmp" || got[0].GetClient() != "OBS \uFFFD" ||
		got[0].GetRemote() != "192.0.2.1:5" || got[0].GetReceivedBytes() != 3 || time.Since(time.UnixMicro(got[0].GetOpenedAtUnixUs())) > patience {
		t.Errorf("%v", got)
	}
	kick := func(name string) error {
		_, err := c.KickPublisher(s.ctx, connect.NewRequest(&framewirev1.KickPublisherRequest{Stream: name}))
		return err
	}
	code(t, "nobody", kick("demo"), connect.CodeNotFound)
	if err := kick("pub"); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if !errors.Is(p.Reason(), publish.ErrRemoved) {
		t.Errorf("ended with %v", p.Reason())
	}
	if _, err := c.RemoveStream(s.ctx, connect.NewRequest(&framewirev1.RemoveStreamRequest{Stream: "pub"})); err != nil {
		t.Fatal(err)
	}
	if s.hub.Lookup("pub") != nil {
		t.Error("the stream is still there")
	}
}
