package ingest

import (
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// publisher writes pictures and sound that belong together, a picture at a time.
type publisher struct {
	*fixture
	run *Run
	n   int64
}

func (p *publisher) picture(keyframe bool) {
	p.t.Helper()
	p.write(p.run, time.Duration(p.n)*frame, media.Sample{TrackID: 1, DTS: p.n * 3000, Duration: 3000, Keyframe: keyframe})
	p.n++
}

func (p *publisher) sound(id uint32) {
	p.t.Helper()
	p.write(p.run, time.Duration(p.n)*frame, media.Sample{TrackID: id, DTS: p.n * 1600, Duration: 1600, Keyframe: true})
}

// What viewers see of sound that comes, changes or goes: pictures without a pause, and
// the sound from the next keyframe on.
func TestSoundDoesNotStopThePicture(t *testing.T) {
	other := audioTrack()
	other.Config, other.Channels = []byte{0x11, 0x88}, 1
	for _, c := range []struct {
		name          string
		before, after []media.Track
		heard         int // frames of sound before the keyframe
	}{
		{"sound comes", []media.Track{videoTrack()}, []media.Track{videoTrack(), audioTrack()}, 0},
		{"sound goes", []media.Track{videoTrack(), audioTrack()}, []media.Track{videoTrack()}, 3},
		{"sound changes", []media.Track{videoTrack(), audioTrack()}, []media.Track{videoTrack(), other}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			p := &publisher{fixture: newFixture(t)}
			p.stream.SetKeyframeRequester(func() { asked++ })
			p.run = p.feed.Open()
			for i, tracks := range [][]media.Track{c.before, c.after} {
				p.start(p.run, tracks...)
				for range 3 {
					if len(tracks) == 2 {
						p.sound(2)
					}
					p.picture(i == 0 && p.n == 0)
				}
			}
			packets := p.packets()
			if n := len(times(packets, media.Video)); n != 6 || packets[len(packets)-1].Epoch != 1 {
				t.Errorf("%d pictures before the keyframe, up to epoch %d", n, packets[len(packets)-1].Epoch)
			}
			if n := len(times(packets, media.Audio)); n != c.heard {
				t.Errorf("%d frames of sound before the keyframe, want %d", n, c.heard)
			}
			if asked != 1 {
				t.Errorf("a keyframe was asked for %d times", asked)
			}
			for i := range 3 {
				p.picture(i == 0)
				if len(c.after) == 2 {
					p.sound(2)
				}
			}
			packets = p.packets()
			if first := packets[0]; first.Epoch != 2 {
				t.Errorf("the keyframe begins epoch %d", first.Epoch)
			}
			expectTimes(t, times(packets, media.Video), 6*frame, 7*frame, 8*frame)
			if n := len(times(packets, media.Audio)); n != 3*(len(c.after)-1) {
				t.Errorf("%d frames of sound from the keyframe on", n)
			}
		})
	}
}

func TestSoundThatComesAndGoesChangesNothing(t *testing.T) {
	p := &publisher{fixture: newFixture(t)}
	p.run = p.feed.Open()
	p.start(p.run, videoTrack())
	p.picture(true)
	p.start(p.run, videoTrack(), audioTrack())
	p.sound(2)
	p.start(p.run, videoTrack())
	p.picture(true)
	if packets := p.packets(); len(packets) != 2 || packets[1].Epoch != 1 {
		t.Errorf("%d packets, the last of epoch %d", len(packets), packets[len(packets)-1].Epoch)
	}
	if err := p.run.Write(media.Sample{TrackID: 2, Data: []byte{1}}); err == nil {
		t.Error("sound that is not announced is taken")
	}
}

func TestSoundDoesNotWaitForPicturesThatHaveStopped(t *testing.T) {
	p := &publisher{fixture: newFixture(t)}
	p.run = p.feed.Open()
	p.start(p.run, videoTrack())
	p.picture(true)
	p.start(p.run, videoTrack(), audioTrack())
	for second := range 9 {
		p.n = int64(second) * 30
		p.sound(2)
	}
	if n := len(times(p.packets(), media.Audio)); n != 3 { // behind 5 s
		t.Errorf("%d frames of sound", n)
	}
}

func TestAnotherPictureDoesNotWait(t *testing.T) {
	p := &publisher{fixture: newFixture(t)}
	p.run = p.feed.Open()
	p.start(p.run, videoTrack())
	p.picture(true)
	p.start(p.run, videoTrack(), audioTrack())
	larger := videoTrack()
	larger.Width, larger.Height = 1280, 720
	p.start(p.run, larger, audioTrack())
	if e := p.stream.Epoch(); e.ID != 2 || len(e.Tracks) != 2 || e.Tracks[0].Width != 1280 {
		t.Errorf("epoch %d with %+v", e.ID, e.Tracks)
	}
}

// A stream that refreshes its pictures by parts has no further keyframe. Its sound is
// not to wait for one for ever, nor are its pictures to stop for that.
func TestSoundWaitsForAKeyframeForSoLong(t *testing.T) {
	p := &publisher{fixture: newFixture(t)}
	p.run = p.feed.Open()
	p.start(p.run, videoTrack())
	p.picture(true)
	p.start(p.run, videoTrack(), audioTrack())
	const pictures = int((maxDefer + 2*time.Second) / frame)
	for range pictures {
		p.sound(2)
		p.picture(false)
	}
	packets := p.packets()
	if n := len(times(packets, media.Video)); n < pictures { // the last may be held back still
		t.Errorf("%d pictures of %d", n, pictures+1)
	}
	if n, want := len(times(packets, media.Audio)), pictures-int(maxDefer/frame); n < want-10 || n > want+10 {
		t.Errorf("%d frames of sound, want about %d", n, want)
	}
	at := times(packets, media.Video)
	for i := 1; i < len(at); i++ {
		if step := at[i] - at[i-1]; step < frame/2 || step > 2*frame {
			t.Errorf("picture %d comes %v after the one before", i, step)
		}
	}
	if e := p.stream.Epoch(); e.ID != 2 || len(e.Tracks) != 2 {
		t.Errorf("epoch %d with %d tracks", e.ID, len(e.Tracks))
	}
}
