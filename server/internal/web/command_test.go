package web_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/web"
	"github.com/framewire/framewire/server/internal/wire"
)

const (
	invalid     = framewirev1.ErrorCode_ERROR_CODE_INVALID_ARGUMENT
	outOfWindow = framewirev1.ErrorCode_ERROR_CODE_OUT_OF_WINDOW
	unsupported = framewirev1.ErrorCode_ERROR_CODE_UNSUPPORTED
	notPlaying  = framewirev1.ErrorCode_ERROR_CODE_NOT_PLAYING
	notLive     = framewirev1.ErrorCode_ERROR_CODE_NOT_LIVE
)

func ptr[T any](v T) *T { return &v }

func TestBadCommandsAreRefusedByFieldAndSessionLives(t *testing.T) {
	everyWay(t, func(t *testing.T, s *site, opts client.Options) {
		s.stream("a", 5)
		s.offline("dark")
		p := s.dial(opts)
		nan := 0.0
		nan /= nan
		p.refused(p.Pause(p.ctx), notPlaying, "")
		p.refused(p.Resume(p.ctx, true), notPlaying, "")
		p.refused(p.Stop(p.ctx), notPlaying, "")
		p.refused(p.Seek(p.ctx, 0), notPlaying, "")
		p.refused(p.GoLive(p.ctx), notPlaying, "")
		p.refused(p.RequestKeyframe(p.ctx), notPlaying, "")
		p.refused(p.SelectTracks(p.ctx, nil, nil), notPlaying, "")
		p.refused(p.Play(p.ctx, "../etc"), invalid, "command.play.stream")
		p.refused(p.Play(p.ctx, ""), invalid, "command.play.stream")
		p.refused(p.SetVolume(p.ctx, 7), invalid, "command.set_volume.volume")
		p.refused(p.SetVolume(p.ctx, -0.1), invalid, "command.set_volume.volume")
		p.refused(p.SetVolume(p.ctx, nan), invalid, "command.set_volume.volume")
		p.refused(p.SetLatencyTarget(p.ctx, time.Hour), invalid, "command.set_latency_target.latency_target_ms")
		_, err := p.Do(p.ctx, &framewirev1.Command{})
		p.refused(err, unsupported, "command.body")

		p.must(p.Play(p.ctx, "dark"))
		p.refused(p.Seek(p.ctx, 0), notLive, "")

		p.must(p.Play(p.ctx, "a"))
		p.refused(p.Seek(p.ctx, time.Hour), outOfWindow, "command.seek.time_seconds")
		p.refused(p.RequestKeyframe(p.ctx), unsupported, "")
		p.refused(p.SelectTracks(p.ctx, ptr(uint32(9)), nil), framewirev1.ErrorCode_ERROR_CODE_UNKNOWN_TRACK, "command.select_tracks.video_track_id")
		p.refused(p.SelectTracks(p.ctx, nil, ptr(uint32(videoTrack))), framewirev1.ErrorCode_ERROR_CODE_UNKNOWN_TRACK, "command.select_tracks.audio_track_id")
		far := &framewirev1.Play{Stream: "a", From: &framewirev1.Play_TimeSeconds{TimeSeconds: 99}}
		p.refused(p.PlayFrom(p.ctx, far), outOfWindow, "command.play.time_seconds")
		far.From = &framewirev1.Play_Sequence{Sequence: 99}
		p.refused(p.PlayFrom(p.ctx, far), outOfWindow, "command.play.sequence")
		p.fragment()
	})
}

func TestStateComesBeforeTheResultThatCausedIt(t *testing.T) {
	s := serve(t, web.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws := rawDial(t, s, ctx, client.JSON)
	say(t, ctx, ws, `{"hello":{"protocolVersion":1}}`)
	say(t, ctx, ws, `{"command":{"id":7,"setVolume":{"volume":0.25}}}`)
	var order []string
	for {
		m := hear(t, ctx, ws)
		if st := m.GetSessionState(); st != nil && st.GetVolume() == 0.25 {
			order = append(order, "state")
		}
		if r := m.GetCommandResult(); r != nil {
			if r.GetId() != 7 || r.GetDone() == nil {
				t.Fatalf("result: %v", r)
			}
			order = append(order, "result")
			break
		}
	}
	if got := strings.Join(order, " "); got != "state result" {
		t.Fatalf("order: %s", got)
	}
}

// rawDial opens a WebSocket and says nothing.
func rawDial(t *testing.T, s *site, ctx context.Context, subprotocol string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.Dial(ctx, "ws://"+s.addr+"/ws", &websocket.DialOptions{Subprotocols: []string{subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

func say(t *testing.T, ctx context.Context, ws *websocket.Conn, text string) {
	t.Helper()
	if err := ws.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, ctx context.Context, ws *websocket.Conn) *framewirev1.ServerMessage {
	t.Helper()
	kind, data, err := ws.Read(ctx)
	if err != nil {
		t.Fatalf("nothing more comes: %v", err)
	}
	var m framewirev1.ServerMessage
	if kind == websocket.MessageText {
		err = protojson.Unmarshal(data, &m)
	} else {
		err = proto.Unmarshal(data, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &m
}

// answer returns the next CommandResult.
func answer(t *testing.T, ctx context.Context, ws *websocket.Conn) *framewirev1.CommandResult {
	t.Helper()
	for {
		if r := hear(t, ctx, ws).GetCommandResult(); r != nil {
			return r
		}
	}
}

func TestUnreadableMessagesAreAnsweredAndSessionLives(t *testing.T) {
	for _, c := range []struct {
		name        string
		subprotocol string
		kind        websocket.MessageType
		data        string
		code        framewirev1.ErrorCode
		id          uint32
	}{
		{"command before hello", client.JSON, websocket.MessageText, `{"command":{"id":3,"pause":{}}}`, framewirev1.ErrorCode_ERROR_CODE_HELLO_REQUIRED, 3},
		{"garbage", client.Proto, websocket.MessageBinary, "\xff\xff\xff\xff", framewirev1.ErrorCode_ERROR_CODE_MALFORMED_MESSAGE, 0},
		{"not JSON", client.JSON, websocket.MessageText, "hello?", framewirev1.ErrorCode_ERROR_CODE_MALFORMED_MESSAGE, 0},
		{"text where binary is spoken", client.Proto, websocket.MessageText, "{}", framewirev1.ErrorCode_ERROR_CODE_WRONG_FRAME_TYPE, 0},
		{"binary where text is spoken", client.JSON, websocket.MessageBinary, "", framewirev1.ErrorCode_ERROR_CODE_WRONG_FRAME_TYPE, 0},
		{"too large", client.Proto, websocket.MessageBinary, strings.Repeat("x", 65<<10), framewirev1.ErrorCode_ERROR_CODE_MESSAGE_TOO_LARGE, 0},
		{"bad hello", client.JSON, websocket.MessageText, `{"hello":{"protocolVersion":1,"settings":{"volume":2}}}`, invalid, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, web.Options{})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			ws := rawDial(t, s, ctx, c.subprotocol)
			if err := ws.Write(ctx, c.kind, []byte(c.data)); err != nil {
				t.Fatal(err)
			}
			r := answer(t, ctx, ws)
			if r.GetError().GetCode() != c.code || r.GetId() != c.id || r.GetError().GetMessage() == "" {
				t.Fatalf("got %v, want %v for %d", r, c.code, c.id)
			}
			// It lives: hello is answered.
			hello := &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_Hello{Hello: &framewirev1.Hello{ProtocolVersion: 1}}}
			data, _ := proto.Marshal(hello)
			kind := websocket.MessageBinary
			if c.subprotocol == client.JSON {
				data, _ = protojson.Marshal(hello)
				kind = websocket.MessageText
			}
			if err := ws.Write(ctx, kind, data); err != nil {
				t.Fatal(err)
			}
			if m := hear(t, ctx, ws); m.GetWelcome().GetSessionId() == "" {
				t.Fatalf("got %v, want welcome", m)
			}
		})
	}
}

func TestSessionsEndWithReasonAndCloseCode(t *testing.T) {
	for _, c := range []struct {
		name    string
		opts    session.Options
		do      func(t *testing.T, ctx context.Context, s *site, ws *websocket.Conn)
		code    websocket.StatusCode
		goodbye framewirev1.GoodbyeReason
	}{
		{"no hello", session.Options{HandshakeTimeout: 50 * time.Millisecond}, nil, 4003, framewirev1.GoodbyeReason_GOODBYE_REASON_HANDSHAKE_TIMEOUT},
		{"another version", session.Options{}, func(t *testing.T, ctx context.Context, _ *site, ws *websocket.Conn) {
			say(t, ctx, ws, `{"hello":{"protocolVersion":99}}`)
		}, 4004, framewirev1.GoodbyeReason_GOODBYE_REASON_UNSUPPORTED_VERSION},
		{"flood", session.Options{}, func(t *testing.T, ctx context.Context, _ *site, ws *websocket.Conn) {
			_ = ws.Write(ctx, websocket.MessageText, make([]byte, 2<<20)) // may be cut off
		}, websocket.StatusMessageTooBig, framewirev1.GoodbyeReason_GOODBYE_REASON_MESSAGE_TOO_LARGE},
		{"overloaded", session.Options{MaxSessions: -1}, nil, websocket.StatusTryAgainLater, framewirev1.GoodbyeReason_GOODBYE_REASON_OVERLOADED},
		{"drained", session.Options{}, func(t *testing.T, ctx context.Context, s *site, ws *websocket.Conn) {
			say(t, ctx, ws, `{"hello":{"protocolVersion":1}}`)
			hear(t, ctx, ws)
			go func() { _ = s.Drain(ctx, framewirev1.GoodbyeReason_GOODBYE_REASON_RESTARTING, time.Second) }()
		}, websocket.StatusServiceRestart, framewirev1.GoodbyeReason_GOODBYE_REASON_RESTARTING},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.opts.MaxSessions < 0 {
				c.opts.MaxSessions = 1
			}
			s := serve(t, web.Options{Sessions: c.opts})
			if c.opts.MaxSessions > 0 {
				s.dial(client.Options{})
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			ws := rawDial(t, s, ctx, client.JSON)
			if c.do != nil {
				c.do(t, ctx, s, ws)
			}
			var said *framewirev1.Goodbye
			for {
				_, data, err := ws.Read(ctx)
				if err != nil {
					if got := websocket.CloseStatus(err); got != c.code {
						t.Fatalf("closed with %v (%v), want %v", got, err, c.code)
					}
					break
				}
				var m framewirev1.ServerMessage
				if err := protojson.Unmarshal(data, &m); err != nil {
					t.Fatal(err)
				}
				said = m.GetGoodbye()
			}
			if said.GetReason() != c.goodbye || said.GetMessage() == "" {
				t.Fatalf("goodbye: %v, want %v", said, c.goodbye)
			}
		})
	}
}

func TestSilentClientIsClosedAsIdleAndOneThatAnswersPingsIsNot(t *testing.T) {
	s := serve(t, web.Options{Sessions: session.Options{IdleTimeout: 300 * time.Millisecond}})
	lively := s.dial(client.Options{}) // its goroutine reads, and so answers pings
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dead := rawDial(t, s, ctx, client.JSON)
	say(t, ctx, dead, `{"hello":{"protocolVersion":1}}`)
	// Nothing reads from dead until its session is gone.
	for len(s.Sessions().All()) > 1 {
		if ctx.Err() != nil {
			t.Fatal("the silent session lives on")
		}
		lively.drain()
	}
	opened := time.Now()
	for time.Since(opened) < time.Second { // three times the timeout, in which the client says nothing
		over, stop := context.WithTimeout(lively.ctx, 100*time.Millisecond)
		if _, err := lively.Receive(over); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		stop()
	}
	lively.must(lively.SetVolume(lively.ctx, 1))
}

func TestCommandsAboveTheRateAreRefused(t *testing.T) {
	s := serve(t, web.Options{Sessions: session.Options{CommandBurst: 3, CommandsPerSecond: 1}})
	p := s.dial(client.Options{})
	for range 3 {
		p.must(p.SetMuted(p.ctx, true))
	}
	p.refused(p.SetMuted(p.ctx, false), framewirev1.ErrorCode_ERROR_CODE_TOO_MANY_COMMANDS, "")
}

func TestSeekGoesBackAndGoLiveReturns(t *testing.T) {
	everyWay(t, func(t *testing.T, s *site, opts client.Options) {
		studio := s.stream("a", 10) // 0.0 s, sequence 0
		studio.group(10)            // 0.4 s, sequence 20
		studio.group(10)            // 0.8 s, sequence 40
		p := s.dial(opts)
		p.must(p.Play(p.ctx, "a"))
		if f := p.fragment(); f.GetSequence() != 40 {
			t.Fatalf("began at %d", f.GetSequence())
		}
		p.drain()
		p.must(p.Seek(p.ctx, 600*time.Millisecond))
		p.state("behind live", func(st *framewirev1.SessionState) bool { return !st.GetLive() && st.GetPositionSeconds() == 0.4 })
		if f := p.fragment(); f.GetSequence() != 20 || !f.GetKeyframe() {
			t.Fatalf("sought to %d", f.GetSequence())
		}
		p.drain()
		p.must(p.GoLive(p.ctx))
		p.state("live", func(st *framewirev1.SessionState) bool { return st.GetLive() })
		studio.group(1)
		if f := p.fragment(); f.GetSequence() != 60 {
			t.Fatalf("live at %d", f.GetSequence())
		}
		for _, c := range []struct {
			from *framewirev1.Play
			want uint64
		}{
			{&framewirev1.Play{From: &framewirev1.Play_TimeSeconds{TimeSeconds: 0.5}}, 20},
			{&framewirev1.Play{From: &framewirev1.Play_Sequence{Sequence: 59}}, 40},
			{&framewirev1.Play{From: &framewirev1.Play_SecondsBehindLive{SecondsBehindLive: 0.74}}, 20}, // live is 1.24
			{&framewirev1.Play{From: &framewirev1.Play_SecondsBehindLive{SecondsBehindLive: 0.5}}, 40},
			{&framewirev1.Play{From: &framewirev1.Play_SecondsBehindLive{SecondsBehindLive: 0}}, 60},
			{&framewirev1.Play{From: &framewirev1.Play_SecondsBehindLive{SecondsBehindLive: 500}}, 0},
		} {
			p.drain()
			c.from.Stream = "a"
			p.must(p.PlayFrom(p.ctx, c.from))
			if f := p.fragment(); f.GetSequence() != c.want {
				t.Fatalf("%v began at %d, want %d", c.from, f.GetSequence(), c.want)
			}
		}
	})
}

func TestStopAndSwitchEndTheStream(t *testing.T) {
	s := serve(t, web.Options{})
	s.stream("a", 2)
	s.stream("b", 2)
	p := s.dial(client.Options{}, "?stream=a") // plays by itself
	p.fragment()
	p.must(p.Play(p.ctx, "b"))
	ended := func(stream string, reason framewirev1.StreamEndReason) {
		t.Helper()
		m, _ := p.await("StreamEnded", func(m *framewirev1.ServerMessage) bool { return m.GetStreamEnded() != nil })
		if e := m.GetStreamEnded(); e.GetStream() != stream || e.GetReason() != reason {
			t.Fatalf("ended: %v", e)
		}
	}
	ended("a", framewirev1.StreamEndReason_STREAM_END_REASON_SWITCHED)
	if st := p.started(); st.GetStream() != "b" {
		t.Fatalf("started: %v", st)
	}
	p.must(p.Stop(p.ctx))
	ended("b", framewirev1.StreamEndReason_STREAM_END_REASON_STOPPED)
	if _, fragments := p.drain(); len(fragments) != 0 {
		t.Fatalf("%d fragments after stop", len(fragments))
	}
	if n := s.hub.Lookup("a").Viewers() + s.hub.Lookup("b").Viewers(); n != 0 {
		t.Fatalf("%d viewers are still counted", n)
	}
}

func TestTracksAreSwitchedAtTheirKeyframe(t *testing.T) {
	s := serve(t, web.Options{})
	studio := s.offline("a")
	second := h264
	second.ID = 3
	studio.begin(h264, aac, second)
	studio.group(2)
	studio.live()
	p := s.dial(client.Options{})
	p.must(p.Play(p.ctx, "a"))
	p.drain()
	p.must(p.SelectTracks(p.ctx, ptr(uint32(3)), ptr(uint32(0))))
	studio.frame(false)
	if f := p.fragment(); f.GetTrackId() != videoTrack {
		t.Fatalf("track %d before the keyframe", f.GetTrackId())
	}
	studio.frame(true)
	p.state("track 3", func(st *framewirev1.SessionState) bool { return st.GetVideoTrackId() == 3 && st.GetAudioTrackId() == 0 })
	studio.frame(false)
	_, fragments := p.drain()
	if len(fragments) != 2 || fragments[0].GetTrackId() != 3 || !fragments[0].GetKeyframe() || fragments[1].GetTrackId() != 3 {
		t.Fatalf("after the switch: %v", fragments)
	}
}

func TestUndecodableTracksAreWithheld(t *testing.T) {
	s := serve(t, web.Options{})
	studio := s.stream("a", 3)
	sound := s.dial(client.Options{DecodableTypes: []string{`audio/mp4; codecs="mp4a.40.2"`, `video/mp4; codecs="vp09.00.10.08"`}})
	sound.must(sound.Play(sound.ctx, "a"))
	st := sound.state("playing", func(st *framewirev1.SessionState) bool {
		return st.GetPlayback() == framewirev1.Playback_PLAYBACK_PLAYING
	})
	if ids := st.GetUndecodableTrackIds(); len(ids) != 1 || ids[0] != videoTrack {
		t.Fatalf("undecodable: %v", ids)
	}
	for range 3 {
		if f := sound.fragment(); f.GetTrackId() != audioTrack {
			t.Fatalf("track %d was sent", f.GetTrackId())
		}
	}
	sound.refused(sound.SelectTracks(sound.ctx, ptr(uint32(videoTrack)), nil), unsupported, "command.select_tracks.video_track_id")

	nothing := s.dial(client.Options{DecodableTypes: []string{`video/mp4; codecs="hvc1.1.6.L93.B0"`}})
	nothing.must(nothing.Play(nothing.ctx, "a"))
	nothing.waiting(framewirev1.WaitingReason_WAITING_REASON_NOTHING_DECODABLE)
	hevc := media.Track{ID: videoTrack, Codec: media.H265, CodecString: "hvc1.1.6.L93.B0", Timescale: 1000, Width: 320, Height: 180}
	studio.begin(hevc, aac)
	studio.group(2)
	if f := nothing.fragment(); f.GetEpoch() != 2 || f.GetTrackId() != videoTrack {
		t.Fatalf("fragment: %v", f)
	}
}

func TestNewEpochIsAnnouncedBeforeItsFragments(t *testing.T) {
	everyWay(t, func(t *testing.T, s *site, opts client.Options) {
		studio := s.stream("a", 2)
		p := s.dial(opts)
		p.must(p.Play(p.ctx, "a"))
		p.drain()
		studio.begin(h264)
		studio.group(2)
		m, before := p.await("a fragment", func(m *framewirev1.ServerMessage) bool { return m.GetFragment() != nil })
		if len(before) != 2 || before[0].GetStreamStarted().GetEpoch() != 2 || before[1].GetSessionState().GetAudioTrackId() != 0 {
			t.Fatalf("before: %v", before)
		}
		if f := m.GetFragment(); f.GetEpoch() != 2 || !f.GetKeyframe() {
			t.Fatalf("fragment: %v", f)
		}
	})
}

func TestResume(t *testing.T) {
	for _, c := range []struct {
		name     string
		resume   *framewirev1.ResumePosition
		first    uint64
		live     bool
		gap      framewirev1.GapReason
		paused   bool
		instance string
	}{
		{"close to live", &framewirev1.ResumePosition{NextSequence: 75}, 75, true, 0, false, ""},
		{"far behind", &framewirev1.ResumePosition{NextSequence: 5}, 80, true, framewirev1.GapReason_GAP_REASON_RESUMED, false, ""},
		{"time-shifted", &framewirev1.ResumePosition{NextSequence: 5, TimeShifted: true}, 5, false, 0, false, ""},
		{"paused", &framewirev1.ResumePosition{NextSequence: 33, Paused: true}, 33, false, 0, true, ""},
		{"other instance", &framewirev1.ResumePosition{NextSequence: 75, TimeShifted: true}, 80, true, 0, false, "other"},
		{"from the future", &framewirev1.ResumePosition{NextSequence: 7500, TimeShifted: true}, 80, true, 0, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, web.Options{Sessions: session.Options{ResumeWithin: time.Second}})
			studio := s.stream("a", 20)
			studio.group(20)
			studio.group(5) // 45 frames, 90 packets
			c.resume.Stream, c.resume.Instance = "a", studio.stream.Instance()
			if c.instance != "" {
				c.resume.Instance = c.instance
			}
			p := s.dial(client.Options{Resume: c.resume})
			st := p.state("any", func(*framewirev1.SessionState) bool { return true })
			if (st.GetPlayback() == framewirev1.Playback_PLAYBACK_PAUSED) != c.paused || st.GetLive() != c.live {
				t.Fatalf("state: %v", st)
			}
			if c.paused {
				if _, fragments := p.drain(); len(fragments) != 0 {
					t.Fatalf("%d fragments while paused", len(fragments))
				}
				p.must(p.Resume(p.ctx, false))
			}
			m, before := p.await("a fragment", func(m *framewirev1.ServerMessage) bool { return m.GetFragment() != nil })
			if got := m.GetFragment().GetSequence(); got != c.first {
				t.Fatalf("went on at %d, want %d", got, c.first)
			}
			var gap framewirev1.GapReason
			for _, b := range before {
				if b.GetGap() != nil {
					gap = b.GetGap().GetReason()
				}
			}
			if gap != c.gap {
				t.Fatalf("gap %v, want %v", gap, c.gap)
			}
		})
	}
}

func TestResumeAfterTheWindowHasPassedSaysSo(t *testing.T) {
	s := serve(t, web.Options{Hub: hub.New(hub.Options{Window: time.Second})})
	studio := s.stream("a", 5)
	p := s.dial(client.Options{})
	p.must(p.Play(p.ctx, "a"))
	p.drain()
	p.must(p.Pause(p.ctx))
	for range 10 {
		studio.group(10)
	}
	p.must(p.Resume(p.ctx, false))
	m, _ := p.await("a gap", func(m *framewirev1.ServerMessage) bool { return m.GetGap() != nil })
	if g := m.GetGap(); g.GetReason() != framewirev1.GapReason_GAP_REASON_LEFT_WINDOW || g.GetFromSeconds() != 0.2 || g.GetToSeconds() < 3 {
		t.Fatalf("gap: %v", g)
	}
	if f := p.fragment(); !f.GetKeyframe() {
		t.Fatal("it does not go on at a keyframe")
	}
}

func TestSubscriberIsToldOfChangesInTheList(t *testing.T) {
	everyWay(t, func(t *testing.T, s *site, opts client.Options) {
		s.stream("b", 2)
		p := s.dial(opts)
		list, err := p.SubscribeStreams(p.ctx, true)
		p.must(err)
		if len(list) != 1 || list[0].GetName() != "b" || list[0].GetStatus() != framewirev1.StreamStatus_STREAM_STATUS_LIVE || len(list[0].GetTracks()) != 2 {
			t.Fatalf("list: %v", list)
		}
		s.offline("a")
		p.must(p.Play(p.ctx, "b"))
		p.await("the list", func(m *framewirev1.ServerMessage) bool {
			l := m.GetStreamList().GetStreams()
			return len(l) == 2 && l[0].GetName() == "a" && l[0].GetStatus() == framewirev1.StreamStatus_STREAM_STATUS_OFFLINE && l[1].GetViewers() == 1
		})
		list, err = p.ListStreams(p.ctx)
		p.must(err)
		if len(list) != 2 {
			t.Fatalf("list: %v", list)
		}
	})
}

func TestDirectivesAreAnswered(t *testing.T) {
	s := serve(t, web.Options{})
	p := s.dial(client.Options{Name: "tester", ClientVersion: "7"})
	p.drain()
	viewer := s.Sessions().All()[0]
	if snap := viewer.Snapshot(); snap.ClientName != "tester" || snap.ClientVersion != "7" || snap.Address == "" {
		t.Fatalf("snapshot: %+v", snap)
	}
	answers := make(chan error, 1)
	for _, refuse := range []bool{false, true} {
		go func() { answers <- viewer.Direct(p.ctx, wire.ShowNotice{Text: "hello", For: time.Second}) }()
		m, _ := p.await("a directive", func(m *framewirev1.ServerMessage) bool { return m.GetDirective() != nil })
		d := m.GetDirective()
		if d.GetShowNotice().GetText() != "hello" || d.GetShowNotice().GetDurationMs() != 1000 {
			t.Fatalf("directive: %v", d)
		}
		result := &framewirev1.DirectiveResult{Id: d.GetId(), Outcome: &framewirev1.DirectiveResult_Done{Done: &framewirev1.DirectiveDone{}}}
		if refuse {
			result.Outcome = &framewirev1.DirectiveResult_Error{Error: &framewirev1.Error{Code: unsupported, Message: "no"}}
		}
		p.must(p.Send(p.ctx, &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_DirectiveResult{DirectiveResult: result}}))
		if err := <-answers; (err != nil) != refuse {
			t.Fatalf("answer: %v", err)
		}
	}
	go func() { answers <- viewer.Direct(p.ctx, wire.ShowNotice{Text: "bye"}) }()
	p.await("a directive", func(m *framewirev1.ServerMessage) bool { return m.GetDirective() != nil })
	_ = p.Close()
	if err := <-answers; !errors.Is(err, session.ErrGone) {
		t.Fatalf("answer of one who left: %v", err)
	}
}

func TestReportsAreKeptForTheOperator(t *testing.T) {
	s := serve(t, web.Options{})
	p := s.dial(client.Options{})
	p.must(p.Send(p.ctx, &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_PlaybackReport{
		PlaybackReport: &framewirev1.PlaybackReport{LatencyMs: 120, Stalls: 2, PlaybackRate: 1, Visible: true},
	}}))
	p.drain()
	r := s.Sessions().All()[0].Snapshot().Report
	if r.Latency != 120*time.Millisecond || r.Stalls != 2 || !r.Visible {
		t.Fatalf("report: %+v", r)
	}
}
