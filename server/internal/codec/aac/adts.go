package aac

import (
	"errors"
	"fmt"
	"iter"

	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/media"
)

// ErrADTS reports bytes that are no ADTS header.
var ErrADTS = errors.New("no ADTS header")

// ErrShort reports that a frame goes on beyond the bytes at hand.
var ErrShort = errors.New("ADTS frame incomplete")

// adtsHeader is the length of a header without CRC.
const adtsHeader = 7

// Header is adts_fixed_header and adts_variable_header (1.A.3.2).
type Header struct {
	ObjectType           int
	SampleRate           int // hertz, of the core coder
	ChannelConfiguration int // 0: inside the frames
	Size                 int // of the header, CRC included, in bytes
	FrameSize            int // of header and data, in bytes
	Blocks               int // raw data blocks, 1 to 4
}

// ParseHeader parses an ADTS header. It returns ErrShort while there are fewer
// bytes than one takes.
func ParseHeader(data []byte) (Header, error) {
	if len(data) < adtsHeader {
		return Header{}, ErrShort
	}
	r := bits.NewReader(data[:adtsHeader])
	if r.Int(12) != 0xfff {
		return Header{}, ErrADTS
	}
	r.Skip(1)          // MPEG-2 or 4
	if r.Int(2) != 0 { // layer
		return Header{}, ErrADTS
	}
	h := Header{Size: adtsHeader}
	if !r.Flag() { // protection_absent
		h.Size += 2
	}
	h.ObjectType = r.Int(2) + 1
	rate := r.Int(4)
	if rate >= len(sampleRates) {
		return Header{}, fmt.Errorf("%w: sampling_frequency_index %d", ErrADTS, rate)
	}
	h.SampleRate = sampleRates[rate]
	r.Skip(1)
	h.ChannelConfiguration = r.Int(3)
	r.Skip(4)
	h.FrameSize = r.Int(13)
	r.Skip(11)
	h.Blocks = r.Int(2) + 1
	if h.FrameSize < h.Size {
		return Header{}, fmt.Errorf("%w: aac_frame_length %d", ErrADTS, h.FrameSize)
	}
	return h, nil
}

// Config returns the configuration of frames behind this header. SBR and PS are
// not signalled in ADTS.
func (h Header) Config() Config {
	return Config{
		ObjectType: h.ObjectType, CoreRate: h.SampleRate,
		ChannelConfiguration: h.ChannelConfiguration, CoreChannels: channelCounts[h.ChannelConfiguration],
	}
}

// Track describes the stream. ID and Timescale are left to the caller.
func (h Header) Track() (media.Track, error) {
	config, err := h.Config().Marshal()
	if err != nil {
		return media.Track{}, err
	}
	return NewTrack(config)
}

// Split yields the frames at the start of data: the header and the raw data
// behind it, which shares data's memory. What is no frame ends it with an
// ErrADTS; a frame that is cut off ends it with an ErrShort and what there is of
// it, header included, to be put before the next bytes.
//
// A frame of several raw data blocks is yielded whole, as one; no encoder in
// use makes them, and MP4 cannot carry them.
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
			if !yield(Frame{Header: h, Data: data[h.Size:h.FrameSize:h.FrameSize]}, nil) {
				return
			}
			data = data[h.FrameSize:]
		}
	}
}

// Frame is one ADTS frame.
type Frame struct {
	Header
	Data []byte // without header
}
