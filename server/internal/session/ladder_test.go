package session

import (
	"fmt"
	"testing"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/wire"
)

// fast is a rate that no test stream comes near.
const fast = 1e9

// rungs records when the viewer changed its rung.
type rungs struct {
	lab   *laboratory
	start time.Time
	last  rung
	moves []string
	at    map[rung]time.Duration // when a rung was first reached
	spent map[rung]time.Duration
}

func watchRungs(lab *laboratory) *rungs {
	return &rungs{lab: lab, start: lab.now, at: map[rung]time.Duration{}, spent: map[rung]time.Duration{}}
}

func (r *rungs) look() {
	now := r.lab.viewer.climb.rung
	r.spent[now] += labFrame
	if now == r.last {
		return
	}
	after := r.lab.now.Sub(r.start).Round(labFrame)
	r.moves = append(r.moves, fmt.Sprintf("%d at %v", now, after))
	if _, seen := r.at[now]; !seen {
		r.at[now] = after
	}
	r.last = now
}

// However much is due, at once or behind a connection that takes little, no more is
// handed to it than the bound and the message that reaches it.
func TestNoMoreIsHandedToAViewerAtOnceThanTheBound(t *testing.T) {
	const key, delta = 9000, 3000
	for _, bound := range []int{4_000, 20_000, 60_000} {
		for _, rate := range []float64{fast, 20e3} {
			lab := newLaboratory(t, 100, key, delta) // whoever comes is due 350 kB
			lab.viewer.host.opts.ViewerBytes = bound
			lab.link.rate = rate
			lab.join()
			lab.run(20*time.Second, nil)
			if most := lab.link.most; most >= bound+key+100 || most < min(bound, slowBatchBytes) {
				t.Errorf("bound of %d, %.0f bytes a second: %d bytes are handed over at once", bound, rate, most)
			}
		}
	}
}

func TestViewerWhoTakesNothingClimbsDownRungByRungAndIsClosed(t *testing.T) {
	lab := newLaboratory(t, 25, 40e3, 6e3)
	lab.link.rate = fast
	lab.join()
	lab.run(2*time.Second, nil)
	lab.link.rate = 0
	r := watchRungs(lab)
	lab.run(30*time.Second, r.look)
	if !lab.over {
		t.Fatalf("the session lives on: %v", r.moves)
	}
	for rung, want := range map[rung]time.Duration{
		rungProbation: 1500 * time.Millisecond,
		rungKeyframes: 4500 * time.Millisecond,
		rungAudio:     7500 * time.Millisecond,
	} {
		if got := r.at[rung]; got < want || got > want+1500*time.Millisecond {
			t.Errorf("rung %d reached after %v, want about %v", rung, got, want)
		}
	}
	if total := lab.now.Sub(r.start); total < 10*time.Second || total > 15*time.Second {
		t.Errorf("closed after %v, want about 12 s", total)
	}
	if g := lab.viewer.goodbye; g == nil || g.Reason != wire.TooSlow {
		t.Errorf("goodbye: %v", g)
	}
}

func TestSlowViewerIsMovedToNewestKeyframeAndTold(t *testing.T) {
	lab := newLaboratory(t, 25, 40e3, 6e3)
	lab.link.rate = fast
	lab.join()
	lab.run(2*time.Second, nil)
	lab.link.rate = 0
	lab.run(3*time.Second, nil)
	lab.link.rate = fast
	lab.link.keep = true
	lab.run(labFrame, nil)
	var gap *framewirev1.Gap
	for _, m := range lab.link.got {
		if m.GetGap() != nil {
			gap = m.GetGap()
		}
		if f := m.GetFragment(); f != nil {
			if gap == nil || gap.GetReason() != framewirev1.GapReason_GAP_REASON_TOO_SLOW {
				t.Fatalf("fragment %d came before the gap was told: %v", f.GetSequence(), gap)
			}
			if !f.GetKeyframe() || f.GetTrackId() != 1 {
				t.Fatalf("it goes on with %v", f)
			}
			if at := float64(f.GetDecodeTimeTicks()) / 1000; gap.GetToSeconds() != at || gap.GetFromSeconds() >= at {
				t.Fatalf("gap %v, but media goes on at %v s", gap, at)
			}
			return
		}
	}
	t.Fatalf("no fragment came: %v", lab.link.got)
}

func TestViewerClimbsBackWhenTheLinkRecovers(t *testing.T) {
	lab := newLaboratory(t, 25, 40e3, 6e3)
	lab.link.rate = fast
	lab.join()
	lab.run(2*time.Second, nil)
	lab.link.rate = 0
	lab.run(8500*time.Millisecond, nil)
	if got := lab.viewer.climb.rung; got != rungAudio {
		t.Fatalf("rung %d after 8.5 s", got)
	}
	lab.link.rate = fast
	lab.link.keep = true
	lab.run(40*time.Second, nil)
	if got := lab.viewer.climb.rung; got != rungSteady {
		t.Fatalf("rung %d after 40 s", got)
	}
	var steps []framewirev1.Degradation
	for _, m := range lab.link.got {
		if s := m.GetSessionState(); s != nil {
			steps = append(steps, s.GetDegradation())
		}
	}
	want := []framewirev1.Degradation{wire.KeyframesOnly, wire.AudioOnly, wire.KeyframesOnly, wire.DegradationNone}
	if fmt.Sprint(steps) != fmt.Sprint(want) {
		t.Errorf("told %v, want %v", steps, want)
	}
	// Every picture that follows another without a keyframe follows it closely.
	var last uint64
	for _, m := range lab.link.got {
		f := m.GetFragment()
		if f == nil || f.GetTrackId() != 1 {
			continue
		}
		if !f.GetKeyframe() && f.GetSequence() != last+2 {
			t.Fatalf("picture %d follows picture %d and is no keyframe", f.GetSequence(), last)
		}
		last = f.GetSequence()
	}
}

func TestRateLimitedViewerSettlesInsteadOfOscillating(t *testing.T) {
	for _, c := range []struct {
		name            string
		gop, key, delta int
		share           float64 // of the stream's rate
		settle          rung
	}{
		{"half, short groups", 25, 40e3, 6e3, 0.5, rungKeyframes},
		{"a third", 25, 40e3, 6e3, 0.33, rungKeyframes},
		{"little more than keyframes", 25, 40e3, 6e3, 0.25, rungAudio},
		{"a tenth", 25, 40e3, 6e3, 0.1, rungAudio},
		{"half, long groups", 250, 60e3, 6e3, 0.5, rungKeyframes},
	} {
		t.Run(c.name, func(t *testing.T) {
			lab := newLaboratory(t, c.gop, c.key, c.delta)
			perSecond := (float64(c.key) + float64(c.gop-1)*float64(c.delta)) / (float64(c.gop) / 25)
			lab.link.rate = c.share * (perSecond + 25*320)
			lab.join()
			r := watchRungs(lab)
			var sound int
			lab.link.count = func(m *framewirev1.ServerMessage) {
				if m.GetFragment().GetTrackId() == 2 {
					sound++
				}
			}
			const span = 10 * time.Minute
			lab.run(span, r.look)
			if lab.over {
				t.Fatalf("closed after %v: %v", lab.now.Sub(r.start), r.moves)
			}
			if len(r.moves) > 30 {
				t.Errorf("%d moves in %v: %v", len(r.moves), span, r.moves)
			}
			if got := r.spent[c.settle]; got < span/2 {
				t.Errorf("on rung %d for %v of %v: %v", c.settle, got, span, r.moves)
			}
			if share := float64(sound) / (span.Seconds() * 25); share < 0.9 {
				t.Errorf("%.0f %% of the sound came", share*100)
			}
		})
	}
}

func TestViewerOfLongGroupsLosesNothingToOneLargeKeyframe(t *testing.T) {
	lab := newLaboratory(t, 500, 400e3, 6e3) // 20 s
	lab.link.rate = 2 * 25 * 6e3             // a keyframe takes 1.3 s
	for range 100 {
		lab.publish()
	}
	lab.join()
	r := watchRungs(lab)
	pictures := 0
	lab.link.count = func(m *framewirev1.ServerMessage) {
		if m.GetGap() != nil {
			t.Errorf("gap: %v", m)
		}
		if m.GetFragment().GetTrackId() == 1 {
			pictures++
		}
	}
	lab.run(3*time.Minute, r.look)
	if want := 3 * 60 * 25; pictures < want || lab.over {
		t.Fatalf("%d pictures, want %d at least; moves: %v", pictures, want, r.moves)
	}
}
