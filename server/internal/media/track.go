package media

import "fmt"

// Kind says what a track carries.
type Kind uint8

// The kinds of track that Framewire moves.
const (
	Video Kind = iota + 1
	Audio
)

func (k Kind) String() string {
	switch k {
	case Video:
		return "video"
	case Audio:
		return "audio"
	default:
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
}

// Codec names a coding format, independent of its parameters. The parameters
// stand in Track.Codec as an RFC 6381 string.
type Codec uint8

// The codecs that can be carried in fragments.
const (
	H264 Codec = iota + 1
	H265
	AV1
	VP9
	VP8
	AAC
	Opus
	FLAC
	MP3
)

var codecNames = [...]string{
	H264: "H.264", H265: "H.265", AV1: "AV1", VP9: "VP9", VP8: "VP8",
	AAC: "AAC", Opus: "Opus", FLAC: "FLAC", MP3: "MP3",
}

func (c Codec) String() string {
	if int(c) < len(codecNames) && c != 0 {
		return codecNames[c]
	}
	return fmt.Sprintf("codec(%d)", uint8(c))
}

// Kind returns what c codes, or 0 for an unknown codec.
func (c Codec) Kind() Kind {
	switch c {
	case H264, H265, AV1, VP9, VP8:
		return Video
	case AAC, Opus, FLAC, MP3:
		return Audio
	default:
		return 0
	}
}

// Track describes one elementary stream. A value is immutable once it has been
// handed to a Sink.
type Track struct {
	// ID is the track_ID of ISO/IEC 14496-12, unique among the tracks that are
	// handed over together. Never 0.
	ID uint32

	Codec Codec

	// CodecString is the RFC 6381 parameter of the MIME type, such as
	// "avc1.64001f" or "mp4a.40.2".
	CodecString string

	// Config is the decoder configuration as the sample entry carries it, without
	// box headers: the payload of avcC, hvcC, av1C, vpcC, dOps or dfLa (for dfLa
	// the payload after version and flags); the AudioSpecificConfig for AAC;
	// empty for MP3.
	Config []byte

	// Timescale is the number of ticks in one second, for every time of this
	// track's samples.
	Timescale uint32

	// Width and Height are the picture's size in pixels as it is to be shown.
	// Video only.
	Width, Height int

	// FrameRate is the nominal number of frames a second, 0 when unknown.
	FrameRate float64

	// SampleRate in hertz and Channels describe sound. Audio only.
	SampleRate, Channels int

	// Rotation is the clockwise turn in degrees (0, 90, 180, 270) that the
	// picture needs to stand upright.
	Rotation int

	// Language is a BCP 47 tag or empty.
	Language string
}

// Kind is short for t.Codec.Kind.
func (t *Track) Kind() Kind { return t.Codec.Kind() }

// MIMEType returns the type to hand to MediaSource.isTypeSupported for an MP4
// segment holding this track alone.
func (t *Track) MIMEType() string {
	return t.Kind().String() + `/mp4; codecs="` + t.CodecString + `"`
}

// Equal reports whether a decoder configured for t can go on with o unchanged.
func (t *Track) Equal(o *Track) bool {
	return t.ID == o.ID && t.Codec == o.Codec && t.CodecString == o.CodecString &&
		string(t.Config) == string(o.Config) && t.Timescale == o.Timescale &&
		t.Width == o.Width && t.Height == o.Height && t.Rotation == o.Rotation &&
		t.SampleRate == o.SampleRate && t.Channels == o.Channels
}
