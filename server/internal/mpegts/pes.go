package mpegts

import (
	"github.com/asticode/go-astits"
)

// maxPES bounds an access unit, as the rest of the program does.
const maxPES = 32 << 20

// pes is a PES packet without its header.
type pes struct {
	data     []byte
	pts, dts int64 // 33 bits
	timed    bool
}

// assembler puts the PES packets of one PID together.
type assembler struct {
	video bool

	buf     []byte // header and data so far; nil while waiting for a beginning
	want    int    // length of the whole, 0 when the header does not tell
	counter uint8  // of the last packet
	counted bool

	// early says that a picture may be taken for whole with a packet that had to
	// be stuffed. It is given up for good once that proves wrong.
	notEarly bool
	sent     bool // the present picture was handed over that way
}

// add takes in the payload of a packet and calls emit when a PES packet is whole.
func (a *assembler) add(p *astits.Packet, emit func(pes) error) error {
	if !p.Header.HasPayload || len(p.Payload) == 0 {
		return nil
	}
	if !a.inOrder(p) {
		return nil
	}
	if p.Header.PayloadUnitStartIndicator {
		if err := a.flush(emit); err != nil {
			return err
		}
		a.begin(p.Payload)
	} else {
		if a.sent { // it went on after all; from now on the next beginning tells
			a.notEarly, a.sent = true, false
		}
		if a.buf == nil {
			return nil
		}
		a.buf = append(a.buf, p.Payload...)
	}
	switch {
	case a.buf == nil:
	case len(a.buf) > maxPES:
		a.buf = nil
	case a.want > 0 && len(a.buf) >= a.want:
		return a.flush(emit)
	case a.want == 0 && a.video && !a.notEarly && stuffed(p):
		a.sent = true
		return a.flush(emit)
	}
	return nil
}

// inOrder checks the continuity counter (2.4.3.3): a repeated packet is dropped; a
// missing one costs the PES packet that it belonged to, since a decoder fares worse
// with a broken picture than without it.
func (a *assembler) inOrder(p *astits.Packet) bool {
	counter := p.Header.ContinuityCounter
	jumped := p.AdaptationField != nil && p.AdaptationField.DiscontinuityIndicator
	switch {
	case !a.counted || jumped || counter == (a.counter+1)&15:
	case counter == a.counter:
		return false
	default:
		a.buf, a.sent = nil, false
	}
	a.counter, a.counted = counter, true
	return true
}

// stuffed reports whether the adaptation field is longer than what is in it. A
// multiplexer has to fill up the packet in which a PES packet ends, and no other.
func stuffed(p *astits.Packet) bool {
	f := p.AdaptationField
	if f == nil || !p.Header.HasAdaptationField {
		return false
	}
	used := 1 // the flags
	if f.HasPCR {
		used += 6
	}
	if f.HasOPCR {
		used += 6
	}
	if f.HasSplicingCountdown {
		used++
	}
	if f.HasTransportPrivateData {
		used += 1 + f.TransportPrivateDataLength
	}
	if f.HasAdaptationExtensionField {
		used++
		if f.AdaptationExtensionField != nil {
			used += f.AdaptationExtensionField.Length
		}
	}
	return f.Length == 0 || f.Length > used
}

// begin starts with the first payload of a PES packet.
func (a *assembler) begin(payload []byte) {
	a.sent = false
	if len(payload) < 9 || payload[0] != 0 || payload[1] != 0 || payload[2] != 1 {
		a.buf = nil
		return
	}
	a.want = 0
	if n := int(payload[4])<<8 | int(payload[5]); n > 0 {
		a.want = 6 + n
	}
	a.buf = append(make([]byte, 0, max(len(payload), min(a.want, 1<<16))), payload...)
}

// flush hands over what there is.
func (a *assembler) flush(emit func(pes) error) error {
	buf, want := a.buf, a.want
	a.buf, a.want = nil, 0
	if buf == nil || want > len(buf) { // nothing, or not all of it
		return nil
	}
	if want > 0 {
		buf = buf[:want]
	}
	u, ok := parsePES(buf)
	if !ok || len(u.data) == 0 {
		return nil
	}
	return emit(u)
}

// parsePES takes the header off (2.4.3.6). It reports false for packets without
// the usual header, which carry no video or sound.
func parsePES(b []byte) (u pes, ok bool) {
	const fixed = 9
	if len(b) < fixed || b[6]&0xc0 != 0x80 {
		return pes{}, false
	}
	end := fixed + int(b[8])
	if end > len(b) {
		return pes{}, false
	}
	u.data = b[end:]
	fields := b[fixed:end]
	switch flags := b[7] >> 6; {
	case flags == 2 && len(fields) >= 5:
		u.pts, u.timed = timestamp(fields), true
		u.dts = u.pts
	case flags == 3 && len(fields) >= 10:
		u.pts, u.dts, u.timed = timestamp(fields), timestamp(fields[5:]), true
	}
	return u, true
}

// timestamp reads 33 bits spread over five bytes.
func timestamp(b []byte) int64 {
	return int64(b[0]>>1&7)<<30 | int64(b[1])<<22 | int64(b[2]>>1)<<15 | int64(b[3])<<7 | int64(b[4]>>1)
}
