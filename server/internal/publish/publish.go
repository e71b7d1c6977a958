// Package publish holds what all publishers' protocols share: how a publisher
// asks for a stream, what it is given, and why it is refused or ended.
//
//	protocol (rtmp, whip, ws, http) -- Request --> Desk
//	protocol <-- Publication (a media.Sink with an end) -- Desk
//
// A protocol knows nothing of streams, keys and rules; the desk knows nothing of
// handshakes and messages.
package publish

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/framewire/framewire/server/internal/media"
)

// Protocol names the way in which a publisher came, for logs and metrics.
type Protocol string

// The protocols in which one can publish.
const (
	RTMP      Protocol = "rtmp"
	WHIP      Protocol = "whip"
	WebSocket Protocol = "ws"
	HTTP      Protocol = "http"
)

// Request is a publisher asking for a stream. Its texts are the publisher's own
// and unchecked; its protocol has bounded their length.
type Request struct {
	// Stream is the name asked for.
	Stream string

	// Key is the stream key or token, empty when none was given. It is a secret:
	// not to be logged.
	Key string

	Protocol Protocol

	// Remote is the publisher's address, the zero value when unknown.
	Remote netip.AddrPort

	// Session is the ID of the session that it publishes in, empty where the
	// protocol has none.
	Session string

	// Client is what the publisher calls itself, such as "FMLE/3.0" or a user
	// agent. It may be empty.
	Client string

	// Keyframes is asked when a viewer needs a keyframe. Nil when the protocol
	// has no way to ask.
	Keyframes media.KeyframeRequester
}

// Desk lets publishers in. Protocols are given one.
type Desk interface {
	// Open hands the stream to the publisher, or refuses with an error that wraps
	// one of this package's. ctx bounds the wait for a decision, not the life of
	// the publication. Open may be called from any goroutine.
	Open(ctx context.Context, r Request) (Publication, error)
}

// Publication is one publisher on one stream. Start, Write and Close are called
// from one goroutine; Close last, and exactly once. The others may be called from
// any goroutine.
type Publication interface {
	media.Sink

	// Renew has a publication that lives by a token live by another one from now
	// on. Where that does not allow it, all stays as it was, and the error wraps one
	// of this package's or of package auth's. One that lives by a stream key needs no
	// token, and takes none. ctx bounds the wait for a decision.
	Renew(ctx context.Context, token string) error

	// Close ends the publication. err is nil when the publisher said that it
	// ends, otherwise what ended it: a connection lost, a fault in its data, or
	// Reason.
	Close(err error)

	// Done is closed when the desk wants the publisher gone. The protocol then
	// tells the publisher Reason in its own terms, and calls Close.
	Done() <-chan struct{}

	// Reason is why Done was closed, wrapping one of this package's errors. It is
	// nil before.
	Reason() error
}

// The ways in which a publisher is refused. Wrapped, their text is shown to the
// publisher, so it must hold no secret.
var (
	// ErrBadName: the name is not one that a stream can have.
	ErrBadName = errors.New("the stream name is not valid")

	// ErrUnknownStream: no stream of this name is configured, and it may not be
	// created.
	ErrUnknownStream = errors.New("there is no such stream")

	// ErrBadKey: the key is missing or wrong.
	ErrBadKey = errors.New("the stream key is missing or wrong")

	// ErrTooManyAttempts: too many wrong keys came from the publisher's address, and
	// no more are looked at for a while. It wraps ErrBadKey.
	ErrTooManyAttempts = fmt.Errorf("%w: too many wrong ones came from this address", ErrBadKey)

	// ErrNotAllowed: the token is a valid one, and not for this. It wraps ErrBadKey.
	ErrNotAllowed = fmt.Errorf("%w, or does not allow this", ErrBadKey)

	// ErrUnchecked: what decides about tokens does not answer. Trying later may help.
	ErrUnchecked = errors.New("stream keys cannot be checked now")

	// ErrTooManyConnections: too many of a protocol's connections do not publish, in
	// all or of the publisher's address. Trying later may help.
	ErrTooManyConnections = errors.New("there are too many connections that do not publish")

	// ErrStreamBusy: another publisher has the stream, and keeps it.
	ErrStreamBusy = errors.New("the stream already has a publisher")

	// ErrTooManyPublishers: the server takes no more. Trying later may help.
	ErrTooManyPublishers = errors.New("the server takes no more publishers now")

	// ErrAddressFull: the publisher's network address has as many as it may. It
	// wraps ErrTooManyPublishers.
	ErrAddressFull = fmt.Errorf("%w from this address", ErrTooManyPublishers)

	// ErrSubjectFull: whom the publisher's token names has as many as it may. It
	// wraps ErrTooManyPublishers.
	ErrSubjectFull = fmt.Errorf("%w of this token's holder", ErrTooManyPublishers)

	// ErrShutdown: the server is stopping. Trying later may help.
	ErrShutdown = errors.New("the server is shutting down")
)

// The ways in which a publisher that was let in is ended.
var (
	// ErrTakenOver: another publisher took the stream. Coming back at once would
	// only take it back.
	ErrTakenOver = errors.New("another publisher took over the stream")

	// ErrRemoved: an operator ended the publication, or the configuration no
	// longer has the stream.
	ErrRemoved = errors.New("the publisher was removed by the operator")

	// ErrExpired: the token has expired, before the publisher was let in or since.
	ErrExpired = errors.New("the token has expired")

	// ErrSilent: no media came for too long.
	ErrSilent = errors.New("no media came for too long")

	// ErrLimit: bitrate, picture size, number of tracks or of messages exceed what
	// is allowed.
	ErrLimit = errors.New("a limit of this server is exceeded")

	// ErrUnsupported: a codec or a feature that cannot be carried.
	ErrUnsupported = errors.New("the media are of a kind that this server does not carry")

	// ErrMalformed: what was sent breaks the protocol or its media format.
	ErrMalformed = errors.New("malformed data")

	// ErrDisconnected: the connection ended without a word.
	ErrDisconnected = errors.New("the connection was lost")
)

// Guessed reports whether a refusal with err says that a key was wrong: one that was
// right once, or is for something else, or could not be checked, was not guessed.
func Guessed(err error) bool { return errors.Is(err, ErrBadKey) && !errors.Is(err, ErrNotAllowed) }
