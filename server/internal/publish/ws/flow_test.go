package ws

import (
	"testing"
	"time"
)

func TestFlowAsksForLessOnlyWhileSamplesQueue(t *testing.T) {
	f := newFlow(200 * time.Millisecond)
	now := time.Unix(1_000_000, 0)
	const size = 5_000 // 30 a second: 1.2 Mb/s
	run := func(seconds int, delay func(i int) time.Duration) (queue time.Duration, bitrate, wanted float64) {
		for i := range seconds * 30 {
			now = now.Add(time.Second / 30)
			f.observe(now, now.Add(-delay(i)), size)
			if i%6 == 5 {
				a, news := f.ack(now)
				if !news {
					t.Fatal("no news after samples")
				}
				queue, bitrate, wanted = a.Queue, a.Bitrate, a.Wanted
			}
		}
		return queue, bitrate, wanted
	}
	steady := func(i int) time.Duration { return 40*time.Millisecond + time.Duration(i%5)*time.Millisecond }
	queue, bitrate, wanted := run(5, steady)
	if queue > 10*time.Millisecond || wanted != 0 {
		t.Errorf("steady: queue %v, wanted %.0f", queue, wanted)
	}
	if bitrate < 1.0e6 || bitrate > 1.4e6 {
		t.Errorf("bitrate %.0f, want about 1.2e6", bitrate)
	}
	queue, bitrate, wanted = run(2, func(i int) time.Duration { return 40*time.Millisecond + time.Duration(i)*5*time.Millisecond })
	if queue < 200*time.Millisecond || wanted == 0 || wanted >= bitrate {
		t.Errorf("too slow a network: queue %v, wanted %.0f of %.0f", queue, wanted, bitrate)
	}
	if queue, _, wanted = run(3, steady); queue > 10*time.Millisecond || wanted != 0 {
		t.Errorf("recovered: queue %v, wanted %.0f", queue, wanted)
	}
	// A way that has become longer is taken for what it is after a while.
	if queue, _, wanted = run(12, func(int) time.Duration { return 300 * time.Millisecond }); wanted != 0 {
		t.Errorf("longer way: queue %v, wanted %.0f", queue, wanted)
	}
	if _, news := f.ack(now); news {
		t.Error("news without samples")
	}
}
