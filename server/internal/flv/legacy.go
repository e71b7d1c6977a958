package flv

import (
	"github.com/framewire/framewire/server/internal/media"
)

// The codec numbers of legacy tags (annex E.4.2.1, E.4.3.1) that are read.
// Number 12 for H.265 was never standardized, but several publishers send it.
const (
	soundMP3      = 2
	soundAAC      = 10
	soundMP38kHz  = 14
	videoAVC      = 7
	videoHEVC     = 12
	packetHeader  = 0
	packetUnit    = 1
	packetEnd     = 2
	frameMostType = 5
)

var soundNames = [16]string{
	"PCM", "ADPCM", "MP3", "PCM", "Nellymoser", "Nellymoser", "Nellymoser",
	"G.711 A-law", "G.711 mu-law", "", "AAC", "Speex", "", "", "MP3", "device specific sound",
}

var videoNames = [16]string{
	2: "Sorenson H.263", 3: "Screen Video", 4: "VP6", 5: "VP6 with alpha", 6: "Screen Video 2", 7: "H.264",
	8: "H.263", 9: "MPEG-4 part 2", 12: "H.265",
}

// AppendVideo parses the body of a video tag and appends what it says, usually
// one packet, to dst. Packets share body's memory. Tags that tell nothing of
// use, such as seek markers and colour metadata, append nothing. Errors are
// ErrMalformed or ErrUnsupported; the packets before the fault are returned.
func AppendVideo(dst []Packet, body []byte) ([]Packet, error) {
	if len(body) == 0 {
		return dst, nil
	}
	p := parser{kind: media.Video, data: body, at: 1}
	first := body[0]
	if first&videoEnhanced != 0 {
		return p.enhanced(dst, uint32(first&0xf), first>>4&7)
	}
	frameType, number := first>>4, first&0xf
	if frameType == 0 || frameType > frameMostType {
		return dst, p.malformed("frame type %d", frameType)
	}
	packet := Packet{Keyframe: frameType == frameTypeKey || frameType == frameTypeGenerated}
	switch number {
	case videoAVC:
		packet.Codec = media.H264
	case videoHEVC:
		packet.Codec = media.H265
	default:
		return dst, p.unsupportedNumber(videoNames[number], int(number), "H.264, H.265, AV1 or VP9")
	}
	if frameType == frameTypeCommand {
		return dst, nil
	}
	kind, err := p.uint(1, "its packet type")
	if err != nil {
		return dst, err
	}
	composition, err := p.uint(3, "its composition time")
	if err != nil && kind != packetEnd { // some leave it out at the end
		return dst, err
	}
	switch kind {
	case packetHeader:
		packet.Type = Config
	case packetUnit:
		packet.Type, packet.Composition = Frame, signed24(composition)
	case packetEnd:
		packet.Type = End
	default:
		return dst, p.malformed("packet type %d", kind)
	}
	packet.Data = p.rest()
	return append(dst, packet), nil
}

// AppendAudio is to audio tags what AppendVideo is to video tags.
func AppendAudio(dst []Packet, body []byte) ([]Packet, error) {
	if len(body) == 0 {
		return dst, nil
	}
	p := parser{kind: media.Audio, data: body, at: 1}
	number := body[0] >> 4
	switch number {
	case soundFormatEnhanced:
		return p.enhanced(dst, uint32(body[0]&0xf), 0)
	case soundMP3, soundMP38kHz:
		return append(dst, Packet{Type: Frame, Codec: media.MP3, Data: p.rest()}), nil
	case soundAAC:
	default:
		return dst, p.unsupportedNumber(soundNames[number], int(number), "AAC, Opus, FLAC or MP3")
	}
	packet := Packet{Codec: media.AAC}
	kind, err := p.uint(1, "its packet type")
	if err != nil {
		return dst, err
	}
	switch kind {
	case packetHeader:
		packet.Type = Config
	case packetUnit:
		packet.Type = Frame
	default:
		return dst, p.malformed("packet type %d", kind)
	}
	packet.Data = p.rest()
	return append(dst, packet), nil
}

func (p *parser) unsupportedNumber(name string, number int, instead string) error {
	if name == "" {
		return p.unsupported("%v codec number %d", p.kind, number)
	}
	return p.unsupported("%v codec %s (use %s)", p.kind, name, instead)
}
