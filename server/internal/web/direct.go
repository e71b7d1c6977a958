package web

import (
	"encoding/binary"

	"github.com/coder/websocket"

	"github.com/framewire/framewire/server/internal/session"
)

// direct is a socket that writes messages past the WebSocket library, into the
// Conn under it. The library takes a lock and a buffer for every message and
// cannot be given a frame that was made for all viewers, which cost as much again
// as the kernel's part. It keeps everything else: the handshake, reading, and
// control frames. Those it hands to the Conn in one piece (they fit its buffer;
// see writeBuffer), so that frames never mix; messages it is not given any.
//
// A server's frames are not masked, and neither extensions nor fragmentation are
// used, so that a message is a header and itself (RFC 6455 5.2).
type direct struct{ *socket }

var _ session.FrameConn = direct{}

// maxFrameHeader is the longest header of a frame that is not masked.
const maxFrameHeader = 10

func appendFrameHeader(dst []byte, text bool, size int) []byte {
	const final = 0x80
	opcode := byte(websocket.MessageBinary)
	if text {
		opcode = byte(websocket.MessageText)
	}
	dst = append(dst, final|opcode)
	switch {
	case size < 126:
		return append(dst, byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(size))
	default:
		return binary.BigEndian.AppendUint64(append(dst, 127), uint64(size))
	}
}

// AppendFrame appends a whole frame.
func (s direct) AppendFrame(dst []byte, m session.Message) []byte {
	return append(appendFrameHeader(dst, m.Text, len(m.Data)), m.Data...)
}

// SendFrames sends what AppendFrame has made.
func (s direct) SendFrames(frames []byte) (int, error) { return s.gather.SendNow(frames) }

// Send notes messages for Flush.
func (s direct) Send(batch []session.Message) error {
	var header [maxFrameHeader]byte
	s.gather.Begin()
	for i := range batch {
		m := &batch[i]
		if err := s.gather.Put(appendFrameHeader(header[:0], m.Text, len(m.Data)), m.Data); err != nil {
			return err
		}
	}
	return nil
}
