package flv

import (
	"fmt"

	"github.com/framewire/framewire/server/internal/media"
)

// PacketType says what a Packet holds.
type PacketType uint8

const (
	// Config is the decoder configuration: an AVC, HEVC, AV1 or VP codec
	// configuration record, an AudioSpecificConfig, an OpusHead, or FLAC metadata.
	Config PacketType = iota + 1

	// Frame is one access unit.
	Frame

	// End says that the sequence ended. Nothing needs to be done.
	End
)

// Packet is what one tag, or one track of a multitrack tag, says.
type Packet struct {
	Type  PacketType
	Codec media.Codec

	// Track is the number within a multitrack tag, 0 (the default track) for all
	// others. Audio and video count apart.
	Track uint8

	// Composition is the presentation time less the decode time, in milliseconds.
	Composition int32

	// Nanos is to be added to the tag's timestamp, in nanoseconds below one
	// million.
	Nanos uint32

	// Keyframe is what the publisher says of a video frame.
	Keyframe bool

	// Data shares the tag's memory.
	Data []byte
}

// fourCC makes the number that both tags and metadata write a code as.
func fourCC(code string) uint32 {
	return uint32(code[0])<<24 | uint32(code[1])<<16 | uint32(code[2])<<8 | uint32(code[3])
}

var videoCodes = map[uint32]media.Codec{
	fourCC("avc1"): media.H264, fourCC("hvc1"): media.H265, fourCC("av01"): media.AV1,
	fourCC("vp09"): media.VP9, fourCC("vp08"): media.VP8,
}

var audioCodes = map[uint32]media.Codec{
	fourCC("mp4a"): media.AAC, fourCC("Opus"): media.Opus,
	fourCC("fLaC"): media.FLAC, fourCC(".mp3"): media.MP3,
}

// VideoCodes and AudioCodes are the codes of the enhanced format that are read,
// for RTMP's connect command, with those first that matter most.
var (
	VideoCodes = []string{"avc1", "hvc1", "av01", "vp09", "vp08"}
	AudioCodes = []string{"mp4a", "Opus", "fLaC", ".mp3"}
)

// The packet types of the enhanced format. Those from 3 to 6 differ between
// VideoPacketType and AudioPacketType.
const (
	exSequenceStart   = 0
	exCodedFrames     = 1
	exSequenceEnd     = 2
	exCodedFramesX    = 3 // without composition time
	exMetadata        = 4
	exMPEG2TSStart    = 5
	exVideoMultitrack = 6
	exModEx           = 7

	exAudioChannels   = 4
	exAudioMultitrack = 5
)

// modExNanoseconds is the one modifier known (VideoPacketModExType).
const modExNanoseconds = 0

// AvMultitrackType.
const (
	multiOneTrack   = 0
	multiManyCodecs = 2 // 1 is many tracks of one codec
)

// The frame types of both formats.
const (
	frameTypeKey       = 1
	frameTypeGenerated = 4 // a keyframe too
	frameTypeCommand   = 5
)

const (
	videoEnhanced       = 0x80 // in the first byte of a video tag
	soundFormatEnhanced = 9
	maxNanos            = 999_999

	// maxTracks bounds the tracks of one tag: a ladder of renditions has up to
	// ten, and four bytes of tag must not become a Packet each without end.
	maxTracks = 32
)

// parser walks through one tag.
type parser struct {
	kind media.Kind
	data []byte
	at   int
}

func (p *parser) malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %v tag: byte %d: %s", ErrMalformed, p.kind, p.at, fmt.Sprintf(format, args...))
}

func (p *parser) unsupported(format string, args ...any) error {
	return fmt.Errorf("%s is %w", fmt.Sprintf(format, args...), ErrUnsupported)
}

// uint reads n bytes, most significant first.
func (p *parser) uint(n int, what string) (uint32, error) {
	if len(p.data)-p.at < n {
		return 0, p.malformed("ends before %s", what)
	}
	var v uint32
	for _, b := range p.data[p.at : p.at+n] {
		v = v<<8 | uint32(b)
	}
	p.at += n
	return v, nil
}

func (p *parser) rest() []byte {
	b := p.data[p.at:]
	p.at = len(p.data)
	return b
}

// codec reads a code of four characters.
func (p *parser) codec() (media.Codec, error) {
	code, err := p.uint(4, "its codec")
	if err != nil {
		return 0, err
	}
	codes := videoCodes
	if p.kind == media.Audio {
		codes = audioCodes
	}
	if c, ok := codes[code]; ok {
		return c, nil
	}
	name := []byte{byte(code >> 24), byte(code >> 16), byte(code >> 8), byte(code)}
	return 0, p.unsupported("%v codec %q", p.kind, name)
}

// modifiers passes over ModEx prefixes and returns the packet type behind them.
func (p *parser) modifiers(packetType uint32) (uint32, uint32, error) {
	nanos := uint32(0)
	for packetType == exModEx {
		size, err := p.uint(1, "a modifier's size")
		if err == nil && size == 0xff {
			size, err = p.uint(2, "a modifier's long size")
		}
		if err != nil {
			return 0, 0, err
		}
		size++
		if uint64(len(p.data)-p.at) < uint64(size) {
			return 0, 0, p.malformed("modifier of %d bytes with %d left", size, len(p.data)-p.at)
		}
		data := p.data[p.at : p.at+int(size)]
		p.at += int(size)
		next, err := p.uint(1, "the packet type behind a modifier")
		if err != nil {
			return 0, 0, err
		}
		packetType = next & 0xf
		if next>>4 == modExNanoseconds && len(data) >= 3 {
			nanos = min(uint32(data[0])<<16|uint32(data[1])<<8|uint32(data[2]), maxNanos)
		}
	}
	return packetType, nanos, nil
}

// enhanced reads what stands behind the first byte of an enhanced tag.
func (p *parser) enhanced(dst []Packet, packetType uint32, frameType byte) ([]Packet, error) {
	packetType, nanos, err := p.modifiers(packetType)
	if err != nil {
		return dst, err
	}
	packet := Packet{Nanos: nanos, Keyframe: frameType == frameTypeKey || frameType == frameTypeGenerated}
	if p.kind == media.Video && packetType != exMetadata && frameType == frameTypeCommand {
		return dst, nil // a seek marker of playback servers
	}
	if packetType == exVideoMultitrack && p.kind == media.Video ||
		packetType == exAudioMultitrack && p.kind == media.Audio {
		return p.tracks(dst, packet)
	}
	if packet.Codec, err = p.codec(); err != nil {
		return dst, err
	}
	return p.body(dst, packet, packetType)
}

// tracks reads the body of a multitrack tag.
func (p *parser) tracks(dst []Packet, packet Packet) ([]Packet, error) {
	b, err := p.uint(1, "its multitrack type")
	if err != nil {
		return dst, err
	}
	mode, packetType := b>>4, b&0xf
	if mode > multiManyCodecs {
		return dst, p.unsupported("multitrack type %d", mode)
	}
	if mode != multiManyCodecs {
		if packet.Codec, err = p.codec(); err != nil {
			return dst, err
		}
	}
	for n := 0; n == 0 || p.at < len(p.data); n++ {
		if n == maxTracks {
			return dst, p.malformed("more than %d tracks", maxTracks)
		}
		if mode == multiManyCodecs {
			if packet.Codec, err = p.codec(); err != nil {
				return dst, err
			}
		}
		track, err := p.uint(1, "a track number")
		if err != nil {
			return dst, err
		}
		packet.Track = uint8(track)
		one, err := p.track(mode)
		if err != nil {
			return dst, err
		}
		if dst, err = one.body(dst, packet, packetType); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// track returns a parser for the body of the next track, and passes over it.
func (p *parser) track(mode uint32) (parser, error) {
	one := *p
	if mode == multiOneTrack { // it takes all that is left
		p.rest()
		return one, nil
	}
	size, err := p.uint(3, "a track's size")
	if err != nil {
		return one, err
	}
	if uint64(size) > uint64(len(p.data)-p.at) {
		return one, p.malformed("track of %d bytes with %d left", size, len(p.data)-p.at)
	}
	one.at = p.at
	p.at += int(size)
	one.data = p.data[:p.at:p.at]
	return one, nil
}

// body reads the part of one track.
func (p *parser) body(dst []Packet, packet Packet, packetType uint32) ([]Packet, error) {
	if p.kind == media.Video {
		switch packetType {
		case exMetadata: // HDR colours, which the bitstream tells as well
			return dst, nil
		case exMPEG2TSStart: // AV1, whose sequence header then stands in band
			return dst, nil
		case exCodedFrames:
			if packet.Codec == media.H264 || packet.Codec == media.H265 {
				v, err := p.uint(3, "its composition time")
				if err != nil {
					return dst, err
				}
				packet.Composition = signed24(v)
			}
			packetType = exCodedFramesX
		}
	} else {
		switch packetType {
		case exAudioChannels:
			return dst, nil
		case exCodedFrames:
			packetType = exCodedFramesX
		case exCodedFramesX:
			return dst, p.unsupported("audio packet type %d", packetType)
		}
	}
	switch packetType {
	case exSequenceStart:
		packet.Type = Config
	case exCodedFramesX:
		packet.Type = Frame
	case exSequenceEnd:
		packet.Type = End
	default:
		return dst, p.unsupported("%v packet type %d", p.kind, packetType)
	}
	packet.Data = p.rest()
	return append(dst, packet), nil
}

// signed24 extends the sign of a number of 24 bits.
func signed24(v uint32) int32 { return int32(v<<8) >> 8 }
