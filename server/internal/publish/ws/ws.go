// Package ws lets the clients of Framewire's own protocol publish, over the same
// session in which they may play.
//
//	session                           Publisher
//	PublishStart             ->       Desk.Open
//	                         <-       PublishStarted
//	PublishSample            ->       elementary.Stream -> Publication
//	                         <-       PublishAck, PublishKeyframeRequest
//	PublishEnd               ->       Publication.Close
//	                         <-       PublishEnded
//
// The session reads and checks the messages (package wire); here they are made
// into tracks and samples, whatever form the publisher has them in.
package ws

import (
	"cmp"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/door"
	"github.com/framewire/framewire/server/internal/wire"
)

// Options of a Server. Desk is required; zero fields take the default.
type Options struct {
	Desk publish.Desk

	// SampleBytes is the largest sample. Default 8 MiB: a keyframe of the largest
	// pictures at the highest bitrates.
	SampleBytes int

	// AckInterval is how often a publisher is told how it goes. Default 200 ms:
	// encoders are to hear of a slow network within a few pictures.
	AckInterval time.Duration

	// OpenTimeout bounds the decision about a publisher, which may ask another
	// server. Default 10 s.
	OpenTimeout time.Duration

	// Viewers returns the number of viewers of a stream. Nil: it is not told.
	Viewers func(stream string) int

	// Brake slows the guessing of keys down. Nil: one of its own.
	Brake *door.Brake

	// Log takes what an operator should know. Default: nothing.
	Log *slog.Logger
}

// messageRoom is what a message takes besides the data of its sample.
const messageRoom = 1 << 10

// Server opens a Publisher for each session that asks. It may be used by any
// number of goroutines.
type Server struct{ opts Options }

// New returns a Server.
func New(opts Options) *Server {
	opts.SampleBytes = cmp.Or(opts.SampleBytes, 8<<20)
	opts.AckInterval = cmp.Or(opts.AckInterval, 200*time.Millisecond)
	opts.OpenTimeout = cmp.Or(opts.OpenTimeout, 10*time.Second)
	opts.Brake = cmp.Or(opts.Brake, new(door.Brake))
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	if opts.Viewers == nil {
		opts.Viewers = func(string) int { return 0 }
	}
	return &Server{opts: opts}
}

// Client is the session of a publisher.
type Client struct {
	// SessionID, Address and Name are what is known of it.
	SessionID, Address, Name string

	// Token returns the access token of the session, or nothing. It is called from
	// the goroutine that calls Take. Nil: there is none.
	Token func() string

	// Send sends a message, in order and without waiting.
	Send func(m wire.ServerMessage)

	// Latency is what the viewers of a stream report, or 0. Nil: it is not told.
	Latency func(stream string) time.Duration
}

func (c *Client) remote() netip.AddrPort {
	a, err := netip.ParseAddrPort(c.Address)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// retryAfter is when those who may come back should: soon enough for a publisher
// that takes the place of another, late enough to be no load.
const retryAfter = 2 * time.Second

// reasons tells the errors of package publish in the protocol's terms.
var reasons = []struct {
	err    error
	reason wire.PublishEndReason
	retry  time.Duration
}{
	{publish.ErrBadName, wire.PublishBadName, 0},
	{publish.ErrUnknownStream, wire.PublishUnknownStream, 0},
	{publish.ErrBadKey, wire.PublishBadKey, 0},
	{publish.ErrStreamBusy, wire.PublishStreamBusy, retryAfter},
	{publish.ErrTooManyPublishers, wire.PublishTooMany, 5 * retryAfter},
	{publish.ErrShutdown, wire.PublishShuttingDown, retryAfter},
	{publish.ErrUnchecked, wire.PublishInternal, 5 * retryAfter},
	{publish.ErrTakenOver, wire.PublishTakenOver, 0},
	{publish.ErrRemoved, wire.PublishRemoved, 0},
	{publish.ErrExpired, wire.PublishTokenExpired, 0},
	{publish.ErrSilent, wire.PublishSilent, 0},
	{publish.ErrLimit, wire.PublishLimit, 0},
	{publish.ErrUnsupported, wire.PublishUnsupported, 0},
	{publish.ErrMalformed, wire.PublishMalformed, 0},
}

// known reports whether err is one of package publish's.
func known(err error) bool {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return true
		}
	}
	return false
}

// ended is the message for an error. One that is none of package publish's is not
// shown.
func ended(id uint32, err error) wire.PublishEnded {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			m := wire.PublishEnded{ID: id, Reason: r.reason, RetryAfter: r.retry, Message: err.Error()}
			if often := (*gate.Refusal)(nil); errors.As(err, &often) {
				m.RetryAfter = often.Wait
			}
			return m
		}
	}
	return wire.PublishEnded{ID: id, Reason: wire.PublishInternal, RetryAfter: retryAfter, Message: "the server failed to take the stream"}
}
