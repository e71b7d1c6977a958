package vp9

import (
	"encoding/binary"
	"fmt"

	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/media"
)

// Config is a VPCodecConfigurationRecord, with the version and flags of its
// vpcC box before it. VP8 uses the same.
type Config struct {
	Profile   uint8
	Level     uint8 // ten times the number, 31 for 3.1; 0 when undefined
	BitDepth  uint8
	Chroma    uint8 // 0 4:2:0 vertical, 1 4:2:0 colocated, 2 4:2:2, 3 4:4:4
	FullRange bool

	// Code points of ITU-T H.273; 2 means unspecified.
	Primaries, Transfer, Matrix uint8
}

const (
	recordBytes     = 12
	unspecified     = 2
	chroma420       = 1 // colocated with luma (0,0): what encoders write when not told
	chroma422       = 2
	chroma444       = 3
	vpcCVersion     = 1
	defaultFrames   = 30 // frames a second, for the level, when not known
	levelUnlimited  = 62
	matrixIdentity  = 0
	transferSRGB    = 13
	primariesBT709  = 1
	maxProfile      = 3
	bitDepthMaximum = 12
)

// ParseConfig parses the payload of a vpcC box, version and flags included.
func ParseConfig(vpcC []byte) (Config, error) {
	if len(vpcC) < recordBytes {
		return Config{}, fmt.Errorf("vpcC: %d bytes are no record", len(vpcC))
	}
	if vpcC[0] != vpcCVersion {
		return Config{}, fmt.Errorf("vpcC: version %d", vpcC[0])
	}
	r := bits.NewReader(vpcC[4:])
	c := Config{Profile: uint8(r.Int(8)), Level: uint8(r.Int(8)), BitDepth: uint8(r.Int(4)), Chroma: uint8(r.Int(3))}
	c.FullRange = r.Flag()
	c.Primaries, c.Transfer, c.Matrix = uint8(r.Int(8)), uint8(r.Int(8)), uint8(r.Int(8))
	if c.Profile > maxProfile || c.BitDepth < 8 || c.BitDepth > bitDepthMaximum {
		return Config{}, fmt.Errorf("vpcC: profile %d with %d bits", c.Profile, c.BitDepth)
	}
	return c, nil
}

// Marshal returns the payload of vpcC, version and flags included.
func (c Config) Marshal() []byte {
	var w bits.Writer
	w.Bits(vpcCVersion<<24, 32)
	w.Bits(uint64(c.Profile), 8)
	w.Bits(uint64(c.Level), 8)
	w.Bits(uint64(c.BitDepth), 4)
	w.Bits(uint64(c.Chroma), 3)
	w.Flag(c.FullRange)
	w.Bits(uint64(c.Primaries), 8)
	w.Bits(uint64(c.Transfer), 8)
	w.Bits(uint64(c.Matrix), 8)
	return binary.BigEndian.AppendUint16(w.Bytes(), 0) // codecIntializationDataSize
}

// CodecString returns the string of the binding's 6, for "vp09" or "vp08", such
// as "vp09.00.31.08". The optional part is left out where all of it has its
// default value or is unspecified.
func (c Config) CodecString(entry string) string {
	short := fmt.Sprintf("%s.%02d.%02d.%02d", entry, c.Profile, c.Level, c.BitDepth)
	usual := c.Chroma <= chroma420 && !c.FullRange && isUsual(c.Primaries) && isUsual(c.Transfer) && isUsual(c.Matrix)
	if usual {
		return short
	}
	full := 0
	if c.FullRange {
		full = 1
	}
	return fmt.Sprintf("%s.%02d.%02d.%02d.%02d.%02d", short, c.Chroma, c.Primaries, c.Transfer, c.Matrix, full)
}

func isUsual(codePoint uint8) bool { return codePoint == 1 || codePoint == unspecified }

// Track describes a VP9 stream of the given picture size. ID and Timescale are
// left to the caller.
func (c Config) Track(width, height int) (media.Track, error) {
	if width < 1 || height < 1 {
		return media.Track{}, fmt.Errorf("VP9: picture of %dx%d", width, height)
	}
	if c.Level == 0 {
		c.Level = levelFor(width, height, defaultFrames)
	}
	return media.Track{
		Codec: media.VP9, CodecString: c.CodecString("vp09"), Config: c.Marshal(), Width: width, Height: height,
	}, nil
}

// colourSpaces gives primaries, transfer and matrix for color_space 1 to 5
// (7.2.2).
var colourSpaces = [...][3]uint8{
	{unspecified, unspecified, unspecified},
	{5, 6, 5},  // BT.601
	{1, 1, 1},  // BT.709
	{6, 6, 6},  // SMPTE-170
	{7, 7, 7},  // SMPTE-240
	{9, 14, 9}, // BT.2020
}

func (h *Header) config(frameRate float64) Config {
	c := Config{Profile: h.Profile, BitDepth: h.BitDepth, FullRange: h.FullRange}
	if frameRate <= 0 {
		frameRate = defaultFrames
	}
	c.Level = levelFor(h.Width, h.Height, frameRate)
	switch {
	case h.SubsamplingX && h.SubsamplingY:
		c.Chroma = chroma420
	case h.SubsamplingX:
		c.Chroma = chroma422
	default:
		c.Chroma = chroma444
	}
	c.Primaries, c.Transfer, c.Matrix = unspecified, unspecified, unspecified
	if int(h.ColourSpace) < len(colourSpaces) {
		v := colourSpaces[h.ColourSpace]
		c.Primaries, c.Transfer, c.Matrix = v[0], v[1], v[2]
	} else if h.ColourSpace == spaceRGB {
		c.Primaries, c.Transfer, c.Matrix = primariesBT709, transferSRGB, matrixIdentity
	}
	return c
}

// levels is the table of annex A: most luma samples a second and in a picture.
var levels = [...]struct {
	level         uint8
	rate, picture int64
}{
	{10, 829_440, 36_864}, {11, 2_764_800, 73_728}, {20, 4_608_000, 122_880},
	{21, 9_216_000, 245_760}, {30, 20_736_000, 552_960}, {31, 36_864_000, 983_040},
	{40, 83_558_400, 2_228_224}, {41, 160_432_128, 2_228_224}, {50, 311_951_360, 8_912_896},
	{51, 588_251_136, 8_912_896}, {52, 1_176_502_272, 8_912_896}, {60, 1_176_502_272, 35_651_584},
	{61, 2_353_004_544, 35_651_584}, {62, 4_706_009_088, 35_651_584},
}

// levelFor returns the lowest level that fits: a stream does not tell its own.
func levelFor(width, height int, frameRate float64) uint8 {
	picture := int64(width) * int64(height)
	for _, l := range levels {
		if picture <= l.picture && float64(picture)*frameRate <= float64(l.rate) {
			return l.level
		}
	}
	return levelUnlimited
}
