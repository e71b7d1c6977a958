package session

import (
	"fmt"
	"testing"
)

func TestSentNeverGoesBack(t *testing.T) {
	host := &Sessions{viewers: map[string]*Viewer{}}
	v := &Viewer{id: "v"}
	v.play = playback{sent: &host.sent}
	host.viewers["v"] = v
	v.play.choose("a", nil)
	v.play.bytes, v.play.fragments = 100, 2
	want := func(stream string, n Sent) {
		t.Helper()
		if got := host.Sent()[stream]; got != n {
			t.Errorf("%s: %+v, want %+v", stream, got, n)
		}
	}
	want("a", Sent{100, 2})
	v.play.choose("b", nil)
	v.play.bytes += 7
	v.play.fragments++
	want("a", Sent{100, 2})
	want("b", Sent{7, 1})
	delete(host.viewers, "v") // it ends, and its sum is not kept yet
	want("b", Sent{7, 1})
	v.play.drop()
	want("b", Sent{7, 1})
	want("a", Sent{100, 2})
}

func TestSentKeepsABoundedNumberOfNames(t *testing.T) {
	host := &Sessions{}
	for i := range maxSentStreams + 50 {
		host.sent.add(fmt.Sprint(i), Sent{1, 1})
	}
	sent := host.Sent()
	if len(sent) != maxSentStreams+1 || sent[""] != (Sent{50, 50}) {
		t.Errorf("%d names, %+v under none", len(sent), sent[""])
	}
}
