package mp4

import (
	"fmt"
	"io"

	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/codec/av1"
	"github.com/framewire/framewire/server/internal/media"
)

// Cursor walks the samples of a File. It is not safe for concurrent use.
type Cursor struct {
	file  *File
	lanes []lane
}

// lane is one track's part of a Cursor.
type lane struct {
	plan   plan
	part   int // of the plan
	cursor *fileCursor
	number uint64    // of the sample after next
	next   sampleRef // with its time in the movie
	ok     bool
	err    error
}

// Samples returns a Cursor at the first sample of the tracks with the given IDs,
// or of all that can be played when none is given. IDs of other tracks are
// passed over.
func (f *File) Samples(trackIDs ...uint32) *Cursor {
	c := &Cursor{file: f}
	for _, p := range f.plans {
		wanted := len(trackIDs) == 0
		for _, id := range trackIDs {
			wanted = wanted || id == p.track.ID
		}
		if wanted {
			c.lanes = append(c.lanes, lane{plan: p})
		}
	}
	c.Rewind()
	return c
}

// Rewind goes back to the first sample.
func (c *Cursor) Rewind() {
	for i := range c.lanes {
		l := &c.lanes[i]
		*l = lane{plan: l.plan}
		l.enter(c.file)
		l.advance(c.file)
	}
}

// enter goes to the beginning of the part.
func (l *lane) enter(f *File) {
	p := &l.plan.parts[l.part]
	l.cursor, l.number = p.cursor(f), p.at
	for ok := true; ok && l.err == nil && l.number < p.first; l.number++ {
		_, ok, l.err = l.cursor.next()
	}
}

// advance fills next.
func (l *lane) advance(f *File) {
	for l.ok = false; l.err == nil; l.enter(f) {
		p := &l.plan.parts[l.part]
		if l.number < p.stop {
			l.next, l.ok, l.err = l.cursor.next()
			l.next.dts += p.shift
			if l.number == p.lasting {
				l.next.duration = max(l.next.duration, l.next.duration+p.longer) // unless that wraps
			}
			l.number++
			return
		}
		if l.part+1 == len(l.plan.parts) {
			return
		}
		l.part++
	}
}

// Next reads the sample that is due next by decode time. Data is the caller's.
// The error is io.EOF behind the last.
func (c *Cursor) Next() (media.Sample, error) {
	var due *lane
	var dueAt int64
	for i := range c.lanes {
		l := &c.lanes[i]
		if l.err != nil {
			return media.Sample{}, l.err
		}
		if !l.ok {
			continue
		}
		const nanoseconds = 1_000_000_000
		at := media.Rescale(l.next.dts, l.plan.track.Timescale, nanoseconds)
		if due == nil || at < dueAt {
			due, dueAt = l, at
		}
	}
	if due == nil {
		return media.Sample{}, io.EOF
	}
	ref := due.next
	due.advance(c.file)
	data, err := c.file.read(&ref)
	if err != nil {
		return media.Sample{}, err
	}
	return ref.sample(data)
}

// sample makes a media.Sample of a reference and its data, with the reference's time.
func (r *sampleRef) sample(data []byte) (media.Sample, error) {
	t := r.track
	switch t.Codec {
	case media.H264, media.H265:
		wide, err := annexb.WidenLengths(data, t.lengthSize)
		if err != nil {
			return media.Sample{}, &FormatError{Path: fmt.Sprintf("sample of track %d", t.ID), Offset: r.place, Err: err}
		}
		data = wide
	case media.AV1:
		if av1.HasDelimiter(data) {
			if unit, err := av1.FromUnit(data); err == nil {
				data = unit.Data
			}
		}
	}
	return media.Sample{
		TrackID: t.ID, DTS: r.dts, Offset: r.offset, Duration: r.duration,
		Keyframe: r.sync || t.Kind() == media.Audio, Data: data,
	}, nil
}
