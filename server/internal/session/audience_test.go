package session

import (
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// tube is a link whose messages can be made for many, of a frame that is the
// message alone. It takes room bytes at once.
type tube struct {
	*link
	room int
	sent [][]byte // nil: not kept
}

func (t *tube) AppendFrame(dst []byte, m Message) []byte { return append(dst, m.Data...) }

func (t *tube) SendFrames(frames []byte) (int, error) {
	n := min(t.room, len(frames))
	if t.sent != nil {
		t.sent = append(t.sent, frames[:n:n])
	}
	return len(frames) - n, nil
}

func (t *tube) Send([]Message) error             { return nil }
func (t *tube) Flush(time.Duration) (int, error) { return 0, nil }

// seated returns a laboratory whose viewer sits in a row that nobody serves.
func seated(t testing.TB) (*laboratory, *tube, *row) {
	lab := newLaboratory(t, 25, 4000, 400)
	conn := &tube{link: lab.link, room: 1 << 20}
	lab.viewer.conn, lab.viewer.frames = conn, conn
	lab.join()
	lab.step()
	lab.step()
	stream := hubStream{lab.stream}
	r := &row{of: &audience{host: lab.viewer.host, stream: stream}, wake: make(chan struct{}, 1), state: StreamLive}
	r.press.open(stream)
	return lab, conn, r
}

func TestFollowingSendsWhatAStepWould(t *testing.T) {
	lab, conn, r := seated(t)
	conn.sent = [][]byte{}
	v := lab.viewer
	for range 30 {
		before, at := v.play.fragments, v.play.cursor.Next()
		lab.publish()
		r.press.load()
		seated, done := v.follow(lab.now, &r.press)
		r.press.done()
		if !seated || !done {
			t.Fatalf("seated %v, done %v", seated, done)
		}
		if v.play.fragments != before+2 || v.play.cursor.Next() != at+2 || v.play.end != lab.clock {
			t.Fatalf("%d fragments, at %d, end %v, want end %v", v.play.fragments-before, v.play.cursor.Next(), v.play.end, lab.clock)
		}
	}
	if len(conn.sent) != 30 {
		t.Errorf("%d writes for 30 pictures with their sound", len(conn.sent))
	}
}

func TestMutedViewerIsPressedAnEditionOfItsOwn(t *testing.T) {
	lab, _, r := seated(t)
	lab.viewer.settings.Muted = true
	before := lab.viewer.play.fragments
	lab.publish()
	r.press.load()
	if _, done := lab.viewer.follow(lab.now, &r.press); !done {
		t.Fatal("not followed")
	}
	if n := lab.viewer.play.fragments - before; n != 1 || r.press.edition[0].audio != 0 {
		t.Errorf("%d fragments, edition %+v", n, r.press.edition[0])
	}
}

func TestViewerWithMoreToDoIsNotFollowed(t *testing.T) {
	for name, give := range map[string]func(v *Viewer){
		"control": func(v *Viewer) { v.queue.push(Message{Data: []byte("x")}) },
		"pause":   func(v *Viewer) { v.play.paused = true },
		"gap":     func(v *Viewer) { v.play.mark(&gap{}) },
		"needKey": func(v *Viewer) { v.play.needKey = true },
		"switch":  func(v *Viewer) { v.play.nextVideo = 7 },
		"rung":    func(v *Viewer) { v.climb.rung = rungKeyframes },
		"epoch":   func(v *Viewer) { v.play.announced = 99 },
		"idle":    func(v *Viewer) { v.seen.Store(0) },
		"blocked": func(v *Viewer) { v.out.left = 1 },
		"gone":    func(v *Viewer) { v.left = true },
		"behind":  func(v *Viewer) { v.play.cursor.SeekTime(0) },
	} {
		lab, _, r := seated(t)
		lab.publish()
		r.press.load()
		give(lab.viewer)
		if _, done := lab.viewer.follow(lab.now, &r.press); done {
			t.Errorf("%s: followed all the same", name)
		}
	}
}

func TestViewerWhoDoesNotTakeAllLosesItsSeatAndNoBytes(t *testing.T) {
	lab, conn, r := seated(t)
	conn.room = 100
	lab.publish()
	r.press.load()
	seated, done := lab.viewer.follow(lab.now, &r.press)
	if seated || !done || lab.viewer.out.left == 0 || lab.viewer.inFlight.Load() == 0 {
		t.Fatalf("seated %v, done %v, left %d", seated, done, lab.viewer.out.left)
	}
	kept := &r.press.edition[0]
	if !kept.kept {
		t.Fatal("the frames are not kept for it")
	}
	if r.press.done(); cap(r.press.edition[0].frames) != 0 {
		t.Error("the frames would be overwritten")
	}
}

func TestRowHoldsSoundForHalfAFrame(t *testing.T) {
	lab, _, r := seated(t)
	for range holdFrom {
		r.viewers = append(r.viewers, lab.viewer)
	}
	lab.publish()
	if wait := r.waitFor(lab.now); wait != 0 {
		t.Fatalf("a picture waits for %v", wait)
	}
	r.sweep()
	lab.packet(2, media.Audio, true, 300)
	if wait := r.waitFor(lab.now); wait <= 0 || wait > labFrame/2 {
		t.Fatalf("sound waits for %v", wait)
	}
	if wait := r.waitFor(lab.now.Add(labFrame / 2)); wait != 0 {
		t.Fatalf("sound waits for %v more", wait)
	}
	r.sweep()
	lab.packet(2, media.Audio, true, 300)
	lab.packet(1, media.Video, false, 300)
	if wait := r.waitFor(lab.now); wait != 0 {
		t.Fatalf("sound with a picture waits for %v", wait)
	}
}

func TestFollowingCostsNoAllocation(t *testing.T) {
	lab, _, r := seated(t)
	follow := func() {
		r.press.load()
		if _, done := lab.viewer.follow(lab.now, &r.press); !done {
			t.Fatal("not followed")
		}
		r.press.done()
	}
	lab.publish()
	follow()
	again := lab.viewer.play.cursor.Next() - 2
	if n := testing.AllocsPerRun(100, func() {
		lab.viewer.play.cursor.SeekExact(again)
		r.press.cursor.SeekExact(again)
		follow()
	}); n > 0 {
		t.Errorf("%v allocations for two fragments", n)
	}
}

// BenchmarkFollow is the cost of a video frame with its sound to one of many
// viewers, above the connection.
func BenchmarkFollow(b *testing.B) {
	lab, _, r := seated(b)
	lab.publish()
	r.press.load()
	again := lab.viewer.play.cursor.Next()
	b.ReportAllocs()
	for b.Loop() {
		lab.viewer.play.cursor.SeekExact(again)
		if _, done := lab.viewer.follow(lab.now, &r.press); !done {
			b.Fatal("not followed")
		}
	}
}
