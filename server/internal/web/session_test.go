package web_test

import (
	"testing"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/web"
)

// everyWay runs a test with both subprotocols, over connections that gather and
// plain ones.
func everyWay(t *testing.T, test func(t *testing.T, s *site, opts client.Options)) {
	for _, c := range []struct {
		name  string
		opts  client.Options
		plain []bool
	}{
		{"proto", client.Options{Subprotocol: client.Proto}, nil},
		{"json", client.Options{Subprotocol: client.JSON}, nil},
		{"plain connection", client.Options{}, []bool{true}},
	} {
		t.Run(c.name, func(t *testing.T) { test(t, serve(t, web.Options{}, c.plain...), c.opts) })
	}
}

func TestViewerStartsAtTheNewestKeyframeAndFollows(t *testing.T) {
	everyWay(t, func(t *testing.T, s *site, opts client.Options) {
		studio := s.stream("live/one", 10)
		studio.group(5) // sequences 20 to 29
		p := s.dial(opts)
		p.must(p.Play(p.ctx, "live/one"))
		p.state("playing", func(st *framewirev1.SessionState) bool {
			return st.GetPlayback() == framewirev1.Playback_PLAYBACK_PLAYING && st.GetVideoTrackId() == videoTrack && st.GetLive()
		})
		started := p.started()
		if started.GetStream() != "live/one" || started.GetEpoch() != 1 || len(started.GetTracks()) != 2 ||
			string(started.GetTracks()[0].GetInitSegment()) != "init" {
			t.Fatalf("started: %v", started)
		}
		for want := range uint64(10) {
			f := p.fragment()
			if f.GetSequence() != 20+want || len(f.GetPayload()) < 300 {
				t.Fatalf("got sequence %d of %d bytes, want %d", f.GetSequence(), len(f.GetPayload()), 20+want)
			}
		}
		studio.frame(false)
		if f := p.fragment(); f.GetSequence() != 30 {
			t.Fatalf("got sequence %d, want 30", f.GetSequence())
		}
	})
}

func TestPausedViewerReceivesNoMediaAndGoesOnWhereItWas(t *testing.T) {
	everyWay(t, func(t *testing.T, s *site, opts client.Options) {
		studio := s.stream("a", 3)
		p := s.dial(opts)
		p.must(p.Play(p.ctx, "a"))
		for range 6 {
			p.fragment()
		}
		p.must(p.Pause(p.ctx))
		studio.group(20)
		if _, fragments := p.drain(); len(fragments) != 0 {
			t.Fatalf("%d fragments while paused", len(fragments))
		}
		p.must(p.Resume(p.ctx, false))
		if f := p.fragment(); f.GetSequence() != 6 {
			t.Fatalf("went on at %d, want 6", f.GetSequence())
		}
		p.must(p.Pause(p.ctx))
		studio.group(3)
		p.drain()
		p.must(p.Resume(p.ctx, true))
		if f := p.fragment(); f.GetSequence() != 46 || !f.GetKeyframe() {
			t.Fatalf("live edge at %d, want keyframe 46", f.GetSequence())
		}
	})
}

func TestMutedViewerReceivesNoAudio(t *testing.T) {
	everyWay(t, func(t *testing.T, s *site, opts client.Options) {
		studio := s.stream("a", 1)
		p := s.dial(opts)
		p.must(p.Play(p.ctx, "a"))
		p.fragment()
		p.fragment()
		count := func() (video, audio int) {
			studio.group(5)
			for {
				_, fragments := p.drain()
				for _, f := range fragments {
					if f.GetTrackId() == audioTrack {
						audio++
					} else {
						video++
					}
				}
				if video >= 5 {
					return video, audio
				}
			}
		}
		for _, c := range []struct {
			name string
			set  func() error
			want int
		}{
			{"muted", func() error { return p.SetMuted(p.ctx, true) }, 0},
			{"unmuted", func() error { return p.SetMuted(p.ctx, false) }, 5},
			{"volume 0", func() error { return p.SetVolume(p.ctx, 0) }, 0},
			{"volume 0.5", func() error { return p.SetVolume(p.ctx, 0.5) }, 5},
		} {
			p.must(c.set())
			if video, audio := count(); video != 5 || audio < c.want || audio > c.want {
				t.Fatalf("%s: %d video and %d audio fragments, want 5 and %d", c.name, video, audio, c.want)
			}
		}
	})
}

func TestUnknownStreamStartsWhenItComes(t *testing.T) {
	everyWay(t, func(t *testing.T, s *site, opts client.Options) {
		p := s.dial(opts)
		p.must(p.Play(p.ctx, "later"))
		p.waiting(framewirev1.WaitingReason_WAITING_REASON_UNKNOWN_STREAM)
		studio := s.offline("later")
		p.waiting(framewirev1.WaitingReason_WAITING_REASON_NO_PUBLISHER)
		studio.stream.SetStatus(hub.Starting, "")
		p.waiting(framewirev1.WaitingReason_WAITING_REASON_STARTING)
		studio.begin(h264, aac)
		studio.group(2)
		studio.live()
		if st := p.started(); st.GetEpoch() != 1 {
			t.Fatalf("started: %v", st)
		}
		p.fragment()
	})
}

func TestLostSourceIsToldAndComesBackAsNewEpoch(t *testing.T) {
	everyWay(t, func(t *testing.T, s *site, opts client.Options) {
		studio := s.stream("a", 3)
		p := s.dial(opts)
		p.must(p.Play(p.ctx, "a"))
		for range 6 {
			p.fragment()
		}
		studio.stream.SetStatus(hub.Lost, "")
		if w := p.waiting(framewirev1.WaitingReason_WAITING_REASON_SOURCE_LOST); w.GetMessage() == "" || w.GetSinceUnixUs() == 0 {
			t.Fatalf("waiting: %v", w)
		}
		late := s.dial(opts)
		late.must(late.Play(late.ctx, "a"))
		late.waiting(framewirev1.WaitingReason_WAITING_REASON_SOURCE_LOST)
		if _, fragments := late.drain(); len(fragments) != 0 {
			t.Fatalf("%d stale fragments", len(fragments))
		}
		studio.clock += time.Second
		studio.begin(h264, aac)
		studio.group(2)
		studio.live()
		m, _ := p.await("a gap", func(m *framewirev1.ServerMessage) bool { return m.GetGap() != nil })
		g := m.GetGap()
		if g.GetReason() != framewirev1.GapReason_GAP_REASON_SOURCE_INTERRUPTED || g.GetToSeconds()-g.GetFromSeconds() < 0.99 {
			t.Fatalf("gap: %v", g)
		}
		for _, player := range []*player{p, late} {
			if f := player.fragment(); f.GetEpoch() != 2 || !f.GetKeyframe() {
				t.Fatalf("fragment of epoch %d, keyframe %v", f.GetEpoch(), f.GetKeyframe())
			}
		}
	})
}

func TestFinishedStreamIsSeenToItsEnd(t *testing.T) {
	s := serve(t, web.Options{})
	studio := s.stream("a", 3)
	p := s.dial(client.Options{})
	p.must(p.Play(p.ctx, "a"))
	p.fragment()
	studio.group(5)
	last := studio.stream.NextSequence() - 1
	studio.stream.SetStatus(hub.Finished, "The stream has come to its end.")
	ended := func(p *player) []*framewirev1.ServerMessage {
		t.Helper()
		m, before := p.await("StreamEnded", func(m *framewirev1.ServerMessage) bool { return m.GetStreamEnded() != nil })
		if e := m.GetStreamEnded(); e.GetReason() != framewirev1.StreamEndReason_STREAM_END_REASON_FINISHED || e.GetMessage() == "" {
			t.Fatalf("ended: %v", e)
		}
		return before
	}
	var seen uint64
	for _, m := range ended(p) {
		if f := m.GetFragment(); f != nil {
			seen = f.GetSequence()
		}
		if m.GetStreamWaiting() != nil {
			t.Errorf("told to wait: %v", m.GetStreamWaiting())
		}
	}
	p.state("stopped", func(st *framewirev1.SessionState) bool {
		return st.GetPlayback() == framewirev1.Playback_PLAYBACK_STOPPED && st.GetStream() == ""
	})
	if seen != last {
		t.Errorf("seen to %d of %d", seen, last)
	}
	late := s.dial(client.Options{})
	late.must(late.Play(late.ctx, "a"))
	ended(late)
	studio.live()
	studio.group(1)
	p.must(p.Play(p.ctx, "a"))
	p.fragment()
}

func TestRemovedStreamEndsAndSessionLives(t *testing.T) {
	s := serve(t, web.Options{})
	s.stream("a", 3)
	p := s.dial(client.Options{})
	p.must(p.Play(p.ctx, "a"))
	p.fragment()
	s.hub.Remove("a")
	m, _ := p.await("StreamEnded", func(m *framewirev1.ServerMessage) bool { return m.GetStreamEnded() != nil })
	if r := m.GetStreamEnded().GetReason(); r != framewirev1.StreamEndReason_STREAM_END_REASON_REMOVED {
		t.Fatalf("ended: %v", r)
	}
	p.state("stopped", func(st *framewirev1.SessionState) bool {
		return st.GetPlayback() == framewirev1.Playback_PLAYBACK_STOPPED && st.GetStream() == ""
	})
	p.must(p.SetVolume(p.ctx, 0.3))
}
