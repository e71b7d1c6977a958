// Package relay publishes a source on another server, over Framewire's protocol:
// the first link of a chain of servers, and what the command publish runs.
//
//	source -> Sender (queue) -> client.Publication -> /ws of the other server
//
// A Sender is a media.Sink that never holds its source up: what the network does
// not take in time is left out up to the next keyframe, and so is what comes while
// the connection is being made anew.
package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/media"
)

// Options of a Sender. URL and Stream are required.
type Options struct {
	// URL is the other server's /ws; see Endpoint.
	URL string
	// Stream is the name there, Key what the server asks for.
	Stream, Key string

	// Session are the options of the session.
	Session client.Options

	// Backlog is how much may wait for the network before it is left out. Default
	// 2 s: viewers who fall behind by more are moved to the next keyframe as well.
	Backlog time.Duration

	// Keyframes is asked when a viewer needs a keyframe. Nil: nobody is.
	Keyframes media.KeyframeRequester

	Log *slog.Logger
}

const (
	backoffFirst = 250 * time.Millisecond
	backoffMax   = 5 * time.Second

	// proven is how long a connection has to last for the next failure to count
	// as the first again.
	proven = 10 * time.Second

	// dialTimeout bounds the making of a connection, writeTimeout the wait for a
	// network that takes nothing, partingTimeout the end in good order.
	dialTimeout    = 10 * time.Second
	writeTimeout   = 10 * time.Second
	partingTimeout = 3 * time.Second

	// pingPause is between measurements of the clocks.
	pingPause = 2 * time.Second
)

// Endpoint makes the URL of a server's /ws of what people write: http and https
// for ws and wss, and no path.
func Endpoint(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	switch u.Scheme {
	case "ws", "wss":
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	default:
		return "", fmt.Errorf("URL %q: want ws://, wss://, http:// or https://", raw)
	}
	if u.Host == "" {
		return "", fmt.Errorf("URL %q names no host", raw)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ws"
	}
	return u.String(), nil
}

// Status is how a Sender does.
type Status struct {
	// Connected since then, the zero value while it is not.
	Since time.Time
	// Reconnects counts connections after the first.
	Reconnects int
	// Sent and Bytes count samples since the start, Pictures those of video,
	// Dropped those that were left out.
	Sent, Pictures, Dropped, Bytes uint64
	// Waiting is how much is in the queue.
	Waiting time.Duration
	// Ack is what the server said last, or nil.
	Ack *framewirev1.PublishAck
	// Failure is why there is no connection, or nil.
	Failure error
}

// Sender publishes what it is given. Start and Write are called from one
// goroutine, Run once from another.
type Sender struct {
	opts Options

	mu          sync.Mutex
	queue       queue // guarded by mu
	state       Status
	connections int
	more        chan struct{} // capacity 1: something was queued
}

// New returns a Sender.
func New(opts Options) *Sender {
	opts.Backlog = cmp.Or(opts.Backlog, 2*time.Second)
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Sender{opts: opts, more: make(chan struct{}, 1), queue: queue{backlog: opts.Backlog}}
}

// Status is how the Sender does now.
func (s *Sender) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.state
	status.Waiting = s.queue.waiting(time.Now())
	status.Dropped = s.queue.dropped
	return status
}

// Start implements media.Sink.
func (s *Sender) Start(tracks []media.Track) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue.start(tracks)
	s.signal()
	return nil
}

// Write implements media.Sink. It does not wait for the network.
func (s *Sender) Write(sample media.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue.push(sample, time.Now())
	s.signal()
	return nil
}

// Finish makes Run send what waits, end the stream in good order and return.
// Nothing may be written afterwards.
func (s *Sender) Finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue.finished = true
	s.signal()
}

func (s *Sender) signal() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// Run connects and sends until Finish or ctx is done, and then ends the stream in
// good order. It connects again whenever the connection breaks, and returns an error
// only where that would meet the same answer: a *client.PublishError or
// *client.GoodbyeError.
func (s *Sender) Run(ctx context.Context) error {
	wait := backoffFirst
	for {
		began := time.Now()
		err := s.connect(ctx)
		if ctx.Err() != nil || err == nil {
			return nil
		}
		retry, again := retryOf(err)
		s.disconnected(err)
		if !again {
			return err
		}
		if time.Since(began) >= proven {
			wait = backoffFirst
		}
		pause := max(retry, wait/2+rand.N(wait/2+1))
		s.opts.Log.Warn("not connected", "error", err, "retry_in", pause.Round(time.Millisecond))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		wait = min(2*wait, backoffMax)
	}
}

// retryOf reports whether to come back after an error, and not sooner than when.
func retryOf(err error) (time.Duration, bool) {
	var ended *client.PublishError
	if errors.As(err, &ended) {
		switch ended.Reason {
		case framewirev1.PublishEndReason_PUBLISH_END_REASON_STREAM_BUSY,
			framewirev1.PublishEndReason_PUBLISH_END_REASON_TOO_MANY_PUBLISHERS,
			framewirev1.PublishEndReason_PUBLISH_END_REASON_SHUTTING_DOWN,
			framewirev1.PublishEndReason_PUBLISH_END_REASON_SILENT,
			framewirev1.PublishEndReason_PUBLISH_END_REASON_TOO_MANY_ATTEMPTS,
			framewirev1.PublishEndReason_PUBLISH_END_REASON_INTERNAL:
			return ended.RetryAfter, true
		}
		return 0, false
	}
	var left *client.GoodbyeError
	if errors.As(err, &left) {
		switch left.Reason {
		case framewirev1.GoodbyeReason_GOODBYE_REASON_UNSUPPORTED_VERSION,
			framewirev1.GoodbyeReason_GOODBYE_REASON_UNAUTHORIZED,
			framewirev1.GoodbyeReason_GOODBYE_REASON_TOKEN_EXPIRED,
			framewirev1.GoodbyeReason_GOODBYE_REASON_KICKED:
			return 0, false
		}
		return left.RetryAfter, true
	}
	return 0, true
}

func (s *Sender) disconnected(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue.hold()
	s.state.Since, s.state.Ack, s.state.Failure = time.Time{}, nil, why
}
