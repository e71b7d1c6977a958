package wire

import (
	"time"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
)

func (m Welcome) message() *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_Welcome{Welcome: &pb.Welcome{
		SessionId:        m.SessionID,
		ProtocolVersion:  ProtocolVersion,
		Server:           m.Server,
		ServerTimeUnixUs: m.Time.UnixMicro(),
		Limits: &pb.Limits{
			MaxMessageBytes:   uint32(m.Limits.MessageBytes),
			CommandBurst:      uint32(m.Limits.CommandBurst),
			CommandsPerSecond: uint32(m.Limits.CommandsPerSecond),
			IdleTimeoutMs:     milliseconds(m.Limits.IdleTimeout),
		},
	}}}
}

func (m State) message() *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_SessionState{SessionState: SessionState(m)}}
}

func (m Result) message() *pb.ServerMessage {
	r := &pb.CommandResult{Id: m.ID}
	switch {
	case m.Err != nil:
		r.Outcome = &pb.CommandResult_Error{Error: ErrorMessage(m.Err)}
	case m.Streams != nil:
		r.Outcome = &pb.CommandResult_Streams{Streams: m.Streams.list()}
	default:
		r.Outcome = &pb.CommandResult_Done{Done: &pb.CommandDone{}}
	}
	return &pb.ServerMessage{Body: &pb.ServerMessage_CommandResult{CommandResult: r}}
}

func (m Pong) message() *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_Pong{Pong: &pb.Pong{
		ClientTimeUnixUs:     m.ClientTime,
		ServerReceivedUnixUs: m.Received,
		ServerSentUnixUs:     m.Sent,
	}}}
}

func (m Gap) message() *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_Gap{Gap: &pb.Gap{
		Stream:      m.Stream,
		Reason:      m.Reason,
		FromSeconds: m.From.Seconds(),
		ToSeconds:   m.To.Seconds(),
	}}}
}

func (m StreamWaiting) message() *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_StreamWaiting{StreamWaiting: &pb.StreamWaiting{
		Stream:      m.Stream,
		Reason:      m.Reason,
		SinceUnixUs: m.Since.UnixMicro(),
		Message:     m.Message,
	}}}
}

func (m StreamEnded) message() *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_StreamEnded{StreamEnded: &pb.StreamEnded{
		Stream: m.Stream, Reason: m.Reason, Message: m.Message,
	}}}
}

func (m StreamList) message() *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_StreamList{StreamList: m.list()}}
}

func (m StreamList) list() *pb.StreamList {
	list := &pb.StreamList{Streams: make([]*pb.StreamInfo, 0, len(m.Streams))}
	for i := range m.Streams {
		list.Streams = append(list.Streams, Info(&m.Streams[i]))
	}
	return list
}

func (m Goodbye) message() *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_Goodbye{Goodbye: &pb.Goodbye{
		Reason:       m.Reason,
		RetryAfterMs: milliseconds(m.RetryAfter),
		Message:      m.Message,
	}}}
}

func (m Directive) message() *pb.ServerMessage {
	d := &pb.Directive{Id: m.ID}
	m.Body.directive(d)
	return &pb.ServerMessage{Body: &pb.ServerMessage_Directive{Directive: d}}
}

func (DirectivePlay) directive(d *pb.Directive) {
	d.Body = &pb.Directive_Play{Play: &pb.DirectivePlay{}}
}

func (DirectivePause) directive(d *pb.Directive) {
	d.Body = &pb.Directive_Pause{Pause: &pb.DirectivePause{}}
}

func (b SetVolume) directive(d *pb.Directive) {
	d.Body = &pb.Directive_SetVolume{SetVolume: &pb.SetVolume{Volume: b.Volume}}
}

func (b SetMuted) directive(d *pb.Directive) {
	d.Body = &pb.Directive_SetMuted{SetMuted: &pb.SetMuted{Muted: b.Muted}}
}

func (b SwitchStream) directive(d *pb.Directive) {
	d.Body = &pb.Directive_SwitchStream{SwitchStream: &pb.SwitchStream{Stream: b.Stream}}
}

func (GoLive) directive(d *pb.Directive) {
	d.Body = &pb.Directive_GoLive{GoLive: &pb.GoLive{}}
}

func (b ShowNotice) directive(d *pb.Directive) {
	d.Body = &pb.Directive_ShowNotice{ShowNotice: &pb.ShowNotice{Text: b.Text, DurationMs: milliseconds(b.For)}}
}

// milliseconds holds at the bounds of what the schema can say.
func milliseconds(d time.Duration) uint32 {
	return uint32(min(max(0, d.Milliseconds()), 1<<32-1))
}
