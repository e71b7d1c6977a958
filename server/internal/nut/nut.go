// Package nut reads the NUT container as ffmpeg writes it into a pipe: the one
// live format that carries every codec, gives each packet out as soon as it has it
// and adds a dozen bytes. Seeking, indexes and metadata are passed over.
//
// The format is described at https://ffmpeg.org/~michael/nut.txt; names of fields
// are those of that text.
package nut

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrFormat reports bytes that are no NUT.
var ErrFormat = errors.New("invalid NUT")

const (
	// maxStreams, maxHeader and maxFrame bound what a stream may claim of itself:
	// far above what a pair of tracks has, and at the largest sample that the rest
	// of the program takes.
	maxStreams = 16
	maxHeader  = 1 << 20
	maxFrame   = 32 << 20

	// maxDecodeDelay is the deepest reordering that H.264 and H.265 allow.
	maxDecodeDelay = 16

	fileID = "nut/multimedia container\x00"
)

// The startcodes of packets. All begin with 'N'.
const (
	startMain      = 0x4e4d7a561f5f04ad
	startStream    = 0x4e5311405bf2f9db
	startSyncpoint = 0x4e4be4adeeca4569
	startIndex     = 0x4e58dd672f23e64e
	startInfo      = 0x4e49ab68b596ba78
)

// Flags of frames.
const (
	flagKey       = 1
	flagCodedPTS  = 8
	flagStreamID  = 16
	flagSizeMSB   = 32
	flagChecksum  = 64
	flagReserved  = 128
	flagSideData  = 256
	flagHeaderIdx = 1024
	flagMatchTime = 2048
	flagCoded     = 4096
	flagInvalid   = 8192
)

// The classes of streams.
const (
	ClassVideo = 0
	ClassAudio = 1
)

// Stream is what a stream header says.
type Stream struct {
	Class  int
	FourCC string // 2 or 4 bytes as they stand in the file

	// A tick is TimeNum/TimeDen seconds. Both are positive and below 1<<31.
	TimeNum, TimeDen int64

	// DecodeDelay is how many frames a decoder holds back to bring them into
	// order.
	DecodeDelay int

	Extradata []byte

	Width, Height        int // video
	SampleRate, Channels int // audio
}

// Frame is one packet of a stream.
type Frame struct {
	Stream   int   // index of the stream header
	PTS      int64 // ticks
	Keyframe bool
	Data     []byte // the caller's
}

// Reader reads one NUT stream.
type Reader struct {
	r       *bufio.Reader
	at      int64 // offset in the input
	streams []Stream
	state   []streamState
	bases   [][2]int64
	codes   [256]frameCode
	elided  [][]byte // header_idx -> bytes that its frames begin with
	version uint64
}

type streamState struct {
	known    bool
	lastPTS  int64
	msbShift uint
}

// frameCode is an entry of the frame code table.
type frameCode struct {
	flags, stream, sizeMul, sizeLSB, reserved, headerIdx uint64
	ptsDelta                                             int64
}

// NewReader returns a Reader. It reads no further than it has to.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 64<<10)}
}

// Streams reads the headers. It is called once, before Next.
func (r *Reader) Streams() ([]Stream, error) {
	id := make([]byte, len(fileID))
	if err := r.full(id); err != nil {
		return nil, err
	}
	if string(id) != fileID {
		return nil, fmt.Errorf("%w: no file ID", ErrFormat)
	}
	for len(r.streams) == 0 || !r.complete() {
		code, body, err := r.packet()
		if err != nil {
			return nil, err
		}
		switch {
		case code == startMain && len(r.streams) == 0:
			err = r.mainHeader(body)
		case code == startStream && len(r.streams) > 0:
			err = r.streamHeader(body)
		case code == startSyncpoint:
			err = fmt.Errorf("%w: syncpoint before all stream headers", ErrFormat)
		}
		if err != nil {
			return nil, err
		}
	}
	return r.streams, nil
}

func (r *Reader) complete() bool {
	for _, s := range r.state {
		if !s.known {
			return false
		}
	}
	return true
}

// Next returns the next frame, and io.EOF at the end of a frame.
func (r *Reader) Next() (Frame, error) {
	for {
		first, err := r.r.Peek(1)
		if err != nil {
			return Frame{}, err
		}
		if first[0] != 'N' {
			return r.frame()
		}
		code, body, err := r.packet()
		if err != nil {
			return Frame{}, err
		}
		if code == startSyncpoint {
			if err := r.syncpoint(body); err != nil {
				return Frame{}, err
			}
		}
	}
}

// packet reads a packet that is no frame: its startcode and its body.
func (r *Reader) packet() (code uint64, body []byte, err error) {
	at := r.at
	var start [8]byte
	if err := r.full(start[:]); err != nil {
		return 0, nil, err
	}
	code = binary.BigEndian.Uint64(start[:])
	switch code {
	case startMain, startStream, startSyncpoint, startIndex, startInfo:
	default:
		return 0, nil, fmt.Errorf("%w: unknown startcode %#x at offset %d", ErrFormat, code, at)
	}
	size, err := r.varint()
	if err != nil {
		return 0, nil, err
	}
	if size < 4 || size > maxHeader {
		return 0, nil, fmt.Errorf("%w: packet of %d bytes at offset %d", ErrFormat, size, at)
	}
	if size > 4096 { // the header has a checksum of its own
		var sum [4]byte
		if err := r.full(sum[:]); err != nil {
			return 0, nil, err
		}
	}
	body = make([]byte, size)
	if err := r.full(body); err != nil {
		return 0, nil, err
	}
	if checksum(body) != 0 { // a checksum that includes itself comes to nothing
		return 0, nil, fmt.Errorf("%w: wrong checksum of the packet at offset %d", ErrFormat, at)
	}
	return code, body[:size-4], nil
}

// full fills p. The end of the input within it is io.ErrUnexpectedEOF, or io.EOF
// before its first byte.
func (r *Reader) full(p []byte) error {
	n, err := io.ReadFull(r.r, p)
	r.at += int64(n)
	return err
}

// ReadByte implements io.ByteReader.
func (r *Reader) ReadByte() (byte, error) {
	b, err := r.r.ReadByte()
	if err == nil {
		r.at++
	}
	return b, err
}

func (r *Reader) varint() (uint64, error) {
	v, err := readVarint(r)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, err
	}
	return v, nil
}

// crcTable is for the polynomial 0x04C11DB7, most significant bit first.
var crcTable = func() (table [256]uint32) {
	for i := range table {
		c := uint32(i) << 24
		for range 8 {
			if c&(1<<31) != 0 {
				c = c<<1 ^ 0x04c11db7
			} else {
				c <<= 1
			}
		}
		table[i] = c
	}
	return table
}()

func checksum(p []byte) uint32 {
	var c uint32
	for _, b := range p {
		c = c<<8 ^ crcTable[byte(c>>24)^b]
	}
	return c
}
