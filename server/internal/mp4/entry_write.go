package mp4

import (
	"errors"
	"fmt"
	"math"

	"github.com/framewire/framewire/server/internal/codec/flac"
	"github.com/framewire/framewire/server/internal/codec/opus"
	"github.com/framewire/framewire/server/internal/media"
)

// The sample entry and its configuration box for each codec. AAC and MP3 have
// an esds instead.
var sampleEntries = map[media.Codec]struct{ entry, config string }{
	media.H264: {"avc1", "avcC"},
	media.H265: {"hvc1", "hvcC"},
	media.AV1:  {"av01", "av1C"},
	media.VP9:  {"vp09", "vpcC"},
	media.VP8:  {"vp08", "vpcC"},
	media.AAC:  {"mp4a", ""},
	media.MP3:  {"mp4a", ""},
	media.Opus: {"Opus", "dOps"},
	media.FLAC: {"fLaC", "dfLa"},
}

// sampleEntry writes the entry of stsd (ISO/IEC 14496-12 8.5.2).
func (w *writer) sampleEntry(t *media.Track) error {
	names, ok := sampleEntries[t.Codec]
	if !ok {
		return fmt.Errorf("unknown %v", t.Codec)
	}
	if len(t.Config) == 0 && t.Codec != media.MP3 {
		return errors.New("no decoder configuration")
	}
	w.box(names.entry, func() {
		w.zeros(6)
		w.u16(1) // data_reference_index
		if t.Kind() == media.Video {
			w.visualEntry(t, names.config)
		} else {
			w.audioEntry(t, names.config)
		}
	})
	return nil
}

func (w *writer) visualEntry(t *media.Track, config string) {
	p := pictureOf(t)
	w.zeros(16)
	w.u16(uint16(p.width))
	w.u16(uint16(p.height))
	w.u32(0x0048_0000) // 72 dpi
	w.u32(0x0048_0000)
	w.u32(0)
	w.u16(1)    // frame_count
	w.zeros(32) // compressorname
	w.u16(24)   // depth
	w.u16(math.MaxUint16)
	w.box(config, func() { w.bytes(t.Config) })
	if c := p.colour; c != nil {
		w.box("colr", func() {
			w.text("nclx")
			w.u16(uint16(c.primaries))
			w.u16(uint16(c.transfer))
			w.u16(uint16(c.matrix))
			if c.fullRange {
				w.u8(0x80)
			} else {
				w.u8(0)
			}
		})
	}
	if p.parX != p.parY {
		w.box("pasp", func() {
			w.u32(uint32(p.parX))
			w.u32(uint32(p.parY))
		})
	}
}

func (w *writer) audioEntry(t *media.Track, config string) {
	w.zeros(8)
	rate, depth := t.SampleRate, 16
	switch t.Codec {
	case media.Opus: // fixed by the Opus mapping, 4.3.1
		rate = opus.SampleRate
	case media.FLAC: // players hold samplesize against STREAMINFO
		if info, err := flac.ParseConfig(t.Config); err == nil {
			depth = info.BitDepth
		}
		for rate > math.MaxUint16 && rate%2 == 0 { // as the FLAC mapping has it, 3.3.2
			rate /= 2
		}
	}
	if rate > math.MaxUint16 { // told by the codec's configuration alone
		rate = 0
	}
	w.u16(uint16(t.Channels))
	w.u16(uint16(depth))
	w.u32(0)
	w.u32(uint32(rate) << 16)
	switch t.Codec {
	case media.AAC:
		w.esds(objectAAC, t.Config)
	case media.MP3:
		w.esds(objectMP3, nil)
	case media.FLAC:
		w.fullBox(config, 0, 0, func() { w.bytes(t.Config) })
	default:
		w.box(config, func() { w.bytes(t.Config) })
	}
}

// objectTypeIndication values (ISO/IEC 14496-1 table 5, and the registry of
// registered object types).
const (
	objectAAC       = 0x40 // MPEG-4 audio
	objectAACMain   = 0x66 // MPEG-2 AAC
	objectAACLC     = 0x67
	objectAACSSR    = 0x68
	objectMP3LowSR  = 0x69 // MPEG-2 part 3
	objectMP3       = 0x6b // MPEG-1 part 3
	streamTypeAudio = 5
)

// Descriptor tags of ISO/IEC 14496-1 7.2.2.1.
const (
	tagES              = 3
	tagDecoderConfig   = 4
	tagDecoderSpecific = 5
	tagSLConfig        = 6
)

func (w *writer) esds(object uint8, specific []byte) {
	var info []byte
	if len(specific) > 0 {
		info = descriptor(tagDecoderSpecific, specific)
	}
	decoder := []byte{object, streamTypeAudio<<2 | 1}
	decoder = append(decoder, make([]byte, 3+4+4)...) // bufferSizeDB, maxBitrate, avgBitrate
	decoder = append(decoder, info...)
	es := []byte{0, 0, 0} // ES_ID, flags
	es = append(es, descriptor(tagDecoderConfig, decoder)...)
	es = append(es, descriptor(tagSLConfig, []byte{2})...) // predefined: MP4 file
	w.fullBox("esds", 0, 0, func() { w.bytes(descriptor(tagES, es)) })
}

// descriptor puts tag and size, in as few bytes as it takes, before payload.
func descriptor(tag uint8, payload []byte) []byte {
	size := []byte{byte(len(payload) & 0x7f)}
	for n := len(payload) >> 7; n > 0; n >>= 7 {
		size = append([]byte{byte(n&0x7f) | 0x80}, size...)
	}
	return append(append([]byte{tag}, size...), payload...)
}

// picture is what a sample entry says of the coded picture, as opposed to the
// track's size on show.
type picture struct {
	width, height int
	parX, parY    int // pixel aspect ratio
	colour        *colour
}

type colour struct {
	primaries, transfer, matrix uint8
	fullRange                   bool
}
