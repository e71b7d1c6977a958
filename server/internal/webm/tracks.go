package webm

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/framewire/framewire/server/internal/codec/aac"
	"github.com/framewire/framewire/server/internal/elementary"
	"github.com/framewire/framewire/server/internal/media"
)

const (
	// maxTracks bounds those of a segment.
	maxTracks = 32

	typeVideo = 1
	typeAudio = 2

	// maxPrefix bounds what is put before every frame, in bytes: no more than a
	// few are ever the same.
	maxPrefix = 16

	// stripped is the one compression that is undone (5.1.4.1.31.6): the first
	// bytes of every frame are left out.
	stripped = 3
)

// entry is what a TrackEntry says (RFC 9559 5.1.4.1).
type entry struct {
	number   uint64
	kind     uint64
	codec    string
	private  []byte
	rate     float64
	channels uint64

	prefix   []byte // of every frame
	encoding string // one that cannot be undone
}

// track is an entry whose frames are handed on.
type track struct {
	entry
	media  media.Codec
	stream *elementary.Stream
	order  order
}

func parseEntry(data []byte, at int64) (entry, error) {
	t := entry{rate: 8000, channels: 1} // the defaults of the format
	err := children(data, at, func(e element, data []byte) (err error) {
		switch e.id {
		case idTrackNumber:
			t.number, err = integer(e, data)
		case idTrackType:
			t.kind, err = integer(e, data)
		case idCodecID:
			t.codec = strings.TrimRight(string(data[:min(len(data), 64)]), "\x00")
		case idCodecPrivate:
			t.private = data
		case idAudio:
			err = children(data, e.at, t.parseAudio)
		case idContentEncodings:
			err = children(data, e.at, t.parseEncoding)
		}
		return err
	})
	return t, err
}

func (t *entry) parseAudio(e element, data []byte) (err error) {
	switch e.id {
	case idSamplingFrequency:
		t.rate, err = float(e, data)
	case idChannels:
		t.channels, err = integer(e, data)
	}
	return err
}

// parseEncoding follows 5.1.4.1.31. Only header stripping can be undone.
func (t *entry) parseEncoding(e element, data []byte) error {
	if e.id != idContentEncoding {
		return nil
	}
	if t.prefix != nil || t.encoding != "" {
		t.encoding = "encoded more than once"
		return nil
	}
	algorithm := uint64(0)
	err := children(data, e.at, func(e element, data []byte) (err error) {
		switch e.id {
		case idContentEncodingType:
			if kind, _ := integer(e, data); kind != 0 {
				t.encoding = "encrypted"
			}
		case idContentCompression:
			return children(data, e.at, func(e element, data []byte) (err error) {
				switch e.id {
				case idContentCompAlgo:
					algorithm, err = integer(e, data)
				case idContentCompSettings:
					t.prefix = data
					if len(data) > maxPrefix {
						err = e.fault("%d bytes before every frame", len(data))
					}
				}
				return err
			})
		}
		return nil
	})
	if algorithm != stripped && t.encoding == "" {
		t.encoding = fmt.Sprintf("compressed by algorithm %d", algorithm)
	}
	return err
}

// codecs are the codecs of Matroska that are carried.
var codecs = map[string]media.Codec{
	"V_MPEG4/ISO/AVC":  media.H264,
	"V_MPEGH/ISO/HEVC": media.H265,
	"V_VP9":            media.VP9,
	"V_AV1":            media.AV1,
	"A_OPUS":           media.Opus,
	"A_AAC":            media.AAC,
	"A_FLAC":           media.FLAC,
	"A_MPEG/L3":        media.MP3,
}

// open prepares an entry for its frames. The error wraps ErrUnsupported when they
// cannot be carried.
func (t entry) open(id uint32, timescale uint32) (*track, error) {
	name := t.codec
	if strings.HasPrefix(name, "A_AAC/") { // the profile in the name is an old form
		name = "A_AAC"
	}
	codec, known := codecs[name]
	switch {
	case !known:
		return nil, fmt.Errorf("%w: codec %q", ErrUnsupported, t.codec)
	case t.encoding != "":
		return nil, fmt.Errorf("%w: %v is %s", ErrUnsupported, codec, t.encoding)
	case codec.Kind() == media.Video != (t.kind == typeVideo):
		return nil, fmt.Errorf("%w: codec %q in a track of type %d", ErrMalformed, t.codec, t.kind)
	}
	stream, err := elementary.NewStream(id, codec, timescale)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	private := t.private
	if codec == media.AAC && len(private) == 0 {
		if private, err = t.describeAAC(); err != nil {
			return nil, err
		}
	}
	if err := stream.Configure(private); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return &track{entry: t, media: codec, stream: stream, order: newOrder(codec, private, timescale)}, nil
}

// describeAAC makes the configuration that the old form leaves out.
func (t *entry) describeAAC() ([]byte, error) {
	if t.channels > math.MaxInt8 {
		return nil, fmt.Errorf("%w: %d channels", ErrMalformed, t.channels)
	}
	config := aac.Config{
		ObjectType: aac.ObjectLC, CoreRate: int(t.rate), ChannelConfiguration: int(t.channels), CoreChannels: int(t.channels),
	}
	private, err := config.Marshal()
	if err != nil {
		return nil, fmt.Errorf("%w: AAC without configuration: %w", ErrMalformed, err)
	}
	return private, nil
}

// restore puts back what header stripping left out.
func (t *track) restore(frame []byte) []byte {
	if len(t.prefix) == 0 {
		return frame
	}
	return bytes.Join([][]byte{t.prefix, frame}, nil)
}
