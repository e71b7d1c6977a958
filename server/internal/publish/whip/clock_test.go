package whip

import (
	"testing"
	"time"
)

// ntp is a moment in NTP form.
func ntp(at time.Duration) uint64 {
	const since1900 = 3_900_000_000
	return uint64(since1900+at/time.Second)<<32 | uint64(at%time.Second)<<32/uint64(time.Second)
}

func TestClockStartsFromArrival(t *testing.T) {
	c := clock{rate: 90000}
	if got := c.place(1<<32-3000, 2*time.Second); got != 180000 {
		t.Errorf("first: %d", got)
	}
	if got := c.place(0, 5*time.Second); got != 183000 {
		t.Errorf("over the wrap: %d", got)
	}
	if got := c.place(1<<32-1500, 5*time.Second); got != 181500 {
		t.Errorf("back over the wrap: %d", got)
	}
}

// TestVideoFollowsSound: video arrived 200 ms late, because its keyframe took
// long to send; sender reports tell that it was captured with the first sound.
func TestVideoFollowsSound(t *testing.T) {
	audio, video := clock{rate: 48000}, clock{rate: 90000}
	audio.place(5000, 0)
	video.place(700000, 200*time.Millisecond)
	if !audio.takeReport(ntp(10*time.Second), 5000) {
		t.Error("report of audio refused")
	}
	video.follow(&audio)
	if video.target != 0 {
		t.Errorf("moved by %d without a report of its own", video.target)
	}
	video.takeReport(ntp(11*time.Second), 700000+90000)
	video.follow(&audio)
	if want := int64(-18000); video.target < want-1 || video.target > want+1 {
		t.Fatalf("to be moved by %d ticks, want %d", video.target, want)
	}
	last := int64(18000)
	for i := uint32(1); i <= 60; i++ {
		got := video.place(700000+3000*i, time.Second)
		if step := got - last; step < 3000-3000/slewDivisor || step > 3000+3000/slewDivisor {
			t.Fatalf("picture %d: a step of %d ticks", i, step)
		}
		last = got
	}
	if want := int64(60 * 3000); last < want-1 || last > want+1 {
		t.Errorf("after 2 s at %d, want %d", last, want)
	}
	if got := audio.place(5000+960, 0); got != 960 {
		t.Errorf("sound moved: %d", got)
	}
}

// TestDriftIsFollowed: the video clock runs 200 ppm fast against the sound.
func TestDriftIsFollowed(t *testing.T) {
	audio, video := clock{rate: 48000}, clock{rate: 90000}
	audio.place(0, 0)
	video.place(0, 0)
	var got int64
	for second := uint32(1); second <= 600; second++ {
		got = video.place(second*90018, 0)
		audio.place(second*48000, 0)
		at := ntp(time.Duration(second) * time.Second)
		audio.takeReport(at, second*48000)
		video.takeReport(at, second*90018)
		video.follow(&audio)
	}
	if off := got - 600*90000; off < -40 || off > 40 {
		t.Errorf("after 10 minutes %d ticks off", off)
	}
}

func TestReportsThatAreNotBelieved(t *testing.T) {
	audio, video := clock{rate: 48000}, clock{rate: 90000}
	if audio.takeReport(ntp(time.Second), 0) {
		t.Error("report before media")
	}
	audio.place(0, 0)
	video.place(0, 0)
	for name, taken := range map[string]bool{
		"no NTP time":        video.takeReport(0, 0),
		"far from the media": video.takeReport(ntp(time.Second), 90000*60),
	} {
		if taken {
			t.Errorf("%s: taken", name)
		}
	}
	audio.takeReport(ntp(time.Second), 0)
	for _, at := range []time.Duration{10 * time.Second, time.Hour, 1 << 62} {
		video.takeReport(ntp(at), 0)
		if video.follow(&audio); video.target != 0 {
			t.Errorf("a skew of %v is believed", at)
		}
	}
}

func FuzzClock(f *testing.F) {
	f.Add(uint32(0), uint32(3000), uint64(1)<<40, uint64(2)<<40, uint32(5))
	f.Fuzz(func(t *testing.T, first, second uint32, a, b uint64, report uint32) {
		audio, video := clock{rate: 48000}, clock{rate: 90000}
		audio.place(first, 0)
		video.place(second, 0)
		audio.takeReport(a, report)
		video.takeReport(b, report)
		video.follow(&audio)
		before := video.place(second+1, 0)
		if after := video.place(second+3001, 0); after <= before {
			t.Fatalf("%d after %d", after, before)
		}
	})
}
