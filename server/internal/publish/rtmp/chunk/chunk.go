// Package chunk splits RTMP messages into chunks and puts them together again
// (RTMP 1.0, section 5.3). It knows of the messages that steer it, Set Chunk
// Size and Abort, and of no others.
package chunk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The types of message that this package acts on (5.4).
const (
	TypeSetChunkSize = 1
	TypeAbort        = 2
)

// DefaultSize is the chunk size before any Set Chunk Size (5.4.1).
const DefaultSize = 128

// MaxSize is the largest chunk size that makes sense: that of a message (5.4.1).
const MaxSize = 0xffffff

var (
	// ErrMalformed reports bytes that break the format.
	ErrMalformed = errors.New("malformed chunk")

	// ErrTooLarge reports a message, or several unfinished ones together, that
	// exceed the Reader's limits.
	ErrTooLarge = errors.New("message too large")
)

// Message is one RTMP message.
type Message struct {
	// ChunkStream is the chunk stream it came or goes on, 2 to 65599.
	ChunkStream uint32

	Type      uint8
	Timestamp uint32 // milliseconds, wraps around
	Stream    uint32 // message stream, 0 for the connection itself

	Data []byte
}

const (
	extended = 0xffffff // in a timestamp field: four bytes more follow the header

	// The chunk stream numbers that a basic header of 1, 2 and 3 bytes reaches
	// (5.3.1.1). In the first, 0 and 1 announce the longer ones.
	firstStream = 2
	twoBytes    = 64
	threeBytes  = 320
	lastStream  = 65599
)

// Writer splits messages into chunks. It begins each with a full header: what a
// server says to a publisher is too little to compress.
type Writer struct {
	w    io.Writer
	size int
	buf  []byte
}

// NewWriter returns a Writer with chunks of DefaultSize.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, size: DefaultSize} }

// SetSize makes the chunks that follow size bytes long, 1 to MaxSize. The peer
// has to be told before, with a Set Chunk Size message.
func (w *Writer) SetSize(size int) { w.size = max(1, min(size, MaxSize)) }

// Write writes messages in one call of the writer below.
func (w *Writer) Write(messages ...Message) error {
	w.buf = w.buf[:0]
	for i := range messages {
		if err := w.append(&messages[i]); err != nil {
			return err
		}
	}
	_, err := w.w.Write(w.buf)
	return err
}

func (w *Writer) append(m *Message) error {
	if m.ChunkStream < firstStream || m.ChunkStream > lastStream {
		return fmt.Errorf("chunk stream %d does not exist", m.ChunkStream)
	}
	if len(m.Data) > MaxSize {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(m.Data))
	}
	short := min(m.Timestamp, extended)
	size := len(m.Data)
	w.basic(0, m.ChunkStream)
	w.buf = append(w.buf, byte(short>>16), byte(short>>8), byte(short),
		byte(size>>16), byte(size>>8), byte(size), m.Type)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, m.Stream)
	for rest := m.Data; ; w.basic(3, m.ChunkStream) {
		if short == extended {
			w.buf = binary.BigEndian.AppendUint32(w.buf, m.Timestamp)
		}
		n := min(len(rest), w.size)
		w.buf = append(w.buf, rest[:n]...)
		if rest = rest[n:]; len(rest) == 0 {
			return nil
		}
	}
}

// basic appends a basic header.
func (w *Writer) basic(format byte, stream uint32) {
	switch {
	case stream < twoBytes:
		w.buf = append(w.buf, format<<6|byte(stream))
	case stream < threeBytes:
		w.buf = append(w.buf, format<<6, byte(stream-twoBytes))
	default:
		stream -= twoBytes
		w.buf = append(w.buf, format<<6|1, byte(stream), byte(stream>>8))
	}
}
