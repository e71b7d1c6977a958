// Package opus reads the headers of Opus streams: identification header (RFC
// 7845), the configuration box of MP4, and the length of packets (RFC 6716).
package opus

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/framewire/framewire/server/internal/media"
)

// SampleRate in hertz is the rate of all times in Opus streams, whatever the
// input's was.
const SampleRate = 48000

// CodecString is the same for every stream.
const CodecString = "opus"

// MaxPacketSamples is the longest packet: 120 ms (RFC 6716 3.2.5).
const MaxPacketSamples = SampleRate * 120 / 1000

// ErrPacket reports a packet that RFC 6716 3 does not allow.
var ErrPacket = errors.New("invalid Opus packet")

// Config describes a stream.
type Config struct {
	Channels   int
	PreSkip    uint16 // samples at 48 kHz to discard at the start
	InputRate  uint32 // hertz; information only
	OutputGain int16  // Q7.8 dB

	// Family is the channel mapping family. Table holds stream count, coupled
	// count and mapping for families other than 0.
	Family uint8
	Table  []byte
}

const (
	headMagic = "OpusHead"
	headSize  = 19 // of an OpusHead without table
	dOpsSize  = 11
)

// ParseHead parses an OpusHead packet (RFC 7845 5.1), as Ogg, WebM and FLV carry
// it.
func ParseHead(head []byte) (Config, error) {
	if len(head) < headSize || string(head[:8]) != headMagic {
		return Config{}, errors.New("OpusHead: not one")
	}
	if head[8]&0xf0 != 0 { // the upper four bits are the major version
		return Config{}, fmt.Errorf("OpusHead: version %d", head[8])
	}
	le := binary.LittleEndian
	c := Config{
		Channels: int(head[9]), PreSkip: le.Uint16(head[10:]), InputRate: le.Uint32(head[12:]),
		OutputGain: int16(le.Uint16(head[16:])), Family: head[18],
	}
	if err := c.setTable(head[headSize:]); err != nil {
		return Config{}, fmt.Errorf("OpusHead: %w", err)
	}
	return c, nil
}

// ParseConfig parses the payload of a dOps box (Opus in ISOBMFF 4.3.2).
func ParseConfig(dOps []byte) (Config, error) {
	if len(dOps) < dOpsSize {
		return Config{}, fmt.Errorf("dOps: %d bytes are no record", len(dOps))
	}
	if dOps[0] != 0 {
		return Config{}, fmt.Errorf("dOps: version %d", dOps[0])
	}
	be := binary.BigEndian
	c := Config{
		Channels: int(dOps[1]), PreSkip: be.Uint16(dOps[2:]), InputRate: be.Uint32(dOps[4:]),
		OutputGain: int16(be.Uint16(dOps[8:])), Family: dOps[10],
	}
	if err := c.setTable(dOps[dOpsSize:]); err != nil {
		return Config{}, fmt.Errorf("dOps: %w", err)
	}
	return c, nil
}

func (c *Config) setTable(rest []byte) error {
	if c.Family == 0 {
		if c.Channels < 1 || c.Channels > 2 {
			return fmt.Errorf("%d channels in mapping family 0", c.Channels)
		}
		return nil
	}
	if c.Channels < 1 || len(rest) < 2+c.Channels {
		return fmt.Errorf("channel mapping of %d bytes for %d channels", len(rest), c.Channels)
	}
	c.Table = append([]byte(nil), rest[:2+c.Channels]...)
	return nil
}

// Head returns the OpusHead packet.
func (c Config) Head() []byte {
	le := binary.LittleEndian
	out := append([]byte(headMagic), 1, byte(c.Channels))
	out = le.AppendUint16(out, c.PreSkip)
	out = le.AppendUint32(out, c.InputRate)
	out = le.AppendUint16(out, uint16(c.OutputGain))
	return append(append(out, c.Family), c.Table...)
}

// Marshal returns the payload of dOps.
func (c Config) Marshal() []byte {
	be := binary.BigEndian
	out := []byte{0, byte(c.Channels)}
	out = be.AppendUint16(out, c.PreSkip)
	out = be.AppendUint32(out, c.InputRate)
	out = be.AppendUint16(out, uint16(c.OutputGain))
	return append(append(out, c.Family), c.Table...)
}

// Track describes the stream. ID and Timescale are left to the caller. Its
// configuration tells SampleRate for the input's rate: Chromium refuses an MP4 in
// which that, which is for information only, differs from the sample entry's.
func (c Config) Track() (media.Track, error) {
	if err := c.check(); err != nil {
		return media.Track{}, err
	}
	c.InputRate = SampleRate
	return media.Track{
		Codec: media.Opus, CodecString: CodecString, Config: c.Marshal(),
		SampleRate: SampleRate, Channels: c.Channels,
	}, nil
}

func (c Config) check() error {
	if c.Channels < 1 || c.Channels > 255 {
		return fmt.Errorf("%d channels, want 1 to 255", c.Channels)
	}
	return (&Config{Channels: c.Channels, Family: c.Family}).setTable(c.Table)
}

// NewTrack describes a stream that has no header, as RTP and MPEG-TS carry it,
// with one or two channels.
func NewTrack(channels int) (media.Track, error) {
	return Config{Channels: channels, InputRate: SampleRate}.Track()
}

// frameSamples is the length of one frame by the config number of the TOC byte
// (RFC 6716 table 2).
func frameSamples(toc byte) int {
	config := int(toc >> 3)
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		return [...]int{480, 960, 1920, 2880}[config%4]
	case config < 16: // hybrid: 10, 20 ms
		return [...]int{480, 960}[config%2]
	default: // CELT: 2.5, 5, 10, 20 ms
		return [...]int{120, 240, 480, 960}[config%4]
	}
}

// PacketSamples returns the length of a packet in samples at 48 kHz.
func PacketSamples(packet []byte) (int, error) {
	if len(packet) == 0 {
		return 0, fmt.Errorf("%w: empty", ErrPacket)
	}
	count := 1
	switch packet[0] & 3 {
	case 1, 2:
		count = 2
	case 3:
		if len(packet) < 2 {
			return 0, fmt.Errorf("%w: no frame count", ErrPacket)
		}
		count = int(packet[1] & 0x3f)
	}
	samples := count * frameSamples(packet[0])
	if count == 0 || samples > MaxPacketSamples {
		return 0, fmt.Errorf("%w: %d frames of %d samples", ErrPacket, count, frameSamples(packet[0]))
	}
	return samples, nil
}

// PacketChannels returns how many channels a packet codes, 1 or 2.
func PacketChannels(packet []byte) int {
	if len(packet) > 0 && packet[0]&4 != 0 {
		return 2
	}
	return 1
}
