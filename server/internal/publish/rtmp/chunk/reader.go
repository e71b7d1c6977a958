package chunk

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// maxStreams bounds the chunk streams of a connection. Publishers use three
	// to six.
	maxStreams = 64

	// firstAllocation is how much memory a message gets before any of it came.
	// Beyond that it follows the bytes that are there.
	firstAllocation = 64 << 10

	readBuffer = 16 << 10
)

// Limits bounds what a Reader keeps in memory.
type Limits struct {
	// Message is the largest message in bytes.
	Message int

	// Unfinished is how many bytes all messages that are not yet complete may
	// hold together. At least Message.
	Unfinished int
}

// Reader puts messages together. It is used by one goroutine.
type Reader struct {
	in      *bufio.Reader
	counted *counter
	limits  Limits
	size    int

	streams    map[uint32]*stream
	unfinished int
	omitsTime  bool // the peer leaves out extended timestamps in format 3
	scratch    [11]byte
}

// stream is the state of one chunk stream.
type stream struct {
	timestamp uint32
	delta     uint32 // what format 3 adds at the start of a message
	extended  bool   // the last header had an extended timestamp
	field     uint32 // that, which format 3 repeats
	length    int
	kind      uint8
	message   uint32 // message stream

	open bool   // a message has begun and is not complete
	data []byte // what there is of it
}

// counter counts the bytes read from the connection.
type counter struct {
	r io.Reader
	n uint64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += uint64(n)
	return n, err
}

// NewReader returns a Reader with chunks of DefaultSize.
func NewReader(r io.Reader, limits Limits) *Reader {
	c := &counter{r: r}
	return &Reader{
		in: bufio.NewReaderSize(c, readBuffer), counted: c,
		limits: limits, size: DefaultSize, streams: map[uint32]*stream{},
	}
}

// Received is the number of bytes that were read from below, for
// acknowledgements.
func (r *Reader) Received() uint64 { return r.counted.n }

// ReadChunk reads one chunk. It returns a message when that completes one, nil
// otherwise. The message's Data is the caller's. Set Chunk Size and Abort are
// obeyed before they are returned. It returns io.EOF at an end between chunks,
// io.ErrUnexpectedEOF at one within; errors in the data wrap ErrMalformed or
// ErrTooLarge.
func (r *Reader) ReadChunk() (*Message, error) {
	first, err := r.in.ReadByte()
	if err != nil {
		return nil, err // io.EOF here is the only clean end
	}
	id, err := r.streamID(first)
	if err != nil {
		return nil, noEOF(err)
	}
	format := first >> 6
	s := r.streams[id]
	if s == nil {
		// Some clients begin with format 1, whose message stream is then 0.
		if format > 1 {
			return nil, fmt.Errorf("%w: chunk stream %d begins with format %d", ErrMalformed, id, format)
		}
		if len(r.streams) == maxStreams {
			return nil, fmt.Errorf("%w: more than %d chunk streams", ErrMalformed, maxStreams)
		}
		s = &stream{}
		r.streams[id] = s
	}
	if err := r.header(s, format); err != nil {
		return nil, fmt.Errorf("chunk stream %d: %w", id, noEOF(err))
	}
	if err := r.payload(s); err != nil {
		return nil, fmt.Errorf("chunk stream %d: %w", id, noEOF(err))
	}
	if len(s.data) < s.length {
		return nil, nil
	}
	m := &Message{ChunkStream: id, Type: s.kind, Timestamp: s.timestamp, Stream: s.message, Data: s.data}
	r.drop(s)
	return m, r.obey(m)
}

func (r *Reader) streamID(first byte) (uint32, error) {
	switch id := uint32(first & 0x3f); id {
	case 0:
		b, err := r.in.ReadByte()
		return uint32(b) + twoBytes, err
	case 1:
		b := r.scratch[:2]
		_, err := io.ReadFull(r.in, b)
		return uint32(binary.LittleEndian.Uint16(b)) + twoBytes, err
	default:
		return id, nil
	}
}

// headerSizes are the lengths of the message headers of formats 0 to 3 (5.3.1.2).
var headerSizes = [4]int{11, 7, 3, 0}

// header reads a message header, and begins a message where one begins.
func (r *Reader) header(s *stream, format byte) error {
	if s.open && format != 3 {
		return fmt.Errorf("%w: format %d within a message, of which %d of %d bytes are there",
			ErrMalformed, format, len(s.data), s.length)
	}
	b := r.scratch[:headerSizes[format]]
	if _, err := io.ReadFull(r.in, b); err != nil {
		return err
	}
	if format == 3 {
		if err := r.repeatedTime(s); err != nil {
			return err
		}
	} else if err := r.time(s, b); err != nil {
		return err
	}
	if len(b) > 3 {
		s.length = int(b[3])<<16 | int(b[4])<<8 | int(b[5])
		s.kind = b[6]
	}
	if len(b) > 7 {
		s.message = binary.LittleEndian.Uint32(b[7:])
	}
	if s.open {
		return nil
	}
	if s.length > r.limits.Message {
		return fmt.Errorf("%w: %d bytes of type %d exceed %d", ErrTooLarge, s.length, s.kind, r.limits.Message)
	}
	// A message that follows one of format 0 with format 3 adds that one's
	// timestamp again (5.3.1.2.4).
	if format == 0 {
		s.timestamp = s.delta
	} else {
		s.timestamp += s.delta
	}
	s.open = true
	return nil
}

// time reads the timestamp of formats 0 to 2 into delta.
func (r *Reader) time(s *stream, b []byte) error {
	s.delta = uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
	s.extended = s.delta == extended
	if !s.extended {
		return nil
	}
	long, err := r.in.Peek(4)
	if err != nil {
		return err
	}
	s.delta = binary.BigEndian.Uint32(long)
	s.field = s.delta
	_, err = r.in.Discard(len(long))
	return err
}

// repeatedTime passes over the extended timestamp that format 3 repeats. The
// specification wants it, and some publishers leave it out; they are told apart
// by what stands there.
func (r *Reader) repeatedTime(s *stream) error {
	if !s.extended {
		return nil
	}
	left := s.length // of a new message
	if s.open {
		left -= len(s.data)
	}
	if min(left, r.size) < 4 && r.omitsTime {
		// Waiting for four bytes could be waiting for the next chunk.
		return nil
	}
	b, err := r.in.Peek(4)
	if err != nil {
		if errors.Is(err, io.EOF) && len(b) > 0 && r.omitsTime {
			return nil
		}
		return err
	}
	if binary.BigEndian.Uint32(b) != s.field {
		r.omitsTime = true
		return nil
	}
	_, err = r.in.Discard(4)
	return err
}

// payload reads the chunk's part of the message.
func (r *Reader) payload(s *stream) error {
	n := min(s.length-len(s.data), r.size)
	if r.unfinished+n > r.limits.Unfinished {
		return fmt.Errorf("%w: unfinished messages exceed %d bytes", ErrTooLarge, r.limits.Unfinished)
	}
	if s.data == nil {
		s.data = make([]byte, 0, min(s.length, firstAllocation))
	}
	for n > 0 {
		if len(s.data) == cap(s.data) {
			grown := make([]byte, len(s.data), min(s.length, 2*cap(s.data)))
			copy(grown, s.data)
			s.data = grown
		}
		part := s.data[len(s.data):min(cap(s.data), len(s.data)+n)]
		got, err := io.ReadFull(r.in, part)
		s.data = s.data[:len(s.data)+got]
		r.unfinished += got
		n -= got
		if err != nil {
			return err
		}
	}
	return nil
}

// drop forgets the message of a stream, complete or not.
func (r *Reader) drop(s *stream) {
	r.unfinished -= len(s.data)
	s.data, s.open = nil, false
}

// obey acts on the messages that steer the reader.
func (r *Reader) obey(m *Message) error {
	switch m.Type {
	case TypeSetChunkSize:
		if len(m.Data) < 4 {
			return fmt.Errorf("%w: Set Chunk Size of %d bytes", ErrMalformed, len(m.Data))
		}
		size := binary.BigEndian.Uint32(m.Data)
		if size == 0 || size>>31 != 0 { // 5.4.1: the first bit is zero
			return fmt.Errorf("%w: chunk size %d", ErrMalformed, size)
		}
		r.size = int(min(size, MaxSize))
	case TypeAbort:
		if len(m.Data) < 4 {
			return fmt.Errorf("%w: Abort of %d bytes", ErrMalformed, len(m.Data))
		}
		if s := r.streams[binary.BigEndian.Uint32(m.Data)]; s != nil {
			r.drop(s)
		}
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
