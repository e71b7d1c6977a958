package hub

import (
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

func TestWindowIsBoundedByDuration(t *testing.T) {
	w := newWriter(t, Options{Window: time.Second})
	w.frames(1000)
	from, to, ok := w.s.Range()
	if !ok || to-from > time.Second+11*frame || to-from < time.Second {
		t.Errorf("window %v to %v", from, to)
	}
	if n := w.s.Stats().Packets; n > 2*(25+11) {
		t.Errorf("%d packets in a window of one second, with groups of 0.4 s", n)
	}
}

func TestWindowIsBoundedByBytes(t *testing.T) {
	w := newWriter(t, Options{MaxBytes: 5000})
	w.frames(1000)
	if b := w.s.Stats().Bytes; b > 5000 || b < 4800 {
		t.Errorf("%d bytes held, the bound is 5000", b)
	}
	// A packet above the bound still reaches its viewers.
	w.size = 6000
	c := w.s.Subscribe()
	defer c.Close()
	w.audio = false
	w.frames(1)
	if got := read(t, c); len(got) != 1 {
		t.Errorf("%d packets", len(got))
	}
}

// In groups as long as encoders make them, whoever comes begins at once, at the
// keyframe, and can go back as far as the window.
func TestLateViewersOfLongGroupsBeginAtOnce(t *testing.T) {
	const window, group = 30 * time.Second, 60 * time.Second
	w := newWriter(t, Options{Window: window})
	w.gop = int(group / frame)
	for second := range 200 {
		w.frames(int(time.Second / frame))
		now := time.Duration(w.frame) * frame
		c := w.s.Subscribe()
		if !c.SeekLive() {
			t.Fatalf("%d s: no keyframe", second)
		}
		if first := c.Peek(); !first.Keyframe || first.Kind != media.Video || first.Time != (now-1).Truncate(group) {
			t.Fatalf("at %v a viewer begins at %v", now, first.Time)
		}
		from, to, _ := w.s.Range()
		if to-from < min(window, now) || to-from > window+group {
			t.Fatalf("at %v the window is from %v to %v", now, from, to)
		}
		if back := max(0, to-window); !c.SeekTime(back) || c.Peek().Time > back {
			t.Fatalf("at %v a viewer cannot go back to %v", now, back)
		}
		c.Close()
	}
}

// A group above the bound in bytes loses its beginning, and whoever comes then
// begins at the next.
func TestBytesAreBoundedInLongGroups(t *testing.T) {
	const bound = 200_000 // of groups of 300 kB
	w := newWriter(t, Options{MaxBytes: bound})
	w.gop = 1500
	begins := 0
	for range 3 * w.gop {
		w.frames(1)
		if b := w.s.Stats().Bytes; b > bound {
			t.Fatalf("%d bytes held after %d frames, the bound is %d", b, w.frame, bound)
		}
		c := w.s.Subscribe()
		if c.SeekLive() {
			begins++
			if !c.Peek().Keyframe {
				t.Fatal("a viewer begins amid a group")
			}
		}
		c.Close()
	}
	if begins != 3*bound/200 {
		t.Errorf("a viewer could begin after %d frames of %d", begins, w.frame)
	}
}

// Where keyframes have ceased, what came since the last is not kept for ever, and
// only for the window where another can be asked for.
func TestGroupsWithoutEndAreLetGoOf(t *testing.T) {
	for _, c := range []struct {
		name string
		ask  func()
		want time.Duration
	}{{"no keyframe can be asked for", nil, maxGroup}, {"one can", func() {}, 30 * time.Second}} {
		w := newWriter(t, Options{Window: 30 * time.Second})
		w.s.SetKeyframeRequester(c.ask)
		w.gop = 1 << 30
		w.frames(int(c.want / frame))
		if w.s.NewestKeyframe() == nil {
			t.Errorf("%s: the keyframe is gone before %v", c.name, c.want)
		}
		w.frames(2)
		if w.s.NewestKeyframe() != nil {
			t.Errorf("%s: the keyframe is there after %v", c.name, c.want)
		}
		if n := w.s.Stats().Packets; n > 2*(30*25+1) {
			t.Errorf("%s: %d packets are held for nobody who comes", c.name, n)
		}
	}
}
