package session

import (
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// null is a connection that takes everything.
type null struct{ *link }

func (null) Send([]Message) error             { return nil }
func (null) Flush(time.Duration) (int, error) { return 0, nil }

// following returns a laboratory whose viewer has caught up and is sent what is
// published.
func following(t testing.TB) *laboratory {
	lab := newLaboratory(t, 25, 4000, 400)
	lab.viewer.conn = null{lab.link}
	lab.join()
	lab.step()
	lab.step()
	return lab
}

// BenchmarkStep is the cost of a video frame with its sound to one viewer, above
// the connection; the packets are those of the ring.
func BenchmarkStep(b *testing.B) {
	lab := following(b)
	lab.publish()
	lab.viewer.Step(lab.now, &lab.batch)
	cursor := lab.viewer.play.cursor
	again := cursor.Next() - 2
	b.ReportAllocs()
	for b.Loop() {
		cursor.SeekExact(again)
		if next := lab.viewer.Step(lab.now, &lab.batch); next.Done {
			b.Fatal("the session ended")
		}
	}
}

func TestFragmentsCostNoAllocation(t *testing.T) {
	lab := following(t)
	lab.publish()
	lab.viewer.Step(lab.now, &lab.batch)
	cursor := lab.viewer.play.cursor
	again, before := cursor.Next()-2, lab.viewer.play.fragments
	const runs = 200
	if n := testing.AllocsPerRun(runs, func() {
		cursor.SeekExact(again)
		lab.viewer.Step(lab.now, &lab.batch)
	}); n > 0 {
		t.Errorf("%v allocations for two fragments", n)
	}
	if got := lab.viewer.play.fragments - before; got != 2*(runs+1) {
		t.Fatalf("%d fragments were sent", got)
	}
}

func TestSoundLeavesWithThePictureOrHalfAFrameLater(t *testing.T) {
	lab := following(t)
	sent := func() uint64 { return lab.viewer.play.fragments }
	lab.publish()
	lab.viewer.Step(lab.now, &lab.batch)
	before := sent()
	lab.packet(2, media.Audio, true, 300)
	next := lab.viewer.Step(lab.now, &lab.batch)
	if wait := next.At.Sub(lab.now); sent() != before || wait <= 0 || wait > labFrame/2 {
		t.Fatalf("%d fragments left at once, the next step is in %v", sent()-before, wait)
	}
	lab.packet(1, media.Video, false, 300)
	if lab.viewer.Step(lab.now, &lab.batch); sent() != before+2 {
		t.Fatalf("%d fragments left with the picture", sent()-before)
	}
	lab.packet(2, media.Audio, true, 300)
	next = lab.viewer.Step(lab.now, &lab.batch)
	if lab.viewer.Step(next.At, &lab.batch); sent() != before+3 {
		t.Fatalf("the sound did not leave after %v", next.At.Sub(lab.now))
	}
}
