package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"connectrpc.com/connect"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/wire"
)

const (
	// maxPage bounds one answer to about half a megabyte.
	maxPage = 1000

	// maxKickMessage is counted in characters.
	maxKickMessage = 200

	// kickRetry is how long who was sent away is asked to stay away.
	kickRetry = time.Minute
)

// ListSessions implements framewirev1connect.AdminServiceHandler.
func (s *Service) ListSessions(_ context.Context, r *connect.Request[pb.ListSessionsRequest]) (*connect.Response[pb.ListSessionsResponse], error) {
	size := int(r.Msg.GetPageSize())
	if size > maxPage {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("page_size: %d; at most %d are allowed", size, maxPage))
	}
	size = cmp.Or(size, maxPage)
	after, err := readPlace(r.Msg.GetPageToken())
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	response := &pb.ListSessionsResponse{}
	var last place
	for _, v := range s.opts.Sessions.All() {
		at := place{v.Opened().UnixNano(), v.ID()}
		if !after.before(at) {
			continue
		}
		snapshot := v.Snapshot()
		if want := r.Msg.GetStream(); want != "" && snapshot.State.Stream != want {
			continue
		}
		if len(response.Sessions) == size {
			response.NextPageToken = last.String()
			break
		}
		response.Sessions = append(response.Sessions, describeSession(&snapshot))
		last = at
	}
	return connect.NewResponse(response), nil
}

// place is where a page begins: after the session that was opened then and has
// this ID. The session need not exist any more.
type place struct {
	opened int64
	id     string
}

func (p place) before(q place) bool {
	return cmp.Or(cmp.Compare(p.opened, q.opened), strings.Compare(p.id, q.id)) < 0
}

func (p place) String() string { return strconv.FormatInt(p.opened, 36) + "." + p.id }

func readPlace(token string) (place, error) {
	if token == "" {
		return place{}, nil
	}
	opened, id, _ := strings.Cut(token, ".")
	at, err := strconv.ParseInt(opened, 36, 64)
	if err != nil || id == "" {
		return place{}, errors.New("page_token: not the next_page_token of a page before")
	}
	return place{at, id}, nil
}

// GetSession implements framewirev1connect.AdminServiceHandler.
func (s *Service) GetSession(_ context.Context, r *connect.Request[pb.GetSessionRequest]) (*connect.Response[pb.GetSessionResponse], error) {
	v, err := s.session(r.Msg.GetSessionId())
	if err != nil {
		return nil, err
	}
	snapshot := v.Snapshot()
	return connect.NewResponse(&pb.GetSessionResponse{Session: describeSession(&snapshot)}), nil
}

// KickSession implements framewirev1connect.AdminServiceHandler.
func (s *Service) KickSession(ctx context.Context, r *connect.Request[pb.KickSessionRequest]) (*connect.Response[pb.KickSessionResponse], error) {
	message := r.Msg.GetMessage()
	if n := utf8.RuneCountInString(message); n > maxKickMessage {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("message: %d characters; at most %d are allowed", n, maxKickMessage))
	}
	v, err := s.session(r.Msg.GetSessionId())
	if err != nil {
		return nil, err
	}
	stream := v.Snapshot().State.Stream
	v.Goodbye(wire.Goodbye{
		Reason:     wire.GoodbyeKicked,
		RetryAfter: kickRetry,
		Message:    cmp.Or(message, "The operator ended this session."),
	})
	s.acted(ctx, "KickSession", stream, v.ID())
	return connect.NewResponse(&pb.KickSessionResponse{}), nil
}

func (s *Service) session(id string) (*session.Viewer, error) {
	if v := s.opts.Sessions.Lookup(id); v != nil {
		return v, nil
	}
	return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("there is no session %q", id))
}

func describeSession(v *session.Snapshot) *pb.AdminSession {
	d := &pb.AdminSession{
		SessionId:      v.ID,
		Remote:         v.Address,
		Client:         v.Client(),
		Subject:        text(v.Subject),
		OpenedAtUnixUs: v.Opened.UnixMicro(),
		State:          wire.SessionState(v.State),
		LagMs:          v.Lag.Seconds() * 1000,
		SentBytes:      v.Bytes,
		SentFragments:  v.Fragments,
		Subprotocol:    v.Subprotocol,
	}
	if !v.Expires.IsZero() {
		d.TokenExpiresAtUnixUs = v.Expires.UnixMicro()
	}
	if !v.ReportedAt.IsZero() {
		d.Report = wire.PlaybackReport(v.Report)
		d.ReportAgeMs = uint32(time.Since(v.ReportedAt).Milliseconds())
	}
	return d
}

// ListPublishers implements framewirev1connect.AdminServiceHandler.
func (s *Service) ListPublishers(context.Context, *connect.Request[pb.ListPublishersRequest]) (*connect.Response[pb.ListPublishersResponse], error) {
	response := &pb.ListPublishersResponse{}
	for _, p := range s.opts.Publishers.Publishers() {
		response.Publishers = append(response.Publishers, &pb.AdminPublisher{
			Stream:         p.Stream,
			Protocol:       string(p.Protocol),
			Remote:         p.Remote,
			Client:         text(p.Client),
			OpenedAtUnixUs: p.Opened.UnixMicro(),
			ReceivedBytes:  p.Bytes,
			Subject:        text(p.Subject),
		})
	}
	return connect.NewResponse(response), nil
}

// KickPublisher implements framewirev1connect.AdminServiceHandler.
func (s *Service) KickPublisher(ctx context.Context, r *connect.Request[pb.KickPublisherRequest]) (*connect.Response[pb.KickPublisherResponse], error) {
	name := r.Msg.GetStream()
	if err := control(ctx, name); err != nil {
		return nil, err
	}
	if !s.opts.Publishers.Remove(name, publish.ErrRemoved) {
		return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("nobody publishes a stream %q", name))
	}
	s.acted(ctx, "KickPublisher", name, "")
	return connect.NewResponse(&pb.KickPublisherResponse{}), nil
}
