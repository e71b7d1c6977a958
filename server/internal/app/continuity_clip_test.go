package app_test

import (
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/mp4"
)

const (
	// pictureTime and soundTime are the lengths of a picture and of a frame of AAC.
	pictureTime = time.Second / 25
	soundTime   = 1024 * time.Second / 48000

	// clipPictures is the length of the clip, and groupPictures that of its groups.
	clipPictures  = 50
	groupPictures = 25
)

// clip is media for crafted publishers to send.
type clip struct {
	video, audio     media.Track
	pictures, sounds [][]byte
}

func makeClip(t *testing.T, size ...string) *clip {
	t.Helper()
	path := mediatest.Make(t, "clip.mp4", mediatest.Args(mediatest.Picture(append(size, "160x90")[0], 25, 2), mediatest.Tone(48000, 2),
		[]string{"-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"})...)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := mp4.Open(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	c := &clip{}
	video := uint32(0)
	for _, track := range file.Tracks() {
		if track.Kind() == media.Video {
			c.video, video = track, track.ID
		} else {
			c.audio = track
		}
	}
	for cursor := file.Samples(); ; {
		s, err := cursor.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if s.TrackID == video {
			c.pictures = append(c.pictures, slices.Clone(s.Data))
		} else {
			c.sounds = append(c.sounds, slices.Clone(s.Data))
		}
	}
	if len(c.pictures) != clipPictures || len(c.sounds) == 0 {
		t.Fatalf("the clip has %d pictures and %d frames of sound", len(c.pictures), len(c.sounds))
	}
	return c
}

// piece is one picture or frame of sound, as a publisher sends it.
type piece struct {
	kind     media.Kind
	at       time.Duration // by the publisher's clock
	keyframe bool
	// configured: the parameter sets, or the configuration, go before it.
	configured bool
	data       []byte
}

// play returns the clip over and over for some time, picture and sound in the
// order of their times.
func (c *clip) play(length time.Duration) []piece {
	var all []piece
	for i := 0; time.Duration(i)*pictureTime < length; i++ {
		all = append(all, piece{
			kind: media.Video, at: time.Duration(i) * pictureTime, data: c.pictures[i%clipPictures],
			keyframe: i%groupPictures == 0, configured: i%groupPictures == 0,
		})
	}
	for i := 0; time.Duration(i)*soundTime < length; i++ {
		all = append(all, piece{
			kind: media.Audio, at: time.Duration(i) * soundTime, data: c.sounds[i%len(c.sounds)], configured: i == 0, keyframe: true,
		})
	}
	slices.SortStableFunc(all, func(a, b piece) int { return int(a.at - b.at) })
	return all
}

// only returns the pieces for which keep is true.
func only(all []piece, keep func(p *piece) bool) []piece {
	return slices.DeleteFunc(all, func(p piece) bool { return !keep(&p) })
}

// each changes all pieces.
func each(all []piece, change func(p *piece)) []piece {
	for i := range all {
		change(&all[i])
	}
	return all
}

func count(all []piece, kind media.Kind) (n int) {
	for i := range all {
		if all[i].kind == kind {
			n++
		}
	}
	return n
}
