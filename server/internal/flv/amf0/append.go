package amf0

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Append writes the values behind dst. Objects are written as such, never as
// ECMA arrays. An int counts as a number. On an error, which is an ErrType or
// tells of a string or name that is too long, dst is returned unchanged.
func Append(dst []byte, values ...any) ([]byte, error) {
	out := dst
	for i, v := range values {
		var err error
		if out, err = appendValue(out, v); err != nil {
			return dst, fmt.Errorf("value %d: %w", i, err)
		}
	}
	return out, nil
}

func appendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, markNull), nil
	case bool:
		if v {
			return append(dst, markBoolean, 1), nil
		}
		return append(dst, markBoolean, 0), nil
	case int:
		return appendNumber(dst, float64(v)), nil
	case float64:
		return appendNumber(dst, v), nil
	case string:
		if len(v) > math.MaxUint16 {
			dst = binary.BigEndian.AppendUint32(append(dst, markLongString), uint32(len(v)))
			return append(dst, v...), nil
		}
		return appendName(append(dst, markString), v)
	case time.Time:
		dst = binary.BigEndian.AppendUint64(append(dst, markDate), math.Float64bits(float64(v.UnixMilli())))
		return append(dst, 0, 0), nil
	case Array:
		return appendArray(dst, v)
	case Object:
		return appendObject(dst, v)
	default:
		return dst, fmt.Errorf("%w: %T", ErrType, v)
	}
}

func appendNumber(dst []byte, n float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, markNumber), math.Float64bits(n))
}

func appendName(dst []byte, name string) ([]byte, error) {
	if len(name) > math.MaxUint16 {
		return dst, fmt.Errorf("name of %d bytes", len(name))
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(name)))
	return append(dst, name...), nil
}

func appendArray(dst []byte, array Array) ([]byte, error) {
	dst = binary.BigEndian.AppendUint32(append(dst, markStrictArray), uint32(len(array)))
	for i, v := range array {
		var err error
		if dst, err = appendValue(dst, v); err != nil {
			return dst, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return dst, nil
}

func appendObject(dst []byte, object Object) ([]byte, error) {
	dst = append(dst, markObject)
	for _, f := range object {
		var err error
		if dst, err = appendName(dst, f.Name); err != nil {
			return dst, err
		}
		if dst, err = appendValue(dst, f.Value); err != nil {
			return dst, fmt.Errorf("field %q: %w", f.Name, err)
		}
	}
	return append(dst, 0, 0, markObjectEnd), nil
}
