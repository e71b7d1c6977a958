// Package bits reads and writes the bit fields of codec headers: most
// significant bit first, with the Exp-Golomb codes of ITU-T H.264 9.1.
package bits

import (
	"errors"
	"math/bits"
)

// ErrOverrun reports that a header ended before its last field.
var ErrOverrun = errors.New("header ends early")

// ErrGolomb reports an Exp-Golomb code of more than 32 bits.
var ErrGolomb = errors.New("Exp-Golomb code exceeds 32 bits")

// Reader reads fields from a byte slice. The first fault sticks: from then on
// every read gives zero, so that a parser may check Err once at its end. Loops
// whose bound was read must check that bound themselves.
type Reader struct {
	data []byte
	pos  int // in bits
	err  error
}

// NewReader returns a Reader at the first bit of data.
func NewReader(data []byte) *Reader { return &Reader{data: data} }

// Err returns the first fault, or nil.
func (r *Reader) Err() error { return r.err }

// Pos is the number of bits read so far.
func (r *Reader) Pos() int { return r.pos }

// Left is the number of bits not yet read.
func (r *Reader) Left() int { return len(r.data)*8 - r.pos }

// Bits reads an unsigned field of n bits, n at most 64.
func (r *Reader) Bits(n int) uint64 {
	if r.err != nil {
		return 0
	}
	if n > r.Left() {
		r.err = ErrOverrun
		return 0
	}
	var v uint64
	for n > 0 {
		free := 8 - r.pos&7
		take := min(free, n)
		chunk := r.data[r.pos>>3] >> (free - take) & (1<<take - 1)
		v = v<<take | uint64(chunk)
		r.pos += take
		n -= take
	}
	return v
}

// Uint is Bits for fields of at most 32 bits.
func (r *Reader) Uint(n int) uint32 { return uint32(r.Bits(n)) }

// Int is Bits for fields of at most 31 bits.
func (r *Reader) Int(n int) int { return int(r.Bits(n)) }

// Flag reads one bit.
func (r *Reader) Flag() bool { return r.Bits(1) == 1 }

// Skip passes over n bits.
func (r *Reader) Skip(n int) {
	if r.err != nil {
		return
	}
	if n < 0 || n > r.Left() {
		r.err = ErrOverrun
		return
	}
	r.pos += n
}

// Align moves to the next byte boundary.
func (r *Reader) Align() { r.pos = (r.pos + 7) &^ 7 }

// UE reads an unsigned Exp-Golomb code.
func (r *Reader) UE() uint32 {
	zeros := 0
	for r.err == nil && !r.Flag() {
		if zeros++; zeros > 32 {
			r.err = ErrGolomb
		}
	}
	if r.err != nil {
		return 0
	}
	v := r.Bits(zeros) + 1<<zeros - 1
	if v > 1<<32-1 {
		r.err = ErrGolomb
		return 0
	}
	return uint32(v)
}

// SE reads a signed Exp-Golomb code.
func (r *Reader) SE() int32 {
	v := int64(r.UE())
	if v&1 == 1 {
		return int32((v + 1) / 2)
	}
	return int32(-(v / 2))
}

// Writer builds a header from fields. Its zero value is ready for use.
type Writer struct {
	data []byte
	free int // bits not yet used in the last byte
}

// Bits appends the low n bits of v.
func (w *Writer) Bits(v uint64, n int) {
	for n > 0 {
		if w.free == 0 {
			w.data = append(w.data, 0)
			w.free = 8
		}
		take := min(w.free, n)
		chunk := byte(v>>(n-take)) & (1<<take - 1)
		w.data[len(w.data)-1] |= chunk << (w.free - take)
		w.free -= take
		n -= take
	}
}

// Flag appends one bit.
func (w *Writer) Flag(v bool) {
	if v {
		w.Bits(1, 1)
	} else {
		w.Bits(0, 1)
	}
}

// UE appends an unsigned Exp-Golomb code.
func (w *Writer) UE(v uint32) {
	code := uint64(v) + 1
	n := bits.Len64(code)
	w.Bits(0, n-1)
	w.Bits(code, n)
}

// Copy appends the next n bits of r.
func (w *Writer) Copy(r *Reader, n int) {
	for n > 0 {
		take := min(n, 32)
		w.Bits(r.Bits(take), take)
		n -= take
	}
}

// Bytes returns what was written, the last byte filled up with zero bits. The
// slice is the Writer's own.
func (w *Writer) Bytes() []byte { return w.data }
