// Package elementary turns the packets of elementary streams, as MPEG-TS, NUT or
// FLV carry them, into tracks and samples.
//
//	container -> Packet -> Stream  -> samples, track
//	             Packet -> Program -> Sink: tracks announced once they are known,
//	                                  and again when they change
package elementary

import (
	"errors"
	"fmt"

	"github.com/framewire/framewire/server/internal/media"
)

// ErrCodec reports a codec that this package cannot take apart.
var ErrCodec = errors.New("codec not supported")

// maxTrackErrors is how many packets in a row may be broken before a stream is
// given up. A lost datagram breaks a few.
const maxTrackErrors = 500

// Packet is one piece of an elementary stream: an access unit of video, or any
// number of bytes of sound from a frame on, or from within one.
type Packet struct {
	// Data is kept by no one but the samples made of it.
	Data []byte

	// PTS and DTS are in ticks of the stream's container timescale. They belong to
	// the first frame that begins in Data. Untimed says that there are none; the
	// packet then follows the one before it.
	PTS, DTS int64
	Untimed  bool

	// Keyframe is the container's word, used where the codec cannot tell.
	Keyframe bool
}

// Stream takes one elementary stream apart. It is used by one goroutine.
type Stream struct {
	id    uint32
	codec media.Codec
	scale uint32 // the container's
	parse parser

	track  media.Track
	known  bool
	errors int // in a row
}

// parser is what a codec has to do: turn a packet into samples and know the track.
// IDs are filled in by Stream.
type parser interface {
	// configure takes what the container holds of the codec out of band.
	configure(config []byte) error
	// split returns the samples that the packet completes, in ticks of the track.
	split(p Packet) ([]media.Sample, error)
	// describe returns the track, or false while it is not known.
	describe() (media.Track, bool)
}

// NewStream returns a stream with the ID that its track will have. The timescale
// is that of the container's times.
func NewStream(id uint32, codec media.Codec, timescale uint32) (*Stream, error) {
	if timescale == 0 {
		return nil, fmt.Errorf("stream %d has no timescale", id)
	}
	s := &Stream{id: id, codec: codec, scale: timescale}
	switch codec {
	case media.H264:
		s.parse = &h264Parser{scale: timescale}
	case media.H265:
		s.parse = &h265Parser{scale: timescale}
	case media.AV1:
		s.parse = &av1Parser{scale: timescale}
	case media.VP9:
		s.parse = &vp9Parser{scale: timescale}
	case media.AAC:
		s.parse = &aacParser{clock: clock{scale: timescale}, framer: adtsFramer()}
	case media.MP3:
		s.parse = &mp3Parser{clock: clock{scale: timescale}, framer: mp3Framer()}
	case media.Opus:
		s.parse = &opusParser{clock: clock{scale: timescale}}
	case media.FLAC:
		s.parse = &flacParser{clock: clock{scale: timescale}}
	default:
		return nil, fmt.Errorf("%w: %v", ErrCodec, codec)
	}
	return s, nil
}

// Configure gives the stream what its container holds out of band: avcC or hvcC,
// or parameter sets with start codes; av1C or bare OBUs; an AudioSpecificConfig; an OpusHead;
// FLAC metadata. An empty config is no error and says nothing.
func (s *Stream) Configure(config []byte) error {
	if len(config) == 0 {
		return nil
	}
	if err := s.parse.configure(config); err != nil {
		return fmt.Errorf("configure stream %d: %w", s.id, err)
	}
	s.update()
	return nil
}

// Track returns the track, or false while its parameters are not known.
func (s *Stream) Track() (media.Track, bool) { return s.track, s.known }

// Push returns the samples that p completes, and whether the track became known
// or another with them. Samples are only returned once it is known. A broken
// packet gives no samples; many in a row are an error.
func (s *Stream) Push(p Packet) (samples []media.Sample, changed bool, err error) {
	samples, err = s.parse.split(p)
	if err != nil {
		if s.errors++; s.errors >= maxTrackErrors {
			return nil, false, fmt.Errorf("stream %d: %d broken packets in a row, the last: %w", s.id, s.errors, err)
		}
	} else {
		s.errors = 0
	}
	changed = s.update()
	if !s.known {
		return nil, false, nil
	}
	for i := range samples {
		samples[i].TrackID = s.id
	}
	return samples, changed, nil
}

func (s *Stream) update() (changed bool) {
	track, ok := s.parse.describe()
	if !ok {
		return false
	}
	track.ID = s.id
	changed = !s.known || !track.Equal(&s.track)
	s.track, s.known = track, true
	return changed
}
