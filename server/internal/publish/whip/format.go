package whip

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/framewire/framewire/server/internal/annexb"
	"github.com/framewire/framewire/server/internal/codec/opus"
	"github.com/framewire/framewire/server/internal/media"
)

const (
	videoClock = 90000

	// topLevel is level 5.2 of H.264, which asks of publishers no less than they
	// can do; decoders are chosen by the stream's own level.
	topLevel = 0x34

	// levelOneB marks level 1b in the flags of the older profiles.
	levelOneB = 0x10

	// maxSprop bounds the parameter sets in an offer, in bytes.
	maxSprop = 4096
)

// format is a payload type and what it stands for.
type format struct {
	payloadType uint8
	codec       media.Codec
	fmtp        string   // the parameters to answer with
	feedback    []string // kinds of RTCP feedback that the publisher understands
	config      []byte   // for elementary.Stream.Configure, may be empty
}

// parseFormat returns the format of a payload type, with a codec of 0 and the
// name it goes by when it is not one to be used.
func parseFormat(m *sdp.MediaDescription, id string) (f format, name string, err error) {
	number, err := strconv.ParseUint(id, 10, 7)
	if err != nil {
		return f, "", fmt.Errorf("%w: payload type %q", errMalformed, id)
	}
	f.payloadType = uint8(number)
	encoding := valueFor(m, "rtpmap", id)
	name, clock, _ := strings.Cut(encoding, "/")
	params := parseParams(valueFor(m, "fmtp", id))
	switch {
	case strings.EqualFold(name, "H264") && clock == "90000":
		f.offerH264(params)
	case strings.EqualFold(name, "VP9") && clock == "90000":
		// Browsers play 4:2:0 of 8 and 10 bits.
		if profile := params["profile-id"]; profile == "" || profile == "0" || profile == "2" {
			f.codec, f.fmtp = media.VP9, "profile-id="+orDefault(profile, "0")
		}
	case strings.EqualFold(name, "AV1") && clock == "90000":
		if profile := params["profile"]; profile == "" || profile == "0" {
			f.codec, f.fmtp = media.AV1, av1Params(params)
		}
	case strings.EqualFold(name, "opus") && clock == "48000/2":
		f.offerOpus(params)
	case isAuxiliary(name):
		name = ""
	}
	for _, a := range m.Attributes {
		number, kind, _ := strings.Cut(a.Value, " ")
		kind = strings.TrimSpace(kind)
		if a.Key == "rtcp-fb" && (number == id || number == "*") && isFeedback(kind) && !slices.Contains(f.feedback, kind) {
			f.feedback = append(f.feedback, kind)
		}
	}
	return f, printable(name), nil
}

// isAuxiliary reports formats that carry no media of their own.
func isAuxiliary(name string) bool {
	switch strings.ToLower(name) {
	case "rtx", "red", "ulpfec", "flexfec-03", "cn", "telephone-event":
		return true
	}
	return false
}

func isFeedback(kind string) bool {
	switch kind {
	case "nack", "nack pli", "ccm fir", "transport-cc":
		return true
	}
	return false
}

// offerH264 accepts the profiles that browsers play, in packetization modes 0 and
// 1 (RFC 6184 8.1).
func (f *format) offerH264(params map[string]string) {
	mode := orDefault(params["packetization-mode"], "0")
	level, err := hex.DecodeString(orDefault(params["profile-level-id"], "42000a"))
	if err != nil || len(level) != 3 || mode != "0" && mode != "1" {
		return
	}
	const baseline, main, high = 0x42, 0x4d, 0x64
	if level[0] != baseline && level[0] != main && level[0] != high {
		return
	}
	asymmetric := params["level-asymmetry-allowed"] == "1"
	if asymmetric && level[1]&levelOneB == 0 {
		level[2] = max(level[2], topLevel)
	}
	f.codec = media.H264
	f.fmtp = fmt.Sprintf("packetization-mode=%s;profile-level-id=%x", mode, level)
	if asymmetric {
		f.fmtp = "level-asymmetry-allowed=1;" + f.fmtp
	}
	f.config = parseSprop(params["sprop-parameter-sets"])
}

// parseSprop returns parameter sets as a byte stream. Broken ones are left out:
// those in band count.
func parseSprop(sprop string) []byte {
	if len(sprop) > maxSprop {
		return nil
	}
	var stream []byte
	for _, set := range strings.Split(sprop, ",") {
		if unit, err := base64.StdEncoding.DecodeString(set); err == nil && len(unit) > 0 {
			stream = annexb.AppendStream(stream, unit)
		}
	}
	return stream
}

// offerOpus asks for sound without forward error correction and without pauses
// (RFC 7587 7.1): the decoders behind MP4 use neither.
func (f *format) offerOpus(params map[string]string) {
	f.codec, f.fmtp = media.Opus, "minptime=10"
	if params["stereo"] == "1" || params["sprop-stereo"] == "1" {
		f.fmtp += ";stereo=1"
	}
	// Encoders code silence in mono, also at the start of a stereo stream. A
	// decoder for two channels plays both.
	f.config = opus.Config{Channels: 2, InputRate: opus.SampleRate}.Head()
}

// av1Params repeats the parameters, which describe what the publisher can send.
func av1Params(params map[string]string) string {
	list := []string{"profile=0"}
	for _, key := range []string{"level-idx", "tier"} {
		if n, err := strconv.ParseUint(params[key], 10, 5); err == nil {
			list = append(list, fmt.Sprintf("%s=%d", key, n))
		}
	}
	return strings.Join(list, ";")
}

func (f *format) clockRate() uint32 {
	if f.codec == media.Opus {
		return opus.SampleRate
	}
	return videoClock
}

func (f *format) can(kind string) bool { return slices.Contains(f.feedback, kind) }

// encodings are the names of RTP payload formats.
var encodings = map[media.Codec]string{media.H264: "H264", media.VP9: "VP9", media.AV1: "AV1", media.Opus: "opus"}

func (f *format) write(b *strings.Builder) {
	channels := ""
	if f.codec == media.Opus {
		channels = "/2"
	}
	fmt.Fprintf(b, "a=rtpmap:%d %s/%d%s\r\n", f.payloadType, encodings[f.codec], f.clockRate(), channels)
	fmt.Fprintf(b, "a=fmtp:%d %s\r\n", f.payloadType, f.fmtp)
	for _, kind := range f.feedback {
		fmt.Fprintf(b, "a=rtcp-fb:%d %s\r\n", f.payloadType, kind)
	}
}

// parameters is the format as the WebRTC stack registers it.
func (f *format) parameters() webrtc.RTPCodecParameters {
	p := webrtc.RTPCodecParameters{PayloadType: webrtc.PayloadType(f.payloadType)}
	p.MimeType = f.codec.Kind().String() + "/" + encodings[f.codec]
	p.ClockRate, p.SDPFmtpLine = f.clockRate(), f.fmtp
	if f.codec == media.Opus {
		p.Channels = 2
	}
	for _, text := range f.feedback {
		kind, parameter, _ := strings.Cut(text, " ")
		p.RTCPFeedback = append(p.RTCPFeedback, webrtc.RTCPFeedback{Type: kind, Parameter: parameter})
	}
	return p
}

// valueFor returns what an attribute says of a payload type.
func valueFor(m *sdp.MediaDescription, key, id string) string {
	for _, a := range m.Attributes {
		if a.Key != key {
			continue
		}
		if number, value, found := strings.Cut(a.Value, " "); found && number == id {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func parseParams(fmtp string) map[string]string {
	params := make(map[string]string)
	for _, pair := range strings.Split(fmtp, ";") {
		key, value, _ := strings.Cut(pair, "=")
		params[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
	}
	return params
}

func orDefault(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// printable keeps a name that goes into an error message short and plain.
func printable(name string) string {
	const longest = 20
	if !isToken(name, "-._") || len(name) > longest {
		return ""
	}
	return name
}
