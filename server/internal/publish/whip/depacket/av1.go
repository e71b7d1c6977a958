package depacket

import (
	"errors"
	"fmt"

	"github.com/framewire/framewire/server/internal/codec/av1"
)

// Bits of the aggregation header (4.4).
const (
	av1Continues = 0x80 // Z: the first element goes on from the packet before
	av1Continued = 0x40 // Y: the last element goes on in the next packet
	av1NewCoded  = 0x08 // N: the first packet of a coded video sequence
)

// Bits of an OBU header.
const (
	obuExtension = 0x04
	obuSize      = 0x02
)

type av1Format struct{}

func (av1Format) Begins(payload []byte) bool {
	if len(payload) < 2 || payload[0]&av1Continues != 0 {
		return false
	}
	if payload[0]&av1NewCoded != 0 {
		return true
	}
	list, err := elements(payload)
	return err == nil && len(list[0]) > 0 && list[0][0]>>3&15 == av1.TypeSequenceHeader
}

func (av1Format) Join(payloads [][]byte) ([]byte, error) {
	out := make([]byte, 0, size(payloads)+4*len(payloads)+16)
	var part []byte // of an OBU that goes on in the next packet
	open := false
	for i, p := range payloads {
		list, err := elements(p)
		if err == nil && (p[0]&av1Continues != 0) != open {
			err = errors.New("does not fit the one before")
		}
		if err != nil {
			return nil, fmt.Errorf("%w: AV1: packet %d: %w", ErrPayload, i, err)
		}
		if open {
			part = append(part, list[0]...)
			list[0] = part
		}
		open = p[0]&av1Continued != 0
		if open {
			last := list[len(list)-1]
			part = append(make([]byte, 0, len(last)+size(payloads[i+1:])), last...)
			list = list[:len(list)-1]
		}
		for _, obu := range list {
			if out, err = appendOBU(out, obu); err != nil {
				return nil, fmt.Errorf("%w: AV1: packet %d: %w", ErrPayload, i, err)
			}
		}
	}
	if open {
		return nil, fmt.Errorf("%w: AV1: the last OBU has no end", ErrPayload)
	}
	return out, nil
}

// elements returns the OBU elements of a packet, at least one.
func elements(p []byte) ([][]byte, error) {
	if len(p) < 2 {
		return nil, fmt.Errorf("%d bytes", len(p))
	}
	count := int(p[0] >> 4 & 3) // W: 0 when each element has a length
	rest := p[1:]
	var list [][]byte
	for len(rest) > 0 {
		length := len(rest)
		if count == 0 || len(list) < count-1 {
			value, n := leb128(rest)
			if n == 0 || value > uint64(len(rest)-n) {
				return nil, fmt.Errorf("element %d exceeds the packet", len(list))
			}
			rest, length = rest[n:], int(value)
		}
		list = append(list, rest[:length:length])
		rest = rest[length:]
	}
	if count > 0 && len(list) != count {
		return nil, fmt.Errorf("%d elements, %d announced", len(list), count)
	}
	return list, nil
}

// appendOBU appends the OBU with a size field, which it usually lacks in RTP.
func appendOBU(out, obu []byte) ([]byte, error) {
	if len(obu) == 0 {
		return out, nil
	}
	header := 1
	if obu[0]&obuExtension != 0 {
		header = 2
	}
	if len(obu) < header {
		return nil, errors.New("OBU header cut off")
	}
	if obu[0]&obuSize != 0 {
		if value, n := leb128(obu[header:]); n == 0 || value != uint64(len(obu)-header-n) {
			return nil, errors.New("OBU size is not that of its element")
		}
		return append(out, obu...), nil
	}
	out = append(out, obu[0]|obuSize)
	out = append(out, obu[1:header]...)
	n := len(obu) - header
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	out = append(out, byte(n))
	return append(out, obu[header:]...), nil
}

// leb128 reads the code of the bitstream's 4.10.5 and its length, 0 when it is
// broken.
func leb128(data []byte) (value uint64, n int) {
	for n < len(data) && n < 8 {
		b := data[n]
		value |= uint64(b&0x7f) << (7 * n)
		n++
		if b&0x80 == 0 {
			return value, n
		}
	}
	return 0, 0
}
