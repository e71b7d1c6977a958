package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/gen/go/framewire/v1/framewirev1connect"
)

// admin shortens the signatures below.
type admin = framewirev1connect.AdminServiceClient

type ctlInfo struct{}

// Run prints what the server is.
func (ctlInfo) Run(ctx context.Context, c *ctlCmd) error {
	return ask(ctx, c, admin.GetServer, &framewirev1.GetServerRequest{}, func(g *framewirev1.GetServerResponse) {
		table([][]string{
			{"version", g.GetVersion()},
			{"built with", strings.TrimSpace(g.GetGoVersion() + " " + g.GetCommit())},
			{"up", since(g.GetStartedAtUnixUs())},
			{"streams", fmt.Sprint(g.GetStreams())},
			{"sessions", fmt.Sprint(g.GetSessions())},
			{"publishers", fmt.Sprint(g.GetPublishers())},
			{"sent", sized(g.GetSentBytes())},
			{"memory", sized(g.GetMemoryBytes())},
			{"goroutines", fmt.Sprint(g.GetGoroutines())},
			{"descriptors", fmt.Sprint(g.GetDescriptors())},
		})
	})
}

type ctlStreams struct{}

// Run prints the streams.
func (ctlStreams) Run(ctx context.Context, c *ctlCmd) error {
	return ask(ctx, c, admin.ListStreams, &framewirev1.ListStreamsRequest{}, func(list *framewirev1.ListStreamsResponse) {
		rows := [][]string{{"STREAM", "STATUS", "FOR", "VIEWERS", "KB/S", "TRACKS", "HELD", "RESTARTS", "SOURCE"}}
		for _, s := range list.GetStreams() {
			info := s.GetInfo()
			var tracks []string
			for _, t := range info.GetTracks() {
				tracks = append(tracks, t.GetCodec())
			}
			source := or(s.GetSource(), "(published)")
			if e := s.GetSourceError(); e != "" {
				source += ": " + e
			}
			rows = append(rows, []string{
				info.GetName(), short(info.GetStatus(), "STREAM_STATUS_"), since(info.GetSinceUnixUs()),
				fmt.Sprint(info.GetViewers()), fmt.Sprintf("%.0f", info.GetBitrateBps()/8000), or(strings.Join(tracks, " "), "-"),
				fmt.Sprintf("%.1f s, %s", float64(s.GetRingMs())/1000, sized(s.GetRingBytes())), fmt.Sprint(s.GetRestarts()), source,
			})
		}
		table(rows)
	})
}

type ctlSessions struct {
	Stream string `arg:"" optional:"" help:"Only those of this stream."`
}

// Run prints the sessions, page after page.
func (l *ctlSessions) Run(ctx context.Context, c *ctlCmd) error {
	rows := [][]string{{"SESSION", "STREAM", "STATE", "LATENCY", "BUFFER", "LAG", "STALLS", "SENT", "UP", "CLIENT", "REMOTE"}}
	for next, more := "", true; more; more = next != "" {
		page := &framewirev1.ListSessionsRequest{Stream: l.Stream, PageToken: next}
		err := ask(ctx, c, func(s admin, ctx context.Context, r *connect.Request[framewirev1.ListSessionsRequest]) (*connect.Response[framewirev1.ListSessionsResponse], error) {
			answer, err := s.ListSessions(ctx, r)
			if err == nil {
				next = answer.Msg.GetNextPageToken()
			}
			return answer, err
		}, page, func(list *framewirev1.ListSessionsResponse) {
			for _, v := range list.GetSessions() {
				rows = append(rows, sessionRow(v))
			}
		})
		if err != nil {
			return err
		}
	}
	if !c.JSON {
		table(rows)
	}
	return nil
}

func sessionRow(v *framewirev1.AdminSession) []string {
	state := short(v.GetState().GetPlayback(), "PLAYBACK_")
	if d := v.GetState().GetDegradation(); d > framewirev1.Degradation_DEGRADATION_NONE {
		state += ", " + short(d, "DEGRADATION_")
	}
	latency, buffer, stalls := "-", "-", "-"
	if r := v.GetReport(); r != nil {
		latency, buffer = fmt.Sprintf("%.0f ms", r.GetLatencyMs()), fmt.Sprintf("%.0f ms", r.GetBufferMs())
		stalls = fmt.Sprint(r.GetStalls())
	}
	return []string{
		v.GetSessionId(), or(v.GetState().GetStream(), "-"), state, latency, buffer, fmt.Sprintf("%.0f ms", v.GetLagMs()), stalls,
		sized(v.GetSentBytes()), since(v.GetOpenedAtUnixUs()), or(printable(v.GetClient()), "-"), v.GetRemote(),
	}
}

// printable keeps what clients and publishers say from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

type ctlPublishers struct{}

// Run prints the publishers.
func (ctlPublishers) Run(ctx context.Context, c *ctlCmd) error {
	return ask(ctx, c, admin.ListPublishers, &framewirev1.ListPublishersRequest{}, func(list *framewirev1.ListPublishersResponse) {
		rows := [][]string{{"STREAM", "PROTOCOL", "RECEIVED", "UP", "CLIENT", "REMOTE", "SUBJECT"}}
		for _, p := range list.GetPublishers() {
			rows = append(rows, []string{
				p.GetStream(), p.GetProtocol(), sized(p.GetReceivedBytes()), since(p.GetOpenedAtUnixUs()),
				or(printable(p.GetClient()), "-"), or(p.GetRemote(), "-"), or(printable(p.GetSubject()), "-"),
			})
		}
		table(rows)
	})
}

type ctlEvents struct {
	Recent uint32 `help:"Begin with this many events of the past, at most 1000." default:"20" placeholder:"N"`
}

// Run prints events until ctx is done.
func (l *ctlEvents) Run(ctx context.Context, c *ctlCmd) error {
	service, err := c.service()
	if err != nil {
		return err
	}
	watch, err := service.WatchEvents(ctx, connect.NewRequest(&framewirev1.WatchEventsRequest{Recent: l.Recent}))
	if err != nil {
		return explain(err)
	}
	defer func() { _ = watch.Close() }()
	for watch.Receive() {
		m := watch.Msg()
		switch {
		case c.JSON:
			if err := printJSON(m); err != nil {
				return err
			}
		case m.GetEvent() != nil:
			if n := m.GetMissed(); n > 0 {
				fmt.Printf("... %d events were missed\n", n)
			}
			fmt.Println(eventLine(m.GetEvent()))
		}
	}
	if ctx.Err() != nil {
		return nil // interrupted
	}
	return explain(watch.Err())
}

func eventLine(e *framewirev1.Event) string {
	parts := []string{time.UnixMicro(e.GetAtUnixUs()).Format("15:04:05.000")}
	if e.GetStream() != "" {
		parts = append(parts, e.GetStream())
	}
	if e.GetSessionId() != "" {
		parts = append(parts, e.GetSessionId())
	}
	return printable(strings.Join(append(parts, eventText(e)), "  "))
}

func eventText(e *framewirev1.Event) string {
	switch b := e.GetBody().(type) {
	case *framewirev1.Event_SessionOpened:
		return fmt.Sprintf("session opened by %s from %s", or(b.SessionOpened.GetClient(), "a client without name"), b.SessionOpened.GetRemote())
	case *framewirev1.Event_SessionClosed:
		after := time.Duration(b.SessionClosed.GetDurationMs()) * time.Millisecond
		return fmt.Sprintf("session closed: %s, after %v", short(b.SessionClosed.GetReason(), "GOODBYE_REASON_"), after.Round(time.Second/10))
	case *framewirev1.Event_Gap:
		return fmt.Sprintf("gap of %.2f s: %s", b.Gap.GetToSeconds()-b.Gap.GetFromSeconds(), short(b.Gap.GetReason(), "GAP_REASON_"))
	case *framewirev1.Event_StreamStatusChanged:
		text := "removed"
		if s := b.StreamStatusChanged; s.GetStatus() != 0 {
			text = short(s.GetStatus(), "STREAM_STATUS_")
			if s.GetMessage() != "" {
				text += ": " + s.GetMessage()
			}
		}
		return "stream " + text
	case *framewirev1.Event_PublisherOpened:
		return fmt.Sprintf("publisher came over %s from %s", b.PublisherOpened.GetProtocol(), b.PublisherOpened.GetRemote())
	case *framewirev1.Event_PublisherClosed:
		return "publisher left: " + or(b.PublisherClosed.GetReason(), "it ended")
	case *framewirev1.Event_Refused:
		return fmt.Sprintf("%s refused to %s: %s", b.Refused.GetWhat(), b.Refused.GetRemote(), b.Refused.GetReason())
	case *framewirev1.Event_ConfigurationRead:
		text := "configuration read: " + or(b.ConfigurationRead.GetError(), "taken")
		if settings := b.ConfigurationRead.GetTakesRestart(); len(settings) > 0 {
			text += ", but for what takes a restart: " + strings.Join(settings, "; ")
		}
		return text
	case *framewirev1.Event_OperatorActed:
		return fmt.Sprintf("operator %s from %s: %s", b.OperatorActed.GetSubject(), b.OperatorActed.GetRemote(), b.OperatorActed.GetMethod())
	default:
		return "something that a newer server tells"
	}
}
