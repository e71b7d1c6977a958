package ws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/wire"
)

// Publisher is the publishing side of one session: one publication after the
// other. Take, Refuse, Fail, MessageBytes and Close are called from one
// goroutine.
type Publisher struct {
	server *Server
	client Client

	admitted bool           // once was let in
	watching sync.WaitGroup // of the publication

	mu      sync.Mutex
	current *publication // guarded by mu; nil without one
}

// Open returns the Publisher of a session. Close must be called.
func (s *Server) Open(c Client) *Publisher {
	if c.Token == nil {
		c.Token = func() string { return "" }
	}
	if c.Latency == nil {
		c.Latency = func(string) time.Duration { return 0 }
	}
	return &Publisher{server: s, client: c}
}

// MessageBytes is the size of the messages that the client may send, 0 for no
// more than other clients.
func (p *Publisher) MessageBytes() int {
	if !p.admitted {
		return 0
	}
	return p.server.opts.SampleBytes + messageRoom
}

// Take takes one message.
func (p *Publisher) Take(m wire.PublishMessage, now time.Time) {
	switch m := m.(type) {
	case wire.PublishStart:
		p.start(m, now)
	case wire.PublishTracks:
		p.with(func(c *publication) error { return c.setTracks(m.Tracks) })
	case wire.PublishSample:
		p.with(func(c *publication) error { return c.sample(m.Sample, now) })
	case wire.PublishEnd:
		p.end(func(c *publication) (wire.PublishEnded, error) {
			message := "The publisher ended the stream."
			return wire.PublishEnded{ID: c.id, Reason: wire.PublishFinished, Message: message}, c.finish()
		})
	}
}

// with does something to the publication, and ends it when that fails. What comes
// without one was on its way when it ended.
func (p *Publisher) with(do func(c *publication) error) {
	p.mu.Lock()
	c := p.current
	var err error
	if c != nil {
		err = do(c)
	}
	p.mu.Unlock()
	if err != nil {
		p.fail(c, err)
	}
}

// Renew has the publication live by a new token of the session. One that began with
// a key of its own takes the token where that allows it, and otherwise goes on by
// what it has.
func (p *Publisher) Renew(token string) error {
	p.mu.Lock()
	c := p.current
	p.mu.Unlock()
	if c == nil {
		return nil
	}
	// The lock is not held meanwhile. Whoever ends the publication need not wait,
	// and none other begins: this is the goroutine that would begin it.
	ctx, cancel := context.WithTimeout(context.Background(), p.server.opts.OpenTimeout)
	defer cancel()
	err := c.pub.Renew(ctx, token)
	switch {
	case err == nil, c.keyed:
		return nil
	case c.pub.Reason() != nil:
		return nil // it has ended meanwhile, which the client is told
	}
	why := fmt.Errorf("the publication cannot live by it: %w", err)
	switch {
	case errors.Is(err, publish.ErrTooManyPublishers):
		return &wire.Error{Code: wire.Overloaded, Message: why.Error(), RetryAfter: 5 * retryAfter, Cause: err}
	case errors.Is(err, publish.ErrUnchecked):
		return &wire.Error{Code: wire.Internal, Message: why.Error(), RetryAfter: 5 * retryAfter, Cause: err}
	default:
		return why
	}
}

// Fail ends the publication, if there is one, as the client's fault.
func (p *Publisher) Fail(reason wire.PublishEndReason, message string) {
	p.end(func(c *publication) (wire.PublishEnded, error) {
		return wire.PublishEnded{ID: c.id, Reason: reason, Message: message}, fmt.Errorf("%w: %s", publish.ErrMalformed, message)
	})
}

// Refuse refuses a publication before the desk is asked.
func (p *Publisher) Refuse(id uint32, reason wire.PublishEndReason, message string) {
	p.client.Send(wire.PublishEnded{ID: id, Reason: reason, Message: message})
}

// fail ends c with an error, unless it has ended.
func (p *Publisher) fail(c *publication, err error) {
	p.end(func(now *publication) (wire.PublishEnded, error) {
		if now != c {
			return wire.PublishEnded{}, errOther
		}
		return ended(c.id, err), err
	})
}

var errOther = errors.New("another publication")

// end ends the publication and tells the client. how says with what, and what
// viewers are told.
func (p *Publisher) end(how func(c *publication) (wire.PublishEnded, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.current
	if c == nil {
		return
	}
	message, err := how(c)
	if errors.Is(err, errOther) {
		return
	}
	p.current = nil
	c.pub.Close(err)
	close(c.stop)
	// With the lock held, so that nothing follows it.
	p.client.Send(message)
}

// Close ends the publication, if there is one, as broken off, and waits for its
// goroutine.
func (p *Publisher) Close() {
	p.end(func(c *publication) (wire.PublishEnded, error) {
		return wire.PublishEnded{ID: c.id, Reason: wire.PublishFinished}, publish.ErrDisconnected
	})
	p.watching.Wait()
}

// start asks the desk.
func (p *Publisher) start(m wire.PublishStart, now time.Time) {
	p.mu.Lock()
	open := p.current != nil
	p.mu.Unlock()
	if open {
		p.Refuse(m.ID, wire.PublishAlready, "The session publishes already. End that first.")
		return
	}
	p.watching.Wait()
	address := p.client.remote()
	brake := p.server.opts.Brake
	if wait := brake.Wait(address.Addr(), now); wait > 0 {
		p.client.Send(wire.PublishEnded{ID: m.ID, Reason: wire.PublishTooManyAttempts, RetryAfter: wait,
			Message: "Too many wrong stream keys came from this address."})
		return
	}
	keyframes := make(requester, 1)
	ctx, cancel := context.WithTimeout(context.Background(), p.server.opts.OpenTimeout)
	defer cancel()
	key := cmp.Or(m.Key, p.client.Token())
	pub, err := p.server.opts.Desk.Open(ctx, publish.Request{
		Stream: m.Stream, Key: key, Protocol: publish.WebSocket,
		Remote: address, Session: p.client.SessionID, Client: p.client.Name, Keyframes: keyframes,
	})
	if err != nil {
		brake.Refused(address.Addr(), key != "", err, now)
		p.client.Send(ended(m.ID, err))
		return
	}
	p.admitted = true
	c := newPublication(m, pub, p.server.opts.AckInterval)
	p.client.Send(wire.PublishStarted{
		ID: m.ID, Stream: m.Stream, SampleBytes: p.server.opts.SampleBytes, AckInterval: p.server.opts.AckInterval,
	})
	p.mu.Lock()
	p.current = c
	p.mu.Unlock()
	p.watching.Go(func() { p.watch(c, keyframes) })
	if len(m.Tracks) > 0 {
		p.with(func(c *publication) error { return c.setTracks(m.Tracks) })
	}
}

// requester passes requests for a keyframe on to the goroutine that tells the
// client: whoever asks may hold locks.
type requester chan struct{}

// RequestKeyframe is media.KeyframeRequester.
func (r requester) RequestKeyframe() {
	select {
	case r <- struct{}{}:
	default:
	}
}

// keyframePause is the least time between two requests for a keyframe: an encoder
// needs some to answer one, and viewers come in crowds.
const keyframePause = 250 * time.Millisecond

// watch tells the client how c goes, until it ends.
func (p *Publisher) watch(c *publication, keyframes requester) {
	ticker := time.NewTicker(p.server.opts.AckInterval)
	defer ticker.Stop()
	var asked time.Time
	for {
		select {
		case <-c.stop:
			return
		case <-c.pub.Done():
			p.fail(c, c.pub.Reason())
			return
		case now := <-ticker.C:
			p.acknowledge(c, now)
		case <-keyframes:
			if now := time.Now(); now.Sub(asked) >= keyframePause {
				asked = now
				p.tell(c, wire.PublishKeyframeRequest{ID: c.id})
			}
		}
	}
}

// tell sends a message about c, unless it has ended.
func (p *Publisher) tell(c *publication, m wire.ServerMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == c {
		p.client.Send(m)
	}
}

// acknowledge tells the client what came since the last time.
func (p *Publisher) acknowledge(c *publication, now time.Time) {
	p.mu.Lock()
	ack, news := c.flow.ack(now)
	p.mu.Unlock()
	if !news {
		return
	}
	ack.ID = c.id
	ack.Viewers = p.server.opts.Viewers(c.stream)
	if c.flow.latencyDue(now) {
		c.latency = p.client.Latency(c.stream)
	}
	ack.ViewerLatency = c.latency
	p.tell(c, ack)
}
