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
	cursor *fileCursor
	number uint64 // of the sample after next
	next   sampleRef
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
		*l = lane{plan: l.plan, cursor: newFileCursor(c.file, l.plan.track)}
		for l.advance(); l.ok && l.number <= l.plan.first; {
			l.advance()
		}
	}
}

// advance fills next.
func (l *lane) advance() {
	if l.ok = false; l.err != nil || l.number >= l.plan.stop {
		return
	}
	l.next, l.ok, l.err = l.cursor.next()
	l.number++
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
		at := media.Rescale(l.next.dts+l.plan.track.edited.shift, l.plan.track.Timescale, nanoseconds)
		if due == nil || at < dueAt {
			due, dueAt = l, at
		}
	}
	if due == nil {
		return media.Sample{}, io.EOF
	}
	ref := due.next
	due.advance()
	data, err := c.file.read(&ref)
	if err != nil {
		return media.Sample{}, err
	}
	return ref.sample(data)
}

// sample makes a media.Sample of a reference and its data.
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
		TrackID: t.ID, DTS: r.dts + t.edited.shift, Offset: r.offset, Duration: r.duration,
		Keyframe: r.sync || t.Kind() == media.Audio, Data: data,
	}, nil
}
