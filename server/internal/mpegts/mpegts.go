// Package mpegts reads live MPEG transport streams (ISO/IEC 13818-1).
//
//	bytes -> aligner -> go-astits packets -> tables (PAT, PMT)
//	                                      -> PES -> elementary.Program -> Sink
//
// An access unit is handed over with its last packet, where that can be told, and
// not only when the next one begins.
package mpegts

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/asticode/go-astits"

	"github.com/framewire/framewire/server/internal/elementary"
	"github.com/framewire/framewire/server/internal/media"
)

var (
	// ErrFormat reports bytes that are no transport stream.
	ErrFormat = errors.New("invalid MPEG-TS")

	// ErrUnsupported reports a program whose video or sound cannot be carried.
	// Nothing was handed to the sink then.
	ErrUnsupported = errors.New("unsupported MPEG-TS")
)

// clockRate is that of all times in a transport stream (13818-1 2.4.3.6).
const clockRate = 90000

// Options of Demux.
type Options struct {
	// Partial plays what there is of a program with unsupported video or sound,
	// unless that is nothing.
	Partial bool
}

// Demux reads a live stream until it ends, and hands over the first program's
// streams of video and sound. It survives damage and starts in the middle, follows
// changes of the program, and returns nil at the end of the input.
//
// To stop it, make the reader fail.
func Demux(r io.Reader, sink media.Sink, o Options) error {
	in := newAligner(r)
	d := &demuxer{
		options: o,
		program: elementary.NewProgram(sink),
		streams: make(map[uint16]*stream),
		in:      in,
	}
	packets := astits.NewDemuxer(context.Background(), in, astits.DemuxerOptPacketSize(astits.MpegTsPacketSize))
	for {
		p, err := packets.NextPacket()
		if err == nil {
			err = d.packet(p)
		} else if in.err == nil {
			continue // one malformed packet
		} else if err = in.err; errors.Is(err, io.EOF) {
			return d.finish()
		}
		if err != nil {
			return err
		}
	}
}

// demuxer is the state of one Demux.
type demuxer struct {
	options Options
	in      *aligner
	tables  tables
	program *elementary.Program
	streams map[uint16]*stream // by PID
	nextID  uint32
	clock   unwrapper
	known   bool // a PMT was seen
}

// stream is one elementary stream of the program.
type stream struct {
	*elementary.Stream
	codec media.Codec
	pes   assembler
	last  int64 // decode time of the last video access unit
	step  int64 // between the last two
	timed bool
}

func (d *demuxer) packet(p *astits.Packet) error {
	if p.Header.TransportErrorIndicator {
		return nil
	}
	if p.Header.PID == astits.PIDPAT || d.tables.isPMT(p.Header.PID) {
		pmt, err := d.tables.add(p, d.in.last())
		if err != nil || pmt == nil {
			return err
		}
		return d.follow(pmt)
	}
	s := d.streams[p.Header.PID]
	if s == nil {
		return nil
	}
	if p.Header.TransportScramblingControl != astits.ScramblingControlNotScrambled {
		return fmt.Errorf("%w: the %v is scrambled", ErrUnsupported, s.codec)
	}
	return s.pes.add(p, func(u pes) error { return d.unit(s, u) })
}

// unit hands over a whole PES packet.
func (d *demuxer) unit(s *stream, u pes) error {
	packet := elementary.Packet{Data: u.data, Untimed: !u.timed}
	if u.timed {
		packet.DTS = d.clock.unwrap(u.dts)
		packet.PTS = d.clock.unwrap(u.pts)
	}
	switch {
	case s.codec == media.Opus:
		return d.opus(s, packet)
	case s.codec == media.MP3 && otherLayer(u.data):
		return d.giveUp(s, "MPEG audio layer I or II")
	case s.codec.Kind() == media.Video:
		if !s.time(&packet) {
			return nil
		}
	}
	return d.program.Push(s.Stream, packet)
}

// time gives a picture without a time stamp the one that follows. It reports false
// for those before the first that has one.
func (s *stream) time(p *elementary.Packet) bool {
	if p.Untimed {
		if !s.timed {
			return false
		}
		p.Untimed = false
		p.DTS = s.last + s.step
		p.PTS = p.DTS
	}
	if s.timed && p.DTS > s.last {
		s.step = p.DTS - s.last
	}
	s.last, s.timed = p.DTS, true
	return true
}

// opus takes the control headers off the packets of a PES packet.
func (d *demuxer) opus(s *stream, p elementary.Packet) error {
	for rest := p.Data; len(rest) > 0; p.Untimed = true {
		frame, tail, err := splitOpus(rest)
		if err != nil {
			return nil // damaged; the next PES packet begins anew
		}
		p.Data, rest = frame, tail
		if err := d.program.Push(s.Stream, p); err != nil {
			return err
		}
	}
	return nil
}

// otherLayer reports whether MPEG audio is not of layer III: the program map does
// not tell.
func otherLayer(frame []byte) bool {
	const layer, layerIII = 3 << 1, 1 << 1
	return len(frame) > 1 && frame[0] == 0xff && frame[1]&0xe0 == 0xe0 && frame[1]&layer != layerIII
}

// giveUp takes a stream out that turned out to be unsupported.
func (d *demuxer) giveUp(s *stream, what string) error {
	if !d.program.Started() && (!d.options.Partial || len(d.streams) == 1) {
		return fmt.Errorf("%w: %s", ErrUnsupported, what)
	}
	for pid, own := range d.streams {
		if own == s {
			delete(d.streams, pid)
		}
	}
	return d.program.Remove(s.Stream)
}

func (d *demuxer) finish() error {
	for _, s := range d.streams {
		if err := s.pes.flush(func(u pes) error { return d.unit(s, u) }); err != nil {
			return err
		}
	}
	if !d.known {
		return fmt.Errorf("%w: it ended before a program was found", ErrFormat)
	}
	return d.program.Finish()
}

// follow takes up the streams of a program map and lets go of those that it no
// longer lists.
func (d *demuxer) follow(pmt *astits.PMTData) error {
	wanted, err := choose(pmt, d.options.Partial)
	if err != nil {
		return err
	}
	d.known = true
	for pid, s := range d.streams {
		if wanted[pid] != s.codec {
			if err := d.program.Remove(s.Stream); err != nil {
				return err
			}
			delete(d.streams, pid)
		}
	}
	for _, es := range pmt.ElementaryStreams { // in their order
		codec := wanted[es.ElementaryPID]
		if codec == 0 || d.streams[es.ElementaryPID] != nil {
			continue
		}
		d.nextID++
		s, err := elementary.NewStream(d.nextID, codec, clockRate)
		if err != nil {
			return err
		}
		d.streams[es.ElementaryPID] = &stream{Stream: s, codec: codec, pes: assembler{video: codec.Kind() == media.Video}}
		d.program.Add(s)
	}
	return nil
}

// unwrapper continues the 33-bit times of a program beyond their wrap, which comes
// every 26.5 hours. All its streams share one, so that they wrap together.
type unwrapper struct {
	started bool
	last    int64
}

func (u *unwrapper) unwrap(time33 int64) int64 {
	if !u.started {
		u.started, u.last = true, time33
		return time33
	}
	const wrap = 1 << 33
	delta := (time33 - u.last) & (wrap - 1)
	if delta >= wrap/2 {
		delta -= wrap
	}
	u.last += delta
	return u.last
}
