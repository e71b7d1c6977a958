package hub

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const frame = 40 * time.Millisecond

// writer publishes synthetic packets: video with a keyframe every gop frames,
// each followed by a packet of sound.
type writer struct {
	t     *testing.T
	s     *Stream
	gop   int
	size  int
	frame int
	audio bool
}

func newWriter(t *testing.T, opts Options) *writer {
	t.Helper()
	s, err := New(opts).Create("test")
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{t: t, s: s, gop: 10, size: 100, audio: true}
	w.begin(videoAndAudio)
	return w
}

var videoAndAudio = []media.Track{{ID: 1, Codec: media.H264}, {ID: 2, Codec: media.AAC}}

func (w *writer) begin(tracks []media.Track) {
	w.t.Helper()
	id := uint32(1)
	if e := w.s.Epoch(); e != nil {
		id = e.ID + 1
	}
	if err := w.s.Begin(&media.Epoch{ID: id, Tracks: tracks}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *writer) packet(kind media.Kind, key bool) *media.Packet {
	return &media.Packet{
		Message: make([]byte, w.size), Epoch: w.s.Epoch().ID, TrackID: uint32(kind),
		Sequence: w.s.NextSequence(), Kind: kind, Keyframe: key,
		Time: time.Duration(w.frame) * frame, Duration: frame,
	}
}

func (w *writer) frames(n int) {
	w.t.Helper()
	for range n {
		kinds := []media.Kind{media.Video}
		if w.audio {
			kinds = append(kinds, media.Audio)
		}
		for _, kind := range kinds {
			if err := w.s.Publish(w.packet(kind, kind == media.Audio || w.frame%w.gop == 0)); err != nil {
				w.t.Fatal(err)
			}
		}
		w.frame++
	}
}

func read(t *testing.T, c *Cursor) []*media.Packet {
	t.Helper()
	dst := make([]*media.Packet, 10000)
	n, evicted := c.Read(dst)
	if evicted {
		t.Fatalf("sequence %d was evicted", c.Next())
	}
	return dst[:n]
}

func TestNewViewerStartsAtTheNewestKeyframe(t *testing.T) {
	w := newWriter(t, Options{})
	w.frames(37)
	c := w.s.Subscribe()
	defer c.Close()
	if !c.SeekLive() {
		t.Fatal("no keyframe")
	}
	packets := read(t, c)
	if len(packets) != 14 || !packets[0].Keyframe || packets[0].Kind != media.Video || packets[0].Time != 30*frame {
		t.Errorf("%d packets from %v", len(packets), packets[0].Time)
	}
	if c.Lag() != 0 {
		t.Errorf("lag %v at the end", c.Lag())
	}
}

func TestSeekFindsTheKeyframeAtOrBefore(t *testing.T) {
	w := newWriter(t, Options{})
	w.frames(100)
	c := w.s.Subscribe()
	defer c.Close()
	for _, at := range []struct{ seek, want time.Duration }{
		{0, 0}, {10*frame - 1, 0}, {10 * frame, 10 * frame}, {55 * frame, 50 * frame},
		{time.Hour, 90 * frame}, {-time.Second, 0},
	} {
		if !c.SeekTime(at.seek) {
			t.Fatal("no keyframe")
		}
		if got := c.Peek().Time; got != at.want {
			t.Errorf("seek to %v gives %v, want %v", at.seek, got, at.want)
		}
	}
	c.SeekSequence(45)
	if got := c.Peek().Sequence; got != 40 {
		t.Errorf("seek to sequence 45 gives %d, want 40", got)
	}
	if c.SeekExact(201) || !c.SeekExact(200) || !c.SeekExact(33) || c.Next() != 33 {
		t.Error("SeekExact")
	}
}

func TestEvictedViewerIsToldAndCanGoOn(t *testing.T) {
	w := newWriter(t, Options{Window: time.Second})
	c := w.s.Subscribe()
	defer c.Close()
	w.frames(100)
	if n, evicted := c.Read(make([]*media.Packet, 1)); n != 0 || !evicted {
		t.Errorf("read %d, evicted %v", n, evicted)
	}
	if c.Lag() < time.Second-10*frame {
		t.Errorf("lag %v", c.Lag())
	}
	if !c.SeekLive() {
		t.Fatal("no keyframe")
	}
	if got := read(t, c); len(got) != 20 {
		t.Errorf("%d packets, want the newest group of 20", len(got))
	}
}

func TestSoundAloneCanBeJoinedAnywhere(t *testing.T) {
	w := newWriter(t, Options{})
	w.begin([]media.Track{{ID: 2, Codec: media.AAC}})
	for range 10 {
		if err := w.s.Publish(w.packet(media.Audio, true)); err != nil {
			t.Fatal(err)
		}
		w.frame++
	}
	c := w.s.Subscribe()
	defer c.Close()
	c.SeekLive()
	if got := read(t, c); len(got) != 1 {
		t.Errorf("%d packets, want the newest", len(got))
	}
}

func TestEpochsAreKeptAsLongAsTheirPackets(t *testing.T) {
	w := newWriter(t, Options{Window: time.Second})
	w.frames(20)
	w.begin(videoAndAudio)
	w.frames(10)
	if w.s.EpochByID(1) == nil || w.s.EpochByID(2) != w.s.Epoch() {
		t.Error("an epoch with packets is gone")
	}
	w.frames(100)
	if w.s.EpochByID(1) != nil {
		t.Error("an epoch without packets is held")
	}
}

func TestWriterIsHeldToOrder(t *testing.T) {
	w := newWriter(t, Options{})
	p := w.packet(media.Video, true)
	p.Sequence++
	if w.s.Publish(p) == nil {
		t.Error("a hole in the sequence was taken")
	}
	p = w.packet(media.Video, true)
	p.Epoch++
	if w.s.Publish(p) == nil {
		t.Error("an unknown epoch was taken")
	}
	if w.s.Begin(&media.Epoch{ID: 7}) == nil {
		t.Error("a hole in the epochs was taken")
	}
}

func TestChangesAreSignalled(t *testing.T) {
	h := New(Options{})
	list := h.Changed()
	s, _ := h.Create("a")
	<-list
	if _, err := h.Create("a"); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
	list, stream := h.Changed(), s.Changed()
	s.SetStatus(Live, "")
	<-list
	<-stream
	list, stream = h.Changed(), s.Changed()
	s.SetStatus(Live, "") // the same again
	select {
	case <-list:
		t.Error("no change was signalled to the list")
	case <-stream:
		t.Error("no change was signalled to the stream")
	default:
	}
	h.Remove("a")
	<-list
	<-stream
	if s.Status().State != Closed || h.Lookup("a") != nil {
		t.Error("a removed stream is still there")
	}
	s.SetStatus(Live, "")
	if s.Status().State != Closed {
		t.Error("a closed stream came back")
	}
	if err := s.Publish(&media.Packet{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	h.Close()
	if _, err := h.Create("b"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestKeyframeRequestsAreJoined(t *testing.T) {
	w := newWriter(t, Options{})
	if err := w.s.RequestKeyframe(); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	asked := 0
	w.s.SetKeyframeRequester(func() { asked++ })
	for range 5 {
		if err := w.s.RequestKeyframe(); err != nil {
			t.Error(err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestViewersAreCountedOnce(t *testing.T) {
	w := newWriter(t, Options{})
	a, b := w.s.Subscribe(), w.s.Subscribe()
	a.Close()
	a.Close()
	if n := w.s.Viewers(); n != 1 {
		t.Errorf("%d viewers, want 1", n)
	}
	b.Close()
}

// Every reader sees each packet at most once, in order, and without holes
// unless it is told of them.
func TestReadersAndWriterTogether(t *testing.T) {
	w := newWriter(t, Options{Window: 2 * time.Second})
	var readers sync.WaitGroup
	done := make(chan struct{})
	for i := range 8 {
		c := w.s.Subscribe()
		readers.Go(func() {
			defer c.Close()
			random := rand.New(rand.NewPCG(1, uint64(i)))
			dst := make([]*media.Packet, 1+random.IntN(20))
			for {
				changed := w.s.Changed()
				want := c.Next()
				n, evicted := c.Read(dst)
				for _, p := range dst[:n] {
					if p.Sequence != want {
						t.Errorf("sequence %d, want %d", p.Sequence, want)
						return
					}
					want++
				}
				if evicted {
					c.SeekLive()
					continue
				}
				if n > 0 {
					continue
				}
				select {
				case <-changed:
				case <-done:
					return
				}
			}
		})
	}
	w.frames(5000)
	close(done)
	readers.Wait()
	if w.s.Viewers() != 0 {
		t.Error("viewers are left")
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, viewers := range []int{0, 1000} {
		b.Run(fmt.Sprintf("viewers=%d", viewers), func(b *testing.B) {
			s, _ := New(Options{}).Create("bench")
			_ = s.Begin(&media.Epoch{ID: 1, Tracks: videoAndAudio})
			for range viewers {
				defer s.Subscribe().Close()
			}
			message := make([]byte, 5000)
			b.ReportAllocs()
			for i := range b.N {
				_ = s.Publish(&media.Packet{
					Message: message, Epoch: 1, TrackID: 1, Sequence: uint64(i), Kind: media.Video,
					Keyframe: i%60 == 0, Time: time.Duration(i) * frame, Duration: frame,
				})
			}
		})
	}
}

func TestNewViewerHasAKeyframeAskedForWhereTheNewestIsOld(t *testing.T) {
	w := newWriter(t, Options{})
	w.gop = 1000
	asked := 0
	w.s.SetKeyframeRequester(func() { asked++ })
	join := func() {
		c := w.s.Subscribe()
		defer c.Close()
		c.SeekLive()
	}
	w.frames(int(staleKeyframe / frame))
	if join(); asked != 0 {
		t.Errorf("asked %d times where it is new", asked)
	}
	w.frames(1)
	if join(); asked != 1 {
		t.Errorf("asked %d times where it is old", asked)
	}
}
