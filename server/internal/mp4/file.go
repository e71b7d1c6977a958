package mp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

const (
	// maxMoov bounds a moov box in memory. A day of video at 60 frames a second
	// with sound takes about 100 MB of tables.
	maxMoov = 256 << 20

	// maxSample bounds one sample in memory: a raw 8K picture would fit.
	maxSample = 64 << 20

	// maxBoxes bounds the boxes at the top of a file: a day at 30 fragments a
	// second of two boxes each.
	maxBoxes = 6 << 20
)

// ErrNoMovie reports input without a moov box: it is no MP4, or its recording
// was cut off before the box was written.
var ErrNoMovie = errors.New("no moov box")

// File is an MP4 or QuickTime file, progressive or fragmented or both, opened
// for reading. It keeps the moov box in memory and reads samples when they are
// asked for. It is safe for concurrent use if its reader is.
type File struct {
	input     io.ReaderAt
	size      int64
	movie     *movie
	fragments []span
	plans     []plan // of the playable tracks
	truncated bool
}

// span is a box in the file.
type span struct {
	offset, size int64
	header       int
}

// Open reads the structure of the file. Tracks that cannot be played are no
// error: see Unsupported.
func Open(input io.ReaderAt, size int64) (*File, error) {
	f := &File{input: input, size: size}
	if err := f.scan(); err != nil {
		return nil, err
	}
	return f, f.planAll()
}

// FirstParts returns the same file played as far as can be done without decoding,
// where an edit list asks for more (see ErrEdits), and when that ends in the movie. It
// returns nil where no list does.
func (f *File) FirstParts() (first *File, end time.Duration, err error) {
	first = &File{input: f.input, size: f.size}
	if err := first.scan(); err != nil {
		return nil, 0, err
	}
	for i, t := range f.movie.tracks { // what looking through the samples has shown
		if errors.Is(t.err, ErrEdits) {
			first.movie.tracks[i].err = t.err
		}
	}
	end, cut := first.movie.firstParts()
	if !cut {
		return nil, 0, nil
	}
	return first, end, first.planAll()
}

// planAll plans the tracks that can be played.
func (f *File) planAll() error {
	for _, t := range f.movie.tracks {
		if t.err != nil {
			continue
		}
		p, err := f.plan(t)
		if err != nil {
			return err
		}
		if t.err == nil && t.pending {
			if err := f.resolve(p); err != nil {
				return err
			}
		}
		if t.err == nil {
			f.plans = append(f.plans, p)
		}
	}
	return nil
}

// Tracks returns the tracks that can be played. Times of their samples begin at
// the movie's beginning, with edit lists applied; they may be negative for
// samples that are decoded but not shown.
func (f *File) Tracks() []media.Track { return f.movie.playable() }

// Unsupported returns the tracks that cannot be played, and why.
func (f *File) Unsupported() []Unsupported { return f.movie.unsupported() }

// Duration is the time from the movie's beginning to the end of the track that
// ends last.
func (f *File) Duration() time.Duration {
	var longest time.Duration
	for _, p := range f.plans {
		longest = max(longest, media.Duration(p.end, p.track.Timescale))
	}
	return longest
}

// Truncated reports whether samples are missing at the end, because the file is
// still being written, or its writing or transfer was cut off.
func (f *File) Truncated() bool { return f.truncated }

// scan walks the boxes at the top of the file.
func (f *File) scan() error {
	var header [16]byte
	boxes := 0
	for at := int64(0); f.size-at >= boxHeader; boxes++ {
		if boxes == maxBoxes {
			return &FormatError{Path: "file", Offset: at, Err: fmt.Errorf("more than %d boxes", maxBoxes)}
		}
		n, err := f.input.ReadAt(header[:min(int64(len(header)), f.size-at)], at)
		if n < boxHeader {
			return fmt.Errorf("read box at offset %d: %w", at, noEOF(err))
		}
		name, headerSize, size, err := boxHead(header[:n])
		if err != nil {
			return &FormatError{Path: printable(name), Offset: at, Err: err}
		}
		if size == 0 {
			size = f.size - at
		}
		if size > f.size-at {
			f.truncated = true
			size = f.size - at
			if name != "mdat" {
				break
			}
		}
		switch name {
		case "moov":
			if f.movie == nil {
				err = f.readMovie(at, headerSize, size)
			}
		case "moof":
			f.fragments = append(f.fragments, span{at, size, headerSize})
		}
		if err != nil {
			return err
		}
		at += size
	}
	if f.movie == nil {
		return &FormatError{Path: "file", Offset: 0, Err: ErrNoMovie}
	}
	return nil
}

// boxHead reads the header of a box at the top. A size of 0 means that the box
// goes on to the end of the input.
func boxHead(data []byte) (name string, headerSize int, size int64, err error) {
	name, headerSize = string(data[4:8]), boxHeader
	wide := uint64(binary.BigEndian.Uint32(data))
	if wide == 1 {
		headerSize = 16
		if len(data) < headerSize {
			return name, 0, 0, errShort
		}
		wide = binary.BigEndian.Uint64(data[8:])
	}
	if wide == 0 && headerSize == boxHeader {
		return name, headerSize, 0, nil
	}
	if wide < uint64(headerSize) {
		return name, 0, 0, errBoxSmall
	}
	if wide > maxTime {
		return name, 0, 0, fmt.Errorf("%w: %d bytes", errBoxSize, wide)
	}
	return name, headerSize, int64(wide), nil
}

func (f *File) readMovie(offset int64, header int, size int64) error {
	b, err := f.readBox("moov", offset, header, size, maxMoov)
	if err != nil {
		return err
	}
	f.movie, err = parseMovie(b)
	return err
}

func (f *File) readBox(name string, offset int64, header int, size, limit int64) (*box, error) {
	b := &box{name: name, path: name, offset: offset, header: header}
	if size > limit {
		return nil, b.fail("%d bytes exceed %d", size, limit)
	}
	b.payload = make([]byte, size-int64(header))
	if _, err := f.input.ReadAt(b.payload, offset+int64(header)); err != nil && (err != io.EOF || len(b.payload) > 0) {
		return nil, fmt.Errorf("read %s at offset %d: %w", name, offset, noEOF(err))
	}
	return b, nil
}

// noEOF turns an end of input in the middle of something into an error that
// says so.
func noEOF(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// resolve takes the decoder configuration from the first keyframe.
func (f *File) resolve(p plan) error {
	c := newFileCursor(f, p.track)
	for number := uint64(0); ; number++ {
		r, ok, err := c.next()
		if err != nil || !ok {
			return err
		}
		if number < p.parts[0].first {
			continue
		}
		data, err := f.read(&r)
		if err != nil {
			return err
		}
		if !p.track.resolve(data) {
			p.track.err = errors.New("no decoder configuration in the sample entry nor the first keyframe")
		}
		return nil
	}
}

func (f *File) read(r *sampleRef) ([]byte, error) {
	data := make([]byte, r.size)
	if n, err := f.input.ReadAt(data, r.place); n < len(data) {
		return nil, fmt.Errorf("read sample at offset %d: %w", r.place, noEOF(err))
	}
	return data, nil
}

// fileCursor walks all samples of a track: those of the tables, then those of
// the fragments.
type fileCursor struct {
	file     *File
	tables   *tableCursor
	fragment int // index of the next
	runs     []run
	run      runCursor
	inRun    bool
	last     int64 // where the last sample ended
}

func newFileCursor(f *File, t *track) *fileCursor {
	return &fileCursor{file: f, tables: newTableCursor(t)}
}

func (c *fileCursor) next() (sampleRef, bool, error) {
	if c.fragment == 0 {
		if r, ok := c.tables.next(); ok {
			c.last = c.tables.dts
			return r, true, nil
		}
	}
	for {
		if c.inRun {
			if r, ok := c.run.next(); ok {
				c.last = c.run.dts
				return r, true, nil
			}
			c.inRun = false
		}
		for len(c.runs) > 0 && !c.inRun {
			if next := c.runs[0]; next.track == c.tables.track {
				c.run, c.inRun = newRunCursor(next, c.last), true
			}
			c.runs = c.runs[1:]
		}
		if c.inRun {
			continue
		}
		if c.fragment == len(c.file.fragments) {
			return sampleRef{}, false, nil
		}
		if err := c.enterFragment(); err != nil {
			return sampleRef{}, false, err
		}
	}
}

func (c *fileCursor) enterFragment() error {
	s := c.file.fragments[c.fragment]
	c.fragment++
	b, err := c.file.readBox("moof", s.offset, s.header, s.size, maxMoof)
	if err == nil {
		c.runs, err = parseFragment(b, c.file.movie)
	}
	return err
}
