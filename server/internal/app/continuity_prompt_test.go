package app_test

import (
	"slices"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// withheld is how many pictures a protocol keeps until the next begins. A picture in
// MPEG-TS that happens to fill its last packet does not tell that it is whole.
var withheld = map[string]int{"MPEG-TS": 1}

// TestNothingWaitsForWhatFollows sends a picture, or a frame of sound, only when all
// before it have been shown: a way in that holds one back until it has the next would
// wait for ever. The first are excepted: one of each track has to come.
func TestNothingWaitsForWhatFollows(t *testing.T) {
	const (
		first = time.Second
		all   = 3 * time.Second
	)
	c := makeClip(t)
	s := start(t, "publish: {rtmp: '127.0.0.1:0'}\n")
	for protocol, way := range protocols {
		t.Run(protocol, func(t *testing.T) {
			stream := "prompt/" + protocol
			p := way.open(t, s, c, stream)
			w := watch(t, s, stream)
			pieces := c.play(all)
			begun := slices.IndexFunc(pieces, func(p piece) bool { return p.at >= first })
			feed(t, s, p, w, pieces[:begun], 0)
			for i := begun; i < len(pieces); i++ {
				p.send(&pieces[i])
				pictures, sounds := count(pieces[:i+1], media.Video), count(pieces[:i+1], media.Audio)
				if !w.await(s, func() bool {
					return w.pictures() >= pictures-withheld[protocol] && len(w.of(media.Audio)) >= sounds
				}) {
					t.Fatalf("%d pictures and %d frames of sound were sent, %d and %d are shown",
						pictures, sounds, w.pictures(), len(w.of(media.Audio)))
				}
			}
			p.close()
			w.awaitEnd(t, s)
			w.check(t)
		})
	}
}
