// Package mp3 reads the headers of MPEG audio layer III frames (ISO/IEC 11172-3,
// 13818-3).
package mp3

import (
	"errors"
	"fmt"
	"iter"

	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/media"
)

// CodecString names MPEG audio in MP4, the object type of layer III.
const CodecString = "mp4a.6b"

// ErrHeader reports bytes that are no layer III frame header.
var ErrHeader = errors.New("no MP3 frame header")

// ErrShort reports that a frame goes on beyond the bytes at hand.
var ErrShort = errors.New("MP3 frame incomplete")

// HeaderSize is the length of a frame header in bytes.
const HeaderSize = 4

// Header is a frame header (11172-3 2.4.1.3).
type Header struct {
	SampleRate int // hertz
	Channels   int
	BitRate    int // bits a second
	Samples    int // of each channel in the frame
	FrameSize  int // header included, in bytes
}

// Bit rates in kbit/s by bitrate_index, of layer III in MPEG-1, and in MPEG-2
// and 2.5. Index 0, free format, is not taken: its frames have no length.
var (
	bitRatesV1 = [...]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}
	bitRatesV2 = [...]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}
	ratesV1    = [...]int{44100, 48000, 32000}
)

const (
	versionMPEG25 = 0
	versionMPEG2  = 2
	versionMPEG1  = 3
	layerIII      = 1
	modeMono      = 3
)

// ParseHeader parses a frame header.
func ParseHeader(data []byte) (Header, error) {
	if len(data) < HeaderSize {
		return Header{}, ErrShort
	}
	r := bits.NewReader(data[:HeaderSize])
	sync, version, layer := r.Int(11), r.Int(2), r.Int(2)
	if sync != 0x7ff || version == 1 || layer != layerIII {
		return Header{}, ErrHeader
	}
	r.Skip(1)
	bitRate, rate := r.Int(4), r.Int(2)
	padding := r.Int(1)
	r.Skip(1)
	mode := r.Int(2)
	if bitRate == 0 || bitRate == 15 || rate == 3 {
		return Header{}, fmt.Errorf("%w: bitrate_index %d, sampling_frequency %d", ErrHeader, bitRate, rate)
	}
	h := Header{SampleRate: ratesV1[rate], Channels: 2, Samples: 1152, BitRate: bitRatesV1[bitRate] * 1000}
	if version != versionMPEG1 {
		h.SampleRate /= 2
		h.Samples = 576
		h.BitRate = bitRatesV2[bitRate] * 1000
	}
	if version == versionMPEG25 {
		h.SampleRate /= 2
	}
	if mode == modeMono {
		h.Channels = 1
	}
	h.FrameSize = h.Samples/8*h.BitRate/h.SampleRate + padding
	return h, nil
}

// NewTrack describes a stream by one of its frames. ID and Timescale are left to
// the caller.
func NewTrack(frame []byte) (media.Track, error) {
	h, err := ParseHeader(frame)
	if err != nil {
		return media.Track{}, err
	}
	return h.Track(), nil
}

// Track describes the stream. ID and Timescale are left to the caller.
func (h Header) Track() media.Track {
	return media.Track{
		Codec: media.MP3, CodecString: CodecString, SampleRate: h.SampleRate, Channels: h.Channels,
	}
}

// Frame is a whole frame, header included.
type Frame struct {
	Header
	Data []byte
}

// Split yields the frames at the start of data, sharing its memory. What is no
// frame ends it with an ErrHeader; a frame that is cut off ends it with an
// ErrShort and what there is of it, to be put before the next bytes.
func Split(data []byte) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		for len(data) > 0 {
			h, err := ParseHeader(data)
			if err == nil && h.FrameSize > len(data) {
				err = ErrShort
			}
			if err != nil {
				yield(Frame{Data: data}, err)
				return
			}
			if !yield(Frame{Header: h, Data: data[:h.FrameSize:h.FrameSize]}, nil) {
				return
			}
			data = data[h.FrameSize:]
		}
	}
}
