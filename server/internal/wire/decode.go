package wire

import (
	"fmt"
	"math"
	"mime"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/media"
)

// Bounds of what a client may send, as the schema states them.
const (
	maxClientText     = 64
	maxToken          = 8192
	maxDecodableTypes = 64
	maxDecodableType  = 128
	maxLatencyTarget  = 60000 // milliseconds
	maxInstance       = 64
	maxAnswer         = 500 // of a DirectiveResult's error, which goes to logs
	maxComplaint      = 500 // of what is wrong with a message, which may repeat it

	// maxSeconds bounds times so that they fit a time.Duration with room to add
	// to: about 31 years of one stream.
	maxSeconds = 1e9
)

// unmarshalJSON ignores what a newer client sends that this version does not
// know, as binary protobuf does.
var unmarshalJSON = protojson.UnmarshalOptions{DiscardUnknown: true}

// Decode reads and checks a ClientMessage. It returns nil and no error for one
// that this version does not know, which is to be ignored. An error is a
// *DecodeError. The result does not share data's memory.
func (e Encoding) Decode(data []byte) (ClientMessage, error) {
	var m pb.ClientMessage
	var err error
	if e == JSON {
		err = unmarshalJSON.Unmarshal(data, &m)
	} else {
		err = proto.Unmarshal(data, &m)
	}
	if err != nil {
		return nil, &DecodeError{Err: &Error{
			Code:    MalformedMessage,
			Message: cut(fmt.Sprintf("not a ClientMessage in the subprotocol %v: %v", e, err), maxComplaint),
		}}
	}
	d := &checker{}
	var out ClientMessage
	var id uint32
	switch body := m.GetBody().(type) {
	case *pb.ClientMessage_Hello:
		out = d.hello(body.Hello)
	case *pb.ClientMessage_Command:
		id = body.Command.GetId()
		out = d.command(body.Command)
	case *pb.ClientMessage_Ping:
		out = Ping{ClientTime: body.Ping.GetClientTimeUnixUs()}
	case *pb.ClientMessage_PlaybackReport:
		out = d.report(body.PlaybackReport)
	case *pb.ClientMessage_DirectiveResult:
		out = directiveResult(body.DirectiveResult)
	case *pb.ClientMessage_PublishSample:
		out = d.publishSample(body.PublishSample)
	case *pb.ClientMessage_PublishStart:
		id = body.PublishStart.GetId()
		out = d.publishStart(body.PublishStart)
	case *pb.ClientMessage_PublishTracks:
		out = PublishTracks{d.publishTracks("publish_tracks.tracks", body.PublishTracks.GetTracks())}
	case *pb.ClientMessage_PublishEnd:
		out = PublishEnd{}
	default:
		return nil, nil
	}
	if d.err != nil {
		publish, _ := out.(PublishMessage)
		return nil, &DecodeError{ID: id, Err: d.err, Publish: publish}
	}
	return out, nil
}

// checker reads values out of a message and keeps the first thing that is wrong.
type checker struct{ err *Error }

func (d *checker) fail(code ErrorCode, field, format string, args ...any) {
	if d.err == nil {
		d.err = &Error{Code: code, Field: field, Message: fmt.Sprintf(format, args...)}
	}
}

func (d *checker) size(field, value string, most int) string {
	if len(value) > most {
		d.fail(InvalidArgument, field, "%d bytes; at most %d are allowed", len(value), most)
	}
	return value
}

func (d *checker) streamName(field, name string) string {
	if err := media.CheckStreamName(name); err != nil {
		d.fail(InvalidArgument, field, "%v", err)
	}
	return name
}

// between returns v, which must be a number from least to most.
func (d *checker) between(field string, v, least, most float64) float64 {
	if math.IsNaN(v) || v < least || v > most {
		d.fail(InvalidArgument, field, "%v is not a number from %v to %v", v, least, most)
		return least
	}
	return v
}

func (d *checker) seconds(field string, v float64) time.Duration {
	return time.Duration(d.between(field, v, 0, maxSeconds) * float64(time.Second))
}

// milliseconds takes a measurement, which may be negative: clocks differ.
func (d *checker) milliseconds(field string, v float64) time.Duration {
	return time.Duration(d.between(field, v, -maxSeconds, maxSeconds) * float64(time.Millisecond))
}

func (d *checker) latencyTarget(field string, ms uint32) time.Duration {
	if ms > maxLatencyTarget {
		d.fail(InvalidArgument, field, "%d ms; at most %d are allowed, and 0 is automatic", ms, maxLatencyTarget)
	}
	return time.Duration(ms) * time.Millisecond
}

func (d *checker) hello(m *pb.Hello) Hello {
	h := Hello{
		Version:       m.GetProtocolVersion(),
		ClientName:    d.size("hello.client_name", m.GetClientName(), maxClientText),
		ClientVersion: d.size("hello.client_version", m.GetClientVersion(), maxClientText),
		Token:         d.size("hello.token", m.GetToken(), maxToken),
		Families:      d.families(m.GetDecodableTypes()),
		Settings:      Settings{Volume: 1},
	}
	if s := m.GetSettings(); s != nil {
		h.Settings = Settings{
			Volume:        d.between("hello.settings.volume", s.GetVolume(), 0, 1),
			Muted:         s.GetMuted(),
			LatencyTarget: d.latencyTarget("hello.settings.latency_target_ms", s.GetLatencyTargetMs()),
		}
	}
	if r := m.GetResume(); r != nil {
		h.Resume = &ResumePosition{
			Stream:      d.streamName("hello.resume.stream", r.GetStream()),
			Instance:    d.size("hello.resume.instance", r.GetInstance(), maxInstance),
			Next:        r.GetNextSequence(),
			Paused:      r.GetPaused(),
			TimeShifted: r.GetTimeShifted(),
		}
	}
	return h
}

// families takes MIME types down to codec families, each once.
func (d *checker) families(types []string) []string {
	const field = "hello.decodable_types"
	if len(types) > maxDecodableTypes {
		d.fail(InvalidArgument, field, "%d entries; at most %d are allowed", len(types), maxDecodableTypes)
		return nil
	}
	var families []string
	for i, t := range types {
		d.size(fmt.Sprintf("%s[%d]", field, i), t, maxDecodableType)
		_, params, err := mime.ParseMediaType(t)
		if err != nil || params["codecs"] == "" {
			d.fail(InvalidArgument, fmt.Sprintf("%s[%d]", field, i),
				"%q is not a MIME type with a codecs parameter, such as video/mp4; codecs=\"avc1.64001f\"", t)
			return nil
		}
		for codec := range strings.SplitSeq(params["codecs"], ",") {
			if f := Family(strings.TrimSpace(codec)); !slices.Contains(families, f) {
				families = append(families, f)
			}
		}
	}
	return families
}

// Family returns the part of a codec string that tells whether a client can
// decode it at all: what stands before the first dot.
func Family(codec string) string {
	family, _, _ := strings.Cut(codec, ".")
	return family
}

func (d *checker) command(m *pb.Command) Command {
	if m.GetId() == 0 {
		d.fail(InvalidArgument, "command.id", "0 is not allowed; number commands from 1")
	}
	return Command{ID: m.GetId(), Body: d.commandBody(m)}
}

func (d *checker) commandBody(m *pb.Command) CommandBody {
	switch body := m.GetBody().(type) {
	case *pb.Command_Play:
		return d.play(body.Play)
	case *pb.Command_Pause:
		return Pause{}
	case *pb.Command_Resume:
		return Resume{Live: body.Resume.GetLive()}
	case *pb.Command_Stop:
		return Stop{}
	case *pb.Command_Seek:
		return Seek{Time: d.seconds("command.seek.time_seconds", body.Seek.GetTimeSeconds())}
	case *pb.Command_GoLive:
		return GoLive{}
	case *pb.Command_SetVolume:
		return SetVolume{Volume: d.between("command.set_volume.volume", body.SetVolume.GetVolume(), 0, 1)}
	case *pb.Command_SetMuted:
		return SetMuted{Muted: body.SetMuted.GetMuted()}
	case *pb.Command_SelectTracks:
		return SelectTracks{Video: body.SelectTracks.VideoTrackId, Audio: body.SelectTracks.AudioTrackId}
	case *pb.Command_SetLatencyTarget:
		const field = "command.set_latency_target.latency_target_ms"
		return SetLatencyTarget{Target: d.latencyTarget(field, body.SetLatencyTarget.GetLatencyTargetMs())}
	case *pb.Command_RequestKeyframe:
		return RequestKeyframe{}
	case *pb.Command_ListStreams:
		return ListStreams{}
	case *pb.Command_SubscribeStreams:
		return SubscribeStreams{Enabled: body.SubscribeStreams.GetEnabled()}
	case *pb.Command_RefreshToken:
		return RefreshToken{Token: d.size("command.refresh_token.token", body.RefreshToken.GetToken(), maxToken)}
	default:
		d.fail(Unsupported, "command.body", "this server knows no such command")
		return nil
	}
}

func (d *checker) play(m *pb.Play) Play {
	p := Play{Stream: d.streamName("command.play.stream", m.GetStream()), From: PositionLive{}}
	switch from := m.GetFrom().(type) {
	case *pb.Play_TimeSeconds:
		p.From = PositionTime(d.seconds("command.play.time_seconds", from.TimeSeconds))
	case *pb.Play_Sequence:
		p.From = PositionSequence(from.Sequence)
	case *pb.Play_SecondsBehindLive:
		p.From = PositionBehind(d.seconds("command.play.seconds_behind_live", from.SecondsBehindLive))
	}
	return p
}

func (d *checker) report(m *pb.PlaybackReport) Report {
	return Report{
		State:      m.GetState(),
		Latency:    d.milliseconds("playback_report.latency_ms", m.GetLatencyMs()),
		Buffer:     d.milliseconds("playback_report.buffer_ms", m.GetBufferMs()),
		Target:     d.milliseconds("playback_report.target_ms", m.GetTargetMs()),
		Decoded:    m.GetFramesDecoded(),
		Dropped:    m.GetFramesDropped(),
		Stalls:     m.GetStalls(),
		Stalled:    d.milliseconds("playback_report.stalled_ms", m.GetStalledMs()),
		Rate:       d.between("playback_report.playback_rate", m.GetPlaybackRate(), 0, 16),
		Visible:    m.GetVisible(),
		RoundTrip:  d.milliseconds("playback_report.round_trip_ms", m.GetRoundTripMs()),
		Reconnects: m.GetReconnects(),
	}
}

func directiveResult(m *pb.DirectiveResult) DirectiveResult {
	r := DirectiveResult{ID: m.GetId()}
	if e := m.GetError(); e != nil {
		r.Err = &Error{Code: e.GetCode(), Message: cut(e.GetMessage(), maxAnswer), Field: cut(e.GetField(), maxAnswer)}
	}
	return r
}

// cut shortens s to at most n bytes, and leaves out what is not UTF-8: a split
// character at the end, or bytes that were never text.
func cut(s string, n int) string {
	return strings.ToValidUTF8(s[:min(n, len(s))], "")
}
