package whip_test

import (
	"slices"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/publish/publishtest"
)

// TestPicturesWaitForNoOther sends a picture only when the one before it was published:
// none waits for what follows. It reports the time from the sending of a picture's last
// packet, over the loopback interface, to its publication.
func TestPicturesWaitForNoOther(t *testing.T) {
	clip := makeClip(t, "1280x720", 2, "")
	p, published := begin(t, fragmented(units(clip[0])), mode1, false)
	primed := len(published.Epochs()[0].Samples)
	var delays []time.Duration
	packets := 0
	for i, picture := range clip {
		payloads := fragmented(units(picture))
		packets += len(payloads)
		p.send(payloads)
		sent := time.Now()
		e := published.Await("the picture", publishtest.Frames(primed+i+1, 0))[0]
		delays = append(delays, e.Samples[primed+i].Written.Sub(sent))
	}
	slices.Sort(delays)
	t.Logf("%d packets a picture; delay p50 %v, p95 %v, most %v", packets/len(clip),
		delays[len(delays)/2], delays[len(delays)*95/100], delays[len(delays)-1])
}
