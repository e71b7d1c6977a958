// Package flac reads the headers of FLAC streams (RFC 9639) and the
// configuration box that MP4 keeps them in.
package flac

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/media"
)

// CodecString is the same for every stream.
const CodecString = "flac"

const (
	blockHeader    = 4
	streamInfoSize = 34
	typeStreamInfo = 0
	lastBlock      = 0x80
	marker         = "fLaC"
)

// StreamInfo is the metadata block of RFC 9639 8.2.
type StreamInfo struct {
	MinBlock, MaxBlock int // samples of a frame
	SampleRate         int // hertz
	Channels           int
	BitDepth           int
	Samples            uint64 // of each channel, 0 when unknown
}

// ParseStreamInfo parses the 34 bytes of the block, without its header.
func ParseStreamInfo(block []byte) (StreamInfo, error) {
	if len(block) != streamInfoSize {
		return StreamInfo{}, fmt.Errorf("FLAC STREAMINFO: %d bytes", len(block))
	}
	r := bits.NewReader(block)
	s := StreamInfo{MinBlock: r.Int(16), MaxBlock: r.Int(16)}
	r.Skip(48) // frame sizes
	s.SampleRate, s.Channels, s.BitDepth = r.Int(20), r.Int(3)+1, r.Int(5)+1
	s.Samples = r.Bits(36)
	if s.SampleRate == 0 || s.MaxBlock < 16 || s.MinBlock > s.MaxBlock {
		return StreamInfo{}, fmt.Errorf("FLAC STREAMINFO: %d Hz, blocks of %d to %d samples", s.SampleRate, s.MinBlock, s.MaxBlock)
	}
	return s, nil
}

// ParseConfig parses metadata blocks as dfLa holds them behind version and
// flags: with their headers, STREAMINFO first. A leading "fLaC", with which WebM
// and native files begin, is passed over.
func ParseConfig(blocks []byte) (StreamInfo, error) {
	block, err := streamInfoOf(blocks)
	if err != nil {
		return StreamInfo{}, err
	}
	return ParseStreamInfo(block[blockHeader:])
}

// streamInfoOf returns the first block, header included.
func streamInfoOf(blocks []byte) ([]byte, error) {
	blocks = bytes.TrimPrefix(blocks, []byte(marker))
	if len(blocks) < blockHeader+streamInfoSize {
		return nil, fmt.Errorf("FLAC: %d bytes hold no STREAMINFO", len(blocks))
	}
	size := int(blocks[1])<<16 | int(blocks[2])<<8 | int(blocks[3])
	if blocks[0]&^lastBlock != typeStreamInfo || size != streamInfoSize {
		return nil, fmt.Errorf("FLAC: block of type %d and %d bytes instead of STREAMINFO", blocks[0]&^lastBlock, size)
	}
	return blocks[:blockHeader+streamInfoSize], nil
}

// NewTrack describes a stream by its metadata blocks (see ParseConfig) or by a
// bare STREAMINFO of 34 bytes. Only STREAMINFO is kept: pictures and comments
// are of no use to a decoder. ID and Timescale are left to the caller.
func NewTrack(metadata []byte) (media.Track, error) {
	if len(metadata) == streamInfoSize {
		metadata = append([]byte{lastBlock, 0, 0, streamInfoSize}, metadata...)
	}
	block, err := streamInfoOf(metadata)
	if err != nil {
		return media.Track{}, err
	}
	s, err := ParseStreamInfo(block[blockHeader:])
	if err != nil {
		return media.Track{}, err
	}
	config := bytes.Clone(block)
	config[0] = lastBlock
	return media.Track{
		Codec: media.FLAC, CodecString: CodecString, Config: config,
		SampleRate: s.SampleRate, Channels: s.Channels,
	}, nil
}

// ErrFrame reports bytes that are no FLAC frame.
var ErrFrame = errors.New("no FLAC frame")

// FrameSamples returns the number of samples of each channel in a frame, from
// its header (RFC 9639 9.1).
func FrameSamples(frame []byte) (int, error) {
	r := bits.NewReader(frame)
	if r.Int(15) != 0x7ffc {
		return 0, ErrFrame
	}
	r.Skip(1)
	size := r.Int(4)
	r.Skip(4 + 4 + 3 + 1)
	number := r.Int(8) // frame or sample number, coded as UTF-8 is
	for more := 0x40; number&0x80 != 0 && number&more != 0 && more > 0; more >>= 1 {
		r.Skip(8)
	}
	samples := 0
	switch {
	case size == 1:
		samples = 192
	case size >= 2 && size <= 5:
		samples = 144 << size
	case size == 6:
		samples = r.Int(8) + 1
	case size == 7:
		samples = r.Int(16) + 1
	case size >= 8:
		samples = 1 << size
	}
	if r.Err() != nil || samples == 0 {
		return 0, ErrFrame
	}
	return samples, nil
}
