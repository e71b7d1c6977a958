package mp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/framewire/framewire/server/internal/codec/aac"
	"github.com/framewire/framewire/server/internal/codec/av1"
	"github.com/framewire/framewire/server/internal/codec/flac"
	"github.com/framewire/framewire/server/internal/codec/h264"
	"github.com/framewire/framewire/server/internal/codec/h265"
	"github.com/framewire/framewire/server/internal/codec/mp3"
	"github.com/framewire/framewire/server/internal/codec/opus"
	"github.com/framewire/framewire/server/internal/codec/vp8"
	"github.com/framewire/framewire/server/internal/codec/vp9"
	"github.com/framewire/framewire/server/internal/media"
)

// parseDescription reads stsd (8.5.2). A sample entry that is broken or unknown
// makes the track unsupported, not the file invalid.
func (t *track) parseDescription(b *box) error {
	const header = 8 // version, flags, entry count
	f := b.fields()
	version, _ := f.full()
	f.skip(4)
	if f.err() != nil {
		return f.err()
	}
	entries := 0
	for entry, err := range b.children(header) {
		if err != nil {
			return err
		}
		if entries++; entries > 1 {
			continue
		}
		t.format = entry.name
		t.err = t.parseEntry(&entry, version)
	}
	if entries > 1 && t.err == nil {
		t.err = errors.New("changes its format in the middle")
	}
	return nil
}

func (t *track) parseEntry(b *box, version uint8) error {
	switch b.name {
	case "avc1", "avc3", "hvc1", "hev1", "av01", "vp09", "vp08":
		return t.parseVisual(b)
	case "mp4a", "Opus", "fLaC", ".mp3":
		return t.parseAudio(b, version)
	case "encv", "enca":
		return fmt.Errorf("%w: encrypted", ErrCodec)
	}
	return fmt.Errorf("%w: %s", ErrCodec, printable(b.name))
}

// take fills in what the codec says, and keeps what the container says.
func (t *track) take(c media.Track) {
	c.ID, c.Timescale, c.Language, c.Rotation = t.ID, t.Timescale, t.Language, t.Rotation
	t.Track = c
}

// visualBytes is the length of a VisualSampleEntry before its boxes (12.1.3).
const visualBytes = 78

func (t *track) parseVisual(b *box) error {
	if len(b.payload) < visualBytes {
		return b.wrap(errShort)
	}
	width := int(binary.BigEndian.Uint16(b.payload[24:]))
	height := int(binary.BigEndian.Uint16(b.payload[26:]))
	var aspect [2]uint32
	found := false
	for child, err := range b.children(visualBytes) {
		if err != nil {
			return err
		}
		switch child.name {
		case "avcC", "hvcC", "av1C", "vpcC":
			if found {
				continue
			}
			found = true
			if err := t.parseVisualConfig(b.name, &child, width, height); err != nil {
				return child.wrap(err)
			}
		case "pasp":
			f := child.fields()
			aspect = [2]uint32{f.u32(), f.u32()}
			if f.err() != nil {
				return child.wrap(f.err())
			}
		}
	}
	if !found {
		return b.fail("no decoder configuration")
	}
	if t.pending || aspect[0] == 0 || aspect[1] == 0 || aspect[0] == aspect[1] {
		return nil
	}
	// The container's pixel aspect ratio overrules the stream's.
	p := pictureOf(&t.Track)
	if shown := (uint64(p.width)*uint64(aspect[0]) + uint64(aspect[1]/2)) / uint64(aspect[1]); shown >= 1 && shown <= math.MaxUint16 {
		t.Width, t.Height = int(shown), p.height
	}
	return nil
}

func (t *track) parseVisualConfig(entry string, b *box, width, height int) (err error) {
	var c media.Track
	switch {
	case b.name == "avcC" && (entry == "avc1" || entry == "avc3"):
		var config h264.Config
		if config, err = h264.ParseConfig(b.payload); err != nil {
			return err
		}
		t.lengthSize = config.LengthSize
		c, err = config.Track()
		if errors.Is(err, h264.ErrNoParameterSets) {
			c, err, t.pending = media.Track{Codec: media.H264}, nil, true
		}
	case b.name == "hvcC" && (entry == "hvc1" || entry == "hev1"):
		var config h265.Config
		if config, err = h265.ParseConfig(b.payload); err != nil {
			return err
		}
		t.lengthSize = config.LengthSize
		c, err = config.Track()
		if errors.Is(err, h265.ErrNoParameterSets) {
			c, err, t.pending = media.Track{Codec: media.H265}, nil, true
		}
	case b.name == "av1C" && entry == "av01":
		var config av1.Config
		if config, err = av1.ParseConfig(b.payload); err != nil {
			return err
		}
		c, err = config.Track()
		if errors.Is(err, av1.ErrNoSequenceHeader) {
			c, err, t.pending = media.Track{Codec: media.AV1}, nil, true
		}
	case b.name == "vpcC" && entry == "vp09":
		var config vp9.Config
		if config, err = vp9.ParseConfig(b.payload); err != nil {
			return err
		}
		c, err = config.Track(width, height)
	case b.name == "vpcC" && entry == "vp08":
		if width == 0 || height == 0 {
			return fmt.Errorf("picture of %dx%d", width, height)
		}
		c = vp8.TrackOf(width, height)
	default:
		return fmt.Errorf("%s in a sample entry %s", b.name, entry)
	}
	if err == nil {
		t.take(c)
	}
	return err
}

// resolve takes the decoder configuration from a keyframe, where the sample entry
// left it out. It reports whether the track can be played now.
func (t *track) resolve(sample []byte) bool {
	var c media.Track
	err := errors.New("no sequence header")
	switch t.Codec {
	case media.H264:
		var unit h264.AccessUnit
		if unit, err = h264.FromSample(sample, t.lengthSize); err == nil {
			c, err = h264.NewTrack(unit.SPS, unit.PPS)
		}
	case media.H265:
		var unit h265.AccessUnit
		if unit, err = h265.FromSample(sample, t.lengthSize); err == nil {
			c, err = h265.NewTrack(unit.VPS, unit.SPS, unit.PPS)
		}
	case media.AV1:
		var unit av1.TemporalUnit
		if unit, err = av1.FromUnit(sample); err == nil && unit.SequenceHeader != nil {
			c, err = av1.NewTrack(unit.SequenceHeader)
		} else if err == nil {
			err = av1.ErrNoSequenceHeader
		}
	}
	if err != nil {
		return false
	}
	rate := t.FrameRate
	t.take(c)
	if rate > 0 {
		t.FrameRate = rate
	}
	t.pending = false
	return true
}

// Lengths of an AudioSampleEntry before its boxes (12.2.3), and what QuickTime's
// versions 1 and 2 add (QuickTime File Format, sound sample descriptions).
const (
	audioBytes   = 28
	audioBytesV1 = audioBytes + 16
	audioBytesV2 = audioBytes + 36
)

func (t *track) parseAudio(b *box, descriptionVersion uint8) error {
	if len(b.payload) < audioBytes {
		return b.wrap(errShort)
	}
	be := binary.BigEndian
	channels := int(be.Uint16(b.payload[16:]))
	rate := int(be.Uint32(b.payload[24:]) >> 16)
	skip := audioBytes
	if descriptionVersion == 0 { // in version 1 of stsd the entry's version means something else
		switch be.Uint16(b.payload[8:]) {
		case 1:
			skip = audioBytesV1
		case 2:
			skip = audioBytesV2
			if len(b.payload) < skip {
				return b.wrap(errShort)
			}
			if hertz := math.Float64frombits(be.Uint64(b.payload[32:])); hertz >= 1 && hertz < 1e6 {
				rate = int(hertz)
			}
			channels = int(be.Uint32(b.payload[40:]) & 0xffff)
		}
	}
	if len(b.payload) < skip {
		return b.wrap(errShort)
	}
	if b.name == ".mp3" {
		return t.takeMP3(b, rate, channels)
	}
	return t.parseAudioConfig(b, skip, rate, channels)
}

func (t *track) takeMP3(b *box, rate, channels int) error {
	if rate < 1 || channels < 1 {
		return b.fail("%d channels of sound at %d Hz", channels, rate)
	}
	t.take(media.Track{Codec: media.MP3, CodecString: mp3.CodecString, SampleRate: rate, Channels: channels})
	return nil
}

// parseAudioConfig looks for the decoder configuration in the boxes from skip
// on, and in QuickTime's wave box round them.
func (t *track) parseAudioConfig(b *box, skip, rate, channels int) error {
	for child, err := range b.children(skip) {
		if err != nil {
			return err
		}
		var c media.Track
		switch {
		case child.name == "wave":
			child.depth++ // it nests through here, so count it twice
			return t.parseAudioConfig(&child, 0, rate, channels)
		case child.name == "esds":
			object, specific, err := parseESDS(&child)
			if err != nil {
				return child.wrap(err)
			}
			switch object {
			case objectAAC, objectAACMain, objectAACLC, objectAACSSR:
				if c, err = aac.NewTrack(specific); err != nil {
					return child.wrap(err)
				}
			case objectMP3, objectMP3LowSR:
				return t.takeMP3(b, rate, channels)
			default:
				return fmt.Errorf("%w: mp4a with object type %#02x", ErrCodec, object)
			}
		case child.name == "dOps":
			config, err := opus.ParseConfig(child.payload)
			if err != nil {
				return child.wrap(err)
			}
			if c, err = config.Track(); err != nil {
				return child.wrap(err)
			}
		case child.name == "dfLa":
			f := child.fields()
			f.full()
			if c, err = flac.NewTrack(f.data); err != nil {
				return child.wrap(err)
			}
		default:
			continue
		}
		t.take(c)
		return nil
	}
	return b.fail("no decoder configuration")
}

// parseESDS reads the object type and the decoder specific information of an
// esds box (ISO/IEC 14496-1 7.2.6.5).
func parseESDS(b *box) (object uint8, specific []byte, err error) {
	f := b.fields()
	f.full()
	es, err := f.descriptor(tagES)
	if err != nil {
		return 0, nil, err
	}
	es.skip(2)
	flags := es.u8()
	if flags&0x80 != 0 { // streamDependenceFlag
		es.skip(2)
	}
	if flags&0x40 != 0 { // URL_Flag
		es.skip(int(es.u8()))
	}
	if flags&0x20 != 0 { // OCRstreamFlag
		es.skip(2)
	}
	decoder, err := es.descriptor(tagDecoderConfig)
	if err != nil {
		return 0, nil, err
	}
	object = decoder.u8()
	decoder.skip(12)
	if decoder.err() != nil {
		return 0, nil, decoder.err()
	}
	if info, err := decoder.descriptor(tagDecoderSpecific); err == nil {
		specific = info.data
	}
	return object, specific, nil
}

// descriptor returns the contents of the next descriptor, which must have tag.
func (f *fields) descriptor(tag uint8) (*fields, error) {
	if got := f.u8(); f.err() == nil && got != tag {
		return nil, fmt.Errorf("descriptor with tag %d instead of %d", got, tag)
	}
	size := 0
	for range 4 { // 8.3.3: seven bits in each of at most four bytes
		b := f.u8()
		size = size<<7 | int(b&0x7f)
		if b&0x80 == 0 {
			break
		}
	}
	inner := &fields{data: f.bytes(size)}
	if f.err() != nil {
		return nil, fmt.Errorf("descriptor with tag %d of %d bytes: %w", tag, size, errShort)
	}
	return inner, nil
}
