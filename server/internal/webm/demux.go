package webm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/framewire/framewire/server/internal/elementary"
	"github.com/framewire/framewire/server/internal/media"
)

// The elements that matter (RFC 9559 27.1, RFC 8794 11.2).
const (
	idEBML               = 0x1A45DFA3
	idDocType            = 0x4282
	idDocTypeReadVersion = 0x4285
	idSegment            = 0x18538067
	idInfo               = 0x1549A966
	idTimestampScale     = 0x2AD7B1
	idTracks             = 0x1654AE6B
	idTrackEntry         = 0xAE
	idTrackNumber        = 0xD7
	idTrackType          = 0x83
	idCodecID            = 0x86
	idCodecPrivate       = 0x63A2
	idAudio              = 0xE1
	idSamplingFrequency  = 0xB5
	idChannels           = 0x9F

	idContentEncodings    = 0x6D80
	idContentEncoding     = 0x6240
	idContentEncodingType = 0x5033
	idContentCompression  = 0x5034
	idContentCompAlgo     = 0x4254
	idContentCompSettings = 0x4255

	idCluster        = 0x1F43B675
	idTimestamp      = 0xE7
	idSimpleBlock    = 0xA3
	idBlockGroup     = 0xA0
	idBlock          = 0xA1
	idReferenceBlock = 0xFB
)

const (
	// maxHead bounds the EBML header, Info and Tracks in bytes: decoder
	// configurations, without the attachments that players want.
	maxHead = 1 << 20

	// defaultScale is a millisecond, in nanoseconds; fineTimescale counts
	// microseconds for files with another one.
	defaultScale  = 1_000_000
	fineTimescale = 1_000_000
)

// Recognize reports whether head looks like the beginning of WebM or Matroska.
func Recognize(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x1A, 0x45, 0xDF, 0xA3})
}

// Demux reads a file or live stream to its end and fills the sink, each sample as
// soon as its block is there. It returns nil when the input ends between two
// elements. Errors are ErrMalformed or ErrUnsupported, of the input, or of the
// sink.
//
// To stop it, make the reader fail.
func Demux(r io.Reader, sink media.Sink) error {
	d := demuxer{in: input{r: bufio.NewReader(r)}, sink: sink}
	for {
		e, err := d.in.head()
		switch {
		case errors.Is(err, io.EOF):
			return d.finish()
		case err != nil:
			return err
		}
		if err := d.element(e); err != nil {
			return err
		}
	}
}

type demuxer struct {
	in   input
	sink media.Sink

	header  bool  // an EBML header was read
	scale   int64 // nanoseconds of a tick
	tracks  []*track
	program *elementary.Program

	timed   bool  // the cluster's timestamp is known
	cluster int64 // its timestamp in ticks
	end     int64 // offset of its end, unknownSize when not told
}

// element handles one that lies at the top, in a segment or in a cluster.
func (d *demuxer) element(e element) error {
	if !d.header && e.id != idEBML {
		return e.fault("the first element is no EBML header")
	}
	if e.size != unknownSize && d.end != 0 && d.in.offset < d.end && e.size > d.end-d.in.offset {
		return e.fault("it exceeds its cluster")
	}
	switch e.id {
	case idSegment:
		return nil // what is in it comes next
	case idCluster:
		d.timed, d.end = false, unknownSize
		if e.size < unknownSize-d.in.offset {
			d.end = d.in.offset + e.size
		}
		return nil
	case idEBML, idInfo, idTracks:
		if e.size > maxHead {
			return e.fault("%d bytes, the limit is %d", e.size, maxHead)
		}
	case idTimestamp, idSimpleBlock, idBlockGroup:
	default:
		return d.in.skip(e)
	}
	begin := d.in.offset
	data, err := d.in.data(e)
	if err != nil {
		return err
	}
	switch e.id {
	case idEBML:
		return d.begin(data, begin)
	case idInfo:
		return children(data, begin, d.info)
	case idTracks:
		return d.open(data, begin)
	case idTimestamp:
		value, err := integer(e, data)
		if err != nil || value > math.MaxInt64/2 {
			return e.fault("timestamp of %d bytes", len(data))
		}
		d.cluster, d.timed = int64(value), true
		return nil
	case idSimpleBlock:
		return d.block(e, data)
	default:
		return d.group(e, data, begin)
	}
}

// begin reads an EBML header. Another one in the middle of the input begins
// anew: a publisher that puts files one behind the other.
func (d *demuxer) begin(data []byte, at int64) error {
	if err := d.finish(); err != nil && !errors.Is(err, elementary.ErrNoTrack) {
		return err
	}
	d.header, d.scale, d.tracks, d.program, d.timed, d.end = true, defaultScale, nil, nil, false, 0
	return children(data, at, func(e element, data []byte) error {
		switch e.id {
		case idDocType:
			if name := string(bytes.TrimRight(data[:min(len(data), 16)], "\x00")); name != "webm" && name != "matroska" {
				return fmt.Errorf("%w: document type %q", ErrUnsupported, name)
			}
		case idDocTypeReadVersion:
			const readable = 4
			if version, err := integer(e, data); err != nil || version > readable {
				return fmt.Errorf("%w: document version %d", ErrUnsupported, version)
			}
		}
		return nil
	})
}

func (d *demuxer) info(e element, data []byte) error {
	if e.id != idTimestampScale {
		return nil
	}
	value, err := integer(e, data)
	if err != nil || value == 0 || value > uint64(time.Second) {
		return e.fault("a tick of %d ns", value)
	}
	d.scale = int64(value)
	return nil
}

// timescale is that of the elementary streams.
func (d *demuxer) timescale() uint32 {
	if d.scale == defaultScale {
		return uint32(time.Second / defaultScale)
	}
	return fineTimescale
}

// open reads the tracks. Those that cannot be carried are left out, unless there
// are no others.
func (d *demuxer) open(data []byte, at int64) error {
	if d.program != nil {
		return nil // Tracks may be repeated (5.1.4), the same
	}
	var first error
	program := elementary.NewProgram(d.sink)
	count := 0
	err := children(data, at, func(e element, data []byte) error {
		if e.id != idTrackEntry {
			return nil
		}
		if count++; count > maxTracks {
			return e.fault("more than %d tracks", maxTracks)
		}
		entry, err := parseEntry(data, e.at)
		if err != nil {
			return err
		}
		if entry.kind != typeVideo && entry.kind != typeAudio || d.track(entry.number) != nil {
			return nil
		}
		t, err := entry.open(uint32(count), d.timescale())
		switch {
		case errors.Is(err, ErrUnsupported):
			if first == nil {
				first = err
			}
			return nil
		case err != nil:
			return err
		}
		d.tracks = append(d.tracks, t)
		program.Add(t.stream)
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(d.tracks) == 0 && first != nil:
		return first
	case len(d.tracks) == 0:
		return fmt.Errorf("%w: %w", ErrUnsupported, elementary.ErrNoTrack)
	}
	d.program = program
	return nil
}

func (d *demuxer) track(number uint64) *track {
	for _, t := range d.tracks {
		if t.number == number {
			return t
		}
	}
	return nil
}

func (d *demuxer) finish() error {
	if d.program == nil {
		return nil
	}
	return d.program.Finish()
}
