package mp4_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/mp4"
)

// cuttable is two seconds of pictures, a keyframe in five, and sound.
func cuttable(t *testing.T, options string) []byte {
	t.Helper()
	path := mediatest.Make(t, "cut.mp4", mediatest.Args(mediatest.Picture("160x90", 25, 2), mediatest.Tone(48000, 2),
		args("-pix_fmt yuv420p -c:v libx264 -preset veryfast -c:a aac "+options))...)
	return read(t, path)
}

func open(t testing.TB, data []byte) *mp4.File {
	t.Helper()
	f, err := mp4.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func samplesOf(t testing.TB, c *mp4.Cursor, track media.Track) []media.Sample {
	t.Helper()
	var list []media.Sample
	for {
		s, err := c.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if s.TrackID == track.ID {
			list = append(list, s)
		}
	}
}

func millis(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// The second half is played first, then after a pause the first.
func TestPartsArePlayedInTheirOrder(t *testing.T) {
	data := cuttable(t, "-bf 0 -g 5")
	whole := open(t, mediatest.WithEdits(t, data, mediatest.Edit{Length: millis(2000)})) // times are those of the media
	cut := open(t, mediatest.WithEdits(t, data, mediatest.Edit{Length: millis(80), From: mediatest.Nothing},
		mediatest.Edit{Length: millis(600), From: millis(1000)}, mediatest.Edit{Length: millis(200), From: mediatest.Nothing}, mediatest.Edit{Length: millis(400), From: millis(200)}))
	if left := cut.Unsupported(); len(left) != 0 || len(cut.Tracks()) != 2 {
		t.Fatal(left)
	}
	if got := cut.Duration(); (got - millis(1280)).Abs() > millis(11) {
		t.Errorf("it lasts %v", got)
	}
	video, sound := cut.Tracks()[0], cut.Tracks()[1]
	from := samplesOf(t, whole.Samples(), video)
	got := samplesOf(t, cut.Samples(), video)
	var want []media.Sample
	picture := func(n, at int) {
		s := from[n]
		s.DTS = media.Ticks(time.Duration(at)*time.Second/25, video.Timescale)
		want = append(want, s)
	}
	for i := range 15 {
		picture(25+i, 2+i)
	}
	want[14].Duration *= 6 // over the pause
	for i := range 10 {
		picture(5+i, 22+i)
	}
	if len(got) != len(want) {
		t.Fatalf("%d pictures, want %d", len(got), len(want))
	}
	for i := range want {
		if !equalSample(got[i], want[i]) {
			t.Errorf("picture %d is at %d for %d, want %d for %d", i, got[i].DTS, got[i].Duration, want[i].DTS, want[i].Duration)
		}
	}
	requireSound(t, sound, samplesOf(t, whole.Samples(), sound), samplesOf(t, cut.Samples(), sound))
	_, all := cut.Tracks(), cut.Samples()
	for range 2 {
		if again := samplesOf(t, all, video); len(again) != len(want) || !equalSample(again[20], want[20]) {
			t.Errorf("%d pictures after a rewind", len(again))
		}
		all.Rewind()
	}
	played := samplesOf(t, cut.Samples(video.ID), video)
	mediatest.RequireDecodes(t, write(t, []media.Track{video}, played))
}

// requireSound checks the sound of the parts above: each frame within half of one of
// where it belongs.
func requireSound(t *testing.T, track media.Track, whole, got []media.Sample) {
	t.Helper()
	at := func(s *media.Sample) time.Duration { return media.Duration(s.DTS, track.Timescale) }
	heard := time.Duration(0)
	for i := range got {
		n := slices.IndexFunc(whole, func(s media.Sample) bool { return bytes.Equal(s.Data, got[i].Data) })
		if n < 0 {
			t.Fatalf("frame %d of sound is not in the file", i)
		}
		was, is := at(&whole[n]), at(&got[i])
		shift := millis(80 - 1000)
		if is > millis(800) {
			shift = millis(880 - 200)
		}
		if is > 0 && (is-was-shift).Abs() > time.Millisecond {
			t.Errorf("frame %d of sound, of %v, is at %v", i, was, is)
		}
		if i > 0 && got[i].DTS <= got[i-1].DTS {
			t.Errorf("frame %d of sound at %d follows %d", i, got[i].DTS, got[i-1].DTS)
		}
		if is >= millis(80) {
			heard += media.Duration(int64(got[i].Duration), track.Timescale)
		}
	}
	if (heard - time.Second).Abs() > millis(40) {
		t.Errorf("%v of sound", heard)
	}
}

func TestPartsInARowAreOne(t *testing.T) {
	data := cuttable(t, "-bf 2 -g 25")
	one := open(t, mediatest.WithEdits(t, data, mediatest.Edit{Length: millis(1500), From: millis(80)}))
	three := open(t, mediatest.WithEdits(t, data, mediatest.Edit{Length: millis(330), From: millis(80)},
		mediatest.Edit{Length: millis(550), From: millis(410)}, mediatest.Edit{Length: millis(620), From: millis(960)}))
	for _, track := range one.Tracks() {
		want, got := samplesOf(t, one.Samples(), track), samplesOf(t, three.Samples(), track)
		if !slices.EqualFunc(want, got, equalSample) {
			t.Errorf("%v: %d samples, want %d", track.Kind(), len(got), len(want))
		}
	}
}

func TestEditsThatCannotBeFollowedSaySo(t *testing.T) {
	plain, reordered := cuttable(t, "-bf 0 -g 5"), cuttable(t, "-bf 2 -b_strategy 0 -g 25")
	second := mediatest.Edit{Length: millis(400), From: millis(1000)}
	var many []mediatest.Edit
	for i := range 70 {
		many = append(many, mediatest.Edit{Length: millis(40), From: millis(200 * (i % 2))})
	}
	for _, c := range []struct {
		name   string
		data   []byte
		list   []mediatest.Edit
		tracks int // that play
	}{
		{"begins within a group", plain, []mediatest.Edit{second, {Length: millis(400), From: millis(280)}}, 1},
		{"ends where pictures are reordered", reordered, []mediatest.Edit{{Length: millis(440), From: millis(80)}, {Length: millis(400), From: millis(1080)}}, 1},
		{"too many", plain, many, 0},
		{"slow", plain, []mediatest.Edit{second, {Length: millis(400), From: 0, Rate: 0.5}}, 0},
		{"slow alone", plain, []mediatest.Edit{{Length: millis(400), From: 0, Rate: 0.5}}, 2},
		{"nothing but the end", plain, []mediatest.Edit{{Length: millis(400), From: millis(1000)}, {Length: millis(400), From: time.Hour}}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := open(t, mediatest.WithEdits(t, c.data, c.list...))
			if n := len(f.Tracks()); n != c.tracks {
				t.Errorf("%d tracks play, want %d; %v", n, c.tracks, f.Unsupported())
			}
			for _, u := range f.Unsupported() {
				if !errors.Is(u.Err, mp4.ErrEdits) {
					t.Error(u)
				}
			}
			first, end, err := f.FirstParts()
			if c.tracks == 2 {
				if first != nil || err != nil {
					t.Errorf("first parts of what is played whole: %v, %v", first, err)
				}
				return
			}
			if err != nil || first == nil || len(first.Tracks()) != 2 {
				t.Fatalf("first parts: %+v, %v", first, err)
			}
			if d := first.Duration(); end < millis(39) || end > millis(441) || d < end-millis(30) || d > end+millis(30) {
				t.Errorf("the first parts end at %v, and take %v", end, d)
			}
		})
	}
}
