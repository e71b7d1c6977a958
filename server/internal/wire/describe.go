package wire

import (
	"time"
	"unicode/utf8"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
)

// SessionState returns what the server holds of a session as a message.
func SessionState(s State) *pb.SessionState {
	return &pb.SessionState{
		Stream:              s.Stream,
		Playback:            s.Playback,
		Volume:              s.Settings.Volume,
		Muted:               s.Settings.Muted,
		LatencyTargetMs:     milliseconds(s.Settings.LatencyTarget),
		VideoTrackId:        s.Video,
		AudioTrackId:        s.Audio,
		Degradation:         s.Degradation,
		Live:                s.Live,
		PositionSeconds:     s.Position.Seconds(),
		WindowStartSeconds:  s.WindowStart.Seconds(),
		WindowEndSeconds:    s.WindowEnd.Seconds(),
		UndecodableTrackIds: s.Undecodable,
	}
}

// PlaybackReport returns a player's report as the message that it came in.
func PlaybackReport(r Report) *pb.PlaybackReport {
	return &pb.PlaybackReport{
		State:         r.State,
		LatencyMs:     r.Latency.Seconds() * 1000,
		BufferMs:      r.Buffer.Seconds() * 1000,
		TargetMs:      r.Target.Seconds() * 1000,
		FramesDecoded: r.Decoded,
		FramesDropped: r.Dropped,
		Stalls:        r.Stalls,
		StalledMs:     r.Stalled.Seconds() * 1000,
		PlaybackRate:  r.Rate,
		Visible:       r.Visible,
		RoundTripMs:   r.RoundTrip.Seconds() * 1000,
		Reconnects:    r.Reconnects,
	}
}

// Info returns what the list says of a stream as a message.
func Info(s *StreamInfo) *pb.StreamInfo {
	info := &pb.StreamInfo{
		Name:        s.Name,
		Status:      s.Status,
		SinceUnixUs: s.Since.UnixMicro(),
		Viewers:     uint32(max(0, s.Viewers)),
		BitrateBps:  s.Bitrate,
		LatencyMs:   milliseconds(s.Latency),
	}
	if s.Epoch != nil {
		for i := range s.Epoch.Tracks {
			info.Tracks = append(info.Tracks, Track(&s.Epoch.Tracks[i]))
		}
	}
	return info
}

// ErrorMessage returns e as a message.
func ErrorMessage(e *Error) *pb.Error {
	return &pb.Error{Code: e.Code, Message: e.Message, Field: e.Field, RetryAfterMs: milliseconds(e.RetryAfter)}
}

// maxNotice is the greatest length of ShowNotice.text, in characters.
const maxNotice = 500

// ReadDirective checks the directive that an operator sends.
func ReadDirective(m *pb.Directive) (DirectiveBody, *Error) {
	d := &checker{}
	body := d.directive(m)
	return body, d.err
}

func (d *checker) directive(m *pb.Directive) DirectiveBody {
	switch body := m.GetBody().(type) {
	case *pb.Directive_Play:
		return DirectivePlay{}
	case *pb.Directive_Pause:
		return DirectivePause{}
	case *pb.Directive_SetVolume:
		return SetVolume{Volume: d.between("directive.set_volume.volume", body.SetVolume.GetVolume(), 0, 1)}
	case *pb.Directive_SetMuted:
		return SetMuted{Muted: body.SetMuted.GetMuted()}
	case *pb.Directive_SwitchStream:
		return SwitchStream{Stream: d.streamName("directive.switch_stream.stream", body.SwitchStream.GetStream())}
	case *pb.Directive_GoLive:
		return GoLive{}
	case *pb.Directive_ShowNotice:
		return d.notice(body.ShowNotice)
	default:
		d.fail(InvalidArgument, "directive.body", "a directive says what to do")
		return nil
	}
}

func (d *checker) notice(m *pb.ShowNotice) DirectiveBody {
	text := m.GetText()
	switch n := utf8.RuneCountInString(text); {
	case text == "":
		d.fail(InvalidArgument, "directive.show_notice.text", "a notice needs a text")
	case n > maxNotice:
		d.fail(InvalidArgument, "directive.show_notice.text", "%d characters; at most %d are allowed", n, maxNotice)
	}
	return ShowNotice{Text: text, For: time.Duration(m.GetDurationMs()) * time.Millisecond}
}
