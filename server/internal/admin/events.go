package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/events"
)

// maxRecent bounds the events of the past that a watch begins with.
const maxRecent = 1000

// WatchEvents implements framewirev1connect.AdminServiceHandler.
func (s *Service) WatchEvents(ctx context.Context, r *connect.Request[pb.WatchEventsRequest], out *connect.ServerStream[pb.WatchEventsResponse]) error {
	if n := r.Msg.GetRecent(); n > maxRecent {
		return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("recent: %d; at most %d are allowed", n, maxRecent))
	}
	// The grant may end before the watch does.
	if expires := callerOf(ctx).grant.Expires; !expires.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, expires)
		defer cancel()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	watcher := s.opts.Events.Watch(int(r.Msg.GetRecent()))
	if err := out.Send(&pb.WatchEventsResponse{}); err != nil {
		return err
	}
	for {
		event, missed, err := watcher.Next(ctx)
		switch {
		case err == nil:
		case s.ctx.Err() != nil:
			return connect.NewError(connect.CodeUnavailable, errors.New("the server is stopping"))
		case errors.Is(err, context.DeadlineExceeded):
			return connect.NewError(connect.CodeUnauthenticated, errors.New("the token has expired"))
		default:
			return err
		}
		if err := out.Send(&pb.WatchEventsResponse{Event: describeEvent(&event), Missed: missed}); err != nil {
			return err
		}
	}
}

// text makes a text fit for a message: errors may repeat what a peer sent.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// describeEvent returns an event as a message.
func describeEvent(e *events.Event) *pb.Event {
	d := &pb.Event{AtUnixUs: e.At.UnixMicro(), Stream: e.Stream, SessionId: e.Session}
	switch b := e.Body.(type) {
	case events.SessionOpened:
		d.Body = &pb.Event_SessionOpened{SessionOpened: &pb.SessionOpened{Remote: b.Remote, Client: b.Client}}
	case events.SessionClosed:
		d.Body = &pb.Event_SessionClosed{SessionClosed: &pb.SessionClosed{Reason: b.Reason, DurationMs: uint64(b.After.Milliseconds())}}
	case events.Gap:
		d.Body = &pb.Event_Gap{Gap: &pb.Gap{Stream: e.Stream, Reason: b.Reason, FromSeconds: b.From.Seconds(), ToSeconds: b.To.Seconds()}}
	case events.StreamStatus:
		d.Body = &pb.Event_StreamStatusChanged{StreamStatusChanged: &pb.StreamStatusChanged{Status: b.Status, Message: b.Message}}
	case events.PublisherOpened:
		d.Body = &pb.Event_PublisherOpened{PublisherOpened: &pb.PublisherOpened{Protocol: b.Protocol, Remote: b.Remote}}
	case events.PublisherClosed:
		d.Body = &pb.Event_PublisherClosed{PublisherClosed: &pb.PublisherClosed{Reason: text(b.Reason)}}
	case events.Refused:
		d.Body = &pb.Event_Refused{Refused: &pb.Refused{What: b.What, Reason: text(b.Reason), Remote: b.Remote}}
	case events.ConfigurationRead:
		d.Body = &pb.Event_ConfigurationRead{ConfigurationRead: &pb.ConfigurationRead{Error: b.Error, TakesRestart: b.TakesRestart}}
	case events.OperatorActed:
		d.Body = &pb.Event_OperatorActed{OperatorActed: &pb.OperatorActed{Method: b.Method, Subject: b.Subject, Remote: b.Remote}}
	}
	return d
}
