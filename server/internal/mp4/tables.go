package mp4

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxSamples bounds the samples of a track, which are all walked over before it
// plays, once for each part: 77 hours of 60 pictures a second. Samples of one size
// take no bytes in the file, so that its size is no bound.
const maxSamples = 1 << 24

// tables are the sample tables of stbl (8.6, 8.7) as they stand in the file,
// without version, flags and entry counts. A cursor walks them; nothing is
// unfolded in memory.
type tables struct {
	durations []byte // stts: count, delta
	offsets   []byte // ctts: count, offset; empty when all are 0
	chunks    []byte // stsc: first chunk, samples in each, description
	sync      []byte // stss: sample numbers
	allSync   bool

	samples   uint32
	fixedSize uint32 // of every sample, 0 when they differ
	sizes     []byte // stsz or stz2
	sizeBits  int    // of an entry: 4, 8, 16 or 32

	places    []byte // stco or co64
	placeSize int    // of an entry: 4 or 8
}

func (t *track) parseTables(b *box) error {
	s := &t.tables
	s.allSync = true
	for child, err := range b.children(0) {
		if err != nil {
			return err
		}
		switch child.name {
		case "stsd":
			err = t.parseDescription(&child)
		case "stts":
			s.durations, err = rows(&child, 8)
		case "ctts":
			s.offsets, err = rows(&child, 8)
		case "stsc":
			s.chunks, err = rows(&child, 12)
		case "stss":
			s.allSync = false
			s.sync, err = rows(&child, 4)
		case "stsz":
			err = s.parseSizes(&child)
		case "stz2":
			err = s.parseCompactSizes(&child)
		case "stco":
			s.placeSize = 4
			s.places, err = rows(&child, 4)
		case "co64":
			s.placeSize = 8
			s.places, err = rows(&child, 8)
		}
		if err != nil {
			return child.wrap(err)
		}
	}
	if t.format == "" {
		return b.fail("no stsd with a sample entry")
	}
	if err := s.check(); err != nil {
		return b.wrap(err)
	}
	return nil
}

// rows returns the entries of a table, each of size bytes.
func rows(b *box, size int) ([]byte, error) {
	f := b.fields()
	f.full()
	count := int64(f.u32())
	if f.err() != nil {
		return nil, f.err()
	}
	if count*int64(size) > int64(len(f.data)) {
		return nil, b.fail("%d entries in %d bytes", count, len(f.data))
	}
	return f.data[:count*int64(size)], nil
}

func (s *tables) parseSizes(b *box) error {
	f := b.fields()
	f.full()
	s.fixedSize, s.samples, s.sizeBits = f.u32(), f.u32(), 32
	if f.err() != nil {
		return f.err()
	}
	return s.takeSizes(b, f.data)
}

func (s *tables) parseCompactSizes(b *box) error {
	f := b.fields()
	f.full()
	s.sizeBits, s.samples = int(f.u32()&0xff), f.u32()
	if f.err() != nil {
		return f.err()
	}
	if s.sizeBits != 4 && s.sizeBits != 8 && s.sizeBits != 16 {
		return b.fail("sizes of %d bits", s.sizeBits)
	}
	return s.takeSizes(b, f.data)
}

func (s *tables) takeSizes(b *box, data []byte) error {
	if s.fixedSize != 0 {
		return nil
	}
	if need := (int64(s.samples)*int64(s.sizeBits) + 7) / 8; need > int64(len(data)) {
		return b.fail("%d samples in %d bytes", s.samples, len(data))
	}
	s.sizes = data
	return nil
}

// check holds the tables against each other.
func (s *tables) check() error {
	be := binary.BigEndian
	var total, count uint64
	for row := s.durations; len(row) > 0; row = row[8:] {
		n, delta := uint64(be.Uint32(row)), uint64(be.Uint32(row[4:]))
		count += n
		if total += n * delta; total > maxTime {
			return errors.New("stts: durations add up to more than a century")
		}
	}
	if s.samples > maxSamples {
		return fmt.Errorf("%d samples exceed %d", s.samples, maxSamples)
	}
	if s.samples == 0 {
		return nil
	}
	if len(s.chunks) == 0 || len(s.places) == 0 || len(s.durations) == 0 {
		return errors.New("samples without stts, stsc or stco")
	}
	last := uint32(0)
	for row := s.chunks; len(row) > 0; row = row[12:] {
		first := be.Uint32(row)
		if first <= last || be.Uint32(row[4:]) == 0 {
			return errors.New("stsc: chunks are not in order, or empty")
		}
		last = first
	}
	if be.Uint32(s.chunks) != 1 {
		return errors.New("stsc: does not begin with chunk 1")
	}
	return nil
}

// sizeOf returns the size of sample i, counted from 0.
func (s *tables) sizeOf(i uint32) uint32 {
	if s.fixedSize != 0 {
		return s.fixedSize
	}
	switch s.sizeBits {
	case 4:
		return uint32(s.sizes[i/2] >> (4 * (1 - i%2)) & 15)
	case 8:
		return uint32(s.sizes[i])
	case 16:
		return uint32(binary.BigEndian.Uint16(s.sizes[2*int(i):]))
	default:
		return binary.BigEndian.Uint32(s.sizes[4*int(i):])
	}
}

// sampleRef is a sample whose data is still in the input.
type sampleRef struct {
	track    *track
	place    int64 // of its data in the input
	size     uint32
	dts      int64 // media time, before any edit
	offset   int32
	duration uint32
	sync     bool
}

func (r *sampleRef) pts() int64 { return r.dts + int64(r.offset) }

// tableCursor walks the sample tables of a track in decode order.
type tableCursor struct {
	track *track

	index uint32 // of the next sample
	dts   int64

	durations, offsets, chunks, sync []byte // from the current entry on
	durationUsed, offsetUsed         uint32 // samples of the current entry passed

	chunk     uint32 // index of the current one, from 0
	chunkLeft uint32 // samples of it left
	place     int64
}

func newTableCursor(t *track) *tableCursor {
	s := &t.tables
	return &tableCursor{track: t, durations: s.durations, offsets: s.offsets, chunks: s.chunks, sync: s.sync}
}

// next returns the next sample; false when there are no more, be it that the
// tables end early.
func (c *tableCursor) next() (sampleRef, bool) {
	s := &c.track.tables
	if c.index >= s.samples || !c.enterChunk() {
		return sampleRef{}, false
	}
	be := binary.BigEndian
	r := sampleRef{track: c.track, place: c.place, size: s.sizeOf(c.index), dts: c.dts, sync: s.allSync}
	for len(c.durations) > 0 && c.durationUsed >= be.Uint32(c.durations) {
		c.durations, c.durationUsed = c.durations[8:], 0
	}
	if len(c.durations) == 0 {
		return sampleRef{}, false
	}
	c.durationUsed++
	r.duration = be.Uint32(c.durations[4:])
	for len(c.offsets) > 0 && c.offsetUsed >= be.Uint32(c.offsets) {
		c.offsets, c.offsetUsed = c.offsets[8:], 0
	}
	if len(c.offsets) > 0 {
		c.offsetUsed++
		r.offset = int32(be.Uint32(c.offsets[4:])) // signed in version 0 too, as writers have it
	}
	for len(c.sync) > 0 && be.Uint32(c.sync) < c.index+1 {
		c.sync = c.sync[4:]
	}
	if len(c.sync) > 0 && be.Uint32(c.sync) == c.index+1 {
		r.sync = true
	}
	c.index++
	c.chunkLeft--
	c.place += int64(r.size)
	c.dts += int64(r.duration)
	return r, true
}

// enterChunk makes sure that the current chunk has a sample left.
func (c *tableCursor) enterChunk() bool {
	if c.chunkLeft > 0 {
		return true
	}
	if c.index > 0 {
		c.chunk++
	}
	s := &c.track.tables
	at := int64(c.chunk) * int64(s.placeSize)
	if at >= int64(len(s.places)) {
		return false
	}
	be := binary.BigEndian
	for len(c.chunks) > 12 && be.Uint32(c.chunks[12:]) <= c.chunk+1 {
		c.chunks = c.chunks[12:]
	}
	c.chunkLeft = be.Uint32(c.chunks[4:])
	if s.placeSize == 4 {
		c.place = int64(be.Uint32(s.places[at:]))
		return true
	}
	place := be.Uint64(s.places[at:])
	if place > maxTime { // no file is that large
		return false
	}
	c.place = int64(place)
	return true
}
