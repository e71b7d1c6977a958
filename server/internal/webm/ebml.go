package webm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
)

var (
	// ErrMalformed reports bytes that break the format.
	ErrMalformed = errors.New("malformed WebM")

	// ErrUnsupported reports a feature that is not carried. Its text names it.
	ErrUnsupported = errors.New("not supported")
)

const (
	// maxElement bounds an element that is read as a whole: above any keyframe of
	// 8K video.
	maxElement = 32 << 20

	// readAhead is how much is allocated at once on the word of a size.
	readAhead = 256 << 10

	// maxIDLength and maxSizeLength are those of RFC 9559 4.1.
	maxIDLength   = 4
	maxSizeLength = 8

	// unknownSize marks an element that ends where one begins that cannot be in
	// it (RFC 8794 6.2).
	unknownSize = math.MaxInt64
)

// element is the head of an element.
type element struct {
	id   uint32
	size int64 // of the data, unknownSize when not told
	at   int64 // offset of the head in the input
}

func (e element) fault(format string, args ...any) error {
	return fmt.Errorf("%w: element %X at offset %d: %w", ErrMalformed, e.id, e.at, fmt.Errorf(format, args...))
}

// input reads elements one after another.
type input struct {
	r      *bufio.Reader
	offset int64
}

// head reads the head of the next element. It returns io.EOF at the end of the
// input.
func (in *input) head() (element, error) {
	e := element{at: in.offset}
	first, err := in.r.ReadByte()
	if err != nil {
		return e, err
	}
	in.offset++
	length := bits.LeadingZeros8(first) + 1
	if length > maxIDLength {
		return e, fmt.Errorf("%w: no element at offset %d: first byte %#02x", ErrMalformed, e.at, first)
	}
	e.id = uint32(first)
	for range length - 1 {
		b, err := in.byte(e)
		if err != nil {
			return e, err
		}
		e.id = e.id<<8 | uint32(b)
	}
	if first, err = in.byte(e); err != nil {
		return e, err
	}
	if length = bits.LeadingZeros8(first) + 1; length > maxSizeLength {
		return e, e.fault("size has more than %d bytes", maxSizeLength)
	}
	size := uint64(first) & (1<<(8-length) - 1)
	for range length - 1 {
		b, err := in.byte(e)
		if err != nil {
			return e, err
		}
		size = size<<8 | uint64(b)
	}
	e.size = int64(size)
	if size == 1<<(7*length)-1 {
		e.size = unknownSize
	}
	return e, nil
}

func (in *input) byte(e element) (byte, error) {
	b, err := in.r.ReadByte()
	if err != nil {
		return 0, e.cut(err)
	}
	in.offset++
	return b, nil
}

// cut is the error of an input that ends within an element.
func (e element) cut(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("element %X at offset %d: %w", e.id, e.at, err)
}

// data reads the element's data, which are new memory.
func (in *input) data(e element) ([]byte, error) {
	if e.size > maxElement {
		return nil, e.fault("%d bytes, the limit is %d", e.size, maxElement)
	}
	if e.size <= readAhead {
		data := make([]byte, e.size)
		n, err := io.ReadFull(in.r, data)
		in.offset += int64(n)
		if err != nil {
			return nil, e.cut(err)
		}
		return data, nil
	}
	var buffer bytes.Buffer
	n, err := io.CopyN(&buffer, in.r, e.size)
	in.offset += n
	if err != nil {
		return nil, e.cut(err)
	}
	return buffer.Bytes(), nil
}

// skip passes over the element's data.
func (in *input) skip(e element) error {
	if e.size == unknownSize {
		return e.fault("a size has to be told")
	}
	n, err := io.CopyN(io.Discard, in.r, e.size)
	in.offset += n
	if err != nil {
		return e.cut(err)
	}
	return nil
}

// children calls visit for each element in data, whose beginning lies at the
// given offset of the input.
func children(data []byte, at int64, visit func(e element, data []byte) error) error {
	for rest := data; len(rest) > 0; {
		begin := at + int64(len(data)-len(rest))
		e := element{at: begin}
		id, n := vint(rest)
		if n == 0 || n > maxIDLength {
			return fmt.Errorf("%w: no element at offset %d", ErrMalformed, begin)
		}
		e.id = uint32(id | 1<<(7*n)) // the marker is part of it
		rest = rest[n:]
		size, n := vint(rest)
		if n == 0 || size > uint64(len(rest)-n) {
			return e.fault("it exceeds the one it is in")
		}
		e.size = int64(size)
		rest = rest[n:]
		if err := visit(e, rest[:size:size]); err != nil {
			return err
		}
		rest = rest[size:]
	}
	return nil
}

// vint reads a variable-size integer (RFC 8794 4) without its marker, and its
// length, 0 when it is broken.
func vint(data []byte) (value uint64, n int) {
	if len(data) == 0 || data[0] == 0 {
		return 0, 0
	}
	n = bits.LeadingZeros8(data[0]) + 1
	if n > len(data) {
		return 0, 0
	}
	value = uint64(data[0]) & (1<<(8-n) - 1)
	for _, b := range data[1:n] {
		value = value<<8 | uint64(b)
	}
	return value, n
}

// integer reads an unsigned integer element (RFC 8794 7.2).
func integer(e element, data []byte) (uint64, error) {
	if len(data) > 8 {
		return 0, e.fault("an integer of %d bytes", len(data))
	}
	var value uint64
	for _, b := range data {
		value = value<<8 | uint64(b)
	}
	return value, nil
}

// float reads a float element (RFC 8794 7.3).
func float(e element, data []byte) (float64, error) {
	switch len(data) {
	case 0:
		return 0, nil
	case 4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(data))), nil
	case 8:
		return math.Float64frombits(binary.BigEndian.Uint64(data)), nil
	default:
		return 0, e.fault("a float of %d bytes", len(data))
	}
}
