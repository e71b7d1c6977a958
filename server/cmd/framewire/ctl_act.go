package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/config"
)

type ctlAdd struct {
	Stream string `arg:"" help:"Name of the stream."`
	Source string `arg:"" help:"Source URL, as of framewire serve --source."`
}

// Run adds a stream.
func (l *ctlAdd) Run(ctx context.Context, c *ctlCmd) error {
	return ask(ctx, c, admin.AddStream, &framewirev1.AddStreamRequest{Stream: l.Stream, Source: l.Source}, func(*framewirev1.AddStreamResponse) {
		fmt.Println("added", l.Stream)
	})
}

type ctlRemove struct {
	Stream string `arg:"" help:"Name of the stream."`
}

// Run removes a stream.
func (l *ctlRemove) Run(ctx context.Context, c *ctlCmd) error {
	return ask(ctx, c, admin.RemoveStream, &framewirev1.RemoveStreamRequest{Stream: l.Stream}, func(*framewirev1.RemoveStreamResponse) {
		fmt.Println("removed", l.Stream)
	})
}

type ctlRestart struct {
	Stream string `arg:"" help:"Name of the stream."`
}

// Run restarts a source.
func (l *ctlRestart) Run(ctx context.Context, c *ctlCmd) error {
	return ask(ctx, c, admin.RestartSource, &framewirev1.RestartSourceRequest{Stream: l.Stream}, func(*framewirev1.RestartSourceResponse) {
		fmt.Println("restarting", l.Stream)
	})
}

type ctlKeyframe struct {
	Stream string `arg:"" help:"Name of the stream."`
}

// Run asks for a keyframe.
func (l *ctlKeyframe) Run(ctx context.Context, c *ctlCmd) error {
	return ask(ctx, c, admin.RequestStreamKeyframe, &framewirev1.RequestStreamKeyframeRequest{Stream: l.Stream}, func(*framewirev1.RequestStreamKeyframeResponse) {
		fmt.Println("asked", l.Stream)
	})
}

type ctlKick struct {
	Target    string `arg:"" help:"The session, or with --publisher the stream."`
	Publisher bool   `help:"End the publisher of the stream."`
	Message   string `help:"Shown to the viewer." placeholder:"TEXT"`
}

// Run ends a session or a publisher.
func (l *ctlKick) Run(ctx context.Context, c *ctlCmd) error {
	if l.Publisher {
		return ask(ctx, c, admin.KickPublisher, &framewirev1.KickPublisherRequest{Stream: l.Target}, func(*framewirev1.KickPublisherResponse) {
			fmt.Println("ended the publisher of", l.Target)
		})
	}
	return ask(ctx, c, admin.KickSession, &framewirev1.KickSessionRequest{SessionId: l.Target, Message: l.Message}, func(*framewirev1.KickSessionResponse) {
		fmt.Println("ended", l.Target)
	})
}

type ctlDirective struct {
	Session string        `help:"To this session." xor:"to" required:"" placeholder:"ID"`
	Stream  string        `help:"To all viewers of this stream." xor:"to" required:"" placeholder:"NAME"`
	All     bool          `help:"To all viewers." xor:"to" required:""`
	Wait    time.Duration `help:"Wait for answers this long, at most 1m." default:"5s" placeholder:"DURATION"`
	For     time.Duration `help:"Show a notice for this long (default: until it is closed)." placeholder:"DURATION"`

	Do    string `arg:"" enum:"play,pause,volume,mute,unmute,switch,live,notice" help:"play, pause, volume, mute, unmute, switch, live or notice."`
	Value string `arg:"" optional:"" help:"For volume a number from 0 to 1, for switch a stream, for notice a text."`
}

// Run sends a directive and prints the answers as they come.
func (l *ctlDirective) Run(ctx context.Context, c *ctlCmd) error {
	directive, err := l.directive()
	if err != nil {
		return err
	}
	request := &framewirev1.SendDirectiveRequest{Directive: directive, TimeoutMs: uint32(l.Wait.Milliseconds())}
	switch {
	case l.All:
		request.Target = &framewirev1.SendDirectiveRequest_All{All: true}
	case l.Stream != "":
		request.Target = &framewirev1.SendDirectiveRequest_Stream{Stream: l.Stream}
	default:
		request.Target = &framewirev1.SendDirectiveRequest_SessionId{SessionId: l.Session}
	}
	service, err := c.service()
	if err != nil {
		return err
	}
	answers, err := service.SendDirective(ctx, connect.NewRequest(request))
	if err != nil {
		return explain(err)
	}
	defer func() { _ = answers.Close() }()
	n := 0
	for answers.Receive() {
		n++
		if c.JSON {
			if err := printJSON(answers.Msg()); err != nil {
				return err
			}
			continue
		}
		outcome := "done"
		if e := answers.Msg().GetError(); e != nil {
			outcome = "refused: " + printable(e.GetMessage())
		} else if answers.Msg().GetUnanswered() {
			outcome = "no answer"
		}
		fmt.Println(answers.Msg().GetSessionId(), outcome)
	}
	if err := answers.Err(); err != nil {
		return explain(err)
	}
	if n == 0 && !c.JSON {
		fmt.Println("nobody is watching")
	}
	return nil
}

func (l *ctlDirective) directive() (*framewirev1.Directive, error) {
	takesValue := l.Do == "volume" || l.Do == "switch" || l.Do == "notice"
	if takesValue != (l.Value != "") {
		return nil, fmt.Errorf("%w: volume, switch and notice need a value, and the others take none", config.ErrInvalid)
	}
	switch l.Do {
	case "play":
		return &framewirev1.Directive{Body: &framewirev1.Directive_Play{Play: &framewirev1.DirectivePlay{}}}, nil
	case "pause":
		return &framewirev1.Directive{Body: &framewirev1.Directive_Pause{Pause: &framewirev1.DirectivePause{}}}, nil
	case "volume":
		var volume float64
		if _, err := fmt.Sscanf(l.Value, "%g", &volume); err != nil {
			return nil, fmt.Errorf("%w: volume %q is no number", config.ErrInvalid, l.Value)
		}
		return &framewirev1.Directive{Body: &framewirev1.Directive_SetVolume{SetVolume: &framewirev1.SetVolume{Volume: volume}}}, nil
	case "mute", "unmute":
		return &framewirev1.Directive{Body: &framewirev1.Directive_SetMuted{SetMuted: &framewirev1.SetMuted{Muted: l.Do == "mute"}}}, nil
	case "switch":
		return &framewirev1.Directive{Body: &framewirev1.Directive_SwitchStream{SwitchStream: &framewirev1.SwitchStream{Stream: l.Value}}}, nil
	case "live":
		return &framewirev1.Directive{Body: &framewirev1.Directive_GoLive{GoLive: &framewirev1.GoLive{}}}, nil
	case "notice":
		show := &framewirev1.ShowNotice{Text: l.Value, DurationMs: uint32(l.For.Milliseconds())}
		return &framewirev1.Directive{Body: &framewirev1.Directive_ShowNotice{ShowNotice: show}}, nil
	default:
		return nil, errors.New("unknown directive")
	}
}
