package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/framewire/framewire/server/internal/wire"
)

// WebSocket opcodes (RFC 6455 5.2).
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

const (
	// maxKept bounds a message that has to be kept whole: a description of
	// streams, never media.
	maxKept = 4 << 20
	// maxFrameHeader is the longest header of a frame that a server sends.
	maxFrameHeader = 10
)

var errFraming = errors.New("broken WebSocket framing")

// parser cuts a server's bytes into messages. Media passes through it without
// being kept: of a fragment, only the first bytes are.
type parser struct {
	header  [maxFrameHeader]byte
	got     int    // bytes of header
	left    uint64 // bytes of the frame's payload still to come
	inside  bool   // of a payload
	fin     bool
	op      byte
	size    int      // bytes of the message so far
	kept    []byte   // its beginning; all of it unless it is a fragment
	control bool     // the frame is a control frame; control frames are never split
	split   struct { // the data message that a control frame has interrupted
		op   byte
		kept []byte
		size int
	}
}

// feed takes the next bytes. message is called for each whole message with its
// beginning: the whole of it, or for a fragment at least its header. head is
// valid during the call.
func (p *parser) feed(data []byte, message func(op byte, head []byte, size int) error) error {
	for len(data) > 0 || p.inside && p.left == 0 {
		if !p.inside {
			n, err := p.readHeader(data)
			if err != nil {
				return err
			}
			data = data[n:]
			if !p.inside {
				return nil
			}
			continue
		}
		n := int(min(uint64(len(data)), p.left))
		chunk := data[:n]
		data = data[n:]
		p.left -= uint64(n)
		whole := p.left == 0 && p.fin
		if whole && p.size == 0 { // the usual case: no need to keep anything
			p.inside = false
			if err := message(p.op, chunk, n); err != nil {
				return err
			}
			p.resume()
			continue
		}
		if err := p.keep(chunk); err != nil {
			return err
		}
		if p.left > 0 {
			return nil
		}
		p.inside = false
		if !p.fin {
			continue
		}
		err := message(p.op, p.kept, p.size)
		p.kept, p.size = p.kept[:0], 0
		if cap(p.kept) > wire.FragmentHead {
			p.kept = nil // most messages are fragments
		}
		if err != nil {
			return err
		}
		p.resume()
	}
	return nil
}

// resume goes back to a message that a control frame has interrupted.
func (p *parser) resume() {
	if p.control {
		p.op, p.kept, p.size = p.split.op, p.split.kept, p.split.size
		p.split.kept = nil
		p.control = false
	}
}

func (p *parser) keep(chunk []byte) error {
	p.size += len(chunk)
	room := maxKept
	if len(p.kept) > 0 && wire.IsFragment(p.kept) || len(p.kept) == 0 && wire.IsFragment(chunk) {
		room = wire.FragmentHead
	}
	n := min(len(chunk), max(0, room-len(p.kept)))
	if n < len(chunk) && room == maxKept {
		return fmt.Errorf("%w: message of more than %d bytes that is no fragment", errFraming, maxKept)
	}
	if p.kept == nil && room == wire.FragmentHead {
		p.kept = make([]byte, 0, wire.FragmentHead)
	}
	p.kept = append(p.kept, chunk[:n]...)
	return nil
}

// readHeader collects a frame's header and returns how much of data it took.
func (p *parser) readHeader(data []byte) (int, error) {
	taken := 0
	for {
		need := p.headerSize()
		n := copy(p.header[p.got:need], data[taken:])
		p.got += n
		taken += n
		if p.got < need {
			return taken, nil
		}
		if p.headerSize() == need {
			break
		}
	}
	op := p.header[0] & 0x0f
	p.fin = p.header[0]&0x80 != 0
	switch p.header[1] & 0x7f {
	case 126:
		p.left = uint64(binary.BigEndian.Uint16(p.header[2:]))
	case 127:
		p.left = binary.BigEndian.Uint64(p.header[2:])
	default:
		p.left = uint64(p.header[1] & 0x7f)
	}
	p.got = 0
	p.inside = true
	switch {
	case p.header[0]&0x70 != 0:
		return 0, fmt.Errorf("%w: reserved bits in %#x", errFraming, p.header[0])
	case p.header[1]&0x80 != 0:
		return 0, fmt.Errorf("%w: masked frame from a server", errFraming)
	case op >= opClose && (!p.fin || p.left > 125):
		return 0, fmt.Errorf("%w: control frame of %d bytes", errFraming, p.left)
	}
	if op >= opClose {
		p.control = true
		p.split.op, p.split.kept, p.split.size = p.op, p.kept, p.size
		p.kept, p.size = nil, 0
	}
	if op != opContinuation {
		p.op = op
	}
	return taken, nil
}

func (p *parser) headerSize() int {
	if p.got < 2 {
		return 2
	}
	switch p.header[1] & 0x7f {
	case 126:
		return 4
	case 127:
		return 10
	default:
		return 2
	}
}

// clientFrame returns a whole masked frame (RFC 6455 5.3). Clients send little.
func clientFrame(op byte, payload []byte) []byte {
	frame := make([]byte, 0, 8+len(payload))
	frame = append(frame, 0x80|op)
	if len(payload) < 126 {
		frame = append(frame, 0x80|byte(len(payload)))
	} else {
		frame = append(frame, 0x80|126)
		frame = binary.BigEndian.AppendUint16(frame, uint16(len(payload)))
	}
	var mask [4]byte
	binary.LittleEndian.PutUint32(mask[:], rand.Uint32())
	frame = append(frame, mask[:]...)
	for i, b := range payload {
		frame = append(frame, b^mask[i%4])
	}
	return frame
}
