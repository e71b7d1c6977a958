package client

import (
	"context"
	"fmt"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
)

// PublishError says why the server ended a publication, or refused it.
type PublishError struct {
	Reason     framewirev1.PublishEndReason
	RetryAfter time.Duration // come back no sooner
	Message    string
}

func (e *PublishError) Error() string { return fmt.Sprintf("%s (%v)", e.Message, e.Reason) }

// Publication is a stream that a session publishes. Its methods may be called
// from any goroutine.
type Publication struct {
	session   *Session
	id        uint32
	keyframes chan struct{} // capacity 1

	// Guarded by session.mu.
	started *framewirev1.PublishStarted // nil before the server let it in
	ack     *framewirev1.PublishAck     // the newest, or nil
	ended   *PublishError               // nil while it goes on
	opened  chan struct{}               // closed with started or ended
	done    chan struct{}               // closed with ended
}

// Publish asks for a stream and returns when the server has let the publisher in.
// It sets p.Id. A refusal is a *PublishError. A session has one publication at a
// time.
func (s *Session) Publish(ctx context.Context, p *framewirev1.PublishStart) (*Publication, error) {
	pub := &Publication{session: s, keyframes: make(chan struct{}, 1), opened: make(chan struct{}), done: make(chan struct{})}
	s.mu.Lock()
	s.publications++
	pub.id, p.Id = s.publications, s.publications
	if s.publishing == nil {
		s.publishing = make(map[uint32]*Publication)
	}
	s.publishing[pub.id] = pub
	s.mu.Unlock()
	err := s.Send(ctx, &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_PublishStart{PublishStart: p}})
	if err == nil {
		err = pub.wait(ctx, pub.opened)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && pub.started == nil {
		err = pub.ended
	}
	if err != nil {
		delete(s.publishing, pub.id)
		return nil, fmt.Errorf("publish %q: %w", p.GetStream(), err)
	}
	return pub, nil
}

// Write sends one sample. It waits while the network takes nothing; a ctx that
// ends meanwhile ends the session. An error tells that the publication has ended,
// and is a *PublishError where the server told why.
func (p *Publication) Write(ctx context.Context, sample *framewirev1.PublishSample) error {
	if err := p.Err(); err != nil {
		return err
	}
	return p.session.Send(ctx, &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_PublishSample{PublishSample: sample}})
}

// SetTracks describes the samples that follow, in place of all tracks before.
func (p *Publication) SetTracks(ctx context.Context, tracks ...*framewirev1.PublishTrack) error {
	if err := p.Err(); err != nil {
		return err
	}
	return p.session.Send(ctx, &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_PublishTracks{
		PublishTracks: &framewirev1.PublishTracks{Tracks: tracks},
	}})
}

// MaxSampleBytes is the size of the data that one sample may have.
func (p *Publication) MaxSampleBytes() int { return int(p.started.GetMaxSampleBytes()) }

// Ack is what the server said last of how the publication goes, or nil.
func (p *Publication) Ack() *framewirev1.PublishAck {
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	return p.ack
}

// Keyframes yields when a viewer needs a keyframe. The channel is never closed.
func (p *Publication) Keyframes() <-chan struct{} { return p.keyframes }

// Done is closed when the server has ended the publication, by itself or after
// Close. It is not when the session breaks off: Write fails then.
func (p *Publication) Done() <-chan struct{} { return p.done }

// Err is why the publication has ended, or nil.
func (p *Publication) Err() error {
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	if p.ended != nil {
		return p.ended
	}
	return nil
}

// Close ends the publication in good order: viewers are told that the stream is
// over, not that it broke off. The session goes on.
func (p *Publication) Close(ctx context.Context) error {
	defer func() {
		p.session.mu.Lock()
		defer p.session.mu.Unlock()
		delete(p.session.publishing, p.id)
	}()
	if p.Err() != nil {
		return nil
	}
	err := p.session.Send(ctx, &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_PublishEnd{PublishEnd: &framewirev1.PublishEnd{}}})
	if err == nil {
		err = p.wait(ctx, p.done)
	}
	return err
}

// wait waits for one of p's channels.
func (p *Publication) wait(ctx context.Context, c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-p.session.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	select { // it may have come with the end
	case <-c:
		return nil
	default:
		return p.session.end
	}
}

// published takes the server's messages about publications. The caller holds mu.
func (s *Session) published(m *framewirev1.ServerMessage) bool {
	switch body := m.GetBody().(type) {
	case *framewirev1.ServerMessage_PublishStarted:
		if p := s.publishing[body.PublishStarted.GetId()]; p != nil && p.started == nil {
			p.started = body.PublishStarted
			close(p.opened)
		}
	case *framewirev1.ServerMessage_PublishAck:
		if p := s.publishing[body.PublishAck.GetId()]; p != nil {
			p.ack = body.PublishAck
		}
	case *framewirev1.ServerMessage_PublishKeyframeRequest:
		if p := s.publishing[body.PublishKeyframeRequest.GetId()]; p != nil {
			select {
			case p.keyframes <- struct{}{}:
			default:
			}
		}
	case *framewirev1.ServerMessage_PublishEnded:
		if p := s.publishing[body.PublishEnded.GetId()]; p != nil && p.ended == nil {
			e := body.PublishEnded
			p.ended = &PublishError{e.GetReason(), time.Duration(e.GetRetryAfterMs()) * time.Millisecond, e.GetMessage()}
			if p.started == nil {
				close(p.opened)
			}
			close(p.done)
		}
	default:
		return false
	}
	return true
}
