package nut

import (
	"bytes"
	"fmt"
	"io"
	"math/bits"
)

// maxVarint is the most bytes that a value of 64 bits takes.
const maxVarint = 10

// readVarint reads the type v: seven bits a byte, the most significant first.
func readVarint(r io.ByteReader) (uint64, error) {
	var v uint64
	for range maxVarint {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		if bits.LeadingZeros64(v) < 7 {
			break
		}
		v = v<<7 | uint64(b&0x7f)
		if b < 0x80 {
			return v, nil
		}
	}
	return 0, fmt.Errorf("%w: number over 64 bits", ErrFormat)
}

// fields reads the fields of a header and remembers the first failure.
type fields struct {
	r   *bytes.Reader
	err error
}

func (f *fields) v(name string, low, high uint64) uint64 {
	if f.err != nil {
		return low
	}
	v, err := readVarint(f.r)
	if err != nil {
		f.err = fmt.Errorf("%w: %s: %w", ErrFormat, name, io.ErrUnexpectedEOF)
		return low
	}
	if v < low || v > high {
		f.err = fmt.Errorf("%w: %s is %d, want %d to %d", ErrFormat, name, v, low, high)
		return low
	}
	return v
}

// s reads the signed type: 0, 1, -1, 2, -2 ...
func (f *fields) s(name string) int64 {
	v := f.v(name, 0, anyValue) + 1
	if v&1 != 0 {
		return -int64(v >> 1)
	}
	return int64(v >> 1)
}

func (f *fields) bytes(name string, limit uint64) []byte {
	n := f.v(name, 0, min(limit, uint64(f.r.Len())))
	p := make([]byte, n)
	if f.err == nil {
		if _, err := io.ReadFull(f.r, p); err != nil {
			f.err = fmt.Errorf("%w: %s: %w", ErrFormat, name, err)
		}
	}
	return p
}

const (
	anyValue = 1<<64 - 1
	below31  = 1<<31 - 1
)

// mainHeader reads the header that holds time bases and the frame code table.
func (r *Reader) mainHeader(body []byte) error {
	f := &fields{r: bytes.NewReader(body)}
	r.version = f.v("version", 2, 4)
	if r.version > 3 {
		f.v("minor_version", 0, anyValue)
	}
	streams := f.v("stream_count", 1, maxStreams)
	f.v("max_distance", 0, anyValue)
	for range f.v("time_base_count", 1, 2*maxStreams) {
		num := f.v("time_base_num", 1, below31)
		den := f.v("time_base_denom", 1, below31)
		r.bases = append(r.bases, [2]int64{int64(num), int64(den)})
	}
	r.frameCodes(f, streams)
	r.elided = [][]byte{nil}
	if f.err == nil && f.r.Len() > 0 {
		for range f.v("header_count_minus1", 0, 127) {
			r.elided = append(r.elided, f.bytes("elision_header", 255))
		}
	}
	if f.err != nil {
		return fmt.Errorf("main header: %w", f.err)
	}
	r.streams, r.state = make([]Stream, streams), make([]streamState, streams)
	return nil
}

// frameCodes reads the table that gives each frame code its meaning.
func (r *Reader) frameCodes(f *fields, streams uint64) {
	var next frameCode
	next.sizeMul = 1
	for i := 0; i < 256 && f.err == nil; {
		next.flags = f.v("tmp_flag", 0, anyValue)
		given := f.v("tmp_fields", 0, 64)
		if given > 0 {
			next.ptsDelta = f.s("tmp_pts")
		}
		if given > 1 {
			next.sizeMul = f.v("tmp_mul", 0, 1<<14)
		}
		if given > 2 {
			next.stream = f.v("tmp_stream", 0, streams-1)
		}
		next.sizeLSB, next.reserved = 0, 0
		if given > 3 {
			next.sizeLSB = f.v("tmp_size", 0, 1<<14)
		}
		if given > 4 {
			next.reserved = f.v("tmp_res", 0, 256)
		}
		count := next.sizeMul - next.sizeLSB
		if given > 5 {
			count = f.v("count", 1, 256)
		}
		if given > 6 {
			f.s("tmp_match")
		}
		if given > 7 {
			next.headerIdx = f.v("tmp_head_idx", 0, 127)
		}
		for j := uint64(8); j < given; j++ {
			f.v("tmp_reserved", 0, anyValue)
		}
		if count == 0 || count > 256 {
			f.err = fmt.Errorf("%w: %d frame codes at %d", ErrFormat, count, i)
		}
		for j := uint64(0); j < count && f.err == nil; i++ {
			switch {
			case i > 255:
				f.err = fmt.Errorf("%w: more than 256 frame codes", ErrFormat)
			case i == 'N':
				r.codes[i].flags = flagInvalid
			default:
				r.codes[i] = next
				r.codes[i].sizeLSB += j
				j++
			}
		}
		if i == 'N' { // it has no entry of its own, even where it comes last
			r.codes[i].flags = flagInvalid
			i++
		}
	}
}

func (r *Reader) streamHeader(body []byte) error {
	f := &fields{r: bytes.NewReader(body)}
	id := f.v("stream_id", 0, uint64(len(r.streams)-1))
	if r.state[id].known {
		return nil // repeated
	}
	var s Stream
	s.Class = int(f.v("stream_class", 0, 255))
	s.FourCC = string(f.bytes("fourcc", 4))
	base := r.bases[f.v("time_base_id", 0, uint64(len(r.bases)-1))]
	s.TimeNum, s.TimeDen = base[0], base[1]
	shift := f.v("msb_pts_shift", 0, 15)
	f.v("max_pts_distance", 0, anyValue)
	s.DecodeDelay = int(f.v("decode_delay", 0, maxDecodeDelay))
	f.v("stream_flags", 0, anyValue)
	s.Extradata = f.bytes("codec_specific_data", maxHeader)
	switch s.Class {
	case ClassVideo:
		s.Width = int(f.v("width", 0, below31))
		s.Height = int(f.v("height", 0, below31))
	case ClassAudio:
		s.SampleRate = int(f.v("samplerate_num", 1, below31))
		s.SampleRate /= int(f.v("samplerate_denom", 1, below31))
		s.Channels = int(f.v("channel_count", 1, 255))
	}
	if f.err != nil {
		return fmt.Errorf("header of stream %d: %w", id, f.err)
	}
	r.streams[id] = s
	r.state[id] = streamState{known: true, msbShift: uint(shift)}
	return nil
}

// syncpoint sets the clocks that frames count on from.
func (r *Reader) syncpoint(body []byte) error {
	f := &fields{r: bytes.NewReader(body)}
	at := f.v("global_key_pts", 0, anyValue)
	if f.err != nil {
		return fmt.Errorf("syncpoint: %w", f.err)
	}
	count := uint64(len(r.bases))
	from := r.bases[at%count]
	for i := range r.state {
		s := &r.streams[i]
		// pts * from.num/from.den seconds, in ticks of num/den seconds, rounded down
		r.state[i].lastPTS = scale(at/count, uint64(from[0]*s.TimeDen), uint64(from[1]*s.TimeNum))
	}
	return nil
}

// scale returns v*mul/div, held at the largest int64.
func scale(v, mul, div uint64) int64 {
	hi, lo := bits.Mul64(v, mul)
	if hi >= div {
		return 1<<63 - 1
	}
	q, _ := bits.Div64(hi, lo, div)
	return int64(min(q, 1<<63-1))
}
