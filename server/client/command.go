package client

import (
	"context"
	"fmt"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
)

// Do sends a command, whose id it sets, and returns the result. A refusal is a
// *CommandError.
func (s *Session) Do(ctx context.Context, c *framewirev1.Command) (*framewirev1.CommandResult, error) {
	answer := make(chan *framewirev1.CommandResult, 1)
	s.mu.Lock()
	s.id++
	c.Id = s.id
	s.waiting[c.Id] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiting, c.Id)
	}()
	if err := s.Send(ctx, &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_Command{Command: c}}); err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		return result(r)
	case <-s.ended:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select { // the answer may have come with the end
	case r := <-answer:
		return result(r)
	default:
		return nil, s.end
	}
}

func result(r *framewirev1.CommandResult) (*framewirev1.CommandResult, error) {
	if e := r.GetError(); e != nil {
		return nil, commandError(e)
	}
	return r, nil
}

func (s *Session) do(ctx context.Context, c *framewirev1.Command) error {
	_, err := s.Do(ctx, c)
	return err
}

// Play starts a stream at the live edge. One that is not live is waited for.
func (s *Session) Play(ctx context.Context, stream string) error {
	return s.PlayFrom(ctx, &framewirev1.Play{Stream: stream})
}

// PlayFrom starts a stream anywhere.
func (s *Session) PlayFrom(ctx context.Context, p *framewirev1.Play) error {
	return s.do(ctx, &framewirev1.Command{Body: &framewirev1.Command_Play{Play: p}})
}

// Pause stops media; the position is kept.
func (s *Session) Pause(ctx context.Context) error {
	return s.do(ctx, &framewirev1.Command{Body: &framewirev1.Command_Pause{Pause: &framewirev1.Pause{}}})
}

// Resume goes on where it was paused, or at the live edge.
func (s *Session) Resume(ctx context.Context, live bool) error {
	return s.do(ctx, &framewirev1.Command{Body: &framewirev1.Command_Resume{Resume: &framewirev1.Resume{Live: live}}})
}

// Stop ends the stream in this session.
func (s *Session) Stop(ctx context.Context) error {
	return s.do(ctx, &framewirev1.Command{Body: &framewirev1.Command_Stop{Stop: &framewirev1.Stop{}}})
}

// Seek moves to the keyframe at or before a time of the stream's timeline.
func (s *Session) Seek(ctx context.Context, to time.Duration) error {
	return s.do(ctx, &framewirev1.Command{Body: &framewirev1.Command_Seek{Seek: &framewirev1.Seek{TimeSeconds: to.Seconds()}}})
}

// GoLive moves to the newest keyframe.
func (s *Session) GoLive(ctx context.Context) error {
	return s.do(ctx, &framewirev1.Command{Body: &framewirev1.Command_GoLive{GoLive: &framewirev1.GoLive{}}})
}

// SetVolume sets the volume, from 0 to 1. At 0 no sound is sent.
func (s *Session) SetVolume(ctx context.Context, volume float64) error {
	return s.do(ctx, &framewirev1.Command{Body: &framewirev1.Command_SetVolume{SetVolume: &framewirev1.SetVolume{Volume: volume}}})
}

// SetMuted switches sound off or on. While it is off, none is sent.
func (s *Session) SetMuted(ctx context.Context, muted bool) error {
	return s.do(ctx, &framewirev1.Command{Body: &framewirev1.Command_SetMuted{SetMuted: &framewirev1.SetMuted{Muted: muted}}})
}

// SelectTracks chooses tracks; nil leaves a kind as it is, 0 is none.
func (s *Session) SelectTracks(ctx context.Context, video, audio *uint32) error {
	return s.do(ctx, &framewirev1.Command{Body: &framewirev1.Command_SelectTracks{
		SelectTracks: &framewirev1.SelectTracks{VideoTrackId: video, AudioTrackId: audio},
	}})
}

// SetLatencyTarget tells the wanted latency, 0 for automatic.
func (s *Session) SetLatencyTarget(ctx context.Context, target time.Duration) error {
	return s.do(ctx, &framewirev1.Command{Body: &framewirev1.Command_SetLatencyTarget{
		SetLatencyTarget: &framewirev1.SetLatencyTarget{LatencyTargetMs: uint32(target.Milliseconds())},
	}})
}

// RequestKeyframe asks the source for a keyframe.
func (s *Session) RequestKeyframe(ctx context.Context) error {
	return s.do(ctx, &framewirev1.Command{Body: &framewirev1.Command_RequestKeyframe{RequestKeyframe: &framewirev1.RequestKeyframe{}}})
}

// RefreshToken gives a new access token, by which the session lives from now on.
func (s *Session) RefreshToken(ctx context.Context, token string) error {
	return s.do(ctx, &framewirev1.Command{Body: &framewirev1.Command_RefreshToken{RefreshToken: &framewirev1.RefreshToken{Token: token}}})
}

// ListStreams returns the server's streams, ordered by name.
func (s *Session) ListStreams(ctx context.Context) ([]*framewirev1.StreamInfo, error) {
	r, err := s.Do(ctx, &framewirev1.Command{Body: &framewirev1.Command_ListStreams{ListStreams: &framewirev1.ListStreams{}}})
	return r.GetStreams().GetStreams(), err
}

// SubscribeStreams begins or ends being told of changes: StreamList messages.
// It returns the streams as they are.
func (s *Session) SubscribeStreams(ctx context.Context, enabled bool) ([]*framewirev1.StreamInfo, error) {
	r, err := s.Do(ctx, &framewirev1.Command{Body: &framewirev1.Command_SubscribeStreams{
		SubscribeStreams: &framewirev1.SubscribeStreams{Enabled: enabled},
	}})
	return r.GetStreams().GetStreams(), err
}

// Clock relates the server's clock to the client's.
type Clock struct {
	// Offset is how far the server's clock is ahead.
	Offset time.Duration
	// RoundTrip is the time on the network, there and back.
	RoundTrip time.Duration
}

type pong struct {
	*framewirev1.Pong
	received time.Time
}

// Ping measures the clocks once. The measurement with the shortest round trip
// is the best.
func (s *Session) Ping(ctx context.Context) (Clock, error) {
	answer := make(chan pong, 1)
	s.mu.Lock()
	t0 := time.Now().UnixMicro()
	for s.pings[t0] != nil { // the time names the ping
		t0++
	}
	s.pings[t0] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.pings, t0)
	}()
	err := s.Send(ctx, &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_Ping{Ping: &framewirev1.Ping{ClientTimeUnixUs: t0}}})
	if err != nil {
		return Clock{}, err
	}
	select {
	case p := <-answer:
		t1, t2, t3 := p.GetServerReceivedUnixUs(), p.GetServerSentUnixUs(), p.received.UnixMicro()
		return Clock{
			Offset:    time.Duration((t1-t0)+(t2-t3)) * time.Microsecond / 2,
			RoundTrip: time.Duration((t3-t0)-(t2-t1)) * time.Microsecond,
		}, nil
	case <-s.ended:
		return Clock{}, fmt.Errorf("ping: %w", s.end)
	case <-ctx.Done():
		return Clock{}, ctx.Err()
	}
}
