// Package annexb handles NAL units whole: the byte stream of H.264 and H.265
// Annex B, the length-prefixed form that MP4 carries, and the emulation
// prevention bytes inside a unit. It does not look into them.
package annexb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
)

// ErrLength reports a NAL unit length that does not fit its sample.
var ErrLength = errors.New("NAL unit length exceeds the sample")

// Split yields the NAL units of a byte stream, without start codes, without the
// zero bytes round them, and without empty ones. They share data's memory. What
// stands before the first start code is not yielded.
func Split(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		start := afterStartCode(data, 0)
		for start >= 0 {
			next := afterStartCode(data, start)
			end := len(data)
			if next >= 0 {
				end = next - 3
			}
			// trailing_zero_8bits, and the zero_byte of a 4-byte start code
			for end > start && data[end-1] == 0 {
				end--
			}
			if end > start && !yield(data[start:end:end]) {
				return
			}
			start = next
		}
	}
}

// IsStream reports whether data begins with a start code.
func IsStream(data []byte) bool {
	i := 0
	for i < len(data) && data[i] == 0 {
		i++
	}
	return i >= 2 && i < len(data) && data[i] == 1
}

// afterStartCode returns the index behind the first 00 00 01 at or after from,
// or -1.
func afterStartCode(data []byte, from int) int {
	for i := from + 2; i < len(data); {
		switch {
		case data[i] > 1: // no start code can end at this byte or the two after
			i += 3
		case data[i] == 1 && data[i-1] == 0 && data[i-2] == 0:
			return i + 1
		default:
			i++
		}
	}
	return -1
}

// AppendUnit appends nal behind its length in 4 bytes.
func AppendUnit(dst, nal []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(nal)))
	return append(dst, nal...)
}

// AppendNew appends nal to units unless they hold the same bytes.
func AppendNew(units [][]byte, nal []byte) [][]byte {
	for _, known := range units {
		if bytes.Equal(known, nal) {
			return units
		}
	}
	return append(units, nal)
}

// AppendStream appends nal behind a 4-byte start code.
func AppendStream(dst, nal []byte) []byte {
	return append(append(dst, 0, 0, 0, 1), nal...)
}

// Units yields the NAL units of a sample whose lengths take lengthSize bytes (1
// to 4). They share the sample's memory. It ends after yielding an error.
func Units(sample []byte, lengthSize int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if lengthSize < 1 || lengthSize > 4 {
			yield(nil, fmt.Errorf("NAL unit lengths of %d bytes", lengthSize))
			return
		}
		for at := 0; at < len(sample); {
			if len(sample)-at < lengthSize {
				yield(nil, fmt.Errorf("%w: %d bytes left over", ErrLength, len(sample)-at))
				return
			}
			var size uint64
			for _, b := range sample[at : at+lengthSize] {
				size = size<<8 | uint64(b)
			}
			at += lengthSize
			if size > uint64(len(sample)-at) {
				yield(nil, fmt.Errorf("%w: %d bytes with %d left", ErrLength, size, len(sample)-at))
				return
			}
			end := at + int(size)
			if size > 0 && !yield(sample[at:end:end], nil) {
				return
			}
			at = end
		}
	}
}

// WidenLengths returns the sample with lengths of 4 bytes instead of
// lengthSize. With a lengthSize of 4 it returns the sample itself, unchecked.
func WidenLengths(sample []byte, lengthSize int) ([]byte, error) {
	if lengthSize == 4 {
		return sample, nil
	}
	wide := make([]byte, 0, len(sample)+len(sample)/8+16)
	for nal, err := range Units(sample, lengthSize) {
		if err != nil {
			return nil, err
		}
		wide = AppendUnit(wide, nal)
	}
	return wide, nil
}

// Unescape returns the payload of a NAL unit without its emulation prevention
// bytes (H.264 7.4.1). It copies only when there are some.
func Unescape(nal []byte) []byte {
	first := nextEscape(nal, 0)
	if first < 0 {
		return nal
	}
	payload := make([]byte, 0, len(nal))
	from := 0
	for at := first; at >= 0; at = nextEscape(nal, from) {
		payload = append(payload, nal[from:at]...)
		from = at + 1
	}
	return append(payload, nal[from:]...)
}

// nextEscape returns the index of the first 3 behind two zeros at or after from,
// or -1. Zeros before from do not count: an escape ends the run before it.
func nextEscape(nal []byte, from int) int {
	for i := from + 2; i < len(nal); i++ {
		if nal[i] == 3 && nal[i-1] == 0 && nal[i-2] == 0 {
			return i
		}
	}
	return -1
}

// Escape inserts emulation prevention bytes, so that no start code occurs
// inside the unit.
func Escape(payload []byte) []byte {
	nal := make([]byte, 0, len(payload)+4)
	zeros := 0
	for _, b := range payload {
		if zeros == 2 && b <= 3 {
			nal = append(nal, 3)
			zeros = 0
		}
		nal = append(nal, b)
		if b == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	if zeros > 0 { // 7.4.1: a unit never ends in a zero byte
		nal = append(nal, 3)
	}
	return nal
}
