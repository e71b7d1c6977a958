package mp4

import (
	"errors"
	"fmt"
	"math"

	"github.com/framewire/framewire/server/internal/media"
)

// maxTracks bounds the tracks of a movie. A recorder of many angles and
// languages writes a few dozen.
const maxTracks = 128

// maxTime bounds times and durations in ticks, so that sums of a few of them
// cannot overflow. It is 97 years in nanoseconds.
const maxTime = math.MaxInt64 / 3

// movie is what moov tells.
type movie struct {
	timescale  uint32
	tracks     []*track
	fragmented bool // has mvex
}

// track is one trak. What stands in its sample tables stays in the bytes of the
// moov box.
type track struct {
	media.Track

	handler    string
	format     string // type of the sample entry
	err        error  // why it cannot be played, nil when it can
	duration   int64  // of mdhd, ticks
	lengthSize int    // of NAL unit lengths in its samples
	pending    bool   // parameter sets come in band

	edits  []edit
	parts  []edited // what is played, one at least
	tables tables

	defaults trex
}

// trex holds the defaults for samples of fragments (8.8.3).
type trex struct {
	duration, size, flags uint32
}

// edit is an entry of elst (8.6.6).
type edit struct {
	duration  int64 // in the movie's timescale
	mediaTime int64 // in the track's timescale, -1 for an empty edit
	rate      int32 // in units of 1/normalRate
}

func (m *movie) track(id uint32) *track {
	for _, t := range m.tracks {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// playable returns the tracks that can be played now.
func (m *movie) playable() []media.Track {
	var list []media.Track
	for _, t := range m.tracks {
		if t.err == nil && !t.pending {
			list = append(list, t.Track)
		}
	}
	return list
}

// pending reports whether a track that can be played waits for its parameters.
func (m *movie) pending() bool {
	for _, t := range m.tracks {
		if t.err == nil && t.pending {
			return true
		}
	}
	return false
}

// Unsupported is a track that cannot be played.
type Unsupported struct {
	ID      uint32
	Handler string // handler_type, such as "vide", "soun" or "tmcd"
	Format  string // type of the sample entry, such as "mp4v" or "sowt"
	Err     error  // why
}

func (u Unsupported) String() string {
	return fmt.Sprintf("track %d (%s, %s): %v", u.ID, printable(u.Handler), printable(u.Format), u.Err)
}

// Kind is what the track is meant to carry, 0 for neither video nor sound.
func (u Unsupported) Kind() media.Kind { return kindOf(u.Handler) }

func kindOf(handler string) media.Kind {
	switch handler {
	case "vide":
		return media.Video
	case "soun":
		return media.Audio
	default:
		return 0
	}
}

// ErrCodec reports a track whose codec is not one that can be carried on.
var ErrCodec = errors.New("codec not supported")

func (m *movie) unsupported() []Unsupported {
	var list []Unsupported
	for _, t := range m.tracks {
		if t.err != nil {
			list = append(list, Unsupported{t.ID, t.handler, t.format, t.err})
		}
	}
	return list
}

// parseMovie parses a moov box. It keeps b's memory.
func parseMovie(b *box) (*movie, error) {
	m := &movie{}
	for child, err := range b.children(0) {
		if err != nil {
			return nil, err
		}
		switch child.name {
		case "mvhd":
			f := child.fields()
			version, _ := f.full()
			f.sized(version)
			f.sized(version)
			m.timescale = f.u32()
			err = f.err()
		case "trak":
			if len(m.tracks) == maxTracks {
				return nil, b.fail("more than %d tracks", maxTracks)
			}
			var t *track
			if t, err = parseTrack(&child); err != nil {
				break
			}
			if m.track(t.ID) != nil {
				return nil, child.fail("track id %d is used twice", t.ID)
			}
			m.tracks = append(m.tracks, t)
		case "mvex":
			m.fragmented = true
		}
		if err != nil {
			return nil, child.wrap(err)
		}
	}
	if err := m.parseDefaults(b); err != nil {
		return nil, err
	}
	for _, t := range m.tracks {
		if len(t.edits) > 0 && m.timescale == 0 {
			return nil, b.fail("an edit list without timescale in mvhd")
		}
		parts, err := t.applyEdits(m.timescale, m.fragmented)
		if t.parts = parts; t.err == nil && !m.fragmented {
			t.err = err
		}
	}
	return m, nil
}

// parseDefaults reads mvex, which may stand before the tracks it is for.
func (m *movie) parseDefaults(b *box) error {
	for child, err := range b.children(0) {
		if err != nil {
			return err
		}
		if child.name != "mvex" {
			continue
		}
		for extends, err := range child.children(0) {
			if err != nil {
				return err
			}
			if extends.name != "trex" {
				continue
			}
			f := extends.fields()
			f.full()
			t := m.track(f.u32())
			f.skip(4)
			d := trex{f.u32(), f.u32(), f.u32()}
			if f.err() != nil {
				return extends.wrap(f.err())
			}
			if t != nil {
				t.defaults = d
			}
		}
	}
	return nil
}

func parseTrack(b *box) (*track, error) {
	t := &track{lengthSize: 4}
	var info *box
	for child, err := range b.children(0) {
		if err != nil {
			return nil, err
		}
		switch child.name {
		case "tkhd":
			err = t.parseHeader(&child)
		case "edts":
			err = t.parseEdits(&child)
		case "mdia":
			info, err = t.parseMedia(&child)
		}
		if err != nil {
			return nil, child.wrap(err)
		}
	}
	if t.ID == 0 {
		return nil, b.fail("no tkhd with a track id")
	}
	if t.Timescale == 0 {
		return nil, b.fail("no mdhd with a timescale")
	}
	if info == nil {
		return nil, b.fail("no minf")
	}
	if err := t.parseInformation(info); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *track) parseHeader(b *box) error {
	f := b.fields()
	version, _ := f.full()
	f.sized(version)
	f.sized(version)
	t.ID = f.u32()
	f.skip(4)
	f.sized(version)
	f.skip(16)
	var matrix [9]int32
	for i := range matrix {
		matrix[i] = int32(f.u32())
	}
	t.Rotation = rotationOf(matrix)
	return f.err()
}

// rotationOf returns the clockwise turn of a matrix, 0 for one that is no pure
// turn by a right angle.
func rotationOf(m [9]int32) int {
	sign := func(v int32) int {
		switch {
		case v > 0:
			return 1
		case v < 0:
			return -1
		}
		return 0
	}
	switch [4]int{sign(m[0]), sign(m[1]), sign(m[3]), sign(m[4])} {
	case [4]int{0, 1, -1, 0}:
		return 90
	case [4]int{-1, 0, 0, -1}:
		return 180
	case [4]int{0, -1, 1, 0}:
		return 270
	}
	return 0
}

// parseMedia returns the minf box: what it holds is read when the handler, which
// may stand behind it, is known.
func (t *track) parseMedia(b *box) (*box, error) {
	var info *box
	for child, err := range b.children(0) {
		if err != nil {
			return nil, err
		}
		f := child.fields()
		switch child.name {
		case "mdhd":
			version, _ := f.full()
			f.sized(version)
			f.sized(version)
			t.Timescale = f.u32()
			d := f.sized(version)
			if unknown := version == 0 && d == math.MaxUint32; !unknown && d <= maxTime {
				t.duration = int64(d)
			}
			t.Language = unpackLanguage(f.u16())
		case "hdlr":
			f.skip(8)
			t.handler = string(f.bytes(4))
		case "minf":
			info = &child
		}
		if f.err() != nil {
			return nil, child.wrap(f.err())
		}
	}
	return info, nil
}

func (t *track) parseInformation(b *box) error {
	external := false
	var table *box
	for child, err := range b.children(0) {
		if err != nil {
			return err
		}
		switch child.name {
		case "dinf":
			if external, err = refersElsewhere(&child); err != nil {
				return err
			}
		case "stbl":
			table = &child
		}
	}
	if table == nil {
		return b.fail("no stbl")
	}
	if err := t.parseTables(table); err != nil {
		return err
	}
	if external && t.err == nil {
		t.err = errors.New("media data in another file")
	}
	return nil
}

// refersElsewhere reports whether the first data reference is to another file.
func refersElsewhere(b *box) (bool, error) {
	for child, err := range b.children(0) {
		if err != nil {
			return false, err
		}
		if child.name != "dref" {
			continue
		}
		const header = 8 // version, flags, entry count
		for entry, err := range child.children(header) {
			if err != nil {
				return false, err
			}
			_, flags := entry.fields().full()
			const selfContained = 1
			return flags&selfContained == 0, nil
		}
	}
	return false, nil
}
