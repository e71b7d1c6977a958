// Package amf0 reads and writes values in the Action Message Format 0, in which
// RTMP carries its commands and FLV its metadata.
//
// A value is one of
//
//	nil (null, undefined, unsupported), bool, float64, string,
//	time.Time, Array, Object
//
// References between objects, typed movie clips, record sets and values in AMF3
// are not read: no publisher sends them.
package amf0

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// The markers of AMF0 2.1 that are read or written.
const (
	markNumber      = 0x00
	markBoolean     = 0x01
	markString      = 0x02
	markObject      = 0x03
	markNull        = 0x05
	markUndefined   = 0x06
	markECMAArray   = 0x08
	markObjectEnd   = 0x09
	markStrictArray = 0x0a
	markDate        = 0x0b
	markLongString  = 0x0c
	markUnsupported = 0x0d
	markXML         = 0x0f
	markTypedObject = 0x10
)

const (
	// maxDepth is how deep objects may nest. Capabilities in a connect command
	// reach 3, HDR metadata 4.
	maxDepth = 16

	// maxValues is how many values one text may hold, those inside others
	// included. Metadata of a long recording, with an index of its keyframes, are
	// the largest seen; a live publisher sends some 30.
	maxValues = 1 << 16
)

var (
	// ErrMalformed reports bytes that are no AMF0, or that go on beyond a bound.
	ErrMalformed = errors.New("malformed AMF0")

	// ErrType reports a Go value that Append cannot write.
	ErrType = errors.New("type not known to AMF0")
)

// Field is a named value.
type Field struct {
	Name  string
	Value any
}

// Object is an object or ECMA array. The order is that of the text.
type Object []Field

// Array is a strict array.
type Array []any

// Get returns the value of the first field of that name, nil when there is none.
func (o Object) Get(name string) any {
	for i := range o {
		if o[i].Name == name {
			return o[i].Value
		}
	}
	return nil
}

// Text returns the field when it is a string, otherwise "".
func (o Object) Text(name string) string {
	s, _ := o.Get(name).(string)
	return s
}

// Number returns the field when it is a finite number.
func (o Object) Number(name string) (float64, bool) {
	n, ok := o.Get(name).(float64)
	if !ok || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, false
	}
	return n, true
}

// Decode reads all values in data. On an error it returns those before it as
// well. Strings are copies; nothing returned shares data's memory.
func Decode(data []byte) ([]any, error) {
	d := decoder{data: data}
	var values []any
	for d.at < len(d.data) {
		v, err := d.value(0)
		if err != nil {
			return values, err
		}
		values = append(values, v)
	}
	return values, nil
}

type decoder struct {
	data  []byte
	at    int
	count int
}

func (d *decoder) fail(format string, args ...any) error {
	return fmt.Errorf("%w at byte %d: %s", ErrMalformed, d.at, fmt.Sprintf(format, args...))
}

// take returns the next n bytes.
func (d *decoder) take(n int, what string) ([]byte, error) {
	if n < 0 || n > len(d.data)-d.at {
		return nil, d.fail("%s of %d bytes with %d left", what, n, len(d.data)-d.at)
	}
	b := d.data[d.at : d.at+n]
	d.at += n
	return b, nil
}

func (d *decoder) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, d.fail("nested deeper than %d", maxDepth)
	}
	if d.count++; d.count > maxValues {
		return nil, d.fail("more than %d values", maxValues)
	}
	mark, err := d.take(1, "marker")
	if err != nil {
		return nil, err
	}
	switch mark[0] {
	case markNumber:
		return d.number()
	case markBoolean:
		b, err := d.take(1, "boolean")
		if err != nil {
			return nil, err
		}
		return b[0] != 0, nil
	case markString:
		return d.text(2)
	case markLongString, markXML:
		return d.text(4)
	case markNull, markUndefined, markUnsupported:
		return nil, nil
	case markObject:
		return d.fields(depth)
	case markTypedObject:
		if _, err := d.text(2); err != nil { // the name of its class
			return nil, err
		}
		return d.fields(depth)
	case markECMAArray:
		// The count is a hint that writers get wrong; the end marker rules.
		if _, err := d.take(4, "array count"); err != nil {
			return nil, err
		}
		return d.fields(depth)
	case markStrictArray:
		return d.array(depth)
	case markDate:
		return d.date()
	default:
		d.at--
		return nil, d.fail("marker %#02x", mark[0])
	}
}

func (d *decoder) number() (float64, error) {
	b, err := d.take(8, "number")
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
}

// text reads a string behind a length of 2 or 4 bytes.
func (d *decoder) text(lengthBytes int) (string, error) {
	b, err := d.take(lengthBytes, "string length")
	if err != nil {
		return "", err
	}
	length := uint64(0)
	for _, x := range b {
		length = length<<8 | uint64(x)
	}
	if length > uint64(len(d.data)-d.at) {
		return "", d.fail("string of %d bytes with %d left", length, len(d.data)-d.at)
	}
	b, err = d.take(int(length), "string")
	return string(b), err
}

func (d *decoder) fields(depth int) (Object, error) {
	object := Object{}
	for {
		// Some writers leave the end marker out where the text ends anyway.
		if depth == 0 && d.at == len(d.data) {
			return object, nil
		}
		name, err := d.text(2)
		if err != nil {
			return nil, err
		}
		if name == "" && d.at < len(d.data) && d.data[d.at] == markObjectEnd {
			d.at++
			return object, nil
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		object = append(object, Field{name, v})
	}
}

func (d *decoder) array(depth int) (Array, error) {
	b, err := d.take(4, "array count")
	if err != nil {
		return nil, err
	}
	count := binary.BigEndian.Uint32(b)
	if uint64(count) > uint64(len(d.data)-d.at) { // each takes a byte at least
		return nil, d.fail("array of %d values with %d bytes left", count, len(d.data)-d.at)
	}
	var array Array
	for range count {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	return array, nil
}

func (d *decoder) date() (time.Time, error) {
	ms, err := d.number()
	if err != nil {
		return time.Time{}, err
	}
	if _, err := d.take(2, "time zone"); err != nil { // reserved, always 0
		return time.Time{}, err
	}
	const farthest = 1 << 53 // whole milliseconds of a double
	if math.IsNaN(ms) || math.Abs(ms) > farthest {
		return time.Time{}, d.fail("date of %g ms", ms)
	}
	return time.UnixMilli(int64(ms)).UTC(), nil
}
