package whip_test

import (
	"slices"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/publish/publishtest"
)

// TestDelay reports the time from the sending of a picture's last packet, over
// the loopback interface, to its publication.
func TestDelay(t *testing.T) {
	clip := makeClip(t, "1280x720", 3, "")
	p, published := begin(t, fragmented(units(clip[0])), mode1, false)
	primed := len(published.Epochs()[0].Samples)
	frames := time.NewTicker(time.Second / 30)
	defer frames.Stop()
	var sent []time.Time
	packets := 0
	for _, picture := range clip {
		payloads := fragmented(units(picture))
		packets += len(payloads)
		p.send(payloads)
		sent = append(sent, time.Now())
		<-frames.C
	}
	e := published.Await("all pictures", publishtest.Frames(primed+len(clip), 0))[0]
	var delays []time.Duration
	for i, at := range sent {
		delays = append(delays, e.Samples[primed+i].Written.Sub(at))
	}
	slices.Sort(delays)
	t.Logf("%d packets a picture; delay p50 %v, p95 %v, most %v", packets/len(clip),
		delays[len(delays)/2], delays[len(delays)*95/100], delays[len(delays)-1])
	if len(e.Samples) != primed+len(clip) {
		t.Errorf("%d pictures published, want %d", len(e.Samples)-primed, len(clip))
	}
}
