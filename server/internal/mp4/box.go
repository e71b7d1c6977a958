package mp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
)

// ErrInvalid is what every fault in the structure of the input is.
var ErrInvalid = errors.New("invalid MP4")

// FormatError tells where the input is at fault. It is an ErrInvalid.
type FormatError struct {
	Path   string // of the box, such as "moov/trak/mdia/minf/stbl/stsz"
	Offset int64  // of the box in the input, in bytes
	Err    error
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s at offset %d: %v", e.Path, e.Offset, e.Err)
}

// Unwrap makes errors.Is find both ErrInvalid and the cause.
func (e *FormatError) Unwrap() []error { return []error{ErrInvalid, e.Err} }

var (
	errBoxSize  = errors.New("size exceeds what holds the box")
	errBoxSmall = errors.New("size is less than the header's")
	errShort    = errors.New("ends before its last field")
	errDeep     = errors.New("too deeply nested")
)

// maxDepth bounds the nesting of boxes. The deepest that means something is
// moov/trak/mdia/minf/stbl/stsd/mp4a/wave/mp4a/esds.
const maxDepth = 12

// box is a box held in memory.
type box struct {
	name    string
	path    string
	depth   int
	offset  int64 // of its header in the input
	header  int   // bytes before payload
	payload []byte
}

// fail returns an error that names the box.
func (b *box) fail(format string, args ...any) error {
	return b.wrap(fmt.Errorf(format, args...))
}

func (b *box) wrap(err error) error {
	var inner *FormatError
	if err == nil || errors.As(err, &inner) {
		return err
	}
	return &FormatError{Path: b.path, Offset: b.offset, Err: err}
}

// children yields the boxes in b's payload, from byte skip on. A remainder too
// short for a header, such as QuickTime's terminating zeros, is passed over. It
// ends after yielding an error.
func (b *box) children(skip int) iter.Seq2[box, error] {
	return func(yield func(box, error) bool) {
		if b.depth >= maxDepth {
			yield(box{}, b.wrap(errDeep))
			return
		}
		for at := skip; len(b.payload)-at >= boxHeader; {
			child, size, err := b.childAt(at)
			if err != nil {
				yield(box{}, err)
				return
			}
			if !yield(child, nil) {
				return
			}
			at += size
		}
	}
}

func (b *box) childAt(at int) (child box, size int, err error) {
	rest := b.payload[at:]
	child = box{
		name: string(rest[4:8]), depth: b.depth + 1, header: boxHeader,
		offset: b.offset + int64(b.header) + int64(at),
	}
	child.path = printable(child.name)
	if b.path != "" {
		child.path = b.path + "/" + child.path
	}
	wide := uint64(binary.BigEndian.Uint32(rest))
	switch wide {
	case 0: // to the end of what holds it
		wide = uint64(len(rest))
	case 1:
		child.header = 16
		if len(rest) < child.header {
			return child, 0, child.wrap(errBoxSize)
		}
		wide = binary.BigEndian.Uint64(rest[8:])
	}
	if wide < uint64(child.header) {
		return child, 0, child.wrap(errBoxSmall)
	}
	if wide > uint64(len(rest)) {
		return child, 0, child.fail("%w: %d bytes with %d left", errBoxSize, wide, len(rest))
	}
	size = int(wide)
	child.payload = rest[child.header:size:size]
	return child, size, nil
}

// printable makes a type fit for a message.
func printable(name string) string {
	out := []byte(name)
	for i, c := range out {
		if c < ' ' || c > '~' {
			out[i] = '.'
		}
	}
	return string(out)
}

// fields reads big-endian fields from a box. Past the end it gives zeros and
// remembers; err tells.
type fields struct {
	data  []byte
	short bool
}

func (b *box) fields() *fields { return &fields{data: b.payload} }

func (f *fields) bytes(n int) []byte {
	if n < 0 || n > len(f.data) {
		f.short = true
		f.data = nil
		return nil
	}
	taken := f.data[:n:n]
	f.data = f.data[n:]
	return taken
}

func (f *fields) skip(n int) { f.bytes(n) }

func (f *fields) uint(n int) uint64 {
	var v uint64
	for _, b := range f.bytes(n) {
		v = v<<8 | uint64(b)
	}
	return v
}

func (f *fields) u8() uint8   { return uint8(f.uint(1)) }
func (f *fields) u16() uint16 { return uint16(f.uint(2)) }
func (f *fields) u32() uint32 { return uint32(f.uint(4)) }
func (f *fields) u64() uint64 { return f.uint(8) }

// full reads version and flags.
func (f *fields) full() (version uint8, flags uint32) {
	v := f.u32()
	return uint8(v >> 24), v & 0xffffff
}

// sized reads 4 bytes in version 0 of a box and 8 in later ones.
func (f *fields) sized(version uint8) uint64 {
	if version == 0 {
		return uint64(f.u32())
	}
	return f.u64()
}

func (f *fields) err() error {
	if f.short {
		return errShort
	}
	return nil
}
