package desk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/publish"
)

func TestTimesChangeForPublishersWhoAreIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(hub.Options{})
		d := New(h, Options{Rules: everybody, Silence: time.Second, Grace: time.Second, Linger: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- d.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		}()
		over := func(p publish.Publication) bool {
			select {
			case <-p.Done():
				return true
			default:
				return false
			}
		}
		p := open(t, d, "cam", "")
		write(t, p, 0)
		d.SetTimes(time.Minute, time.Minute, time.Minute)
		time.Sleep(50 * time.Second)
		if over(p) {
			t.Fatalf("ended by the old silence: %v", p.Reason())
		}
		d.SetTimes(10*time.Second, time.Minute, time.Minute)
		time.Sleep(time.Second)
		if !over(p) || !errors.Is(p.Reason(), publish.ErrSilent) {
			t.Fatalf("not ended by the new silence: %v", p.Reason())
		}
		p.Close(nil)
		time.Sleep(100 * time.Second)
		if h.Lookup("cam") == nil {
			t.Fatal("gone by the old times")
		}
		d.SetTimes(10*time.Second, time.Second, time.Second)
		time.Sleep(time.Second)
		if h.Lookup("cam") != nil {
			t.Error("kept by the old times")
		}
	})
}
