package web_test

import (
	"testing"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/web"
)

// Who is behind live already is told each time where a seek has led, though all
// else of the state stays as it was.
func TestEverySeekTellsItsPosition(t *testing.T) {
	everyWay(t, func(t *testing.T, s *site, opts client.Options) {
		studio := s.stream("a", 10) // 0.0 s
		studio.group(10)            // 0.4 s
		studio.group(10)            // 0.8 s
		p := s.dial(opts)
		p.must(p.Play(p.ctx, "a"))
		for _, c := range []struct {
			to   time.Duration
			want float64
		}{{500 * time.Millisecond, 0.4}, {100 * time.Millisecond, 0}, {600 * time.Millisecond, 0.4}} {
			p.drain()
			p.must(p.Seek(p.ctx, c.to))
			p.toldBehind(c.want)
		}
		p.drain()
		p.must(p.PlayFrom(p.ctx, &framewirev1.Play{Stream: "a", From: &framewirev1.Play_TimeSeconds{TimeSeconds: 0.1}}))
		p.toldBehind(0)
	})
}

// toldBehind fails the test unless the next state tells this position behind live.
func (p *player) toldBehind(seconds float64) {
	p.t.Helper()
	m, _ := p.await("a state", func(m *framewirev1.ServerMessage) bool { return m.GetSessionState() != nil })
	if st := m.GetSessionState(); st.GetLive() || st.GetPositionSeconds() != seconds {
		p.t.Errorf("told %v, want %v s behind live", st, seconds)
	}
}

// A seek to where the window was when the client last heard of it is refused, and
// the client told before where the window is.
func TestRefusedSeekTellsTheWindow(t *testing.T) {
	s := serve(t, web.Options{Hub: hub.New(hub.Options{Window: time.Second})})
	studio := s.stream("a", 10)
	p := s.dial(client.Options{})
	p.must(p.Play(p.ctx, "a"))
	p.state("the whole window", func(st *framewirev1.SessionState) bool { return st.GetWindowStartSeconds() == 0 })
	for range 10 { // four seconds
		studio.group(10)
	}
	p.drain()
	start, _, _ := s.hub.Lookup("a").Range()
	if start == 0 {
		t.Fatal("nothing was evicted")
	}
	p.refused(p.Seek(p.ctx, 100*time.Millisecond), outOfWindow, "command.seek.time_seconds")
	p.state("the window", func(st *framewirev1.SessionState) bool { return st.GetWindowStartSeconds() == start.Seconds() })
}
