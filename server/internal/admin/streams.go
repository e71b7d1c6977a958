package admin

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/roster"
	"github.com/framewire/framewire/server/internal/wire"
)

// ListStreams implements framewirev1connect.AdminServiceHandler.
func (s *Service) ListStreams(context.Context, *connect.Request[pb.ListStreamsRequest]) (*connect.Response[pb.ListStreamsResponse], error) {
	all := s.opts.Hub.Streams()
	response := &pb.ListStreamsResponse{Streams: make([]*pb.AdminStream, 0, len(all))}
	for _, stream := range all {
		response.Streams = append(response.Streams, s.describe(stream))
	}
	return connect.NewResponse(response), nil
}

// GetStream implements framewirev1connect.AdminServiceHandler.
func (s *Service) GetStream(_ context.Context, r *connect.Request[pb.GetStreamRequest]) (*connect.Response[pb.GetStreamResponse], error) {
	stream, err := s.stream(r.Msg.GetStream())
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.GetStreamResponse{Stream: s.describe(stream)}), nil
}

// AddStream implements framewirev1connect.AdminServiceHandler.
func (s *Service) AddStream(ctx context.Context, r *connect.Request[pb.AddStreamRequest]) (*connect.Response[pb.AddStreamResponse], error) {
	name := r.Msg.GetStream()
	if err := media.CheckStreamName(name); err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("stream: %w", err))
	}
	if r.Msg.GetSource() == "" {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("source: a source URL is needed, such as rtsp://192.0.2.1/stream"))
	}
	if err := s.opts.Sources.Add(name, r.Msg.GetSource()); err != nil {
		return nil, connect.NewError(sourceCode(err), err)
	}
	s.acted(ctx, "AddStream", name, "")
	stream, err := s.stream(name)
	if err != nil {
		return nil, err // removed again meanwhile
	}
	return connect.NewResponse(&pb.AddStreamResponse{Stream: s.describe(stream)}), nil
}

func sourceCode(err error) connect.Code {
	switch {
	case errors.Is(err, hub.ErrExists):
		return connect.CodeAlreadyExists
	case errors.Is(err, roster.ErrSource):
		return connect.CodeInvalidArgument
	case errors.Is(err, roster.ErrForbidden):
		return connect.CodeFailedPrecondition
	case errors.Is(err, roster.ErrStopped), errors.Is(err, hub.ErrClosed):
		return connect.CodeUnavailable
	default:
		return connect.CodeInternal
	}
}

// RemoveStream implements framewirev1connect.AdminServiceHandler.
func (s *Service) RemoveStream(ctx context.Context, r *connect.Request[pb.RemoveStreamRequest]) (*connect.Response[pb.RemoveStreamResponse], error) {
	name := r.Msg.GetStream()
	if s.opts.Sources.Remove(name) != nil && !s.opts.Publishers.Discard(name, publish.ErrRemoved) {
		return nil, noStream(name)
	}
	s.acted(ctx, "RemoveStream", name, "")
	return connect.NewResponse(&pb.RemoveStreamResponse{}), nil
}

// RestartSource implements framewirev1connect.AdminServiceHandler.
func (s *Service) RestartSource(ctx context.Context, r *connect.Request[pb.RestartSourceRequest]) (*connect.Response[pb.RestartSourceResponse], error) {
	name := r.Msg.GetStream()
	if _, err := s.stream(name); err != nil {
		return nil, err
	}
	if err := s.opts.Sources.Restart(name); err != nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, err)
	}
	s.acted(ctx, "RestartSource", name, "")
	return connect.NewResponse(&pb.RestartSourceResponse{}), nil
}

// RequestStreamKeyframe implements framewirev1connect.AdminServiceHandler.
func (s *Service) RequestStreamKeyframe(ctx context.Context, r *connect.Request[pb.RequestStreamKeyframeRequest]) (*connect.Response[pb.RequestStreamKeyframeResponse], error) {
	name := r.Msg.GetStream()
	if err := control(ctx, name); err != nil {
		return nil, err
	}
	stream, err := s.stream(name)
	if err != nil {
		return nil, err
	}
	if err := stream.RequestKeyframe(); err != nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, err)
	}
	s.acted(ctx, "RequestStreamKeyframe", name, "")
	return connect.NewResponse(&pb.RequestStreamKeyframeResponse{}), nil
}

// stream returns the stream of that name, or the error that answers.
func (s *Service) stream(name string) (*hub.Stream, error) {
	if stream := s.opts.Hub.Lookup(name); stream != nil {
		return stream, nil
	}
	return nil, noStream(name)
}

func noStream(name string) error {
	return connect.NewError(connect.CodeNotFound, fmt.Errorf("there is no stream %q", name))
}

// describe says all there is to say of a stream.
func (s *Service) describe(stream *hub.Stream) *pb.AdminStream {
	status, stats := stream.Status(), stream.Stats()
	info := wire.StreamInfo{
		Name:    stream.Name(),
		Status:  Status(status.State),
		Since:   status.Since,
		Viewers: stream.Viewers(),
	}
	d := &pb.AdminStream{
		Message:       status.Message,
		Instance:      stream.Instance(),
		RingBytes:     uint64(max(0, stats.Bytes)),
		RingFragments: uint32(stats.Packets),
	}
	if e := stream.Epoch(); e != nil {
		d.Epoch = e.ID
		if status.State == hub.Live {
			info.Epoch, info.Bitrate = e, stats.Bitrate
		}
	}
	if from, to, ok := stream.Range(); ok {
		d.RingMs = uint32((to - from).Milliseconds())
	}
	if entry, ok := s.opts.Sources.Get(stream.Name()); ok {
		d.Source, d.Restarts = entry.Display, entry.Restarts
		if entry.Err != nil {
			d.SourceError = text(entry.Err.Error())
		}
	}
	d.Info = wire.Info(&info)
	return d
}

// Status returns what viewers are told of a stream's state, 0 for a closed one.
func Status(state hub.State) wire.StreamStatus {
	switch state {
	case hub.Live:
		return wire.StatusLive
	case hub.Starting, hub.Lost:
		return wire.StatusStarting
	case hub.Offline, hub.Finished:
		return wire.StatusOffline
	default:
		return 0
	}
}
