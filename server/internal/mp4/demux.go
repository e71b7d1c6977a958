package mp4

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

const (
	// maxStreamMoov bounds the moov box of a live stream, which holds no sample
	// tables.
	maxStreamMoov = 4 << 20

	// maxPending bounds the samples a moof may announce in a live stream.
	maxPending = 1 << 18

	// step is how much memory is taken ahead of the bytes that fill it.
	step = 1 << 20
)

// ErrNotFragmented reports a stream that cannot be played as it arrives, because
// it is a progressive file.
var ErrNotFragmented = errors.New("not a fragmented MP4")

// ErrNoTracks reports a stream in which nothing can be played.
var ErrNoTracks = errors.New("no track that can be played")

// Demux reads a live fragmented MP4 until it ends, and hands over each sample as
// soon as its last byte is there. A new moov in the middle starts the sink
// anew. It returns nil when the input ends between two boxes.
//
// To stop it, make the reader fail.
func Demux(r io.Reader, sink media.Sink) error {
	d := &demuxer{in: bufio.NewReaderSize(r, 64<<10), sink: sink}
	for {
		err := d.box()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if d.movie == nil {
		return &FormatError{Path: "stream", Offset: 0, Err: ErrNoMovie}
	}
	return nil
}

type demuxer struct {
	in   *bufio.Reader
	sink media.Sink
	at   int64 // bytes consumed

	movie   *movie
	started bool
	last    map[*track]int64 // where each track's last sample ended
	pending []sampleRef      // by place, of the last moof
}

// box reads one box at the top. It returns io.EOF when there is none.
func (d *demuxer) box() error {
	start := d.at
	head, err := d.in.Peek(boxHeader)
	if len(head) == 0 && err == io.EOF {
		return io.EOF
	}
	if len(head) < boxHeader {
		return fmt.Errorf("read box at offset %d: %w", start, noEOF(err))
	}
	if head[0]|head[1]|head[2] == 0 && head[3] == 1 { // a 64-bit size
		if head, err = d.in.Peek(2 * boxHeader); err != nil {
			return fmt.Errorf("read box at offset %d: %w", start, noEOF(err))
		}
	}
	name, headerSize, size, err := boxHead(head)
	b := &box{name: name, path: printable(name), offset: start, header: headerSize}
	if err != nil {
		return b.wrap(err)
	}
	if err := d.discard(int64(headerSize)); err != nil {
		return err
	}
	open := size == 0 // to the end of the stream
	left := size - int64(headerSize)
	switch {
	case name == "moov" && !open:
		return d.moov(b, left)
	case name == "moof" && !open:
		return d.moof(b, left)
	case name == "mdat":
		if d.movie == nil {
			return b.wrap(ErrNotFragmented)
		}
		if open {
			left = maxTime - d.at
		}
		return d.mdat(b, left, open)
	case open:
		return b.fail("size is not told")
	default:
		return d.discard(left)
	}
}

func (d *demuxer) moov(b *box, size int64) error {
	if err := d.fill(b, size, maxStreamMoov); err != nil {
		return err
	}
	m, err := parseMovie(b)
	if err != nil {
		return err
	}
	if !m.fragmented {
		return b.wrap(ErrNotFragmented)
	}
	usable := slices.ContainsFunc(m.tracks, func(t *track) bool { return t.err == nil })
	if !usable {
		for _, u := range m.unsupported() {
			return b.fail("%w: %v", ErrNoTracks, u)
		}
		return b.wrap(ErrNoTracks)
	}
	d.movie, d.pending, d.last, d.started = m, nil, map[*track]int64{}, false
	return d.start()
}

// start announces the tracks, unless all wait for parameter sets in band.
func (d *demuxer) start() error {
	tracks := d.movie.playable()
	if len(tracks) == 0 {
		return nil
	}
	d.started = true
	return d.sink.Start(tracks)
}

func (d *demuxer) moof(b *box, size int64) error {
	if d.movie == nil {
		return b.fail("%w before it", ErrNoMovie)
	}
	if len(d.pending) > 0 {
		return b.fail("%d samples of the one before have no data", len(d.pending))
	}
	if err := d.fill(b, size, maxMoof); err != nil {
		return err
	}
	runs, err := parseFragment(b, d.movie)
	if err != nil {
		return err
	}
	d.pending = d.pending[:0]
	for _, r := range runs {
		if r.track == nil {
			continue
		}
		if len(d.pending)+int(r.count) > maxPending {
			return b.fail("more than %d samples", maxPending)
		}
		c := newRunCursor(r, d.last[r.track])
		for {
			s, ok := c.next()
			if !ok {
				break
			}
			if s.size > maxSample {
				return b.fail("sample of %d bytes exceeds %d", s.size, maxSample)
			}
			if s.size > 0 && r.track.err == nil {
				d.pending = append(d.pending, s)
			}
		}
		d.last[r.track] = c.dts
	}
	slices.SortStableFunc(d.pending, func(a, b sampleRef) int { return cmp.Compare(a.place, b.place) })
	return nil
}

// mdat hands over the pending samples that lie within the next size bytes.
func (d *demuxer) mdat(b *box, size int64, open bool) error {
	end := d.at + size
	for len(d.pending) > 0 {
		s := d.pending[0]
		if s.place >= end { // in another mdat
			break
		}
		if s.place < d.at {
			return b.fail("sample of track %d at offset %d lies before what is still to come (%d)", s.track.ID, s.place, d.at)
		}
		if int64(s.size) > end-s.place {
			return b.fail("sample of track %d at offset %d: %d bytes exceed the box", s.track.ID, s.place, s.size)
		}
		if err := d.discard(s.place - d.at); err != nil {
			return err
		}
		data, err := d.read(int64(s.size))
		if err != nil {
			return err
		}
		d.pending = d.pending[1:]
		if err := d.deliver(&s, data); err != nil {
			return err
		}
	}
	if open {
		_, err := io.Copy(io.Discard, d.in)
		return err
	}
	return d.discard(end - d.at)
}

func (d *demuxer) deliver(r *sampleRef, data []byte) error {
	t := r.track
	if t.pending {
		if !r.sync || !t.resolve(data) {
			return nil // nothing can be decoded before the parameter sets
		}
		if err := d.start(); err != nil {
			return err
		}
	}
	s, err := r.sample(data)
	if err != nil {
		return err
	}
	s.CapturedAt = time.Now()
	return d.sink.Write(s)
}

// fill reads a box's payload.
func (d *demuxer) fill(b *box, size, limit int64) error {
	if size > limit {
		return b.fail("%d bytes exceed %d", size, limit)
	}
	var err error
	b.payload, err = d.read(size)
	return err
}

// read returns the next size bytes in memory of their own, which grows with what
// arrives.
func (d *demuxer) read(size int64) ([]byte, error) {
	data := make([]byte, 0, min(size, step))
	for int64(len(data)) < size {
		from := len(data)
		data = slices.Grow(data, int(min(size-int64(from), step)))
		data = data[:min(int64(cap(data)), size)]
		n, err := io.ReadFull(d.in, data[from:])
		d.at += int64(n)
		if err != nil {
			return nil, fmt.Errorf("read at offset %d: %w", d.at, noEOF(err))
		}
	}
	return data, nil
}

func (d *demuxer) discard(n int64) error {
	copied, err := io.CopyN(io.Discard, d.in, n)
	d.at += copied
	if err != nil {
		return fmt.Errorf("read at offset %d: %w", d.at, noEOF(err))
	}
	return nil
}
