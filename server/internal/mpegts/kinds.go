package mpegts

import (
	"fmt"
	"strings"

	"github.com/asticode/go-astits"

	"github.com/framewire/framewire/server/internal/media"
)

// Registered format identifiers of private streams.
const (
	formatOpus = 'O'<<24 | 'p'<<16 | 'u'<<8 | 's'
	formatAC3  = 'A'<<24 | 'C'<<16 | '-'<<8 | '3'
	formatEAC3 = 'E'<<24 | 'A'<<16 | 'C'<<8 | '3'
	formatHEVC = 'H'<<24 | 'E'<<16 | 'V'<<8 | 'C'
	formatDTS1 = 'D'<<24 | 'T'<<16 | 'S'<<8 | '1'
	formatAV1  = 'A'<<24 | 'V'<<16 | '0'<<8 | '1'
)

// element is what a program map says of one stream. An empty name means that it is
// neither video nor sound.
type element struct {
	kind  media.Kind
	codec media.Codec // 0 when it cannot be carried
	name  string
}

func describe(es *astits.PMTElementaryStream) element {
	switch es.StreamType {
	case astits.StreamTypeH264Video:
		return element{media.Video, media.H264, "H.264"}
	case astits.StreamTypeH265Video:
		return element{media.Video, media.H265, "H.265"}
	case astits.StreamTypeADTS:
		return element{media.Audio, media.AAC, "AAC"}
	case astits.StreamTypeMPEG1Audio, astits.StreamTypeMPEG2Audio:
		return element{media.Audio, media.MP3, "MPEG audio"}
	case astits.StreamTypeAACLATMAudio:
		return element{media.Audio, 0, "AAC in LATM"}
	case astits.StreamTypePrivateData:
		return private(es)
	}
	switch {
	case es.StreamType.IsVideo():
		return element{media.Video, 0, es.StreamType.String()}
	case es.StreamType.IsAudio():
		return element{media.Audio, 0, es.StreamType.String()}
	default:
		return element{}
	}
}

// private tells what a stream of private data is from its descriptors.
func private(es *astits.PMTElementaryStream) element {
	for _, d := range es.ElementaryStreamDescriptors {
		switch d.Tag {
		case astits.DescriptorTagAC3:
			return element{media.Audio, 0, "AC-3"}
		case astits.DescriptorTagEnhancedAC3:
			return element{media.Audio, 0, "E-AC-3"}
		}
		if d.Registration == nil {
			continue
		}
		switch d.Registration.FormatIdentifier {
		case formatOpus:
			return opusElement(es)
		case formatHEVC:
			return element{media.Video, media.H265, "H.265"}
		case formatAC3:
			return element{media.Audio, 0, "AC-3"}
		case formatEAC3:
			return element{media.Audio, 0, "E-AC-3"}
		case formatDTS1:
			return element{media.Audio, 0, "DTS"}
		case formatAV1:
			return element{media.Video, 0, "AV1"}
		}
	}
	return element{}
}

// opusChannels is the extension tag of the descriptor with the channel
// configuration (ETSI TS 103 491 annex). Packets of up to two channels describe
// themselves.
const opusChannels = 0x80

func opusElement(es *astits.PMTElementaryStream) element {
	for _, d := range es.ElementaryStreamDescriptors {
		x := d.Extension
		if x != nil && x.Tag == opusChannels && x.Unknown != nil && len(*x.Unknown) > 0 && (*x.Unknown)[0] > 2 {
			return element{media.Audio, 0, "Opus with more than two channels"}
		}
	}
	return element{media.Audio, media.Opus, "Opus"}
}

func hasMedia(pmt *astits.PMTData) bool {
	for _, es := range pmt.ElementaryStreams {
		if describe(es).kind != 0 {
			return true
		}
	}
	return false
}

// choose returns the codecs of the streams to take, by PID. It is an error when
// the program has video or sound and none of it can be carried; with partial only
// when there is nothing else either.
func choose(pmt *astits.PMTData, partial bool) (map[uint16]media.Codec, error) {
	wanted := make(map[uint16]media.Codec)
	var have, lacking [media.Audio + 1]bool
	var names []string
	for _, es := range pmt.ElementaryStreams {
		e := describe(es)
		switch {
		case e.kind == 0:
		case e.codec == 0:
			lacking[e.kind] = true
			names = append(names, e.name)
		default:
			have[e.kind] = true
			wanted[es.ElementaryPID] = e.codec
		}
	}
	for _, kind := range []media.Kind{media.Video, media.Audio} {
		if lacking[kind] && !have[kind] && (!partial || len(wanted) == 0) {
			return nil, fmt.Errorf("%w: %s", ErrUnsupported, strings.Join(names, ", "))
		}
	}
	return wanted, nil
}

// splitOpus takes the first packet and its control header (ETSI TS 103 491) off
// data.
func splitOpus(data []byte) (packet, rest []byte, err error) {
	bad := fmt.Errorf("%w: Opus control header", ErrFormat)
	if len(data) < 3 || data[0] != 0x7f || data[1]&0xe0 != 0xe0 {
		return nil, nil, bad
	}
	flags, at, size := data[1], 2, 0
	for {
		if at == len(data) {
			return nil, nil, bad
		}
		b := data[at]
		at++
		size += int(b)
		if b != 255 {
			break
		}
	}
	if flags&0x10 != 0 { // start trim
		at += 2
	}
	if flags&0x08 != 0 { // end trim
		at += 2
	}
	if flags&0x04 != 0 { // extension
		if at >= len(data) {
			return nil, nil, bad
		}
		at += 1 + int(data[at])
	}
	if at > len(data) || size > len(data)-at {
		return nil, nil, bad
	}
	return data[at : at+size : at+size], data[at+size:], nil
}
