package depacket

import (
	"encoding/binary"
	"fmt"

	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/codec/h264"
)

// Packet types of RFC 6184 5.2, behind those of NAL units. Packetization modes 0
// and 1 know no others.
const (
	stapA = 24
	fuA   = 28

	typeMask = 0x1f
	fuStart  = 0x80
	fuEnd    = 0x40
)

// startCodeSize is how much longer a NAL unit gets in a byte stream.
const startCodeSize = 4

type h264Format struct{}

func (h264Format) Begins(payload []byte) bool {
	if len(payload) < 2 {
		return false
	}
	kind, first := payload[0]&typeMask, payload[1]
	switch kind {
	case stapA:
		const header = 3 // and a size
		if len(payload) <= header+1 {
			return false
		}
		kind, first = payload[header]&typeMask, payload[header+1]
	case fuA:
		if payload[1]&fuStart == 0 || len(payload) < 3 {
			return false
		}
		kind, first = payload[1]&typeMask, payload[2]
	}
	switch kind {
	case h264.TypeSPS, h264.TypePPS, h264.TypeSEI, h264.TypeDelimiter:
		return true
	case h264.TypeIDR:
		return first&0x80 != 0 // first_mb_in_slice is 0
	}
	return false
}

func (h264Format) Join(payloads [][]byte) ([]byte, error) {
	out := make([]byte, 0, size(payloads)+startCodeSize*(len(payloads)+8))
	open := false // within a fragmented unit
	for i, p := range payloads {
		if len(p) == 0 {
			return nil, fmt.Errorf("%w: H.264: packet %d is empty", ErrPayload, i)
		}
		kind := p[0] & typeMask
		if open && kind != fuA {
			return nil, fmt.Errorf("%w: H.264: packet %d of type %d within a fragmented unit", ErrPayload, i, kind)
		}
		var err error
		switch {
		case kind == stapA:
			out, err = appendAggregate(out, p[1:])
		case kind == fuA:
			out, open, err = appendFragment(out, p, open)
		case kind > 0 && kind < stapA:
			out = annexb.AppendStream(out, p)
		default:
			err = fmt.Errorf("type %d belongs to no packetization mode that is in use", kind)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: H.264: packet %d: %w", ErrPayload, i, err)
		}
	}
	if open {
		return nil, fmt.Errorf("%w: H.264: the last unit has no end", ErrPayload)
	}
	return out, nil
}

// appendAggregate appends the units of a STAP-A (5.7.1).
func appendAggregate(out, units []byte) ([]byte, error) {
	for len(units) > 0 {
		if len(units) < 2 {
			return nil, fmt.Errorf("STAP-A: size cut off")
		}
		length := int(binary.BigEndian.Uint16(units))
		units = units[2:]
		if length == 0 || length > len(units) {
			return nil, fmt.Errorf("STAP-A: unit of %d bytes with %d left", length, len(units))
		}
		out = annexb.AppendStream(out, units[:length])
		units = units[length:]
	}
	return out, nil
}

// appendFragment appends what an FU-A holds (5.8).
func appendFragment(out, p []byte, open bool) ([]byte, bool, error) {
	if len(p) < 3 {
		return nil, false, fmt.Errorf("FU-A of %d bytes", len(p))
	}
	start, end := p[1]&fuStart != 0, p[1]&fuEnd != 0
	switch {
	case start && (end || open):
		return nil, false, fmt.Errorf("FU-A begins a unit where it cannot")
	case !start && !open:
		return nil, false, fmt.Errorf("FU-A without the beginning of its unit")
	case start:
		header := p[0]&^typeMask | p[1]&typeMask
		out = annexb.AppendStream(out, []byte{header})
	}
	return append(out, p[2:]...), !end, nil
}
