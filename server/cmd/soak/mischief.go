package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"connectrpc.com/connect"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
)

// mischief is what operators do, and what happens to machines.
func (w *world) mischief() map[string]deed {
	return map[string]deed{
		"operator's calls":               w.operate,
		"directives":                     w.direct,
		"watches of events":              w.watchEvents,
		"configurations":                 w.reconfigure,
		"ffmpeg of sources killed":       w.killChild,
		"sessions and publishers kicked": w.kick,
	}
}

// allowed are the codes that an operator meets when what he means has just gone,
// or come.
var allowed = map[connect.Code]bool{
	connect.CodeNotFound: true, connect.CodeAlreadyExists: true, connect.CodeFailedPrecondition: true,
}

// answered passes on what is no answer.
func answered(err error) error {
	if err == nil || allowed[connect.CodeOf(err)] {
		return nil
	}
	return err
}

// operate makes one call.
func (w *world) operate(ctx context.Context, r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	api := w.server.admin
	var err error
	switch r.IntN(7) {
	case 0:
		_, err = api.ListSessions(ctx, connect.NewRequest(&pb.ListSessionsRequest{}))
	case 1:
		_, err = api.ListPublishers(ctx, connect.NewRequest(&pb.ListPublishersRequest{}))
	case 2:
		_, err = api.RestartSource(ctx, connect.NewRequest(&pb.RestartSourceRequest{Stream: pick(r, sources...)}))
	case 3:
		_, err = api.RequestStreamKeyframe(ctx, connect.NewRequest(&pb.RequestStreamKeyframeRequest{Stream: anyStream(r)}))
	case 4:
		_, err = api.GetStream(ctx, connect.NewRequest(&pb.GetStreamRequest{Stream: anyStream(r)}))
	default:
		return w.guest(ctx, r)
	}
	return answered(err)
}

// guest adds a stream, lets it run for a moment and takes it away.
func (w *world) guest(ctx context.Context, r *rand.Rand) error {
	_, err := w.server.admin.AddStream(ctx, connect.NewRequest(&pb.AddStreamRequest{Stream: "nowhere", Source: "demo:"}))
	if err := answered(err); err != nil {
		return err
	}
	_ = pause(ctx, between(r, 0, 3*time.Second))
	// It goes, whatever ends.
	removing, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	_, err = w.server.admin.RemoveStream(removing, connect.NewRequest(&pb.RemoveStreamRequest{Stream: "nowhere"}))
	return answered(err)
}

// direct sends a directive, to one stream or to all.
func (w *world) direct(ctx context.Context, r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	request := &pb.SendDirectiveRequest{
		TimeoutMs: uint32(100 + r.IntN(3000)),
		Directive: &pb.Directive{Body: &pb.Directive_ShowNotice{ShowNotice: &pb.ShowNotice{Text: "soak"}}},
	}
	if r.IntN(2) == 0 {
		request.Target = &pb.SendDirectiveRequest_All{All: true}
	} else {
		request.Target = &pb.SendDirectiveRequest_Stream{Stream: pick(r, sources...)}
	}
	answers, err := w.server.admin.SendDirective(ctx, connect.NewRequest(request))
	if err != nil {
		return answered(err)
	}
	defer answers.Close()
	for answers.Receive() {
		if r.IntN(20) == 0 {
			return nil // and does not want to know the rest
		}
	}
	return answered(answers.Err())
}

// watchEvents follows events for a while, or does not read them.
func (w *world) watchEvents(ctx context.Context, r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(ctx, between(r, time.Second, 30*time.Second))
	defer cancel()
	watch, err := w.server.admin.WatchEvents(ctx, connect.NewRequest(&pb.WatchEventsRequest{Recent: uint32(r.IntN(1000))}))
	if err != nil {
		return nil // its time was over
	}
	defer watch.Close()
	if r.IntN(2) == 0 {
		_ = pause(ctx, time.Hour)
		return nil
	}
	for watch.Receive() {
		w.count("events")
	}
	return nil
}

// reconfigure puts a configuration in force, at times by a signal.
func (w *world) reconfigure(ctx context.Context, r *rand.Rand) error {
	for _, next := range []string{pick(r, otherConfigs...), plainConfig} {
		if err := w.server.configure(next); err != nil {
			return err
		}
		if r.IntN(2) == 0 {
			if err := w.server.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				return fmt.Errorf("the server is gone: %w", err)
			}
		}
		if pause(ctx, between(r, 0, 4*time.Second)) != nil {
			return nil
		}
	}
	return nil
}

// killChild kills a process that the server has started.
func (w *world) killChild(ctx context.Context, r *rand.Rand) error {
	if pause(ctx, between(r, 0, 10*time.Second)) != nil {
		return nil
	}
	if pids := w.server.children(); len(pids) > 0 {
		if p, err := os.FindProcess(pick(r, pids...)); err == nil {
			_ = p.Kill() // it may have ended
		}
	}
	return nil
}

// kick sends a viewer and a publisher away.
func (w *world) kick(ctx context.Context, r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	list, err := w.server.admin.ListSessions(ctx, connect.NewRequest(&pb.ListSessionsRequest{}))
	if err != nil {
		return err
	}
	if all := list.Msg.GetSessions(); len(all) > 0 && r.IntN(4) == 0 {
		_, err = w.server.admin.KickSession(ctx, connect.NewRequest(&pb.KickSessionRequest{SessionId: pick(r, all...).GetSessionId(), Message: "soak"}))
		if err := answered(err); err != nil {
			return err
		}
	}
	publishers, err := w.server.admin.ListPublishers(ctx, connect.NewRequest(&pb.ListPublishersRequest{}))
	if err != nil {
		return err
	}
	if all := publishers.Msg.GetPublishers(); len(all) > 0 && r.IntN(3) == 0 {
		_, err = w.server.admin.KickPublisher(ctx, connect.NewRequest(&pb.KickPublisherRequest{Stream: pick(r, all...).GetStream()}))
	}
	return answered(err)
}
