package mp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/framewire/framewire/server/internal/media"
)

// ErrTrack reports a Track that no init segment can describe.
var ErrTrack = errors.New("invalid track")

// movieTimescale is used by mvhd and tkhd, whose durations are all 0.
const movieTimescale = 1000

// InitSegment returns ftyp and moov for the tracks, which have distinct IDs.
//
// It describes a live stream: all durations are 0 and there is no mehd, by which
// browsers tell live from recorded and buffer less. There is no edit list: times
// are those of the fragments.
func InitSegment(tracks []media.Track) ([]byte, error) {
	if len(tracks) == 0 {
		return nil, fmt.Errorf("%w: none given", ErrTrack)
	}
	nextID := uint32(1)
	for i := range tracks {
		t := &tracks[i]
		if err := checkTrack(t, tracks[:i]); err != nil {
			return nil, fmt.Errorf("%w: track %d: %w", ErrTrack, t.ID, err)
		}
		if t.ID < math.MaxUint32 {
			nextID = max(nextID, t.ID+1)
		}
	}
	w := &writer{}
	w.box("ftyp", func() {
		w.text("iso6")
		w.u32(0)
		w.text("iso6cmfcmp41")
	})
	var err error
	w.box("moov", func() {
		w.movieHeader(nextID)
		for i := range tracks {
			if e := w.track(&tracks[i]); e != nil && err == nil {
				err = fmt.Errorf("%w: track %d: %w", ErrTrack, tracks[i].ID, e)
			}
		}
		w.box("mvex", func() {
			for i := range tracks {
				w.fullBox("trex", 0, 0, func() {
					w.u32(tracks[i].ID)
					w.u32(1) // default_sample_description_index
					w.zeros(12)
				})
			}
		})
	})
	if err != nil {
		return nil, err
	}
	return w.data, nil
}

func checkTrack(t *media.Track, before []media.Track) error {
	if t.ID == 0 {
		return errors.New("id is 0")
	}
	for i := range before {
		if before[i].ID == t.ID {
			return errors.New("id is used twice")
		}
	}
	if t.Timescale == 0 {
		return errors.New("timescale is 0")
	}
	switch t.Kind() {
	case media.Video:
		if t.Width < 1 || t.Height < 1 || t.Width > math.MaxUint16 || t.Height > math.MaxUint16 {
			return fmt.Errorf("picture of %dx%d", t.Width, t.Height)
		}
	case media.Audio:
		if t.SampleRate < 1 || t.Channels < 1 || t.Channels > math.MaxUint16 {
			return fmt.Errorf("%d channels of sound at %d Hz", t.Channels, t.SampleRate)
		}
	default:
		return fmt.Errorf("unknown %v", t.Codec)
	}
	return nil
}

func (w *writer) movieHeader(nextID uint32) {
	w.fullBox("mvhd", 0, 0, func() {
		w.zeros(8) // creation and modification time
		w.u32(movieTimescale)
		w.u32(0)           // duration
		w.u32(0x0001_0000) // rate 1.0
		w.u16(0x0100)      // volume 1.0
		w.zeros(10)
		w.matrix(0, 0, 0)
		w.zeros(24)
		w.u32(nextID)
	})
}

func (w *writer) track(t *media.Track) error {
	var err error
	w.box("trak", func() {
		w.trackHeader(t)
		w.box("mdia", func() {
			language, extended := packLanguage(t.Language)
			w.fullBox("mdhd", 0, 0, func() {
				w.zeros(8)
				w.u32(t.Timescale)
				w.u32(0) // duration
				w.u16(language)
				w.u16(0)
			})
			handler, name := "vide", "Framewire video"
			if t.Kind() == media.Audio {
				handler, name = "soun", "Framewire audio"
			}
			w.fullBox("hdlr", 0, 0, func() {
				w.u32(0)
				w.text(handler)
				w.zeros(12)
				w.text(name)
				w.zeros(1)
			})
			if extended != "" {
				w.fullBox("elng", 0, 0, func() {
					w.text(extended)
					w.zeros(1)
				})
			}
			err = w.mediaInformation(t)
		})
	})
	return err
}

func (w *writer) trackHeader(t *media.Track) {
	const enabledInMovie = 3 // track_enabled, track_in_movie
	w.fullBox("tkhd", 0, enabledInMovie, func() {
		w.zeros(8)
		w.u32(t.ID)
		w.zeros(4)
		w.u32(0) // duration
		w.zeros(8)
		w.u16(0) // layer
		w.u16(0) // alternate_group
		if t.Kind() == media.Audio {
			w.u16(0x0100)
		} else {
			w.u16(0)
		}
		w.u16(0)
		w.matrix(t.Rotation, t.Width, t.Height)
		w.u32(uint32(t.Width) << 16)
		w.u32(uint32(t.Height) << 16)
	})
}

func (w *writer) mediaInformation(t *media.Track) error {
	var err error
	w.box("minf", func() {
		if t.Kind() == media.Video {
			w.fullBox("vmhd", 0, 1, func() { w.zeros(8) })
		} else {
			w.fullBox("smhd", 0, 0, func() { w.zeros(4) })
		}
		w.box("dinf", func() {
			w.fullBox("dref", 0, 0, func() {
				w.u32(1)
				w.fullBox("url ", 0, 1, func() {}) // flag: in this file
			})
		})
		w.box("stbl", func() {
			w.fullBox("stsd", 0, 0, func() {
				w.u32(1)
				err = w.sampleEntry(t)
			})
			for _, empty := range []string{"stts", "stsc", "stco"} {
				w.fullBox(empty, 0, 0, func() { w.u32(0) })
			}
			w.fullBox("stsz", 0, 0, func() { w.zeros(8) })
		})
	})
	return err
}

// matrix writes the transformation that turns a picture of the given size
// clockwise and moves it back to the origin.
func (w *writer) matrix(rotation, width, height int) {
	const one = 1 << 16
	var a, b, c, d, x, y int
	switch rotation {
	case 90:
		b, c, x = one, -one, height<<16
	case 180:
		a, d, x, y = -one, -one, width<<16, height<<16
	case 270:
		b, c, y = -one, one, width<<16
	default:
		a, d = one, one
	}
	for _, v := range []int{a, b, 0, c, d, 0, x, y, 1 << 30} {
		w.u32(uint32(int32(v)))
	}
}

// writer builds nested boxes, whose sizes it fills in behind them.
type writer struct{ data []byte }

func (w *writer) box(name string, content func()) {
	at := len(w.data)
	w.data = appendBox(w.data, 0, name)
	content()
	binary.BigEndian.PutUint32(w.data[at:], uint32(len(w.data)-at))
}

func (w *writer) fullBox(name string, version uint8, flags uint32, content func()) {
	w.box(name, func() {
		w.u32(uint32(version)<<24 | flags)
		content()
	})
}

func (w *writer) u8(v uint8)     { w.data = append(w.data, v) }
func (w *writer) u16(v uint16)   { w.data = binary.BigEndian.AppendUint16(w.data, v) }
func (w *writer) u32(v uint32)   { w.data = binary.BigEndian.AppendUint32(w.data, v) }
func (w *writer) text(s string)  { w.data = append(w.data, s...) }
func (w *writer) bytes(b []byte) { w.data = append(w.data, b...) }
func (w *writer) zeros(n int)    { w.data = append(w.data, make([]byte, n)...) }
