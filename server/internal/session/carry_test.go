package session

import (
	"testing"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
)

// An epoch that brings other sound may begin in the middle of a group: whoever has
// the pictures before has no need of a keyframe, and whoever comes has.
func TestPicturesGoOnIntoAnEpochThatBeginsWithoutAKeyframe(t *testing.T) {
	for _, c := range []struct {
		name string
		lost bool // a picture before, for this viewer
		want int
	}{{"all before was sent", false, 3}, {"something before was not", true, 0}} {
		t.Run(c.name, func(t *testing.T) {
			lab := newLaboratory(t, 50, 4000, 500)
			lab.link.rate = 1e9
			lab.join()
			lab.run(5*labFrame, nil)
			lab.viewer.mu.Lock()
			lab.viewer.play.needKey = c.lost
			lab.viewer.mu.Unlock()
			pictures := 0
			lab.link.count = func(m *framewirev1.ServerMessage) {
				if f := m.GetFragment(); f.GetEpoch() == 2 && f.GetTrackId() == 1 {
					pictures++
				}
			}
			lab.begin()
			lab.frames = 20
			lab.run(3*labFrame, nil)
			if pictures != c.want {
				t.Errorf("%d pictures of three, want %d", pictures, c.want)
			}
		})
	}
}
