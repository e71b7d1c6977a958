package elementary

import (
	"bytes"
	"errors"
)

// maxCarry bounds what is kept of an incomplete frame: ADTS frames are at most 8
// kB, those of MP3 under 3 kB.
const maxCarry = 8192

// framer cuts packets into frames that tell their own size, whatever the packets'
// bounds are, and finds its way again after damage.
type framer struct {
	// sizeOf reads the header at the start of data. Its error is short where the
	// header is cut off.
	sizeOf func(data []byte) (int, error)
	short  error

	rest   []byte // the beginning of a frame that goes on in the next packet
	restAt Packet // its time
	synced bool   // the last frame was one
}

// frames calls emit for each frame that p completes, with a Packet that holds the
// frame and its time, if one is told.
func (f *framer) frames(p Packet, emit func(frame Packet) error) error {
	data, kept := p.Data, len(f.rest)
	if kept > 0 {
		data = append(f.rest, data...)
		f.rest = nil
	}
	timed := !p.Untimed
	timeOf := func(at int) Packet { // of the frame that begins there
		switch {
		case at < kept && at == 0:
			return f.restAt
		case at >= kept && timed:
			timed = false
			return p
		default:
			return Packet{Untimed: true}
		}
	}
	var bad error
	for at := 0; at < len(data); {
		n, err := f.sizeOf(data[at:])
		if errors.Is(err, f.short) || err == nil && at+n > len(data) {
			if next := f.confirmed(data, at+1); !f.synced && next > 0 {
				at = next
				continue
			}
			if len(data)-at <= maxCarry {
				f.rest, f.restAt = bytes.Clone(data[at:]), timeOf(at)
			}
			return bad
		}
		if err == nil && at+n < len(data) { // what follows must be a frame too
			if _, next := f.sizeOf(data[at+n:]); next != nil && !errors.Is(next, f.short) {
				err = next
			}
		}
		if err != nil {
			bad, f.synced = err, false
			next := bytes.IndexByte(data[at+1:], 0xff) // any header begins so
			if next < 0 {
				return bad
			}
			at += 1 + next
			continue
		}
		frame := timeOf(at)
		frame.Data = data[at : at+n : at+n]
		if err := emit(frame); err != nil {
			return err
		}
		f.synced = true
		at += n
	}
	return bad
}

// confirmed looks from at on for a whole frame with the header of another behind
// it, and returns 0 when there is none.
func (f *framer) confirmed(data []byte, at int) int {
	for ; at < len(data); at++ {
		if data[at] != 0xff {
			continue
		}
		n, err := f.sizeOf(data[at:])
		if err != nil || at+n >= len(data) {
			continue
		}
		if _, err := f.sizeOf(data[at+n:]); err == nil {
			return at
		}
	}
	return 0
}
