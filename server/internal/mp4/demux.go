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

	// pendingWait is how long the tracks that are known wait for one whose
	// parameters come in band, with a keyframe: commonly one in two seconds.
	pendingWait = 2500 * time.Millisecond

	// maxHeld and maxHeldBytes bound the samples held back meanwhile: mostly
	// sound, which comes in a hundred frames a second at most.
	maxHeld      = 1000
	maxHeldBytes = maxSample

	// step is how much memory is taken ahead of the bytes that fill it.
	step = 1 << 20
)

// ErrNotFragmented reports a stream that cannot be played as it arrives, because
// it is a progressive file.
var ErrNotFragmented = errors.New("not a fragmented MP4")

// ErrNoParameters reports a track whose sample entry leaves its parameters out,
// and of which no keyframe has brought them yet.
var ErrNoParameters = errors.New("its parameters are not in the header, and no keyframe has brought them yet")

// ErrNoTracks reports a stream in which nothing can be played, or, unless
// Options say otherwise, not all that it is meant to show: all its video or all
// its sound would be missing.
var ErrNoTracks = errors.New("no track that can be played")

// Options of Demux.
type Options struct {
	// Partial plays what there is of a movie whose video or sound cannot be
	// played, unless that is nothing.
	Partial bool

	// LeftOut, when set, is told of tracks of video or sound that are not played.
	// It is called from Demux.
	LeftOut func(Unsupported)
}

// Demux reads a live fragmented MP4 until it ends, and hands over each sample as
// soon as its last byte is there. A new moov in the middle starts the sink
// anew. It returns nil when the input ends between two boxes.
//
// To stop it, make the reader fail.
func Demux(r io.Reader, sink media.Sink, o Options) error {
	d := &demuxer{in: bufio.NewReaderSize(r, 64<<10), sink: sink, options: o}
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
	if err := d.release(); err != nil || d.started || !d.movie.pending() {
		return err
	}
	return &FormatError{Path: "stream", Offset: d.at, Err: fmt.Errorf("%w: %w", ErrNoTracks, ErrNoParameters)}
}

type demuxer struct {
	in      *bufio.Reader
	sink    media.Sink
	options Options
	at      int64 // bytes consumed

	movie   *movie
	started bool             // the sink knows the tracks of this movie
	ever    bool             // or of one before
	last    map[*track]int64 // where each track's last sample ended
	pending []sampleRef      // by place, of the last moof

	held      []media.Sample // until the parameters of all tracks are known
	heldBytes int
	since     time.Time // arrival of the first
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
	if err := d.check(b, m); err != nil {
		return err
	}
	if err := d.release(); err != nil { // of the movie before
		return err
	}
	d.movie, d.pending, d.last, d.started = m, nil, map[*track]int64{}, false
	if m.pending() {
		return nil
	}
	return d.start()
}

// check fails where tracks that cannot be played are missed, but not once there
// was something to play, and tells of those that are left out.
func (d *demuxer) check(b *box, m *movie) error {
	var have [media.Audio + 1]bool
	for _, t := range m.tracks {
		if t.err == nil {
			have[t.Kind()] = true
		}
	}
	var missed error
	var left []Unsupported
	for _, u := range m.unsupported() {
		kind := u.Kind()
		if kind == 0 {
			continue
		}
		left = append(left, u)
		if !have[kind] && missed == nil {
			missed = b.fail("%w: %v", ErrNoTracks, u)
		}
	}
	if !have[media.Video] && !have[media.Audio] {
		return cmp.Or(missed, b.wrap(ErrNoTracks))
	}
	if missed != nil && !d.options.Partial && !d.ever {
		return missed
	}
	for _, u := range left {
		d.leaveOut(u)
	}
	return nil
}

func (d *demuxer) leaveOut(u Unsupported) {
	if d.options.LeftOut != nil {
		d.options.LeftOut(u)
	}
}

// start announces the tracks that can be played now.
func (d *demuxer) start() error {
	d.started, d.ever = true, true
	return d.sink.Start(d.movie.playable())
}

// release ends the wait for parameters: it announces what there is, tells what is
// not, and hands over the samples held back.
func (d *demuxer) release() error {
	if len(d.held) == 0 {
		return nil
	}
	for _, t := range d.movie.tracks {
		if t.err == nil && t.pending {
			d.leaveOut(Unsupported{t.ID, t.handler, t.format, ErrNoParameters})
		}
	}
	if err := d.start(); err != nil {
		return err
	}
	held := d.held
	d.held, d.heldBytes = nil, 0
	for _, s := range held {
		if err := d.sink.Write(s); err != nil {
			return err
		}
	}
	return nil
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
		if d.started { // late: the others went on without it
			if err := d.start(); err != nil {
				return err
			}
		}
	}
	s, err := r.sample(data)
	if err != nil {
		return err
	}
	s.DTS += t.parts[0].shift
	s.CapturedAt = time.Now()
	if d.started {
		return d.sink.Write(s)
	}
	if len(d.held) == 0 {
		d.since = s.CapturedAt
	}
	d.held = append(d.held, s)
	d.heldBytes += len(s.Data)
	full := len(d.held) >= maxHeld || d.heldBytes >= maxHeldBytes
	if full || !d.movie.pending() || s.CapturedAt.Sub(d.since) >= pendingWait {
		return d.release()
	}
	return nil
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
