package session

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrMessageTooLarge is returned by Conn.Receive for a message that was
	// larger than allowed and has been read past. The next one can be received.
	ErrMessageTooLarge = errors.New("message too large")
	// ErrMessageFlood is returned by Conn.Receive for a message so large that it
	// was not read to its end. Nothing more can be received.
	ErrMessageFlood = errors.New("message far too large")
	// ErrProtocol is returned by Conn.Receive for frames that are none. Nothing
	// more can be received, and the close frame may have been sent already.
	ErrProtocol = errors.New("WebSocket framing is broken")
)

// Message is one WebSocket message to a client.
type Message struct {
	// Data must not change any more: it may be sent later, and to others.
	Data []byte
	Text bool
}

// Conn is the WebSocket under a session. Receive is called from one goroutine,
// Send, Flush and Close from another.
type Conn interface {
	// Receive returns the next message. data is valid until the next call.
	Receive() (data []byte, text bool, err error)

	// Send takes messages, to be sent in this order. It may send some at once.
	Send(batch []Message) error

	// Flush sends what Send has taken. It returns after wait, or shortly after,
	// how many bytes are left; it can be called again to go on. A connection on
	// which nothing moves is not an error. With wait 0 it tries once.
	Flush(wait time.Duration) (left int, err error)

	// Ping returns when the client has answered a WebSocket ping. It may be
	// called at any time.
	Ping(ctx context.Context) error

	// Close tells the client the code and reason (at most 123 bytes) and ends
	// the connection, within a bounded time. Receive fails from then on.
	Close(code int, reason string)
}

// FrameConn is a Conn whose messages are on the wire what they are on that of
// every other FrameConn, so that they can be made once for many.
type FrameConn interface {
	Conn

	// AppendFrame appends a message as it is on the wire.
	AppendFrame(dst []byte, m Message) []byte

	// SendFrames sends what AppendFrame has made, without waiting, and returns
	// how many bytes are left for Flush to send. frames must not change before
	// that is done. It is called when nothing is left from before.
	SendFrames(frames []byte) (left int, err error)
}
