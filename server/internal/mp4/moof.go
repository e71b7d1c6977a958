package mp4

import (
	"encoding/binary"
	"errors"
	"math"
)

const (
	// maxMoof bounds a moof box in memory: 16 bytes for each sample of an hour
	// at 60 frames a second, thrice over.
	maxMoof = 12 << 20

	// maxRunSamples bounds the samples of a run. Where a trun has no bytes for
	// each sample, its count is nothing but a claim.
	maxRunSamples = 1 << 18

	// maxRuns bounds the runs of a moof; each takes at least 16 bytes of it.
	maxRuns = 1 << 16
)

// run is a trun with the defaults of its traf and track filled in. Its rows stay
// in the bytes of the moof.
type run struct {
	track *track // nil for a track that moov does not know
	time  int64  // decode time of the first sample; -1: where the track's last run ended

	flags      uint32 // of trun: which fields a row has
	count      uint32
	firstFlags uint32
	rows       []byte
	rowBytes   int
	place      int64 // of the first sample's data in the input
	bytes      int64 // of all samples' data
	defaults   trex
}

// parseFragment reads the runs of a moof in their order.
func parseFragment(b *box, m *movie) ([]run, error) {
	var runs []run
	base := b.offset // for a traf that tells none: the moof, then the end of the last traf's data
	for child, err := range b.children(0) {
		if err != nil {
			return nil, err
		}
		if child.name != "traf" {
			continue
		}
		p := trafParser{movie: m, moof: b.offset, base: base, time: -1}
		if err := p.parse(&child); err != nil {
			return nil, err
		}
		if len(runs)+len(p.runs) > maxRuns {
			return nil, b.fail("more than %d runs", maxRuns)
		}
		runs = append(runs, p.runs...)
		base = p.end
	}
	return runs, nil
}

// trafParser reads one traf (8.8.6).
type trafParser struct {
	movie    *movie
	moof     int64
	base     int64 // data offsets of trun count from here
	end      int64 // of the data of the last run
	time     int64
	track    *track
	defaults trex
	header   bool
	runs     []run
}

func (p *trafParser) parse(b *box) error {
	p.end = p.base
	for child, err := range b.children(0) {
		if err != nil {
			return err
		}
		switch child.name {
		case "tfhd":
			err = p.parseHeader(&child)
		case "tfdt":
			f := child.fields()
			version, _ := f.full()
			time := f.sized(version)
			if err = f.err(); err == nil && time > maxTime {
				err = child.fail("decode time %d is out of range", time)
			}
			p.time = int64(time)
		case "trun":
			err = p.parseRun(&child)
		}
		if err != nil {
			return child.wrap(err)
		}
	}
	return nil
}

func (p *trafParser) parseHeader(b *box) error {
	f := b.fields()
	_, flags := f.full()
	p.track = p.movie.track(f.u32())
	p.header = true
	if p.track != nil {
		p.defaults = p.track.defaults
	}
	if flags&tfhdDefaultBaseIsMoof != 0 {
		p.base = p.moof
	}
	if flags&tfhdBaseDataOffset != 0 {
		base := f.u64()
		if base > maxTime {
			return b.fail("base data offset %d is out of range", base)
		}
		p.base = int64(base)
	}
	p.end = p.base
	if flags&tfhdDescriptionIndex != 0 {
		f.skip(4)
	}
	if flags&tfhdDefaultDuration != 0 {
		p.defaults.duration = f.u32()
	}
	if flags&tfhdDefaultSize != 0 {
		p.defaults.size = f.u32()
	}
	if flags&tfhdDefaultFlags != 0 {
		p.defaults.flags = f.u32()
	}
	return f.err()
}

func (p *trafParser) parseRun(b *box) error {
	if !p.header {
		return errors.New("no tfhd before it")
	}
	f := b.fields()
	_, flags := f.full()
	r := run{track: p.track, time: p.time, flags: flags, count: f.u32(), defaults: p.defaults, place: p.end}
	p.time = -1
	if flags&trunDataOffset != 0 {
		r.place = p.base + int64(int32(f.u32()))
	}
	if flags&trunFirstFlags != 0 {
		r.firstFlags = f.u32()
	}
	if f.err() != nil {
		return f.err()
	}
	for _, flag := range [...]uint32{trunDuration, trunSampleSize, trunSampleFlags, trunOffset} {
		if flags&flag != 0 {
			r.rowBytes += 4
		}
	}
	if r.count > maxRunSamples {
		return b.fail("%d samples exceed %d", r.count, maxRunSamples)
	}
	if int64(r.count)*int64(r.rowBytes) > int64(len(f.data)) {
		return b.fail("%d samples in %d bytes", r.count, len(f.data))
	}
	if flags&trunSampleSize == 0 && r.defaults.size == 0 { // empty samples, which say nothing
		r.count = 0
	}
	r.rows = f.data[:int(r.count)*r.rowBytes]
	r.bytes = int64(r.count) * int64(r.defaults.size)
	if flags&trunSampleSize != 0 {
		r.bytes = 0
		at := 0
		if flags&trunDuration != 0 {
			at = 4
		}
		for ; at < len(r.rows); at += r.rowBytes {
			r.bytes += int64(binary.BigEndian.Uint32(r.rows[at:]))
		}
	}
	if r.place < 0 || r.place > math.MaxInt64-r.bytes {
		return b.fail("data at offset %d", r.place)
	}
	p.end = r.place + r.bytes
	p.runs = append(p.runs, r)
	return nil
}

// runCursor walks a run's samples.
type runCursor struct {
	run   run
	index uint32
	place int64
	dts   int64 // media time of the next sample
}

// newRunCursor starts a run; last is where the track's previous run ended.
func newRunCursor(r run, last int64) runCursor {
	c := runCursor{run: r, place: r.place, dts: last}
	if r.time >= 0 {
		c.dts = r.time
	}
	return c
}

func (c *runCursor) next() (sampleRef, bool) {
	r := &c.run
	if c.index >= r.count || c.dts > maxTime {
		return sampleRef{}, false
	}
	s := sampleRef{track: r.track, place: c.place, dts: c.dts, size: r.defaults.size, duration: r.defaults.duration}
	flags := r.defaults.flags
	if c.index == 0 && r.flags&trunFirstFlags != 0 {
		flags = r.firstFlags
	}
	row := r.rows[int(c.index)*r.rowBytes:]
	take := func(flag uint32, field *uint32) {
		if r.flags&flag != 0 {
			*field = binary.BigEndian.Uint32(row)
			row = row[4:]
		}
	}
	var offset uint32
	take(trunDuration, &s.duration)
	take(trunSampleSize, &s.size)
	take(trunSampleFlags, &flags)
	take(trunOffset, &offset)
	s.offset = int32(offset) // signed in version 0 too, as writers have it
	s.sync = flags&flagIsNonSync == 0
	c.index++
	c.place += int64(s.size)
	c.dts += int64(s.duration)
	return s, true
}
