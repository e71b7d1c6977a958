package app_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// rtmp is the address of a server that takes RTMP.
func (s *server) rtmp() string {
	s.t.Helper()
	m := regexp.MustCompile(`msg="rtmp listening" addr=(\S+)`).FindStringSubmatch(s.log.String())
	if m == nil {
		s.t.Fatal("the server takes no RTMP")
	}
	return m[1]
}

// hour is where crafted clocks begin: they can jump back from there.
const hour = time.Hour

// continuity is a publisher that does not behave.
type continuity struct {
	// pieces are what it sends; wrap is where the clock of its protocol begins
	// again.
	pieces func(c *clip, wrap time.Duration) []piece
	// hidden is how many pictures at the beginning may be held back.
	hidden int
	// lost is how many of the pictures need not be shown.
	lost int
	// hole is the longest that may be missing of a kind.
	hole time.Duration
	// expect looks at the rest.
	expect func(t *testing.T, w *watcher)
}

// held is how many pictures may be on their way in a publisher that is well.
const held = 12

// rounding is what the milliseconds of RTMP, and the durations of pictures that
// nobody tells, put between two fragments.
const rounding = 12 * time.Millisecond

var continuities = map[string]continuity{
	"clock drift": {
		// Sound by a clock that is slower by half a percent than that of the
		// pictures: after 20 s it is 100 ms behind.
		pieces: func(c *clip, _ time.Duration) []piece {
			return each(c.play(20*time.Second), func(p *piece) {
				if p.kind == media.Audio {
					p.at += p.at / 200
				}
				p.at += hour
			})
		},
		hole: rounding,
		expect: func(t *testing.T, w *watcher) {
			oneEpoch(t, w)
			if drift := apart(w) - pictureTime; (drift - 100*time.Millisecond).Abs() > 60*time.Millisecond {
				t.Errorf("the sound ends %v behind the picture, want 100 ms", drift)
			}
		},
	},
	"a jump ahead": {pieces: jump(3 * time.Hour), hole: 2 * pictureTime, expect: inStep},
	"a jump back":  {pieces: jump(-hour / 2), hole: 2 * pictureTime, expect: inStep},
	"wrap-around": {
		pieces: func(c *clip, wrap time.Duration) []piece {
			return each(c.play(4*time.Second), func(p *piece) { p.at += wrap - 2*time.Second })
		},
		hole: 2 * pictureTime, expect: inStep,
	},
	"sound that ends": {
		pieces: func(c *clip, _ time.Duration) []piece {
			return only(c.play(6*time.Second), func(p *piece) bool { return p.kind == media.Video || p.at < 2*time.Second })
		},
		hole: rounding, expect: oneEpoch,
	},
	"late parameter sets": {
		// The sound before them comes at once: more of it would be a viewer's
		// falling behind.
		pieces: func(c *clip, _ time.Duration) []piece {
			return each(c.play(4*time.Second), func(p *piece) {
				p.configured = p.configured && (p.kind == media.Audio || p.at >= time.Second)
			})
		},
		hidden: 25, lost: 25, hole: rounding,
		expect: func(t *testing.T, w *watcher) {
			if off := apart(w); off.Abs() > 2*pictureTime {
				t.Errorf("sound and picture end %v apart", off)
			}
		},
	},
	"out of order": {
		pieces: func(c *clip, _ time.Duration) []piece {
			all := each(c.play(4*time.Second), func(p *piece) { p.at += hour })
			var pictures []int
			for i := range all {
				if all[i].kind == media.Video {
					pictures = append(pictures, i)
				}
			}
			for i := 3; i+1 < len(pictures); i += 5 { // decode times swapped
				a, b := &all[pictures[i]], &all[pictures[i+1]]
				a.at, b.at = b.at, a.at
			}
			return all
		},
		hole: 2 * pictureTime, expect: inStep,
	},
}

// jump moves the clocks of both tracks in the middle.
func jump(by time.Duration) func(*clip, time.Duration) []piece {
	return func(c *clip, _ time.Duration) []piece {
		return each(c.play(4*time.Second), func(p *piece) {
			if p.at >= 2*time.Second {
				p.at += by
			}
			p.at += hour
		})
	}
}

// apart is by how much the sound ends after the picture.
func apart(w *watcher) time.Duration {
	pictures, sounds := w.of(media.Video), w.of(media.Audio)
	if len(sounds) == 0 || len(pictures) == 0 {
		return time.Hour
	}
	return sounds[len(sounds)-1].end - pictures[len(pictures)-1].end
}

func oneEpoch(t *testing.T, w *watcher) {
	t.Helper()
	all := w.all()
	if first, last := all[0].epoch, all[len(all)-1].epoch; first != last {
		t.Errorf("the epoch went from %d to %d", first, last)
	}
}

// inStep expects sound and picture to be where they were to each other.
func inStep(t *testing.T, w *watcher) {
	t.Helper()
	oneEpoch(t, w)
	if off := apart(w); off.Abs() > 60*time.Millisecond {
		t.Errorf("sound and picture end %v apart", off)
	}
}

func TestViewersBearWhateverPublishersSend(t *testing.T) {
	c := makeClip(t)
	for protocol, way := range protocols {
		s := start(t, "publish: {rtmp: '127.0.0.1:0'}\n")
		for name, test := range continuities {
			t.Run(name+" over "+protocol, func(t *testing.T) {
				stream := strings.NewReplacer(" ", "-").Replace(name + "/" + protocol)
				p := way.open(t, s, c, stream)
				w := watch(t, s, stream)
				pieces := test.pieces(c, way.wrap)
				feed(t, s, p, w, pieces, test.hidden)
				p.close()
				w.awaitEnd(t, s)
				if n, want := w.pictures(), count(pieces, media.Video)-test.lost; n < want {
					t.Errorf("%d pictures of %d are shown", n, want)
				}
				w.check(t)
				for _, kind := range []media.Kind{media.Video, media.Audio} {
					if hole := widest(w.of(kind)); hole > test.hole {
						t.Errorf("%v of %v are missing", hole, kind)
					}
				}
				if test.expect != nil {
					test.expect(t, w)
				}
			})
		}
	}
}

// feed sends pieces no faster than they are shown: a viewer that falls behind is
// moved on, which is not what is tested here.
func feed(t *testing.T, s *server, p crafted, w *watcher, pieces []piece, hidden int) {
	t.Helper()
	sent := 0
	for i := range pieces {
		p.send(&pieces[i])
		if pieces[i].kind != media.Video {
			continue
		}
		sent++
		if !w.await(s, func() bool { return w.pictures() >= sent-hidden-held }) {
			t.Fatalf("%d pictures were sent, %d are shown", sent, w.pictures())
		}
	}
}

// TestOneTrackDoesNotWaitForTheOther announces picture and sound, of which one does
// not come, or late. How long it is waited for is real time, so the media come in
// their own.
func TestOneTrackDoesNotWaitForTheOther(t *testing.T) {
	const late = 3 * time.Second // more than any of the protocols waits
	c := makeClip(t)
	s := start(t, "publish: {rtmp: '127.0.0.1:0'}\n")
	for name, test := range map[string]struct {
		comes  func(p *piece) bool
		expect func(t *testing.T, w *watcher)
	}{
		"missing sound": {
			func(p *piece) bool { return p.kind == media.Video },
			func(t *testing.T, w *watcher) {
				if n := len(w.of(media.Audio)); n != 0 {
					t.Errorf("%d fragments of sound that nobody sent", n)
				}
			},
		},
		"sound first": {
			func(p *piece) bool { return p.kind == media.Audio || p.at >= late },
			func(t *testing.T, w *watcher) {
				pictures, sounds := w.of(media.Video), w.of(media.Audio)
				if len(sounds) == 0 || sounds[0].at > pictures[0].at-200*time.Millisecond {
					t.Errorf("no sound is shown before the first picture at %v", pictures[0].at)
				}
				if off := apart(w); off.Abs() > 2*pictureTime {
					t.Errorf("sound and picture end %v apart", off)
				}
			},
		},
	} {
		for protocol, way := range protocols {
			t.Run(name+" over "+protocol, func(t *testing.T) {
				t.Parallel()
				stream := strings.ReplaceAll(name, " ", "-") + "/" + protocol
				p := way.open(t, s, c, stream)
				w := watch(t, s, stream)
				clock, began := time.NewTicker(pictureTime/4), time.Now()
				defer clock.Stop()
				pieces := only(c.play(patience), test.comes)
				for sent := 0; w.pictures() < groupPictures; <-clock.C {
					for ; sent < len(pieces) && pieces[sent].at <= time.Since(began); sent++ {
						p.send(&pieces[sent])
					}
					if s.ctx.Err() != nil {
						t.Fatalf("of %d pieces %d pictures are shown", sent, w.pictures())
					}
				}
				p.close()
				w.awaitEnd(t, s)
				w.check(t)
				// What was waited for comes at once: so much that a viewer may be moved
				// on to its end, and told so.
				if hole := widest(w.of(media.Video)); hole > rounding && !w.told() {
					t.Errorf("%v are missing", hole)
				}
				test.expect(t, w)
			})
		}
	}
}

func TestHalfAMinuteWithoutKeyframe(t *testing.T) {
	c := makeClip(t)
	const first = 31 * time.Second
	for protocol, way := range protocols {
		t.Run(protocol, func(t *testing.T) {
			s := start(t, "publish: {rtmp: '127.0.0.1:0'}\n")
			stream := "long/" + protocol
			p := way.open(t, s, c, stream)
			w := watch(t, s, stream)
			var before, after []piece
			for _, piece := range c.play(first + 2*time.Second) {
				if piece.kind == media.Video && piece.at > 0 && piece.at < first {
					piece.keyframe, piece.configured = false, false
					piece.data = c.pictures[1] // one that says that it is none
				}
				if piece.at < first {
					before = append(before, piece)
				} else {
					after = append(after, piece)
				}
			}
			feed(t, s, p, w, before, 0)
			late := watch(t, s, stream)
			if ws, ok := p.(*wsPublisher); ok { // the others have no way to be asked
				select {
				case <-ws.pub.Keyframes():
				case <-s.ctx.Done():
					t.Error("nobody asks the publisher for a keyframe")
				}
			}
			feed(t, s, p, w, after, 0)
			p.close()
			for _, viewer := range []*watcher{w, late} {
				viewer.awaitEnd(t, s)
				viewer.check(t)
			}
			if n, want := w.pictures(), count(before, media.Video)+count(after, media.Video); n < want {
				t.Errorf("%d pictures of %d are shown", n, want)
			}
			if hole := widest(w.of(media.Video)); hole > rounding {
				t.Errorf("%v are missing", hole)
			}
			if seen := late.of(media.Video); !seen[0].keyframe {
				t.Error("who comes late begins with no keyframe")
			}
		})
	}
}

// TestPublisherThatComesBackIsSeenAgain loses a publisher; it comes back, and then
// with pictures of another size. Viewers do nothing.
func TestPublisherThatComesBackIsSeenAgain(t *testing.T) {
	c, other := makeClip(t), makeClip(t, "320x180")
	s := start(t, "publish: {rtmp: '127.0.0.1:0'}\n")
	for protocol, way := range protocols {
		t.Run(protocol, func(t *testing.T) {
			stream := "back/" + protocol
			p := way.open(t, s, c, stream)
			w := watch(t, s, stream)
			feed(t, s, p, w, c.play(2*time.Second), 0)
			p.lose()
			for i, clip := range []*clip{c, other} {
				s.wait("the server notices", func() bool { return s.left(stream) == i+1 })
				w.awaitEnd(t, s)
				before := w.all()
				seen := w.pictures()
				p = way.open(t, s, clip, stream)
				for _, piece := range clip.play(2 * time.Second) {
					p.send(&piece)
				}
				if !w.await(s, func() bool { return w.pictures() > seen }) {
					t.Fatal("the picture does not return")
				}
				if first := w.of(media.Video)[seen]; !first.keyframe || first.epoch <= before[len(before)-1].epoch {
					t.Errorf("return %d begins with %+v", i, first)
				}
				p.close()
			}
			w.check(t)
			if err := w.session.Play(s.ctx, stream); err != nil {
				t.Errorf("the viewer's session: %v", err)
			}
		})
	}
}

// left is how many publishers of a stream have left.
func (s *server) left(stream string) (n int) {
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "publisher left") && strings.Contains(line, "stream="+stream) {
			n++
		}
	}
	return n
}

func TestEachPublisherIsToldOfOnceInTheLog(t *testing.T) {
	c := makeClip(t)
	s := start(t, "publish: {rtmp: '127.0.0.1:0'}\n")
	for protocol, way := range protocols {
		stream := "once/" + protocol
		p := way.open(t, s, c, stream)
		w := watch(t, s, stream)
		feed(t, s, p, w, c.play(time.Second), 0)
		p.close()
		for _, event := range []string{"publisher came", "publisher left"} {
			lines := func() (n int) {
				for line := range strings.Lines(s.log.String()) {
					if strings.Contains(line, event) && strings.Contains(line, "stream="+stream) &&
						strings.Contains(line, "protocol=") && strings.Contains(line, "remote=127.0.0.1:") {
						n++
					}
				}
				return n
			}
			s.wait("the log tells of it", func() bool { return lines() > 0 })
			if n := lines(); n != 1 {
				t.Errorf("%s: %d lines of %q", protocol, n, event)
			}
		}
		if n := strings.Count(s.log.String(), "RTMP publisher"); n != 0 {
			t.Errorf("%d lines of RTMP besides", n)
		}
	}
}
