package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"connectrpc.com/connect"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/wire"
)

// How long players may take to answer, in milliseconds.
const (
	defaultAnswerTime = 5_000
	maxAnswerTime     = 60_000
)

// SendDirective implements framewirev1connect.AdminServiceHandler.
func (s *Service) SendDirective(ctx context.Context, r *connect.Request[pb.SendDirectiveRequest], out *connect.ServerStream[pb.SendDirectiveResponse]) error {
	body, refusal := wire.ReadDirective(r.Msg.GetDirective())
	if refusal != nil {
		return connect.NewError(connect.CodeInvalidArgument, refusal)
	}
	wait := cmp.Or(r.Msg.GetTimeoutMs(), defaultAnswerTime)
	if wait > maxAnswerTime {
		return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("timeout_ms: %d; at most %d are allowed", wait, maxAnswerTime))
	}
	viewers, stream, err := s.targets(ctx, r.Msg)
	if err != nil {
		return err
	}
	s.acted(ctx, "SendDirective", stream, r.Msg.GetSessionId())

	ctx, cancel := context.WithTimeout(ctx, time.Duration(wait)*time.Millisecond)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	answers := make(chan *pb.SendDirectiveResponse, len(viewers))
	var asked sync.WaitGroup
	for _, v := range viewers {
		asked.Go(func() { answers <- direct(ctx, v, body) })
	}
	defer asked.Wait()
	for range viewers {
		if answer := <-answers; answer != nil {
			if err := out.Send(answer); err != nil {
				cancel()
				return err
			}
		}
	}
	return nil
}

// targets finds whom a directive is for, and the stream that they have in common.
func (s *Service) targets(ctx context.Context, m *pb.SendDirectiveRequest) (viewers []*session.Viewer, stream string, err error) {
	switch to := m.GetTarget().(type) {
	case *pb.SendDirectiveRequest_SessionId:
		v, err := s.session(to.SessionId)
		if err != nil {
			if forbidden := everyone(ctx); forbidden != nil {
				return nil, "", forbidden // who may not steer it is not told whether it exists
			}
			return nil, "", err
		}
		stream = v.Snapshot().State.Stream
		if stream == "" {
			return []*session.Viewer{v}, "", everyone(ctx)
		}
		return []*session.Viewer{v}, stream, control(ctx, stream)
	case *pb.SendDirectiveRequest_Stream:
		if err := control(ctx, to.Stream); err != nil {
			return nil, "", err
		}
		for _, v := range s.opts.Sessions.All() {
			if v.Snapshot().State.Stream == to.Stream {
				viewers = append(viewers, v)
			}
		}
		if len(viewers) > 0 { // who waits for a stream that does not exist is its viewer too
			return viewers, to.Stream, nil
		}
		_, err := s.stream(to.Stream)
		return nil, to.Stream, err
	case *pb.SendDirectiveRequest_All:
		if !to.All {
			break
		}
		return s.opts.Sessions.All(), "", everyone(ctx)
	}
	return nil, "", connect.NewError(connect.CodeInvalidArgument, errors.New("target: say to whom: session_id, stream, or all with true"))
}

// direct asks one player, and returns nil for one that is not welcomed yet.
func direct(ctx context.Context, v *session.Viewer, body wire.DirectiveBody) *pb.SendDirectiveResponse {
	answer := &pb.SendDirectiveResponse{SessionId: v.ID()}
	err := v.Direct(ctx, body)
	var refusal *wire.Error
	switch {
	case err == nil:
		answer.Outcome = &pb.SendDirectiveResponse_Done{Done: &pb.DirectiveDone{}}
	case errors.As(err, &refusal):
		answer.Outcome = &pb.SendDirectiveResponse_Error{Error: wire.ErrorMessage(refusal)}
	case errors.Is(err, session.ErrNotReady):
		return nil
	default:
		answer.Outcome = &pb.SendDirectiveResponse_Unanswered{Unanswered: true}
	}
	return answer
}
