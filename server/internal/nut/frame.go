package nut

import (
	"errors"
	"fmt"
	"io"
)

// frame reads a frame from its frame code on.
func (r *Reader) frame() (Frame, error) {
	at := r.at
	code, err := r.ReadByte()
	if err != nil {
		return Frame{}, err
	}
	f, size, elided, err := r.frameHeader(r.codes[code])
	if err != nil {
		return Frame{}, fmt.Errorf("frame at offset %d: %w", at, err)
	}
	f.Data = make([]byte, len(elided)+size)
	copy(f.Data, elided)
	if err := r.full(f.Data[len(elided):]); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, fmt.Errorf("frame at offset %d: %w", at, err)
	}
	return f, nil
}

// frameHeader returns the frame without its data, the size of the data that
// follows, and the bytes that come before those.
func (r *Reader) frameHeader(c frameCode) (f Frame, size int, elided []byte, err error) {
	var broken error
	next := func() uint64 {
		v, err := r.varint()
		if err != nil && broken == nil {
			broken = err
		}
		return v
	}
	if c.flags&flagInvalid != 0 {
		return f, 0, nil, fmt.Errorf("%w: frame code without meaning", ErrFormat)
	}
	if c.flags&flagCoded != 0 {
		c.flags ^= next()
	}
	if c.flags&flagStreamID != 0 {
		c.stream = next()
	}
	if broken == nil && c.stream >= uint64(len(r.state)) {
		return f, 0, nil, fmt.Errorf("%w: stream %d of %d", ErrFormat, c.stream, len(r.state))
	}
	var codedPTS uint64
	if c.flags&flagCodedPTS != 0 {
		codedPTS = next()
	}
	if c.flags&flagSizeMSB != 0 {
		msb := next()
		if msb > maxFrame {
			return f, 0, nil, fmt.Errorf("%w: size of %d times %d bytes", ErrFormat, msb, c.sizeMul)
		}
		c.sizeLSB += c.sizeMul * msb
	}
	if c.flags&flagMatchTime != 0 {
		next()
	}
	if c.flags&flagHeaderIdx != 0 {
		c.headerIdx = next()
	}
	if c.flags&flagReserved != 0 {
		c.reserved = next()
	}
	if c.reserved > maxHeader {
		return f, 0, nil, fmt.Errorf("%w: %d reserved fields", ErrFormat, c.reserved)
	}
	for ; c.reserved > 0 && broken == nil; c.reserved-- {
		next()
	}
	if c.flags&flagChecksum != 0 { // pipes do not flip bits
		var sum [4]byte
		if err := r.full(sum[:]); err != nil && broken == nil {
			broken = err
		}
	}
	if broken != nil {
		return f, 0, nil, broken
	}
	if c.flags&flagSideData != 0 {
		return f, 0, nil, fmt.Errorf("%w: side data is not supported", ErrFormat)
	}
	if elided, size, err = r.dataSize(c); err != nil {
		return f, 0, nil, err
	}
	f.Stream = int(c.stream)
	f.Keyframe = c.flags&flagKey != 0
	f.PTS = r.state[c.stream].pts(c, codedPTS)
	return f, size, elided, nil
}

// elisionLimit is the frame size above which no header is elided.
const elisionLimit = 4096

func (r *Reader) dataSize(c frameCode) (elided []byte, size int, err error) {
	if c.sizeLSB > maxFrame {
		return nil, 0, fmt.Errorf("%w: %d bytes, the limit is %d", ErrFormat, c.sizeLSB, maxFrame)
	}
	size = int(c.sizeLSB)
	if size > elisionLimit || c.headerIdx == 0 {
		return nil, size, nil
	}
	if c.headerIdx >= uint64(len(r.elided)) || size < len(r.elided[c.headerIdx]) {
		return nil, 0, fmt.Errorf("%w: elision header %d of %d", ErrFormat, c.headerIdx, len(r.elided))
	}
	elided = r.elided[c.headerIdx]
	return elided, size - len(elided), nil
}

// pts decodes and remembers the presentation time.
func (s *streamState) pts(c frameCode, coded uint64) int64 {
	var pts int64
	switch {
	case c.flags&flagCodedPTS == 0:
		pts = s.lastPTS + c.ptsDelta
	case coded < 1<<s.msbShift: // only the lower bits, nearest to the last
		mask := int64(1)<<s.msbShift - 1
		delta := s.lastPTS - mask/2
		pts = (int64(coded)-delta)&mask + delta
	default:
		pts = int64(coded - 1<<s.msbShift)
	}
	s.lastPTS = pts
	return pts
}
