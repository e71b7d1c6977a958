package app_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/media"
)

// shown is a fragment as a viewer gets it.
type shown struct {
	kind     media.Kind
	epoch    uint32
	sequence uint64
	at, end  time.Duration // on the stream's timeline
	keyframe bool
	captured time.Time
	came     time.Time
	told     bool // that something is missing before it
}

// watcher plays a stream over a real socket and notes everything.
type watcher struct {
	session *client.Session
	reading sync.WaitGroup

	mu    sync.Mutex
	shown []shown
	over  bool          // the publisher has ended, or is lost
	since time.Time     // when, as the viewer is told
	news  chan struct{} // closed and replaced when something comes
}

// watch plays the stream as soon as there is one.
func watch(t *testing.T, s *server, stream string) *watcher {
	t.Helper()
	w := &watcher{session: s.must(client.Options{Name: "watcher"}, ""), news: make(chan struct{})}
	s.wait("there is the stream", func() bool {
		err := w.session.Play(s.ctx, stream)
		var refusal *client.CommandError
		if err != nil && !errors.As(err, &refusal) {
			t.Fatal(err)
		}
		return err == nil
	})
	w.reading.Go(func() { w.read(s) })
	t.Cleanup(func() {
		_ = w.session.Close()
		w.reading.Wait()
	})
	return w
}

// track is what StreamStarted says of one.
type track struct {
	kind  media.Kind
	scale uint32
}

func (w *watcher) read(s *server) {
	tracks := make(map[uint32]track)
	told := false
	for m, err := range w.session.Messages(s.ctx) {
		if err != nil {
			return
		}
		switch body := m.GetBody().(type) {
		case *framewirev1.ServerMessage_StreamStarted:
			clear(tracks)
			for _, t := range body.StreamStarted.GetTracks() {
				kind := media.Video
				if t.GetKind() == framewirev1.TrackKind_TRACK_KIND_AUDIO {
					kind = media.Audio
				}
				tracks[t.GetId()] = track{kind, t.GetTimescale()}
			}
		case *framewirev1.ServerMessage_Gap:
			told = true
		case *framewirev1.ServerMessage_StreamWaiting:
			switch body.StreamWaiting.GetReason() {
			case framewirev1.WaitingReason_WAITING_REASON_NO_PUBLISHER, framewirev1.WaitingReason_WAITING_REASON_SOURCE_LOST:
				w.note(func() { w.over, w.since = true, time.UnixMicro(body.StreamWaiting.GetSinceUnixUs()) })
			}
		case *framewirev1.ServerMessage_Fragment:
			f := body.Fragment
			t := tracks[f.GetTrackId()]
			one := shown{
				kind: t.kind, epoch: f.GetEpoch(), sequence: f.GetSequence(),
				at:       media.Duration(f.GetDecodeTimeTicks(), t.scale),
				end:      media.Duration(f.GetDecodeTimeTicks()+int64(f.GetDurationTicks()), t.scale),
				keyframe: f.GetKeyframe(), captured: time.UnixMicro(f.GetCapturedAtUnixUs()), came: time.Now(), told: told,
			}
			told = false
			w.note(func() { w.shown, w.over = append(w.shown, one), false })
		}
	}
}

func (w *watcher) note(what func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	what()
	close(w.news)
	w.news = make(chan struct{})
}

// pictures is how many were shown.
func (w *watcher) pictures() int { return len(w.of(media.Video)) }

// awaitEnd waits until the viewer has been told that the publisher has ended or is
// lost, and since when, and so has all there is.
func (w *watcher) awaitEnd(t *testing.T, s *server) {
	t.Helper()
	if !w.await(s, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.over && len(w.shown) > 0
	}) {
		t.Fatal("the viewer is not told of the end")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if last := w.shown[len(w.shown)-1]; w.since.Before(last.captured.Truncate(time.Microsecond)) || w.since.After(time.Now()) {
		t.Errorf("the end is said to be at %v, after what came at %v", w.since, last.captured)
	}
}

// of returns what was shown of a kind.
func (w *watcher) of(kind media.Kind) []shown {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []shown
	for _, f := range w.shown {
		if f.kind == kind {
			list = append(list, f)
		}
	}
	return list
}

// told is whether the viewer was told that something is missing.
func (w *watcher) told() bool {
	return slices.ContainsFunc(w.all(), func(f shown) bool { return f.told })
}

func (w *watcher) all() []shown {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]shown(nil), w.shown...)
}

// await waits until what the watcher has noted fulfils a condition, and reports
// whether it did within the time of the test.
func (w *watcher) await(s *server, done func() bool) bool {
	for {
		w.mu.Lock()
		news := w.news
		w.mu.Unlock()
		if done() {
			return true
		}
		select {
		case <-news:
		case <-s.ctx.Done():
			return false
		}
	}
}

// check fails where what was shown is not what every viewer may rely on: times
// that only grow, keyframes to begin with, nothing missing without a word.
func (w *watcher) check(t *testing.T) {
	t.Helper()
	last := make(map[media.Kind]shown)
	epoch, started := uint32(0), false
	for i, f := range w.all() {
		before, any := last[f.kind]
		if any && f.at <= before.at {
			t.Errorf("fragment %d (%v): time %v does not follow %v", i, f.kind, f.at, before.at)
		}
		if f.epoch != epoch || f.told {
			started = false
		}
		if f.kind == media.Video {
			if !started && !f.keyframe {
				t.Errorf("fragment %d: epoch %d, or what follows a gap, begins with no keyframe", i, f.epoch)
			}
			started = true
		}
		if previous := w.before(i); previous != nil && f.sequence != previous.sequence+1 && !f.told {
			t.Errorf("fragment %d: %d follows %d without a word", i, f.sequence, previous.sequence)
		}
		if off := f.came.Sub(f.captured); off < -time.Second || off > patience {
			t.Errorf("fragment %d: captured %v before it came", i, off)
		}
		last[f.kind], epoch = f, f.epoch
	}
}

func (w *watcher) before(i int) *shown {
	if i == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return &w.shown[i-1]
}

// widest is the longest time within a kind that no fragment covers.
func widest(list []shown) (hole time.Duration) {
	for i := 1; i < len(list); i++ {
		hole = max(hole, list[i].at-list[i-1].end)
	}
	return hole
}
