// Package aac reads and writes the configuration of AAC streams (ISO/IEC
// 14496-3) and takes ADTS apart.
package aac

import (
	"errors"
	"fmt"

	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/media"
)

// The audio object types that matter here (Table 1.17).
const (
	ObjectMain = 1
	ObjectLC   = 2
	ObjectSSR  = 3
	ObjectLTP  = 4
	ObjectSBR  = 5  // HE-AAC
	ObjectPS   = 29 // HE-AAC v2
	ObjectELD  = 39
	ObjectUSAC = 42 // xHE-AAC
)

// ErrChannels reports a channel configuration that is not defined, or one that
// stands inside the frames only.
var ErrChannels = errors.New("AAC: channel configuration not known")

// sampleRates is Table 1.18.
var sampleRates = [...]int{
	96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
}

const (
	rateEscape    = 15
	maxSampleRate = 192_000
	syncSBR       = 0x2b7 // syncExtensionType, 1.6.5
	syncPS        = 0x548
)

// channelCounts is Table 1.19, by channelConfiguration.
var channelCounts = [...]int{0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8}

// Config is an AudioSpecificConfig (1.6.2.1).
type Config struct {
	// ObjectType is the core's, never SBR or PS.
	ObjectType int

	// CoreRate is the sample rate in hertz of the core coder.
	CoreRate int

	// ChannelConfiguration as coded. 0 means that a program config element tells.
	ChannelConfiguration int

	// CoreChannels is the number of channels of the core coder.
	CoreChannels int

	// SBR and PS tell of the extensions, where signalled. SBRRate is the sample
	// rate in hertz with SBR, 0 without.
	SBR, PS bool
	SBRRate int

	// ShortFrames means 960 instead of 1024 samples in a frame of the core.
	ShortFrames bool
}

// ParseConfig parses an AudioSpecificConfig.
func ParseConfig(data []byte) (Config, error) {
	c, err := parseConfig(bits.NewReader(data))
	if err != nil {
		return Config{}, fmt.Errorf("AudioSpecificConfig: %w", err)
	}
	return c, nil
}

func parseConfig(r *bits.Reader) (Config, error) {
	var c Config
	c.ObjectType = readObjectType(r)
	c.CoreRate = readRate(r)
	c.ChannelConfiguration = r.Int(4)
	if c.ObjectType == ObjectSBR || c.ObjectType == ObjectPS {
		c.SBR, c.PS = true, c.ObjectType == ObjectPS
		c.SBRRate = readRate(r)
		c.ObjectType = readObjectType(r)
	}
	if r.Err() != nil {
		return c, r.Err()
	}
	if c.CoreRate < 1 || c.CoreRate > maxSampleRate || c.SBRRate > maxSampleRate || c.SBR && c.SBRRate < 1 {
		return c, fmt.Errorf("sample rates %d and %d", c.CoreRate, c.SBRRate)
	}
	if c.ChannelConfiguration >= len(channelCounts) {
		return c, fmt.Errorf("%w: %d", ErrChannels, c.ChannelConfiguration)
	}
	c.CoreChannels = channelCounts[c.ChannelConfiguration]
	if isGeneralAudio(c.ObjectType) {
		c.parseGeneralAudio(r)
		if !c.SBR && r.Err() == nil {
			c.parseSyncExtension(r)
		}
	}
	if r.Err() != nil {
		return c, r.Err()
	}
	if c.CoreChannels == 0 {
		return c, fmt.Errorf("%w: %d", ErrChannels, c.ChannelConfiguration)
	}
	return c, nil
}

func isGeneralAudio(object int) bool {
	switch object {
	case ObjectMain, ObjectLC, ObjectSSR, ObjectLTP, 6, 7, 17, 19, 20, 21, 22, 23:
		return true
	}
	return false
}

// parseGeneralAudio reads GASpecificConfig (4.4.1) as far as it bears on what
// follows for the object types without error resilience.
func (c *Config) parseGeneralAudio(r *bits.Reader) {
	c.ShortFrames = r.Flag()
	if r.Flag() { // dependsOnCoreCoder
		r.Skip(14)
	}
	extension := r.Flag()
	if c.ChannelConfiguration == 0 {
		c.CoreChannels = readProgramChannels(r)
	}
	if c.ObjectType == 6 || c.ObjectType == 20 {
		r.Skip(3)
	}
	if extension {
		switch c.ObjectType {
		case 22:
			r.Skip(16)
		case 17, 19, 20, 23:
			r.Skip(3)
		}
		r.Skip(1)
	}
	if c.ObjectType >= 17 {
		r.Skip(2) // epConfig
	}
}

// readProgramChannels adds up the channels of a program_config_element (4.4.1.1).
func readProgramChannels(r *bits.Reader) int {
	r.Skip(4 + 2 + 4)
	front, side, back := r.Int(4), r.Int(4), r.Int(4)
	lfe, data, coupling := r.Int(2), r.Int(3), r.Int(4)
	for range 2 { // mono and stereo mixdown
		if r.Flag() {
			r.Skip(4)
		}
	}
	if r.Flag() { // matrix mixdown
		r.Skip(3)
	}
	channels := lfe
	for range front + side + back {
		channels++
		if r.Flag() {
			channels++
		}
		r.Skip(4)
	}
	r.Skip(4*lfe + 4*data + 5*coupling)
	r.Align()
	r.Skip(8 * r.Int(8)) // comment
	return channels
}

// parseSyncExtension reads the backward compatible signalling of SBR and PS
// behind the core's configuration, where there is one.
func (c *Config) parseSyncExtension(r *bits.Reader) {
	if r.Left() < 16 || r.Int(11) != syncSBR {
		return
	}
	if object := readObjectType(r); object != ObjectSBR || !r.Flag() {
		return
	}
	rate := readRate(r)
	if r.Err() != nil || rate < 1 || rate > maxSampleRate {
		return
	}
	c.SBR, c.SBRRate = true, rate
	if r.Left() >= 12 && r.Int(11) == syncPS {
		c.PS = r.Flag()
	}
}

func readObjectType(r *bits.Reader) int {
	object := r.Int(5)
	if object == 31 {
		object = 32 + r.Int(6)
	}
	return object
}

func readRate(r *bits.Reader) int {
	index := r.Int(4)
	switch {
	case index == rateEscape:
		return r.Int(24)
	case index < len(sampleRates):
		return sampleRates[index]
	default:
		return 0
	}
}

// Marshal returns the AudioSpecificConfig, with SBR and PS signalled in the way
// that old decoders refuse rather than play at half the rate (hierarchical
// signalling). Only the object types Main, LC, SSR and LTP with one of the
// numbered channel configurations can be written.
func (c Config) Marshal() ([]byte, error) {
	if c.ObjectType < ObjectMain || c.ObjectType > ObjectLTP {
		return nil, fmt.Errorf("AudioSpecificConfig: object type %d", c.ObjectType)
	}
	n := c.ChannelConfiguration
	if n < 1 || n >= len(channelCounts) || channelCounts[n] == 0 {
		return nil, fmt.Errorf("AudioSpecificConfig: %w: %d", ErrChannels, n)
	}
	if c.CoreRate < 1 || c.CoreRate > maxSampleRate || c.SBR && (c.SBRRate < 1 || c.SBRRate > maxSampleRate) {
		return nil, fmt.Errorf("AudioSpecificConfig: sample rates %d and %d", c.CoreRate, c.SBRRate)
	}
	var w bits.Writer
	outer := c.ObjectType
	if c.PS {
		outer = ObjectPS
	} else if c.SBR {
		outer = ObjectSBR
	}
	w.Bits(uint64(outer), 5)
	writeRate(&w, c.CoreRate)
	w.Bits(uint64(n), 4)
	if outer != c.ObjectType {
		writeRate(&w, c.SBRRate)
		w.Bits(uint64(c.ObjectType), 5)
	}
	w.Flag(c.ShortFrames)
	w.Bits(0, 2) // no core coder, no extension
	return w.Bytes(), nil
}

func writeRate(w *bits.Writer, rate int) {
	for i, r := range sampleRates {
		if r == rate {
			w.Bits(uint64(i), 4)
			return
		}
	}
	w.Bits(rateEscape, 4)
	w.Bits(uint64(rate), 24)
}

// SampleRate is the rate in hertz of what comes out of the decoder.
func (c Config) SampleRate() int {
	if c.SBR {
		return c.SBRRate
	}
	return c.CoreRate
}

// Channels is the number of channels that come out of the decoder.
func (c Config) Channels() int {
	if c.PS && c.CoreChannels == 1 {
		return 2
	}
	return c.CoreChannels
}

// FrameSamples is the number of samples a frame gives, at SampleRate. It is 0
// for object types whose frames vary.
func (c Config) FrameSamples() int {
	n := 1024
	switch {
	case !isGeneralAudio(c.ObjectType):
		return 0
	case c.ObjectType == 23: // low delay
		n = 512
		if c.ShortFrames {
			n = 480
		}
	case c.ShortFrames:
		n = 960
	}
	return n * c.SampleRate() / c.CoreRate
}

// CodecString returns the RFC 6381 string, such as "mp4a.40.2".
func (c Config) CodecString() string {
	object := c.ObjectType
	switch {
	case c.PS:
		object = ObjectPS
	case c.SBR:
		object = ObjectSBR
	}
	return fmt.Sprintf("mp4a.40.%d", object)
}

// NewTrack describes a stream by its AudioSpecificConfig, which it keeps. ID and
// Timescale are left to the caller.
func NewTrack(audioSpecificConfig []byte) (media.Track, error) {
	c, err := ParseConfig(audioSpecificConfig)
	if err != nil {
		return media.Track{}, err
	}
	return media.Track{
		Codec: media.AAC, CodecString: c.CodecString(), Config: audioSpecificConfig,
		SampleRate: c.SampleRate(), Channels: c.Channels(),
	}, nil
}
