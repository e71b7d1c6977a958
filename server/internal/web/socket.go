package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/framewire/framewire/server/internal/session"
)

const (
	// floodFactor times the size of an allowed message is read past, so that the
	// session can go on after it; who sends more is closed.
	floodFactor = 16

	// keptBuffer is how much memory for received messages a session holds on to,
	// and keptOfPublisher that of one that publishes: a picture of common size.
	keptBuffer      = 1 << 10
	keptOfPublisher = 64 << 10

	// closeWait is how long the client may take to answer a close frame.
	closeWait = time.Second

	// maxCloseReason is what fits a close frame (RFC 6455 5.5).
	maxCloseReason = 123

	// blockedWrite bounds a batch on a connection that is not a Conn, on which
	// nothing else than the end of the session can end a write.
	blockedWrite = 15 * time.Second
)

// socket is a session.Conn.
type socket struct {
	ws     *websocket.Conn
	net    net.Conn // under ws
	gather *Conn    // under net, or nil
	limit  int
	base   int    // limit at the beginning, 0 before Allow
	buffer []byte // of Receive
}

// Receive returns the next message.
func (s *socket) Receive() (data []byte, text bool, err error) {
	if cap(s.buffer) > s.kept() {
		s.buffer = nil
	}
	kind, r, err := s.ws.Reader(context.Background())
	if err != nil {
		return nil, false, framing(err)
	}
	text = kind == websocket.MessageText
	s.buffer = s.buffer[:0]
	for {
		if len(s.buffer) == cap(s.buffer) {
			grown := make([]byte, len(s.buffer), max(keptBuffer/2, 2*cap(s.buffer)))
			copy(grown, s.buffer)
			s.buffer = grown
		}
		n, err := r.Read(s.buffer[len(s.buffer):cap(s.buffer)])
		s.buffer = s.buffer[:len(s.buffer)+n]
		switch {
		case len(s.buffer) > s.limit:
			return nil, text, s.discard(r)
		case errors.Is(err, io.EOF):
			return s.buffer, text, nil
		case err != nil:
			return nil, text, framing(err)
		}
	}
}

// framing marks errors of the WebSocket library as session.ErrProtocol that are
// neither a close frame of the client nor of the connection under it.
func framing(err error) error {
	var closed websocket.CloseError
	var network net.Error // a system's errors and deadlines are such as well
	switch {
	case errors.As(err, &closed), errors.As(err, &network), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled):
		return err
	}
	return fmt.Errorf("%w: %w", session.ErrProtocol, err)
}

// Allow is session.Widener.
func (s *socket) Allow(messageBytes int) {
	if s.base == 0 {
		s.base = s.limit
	}
	s.limit = max(s.limit, messageBytes)
}

func (s *socket) kept() int {
	if s.base == 0 {
		return keptBuffer
	}
	return keptOfPublisher
}

// discard reads past the rest of a message that is too large.
func (s *socket) discard(r io.Reader) error {
	s.buffer = s.buffer[:cap(s.buffer)]
	for left := max((floodFactor-1)*cmp.Or(s.base, s.limit), s.limit); left > 0; {
		n, err := r.Read(s.buffer)
		left -= n
		switch {
		case errors.Is(err, io.EOF):
			return session.ErrMessageTooLarge
		case err != nil:
			return framing(err)
		}
	}
	return session.ErrMessageFlood
}

// Send hands messages to the WebSocket library.
func (s *socket) Send(batch []session.Message) error {
	// A context that can end would close the connection with it, in the middle
	// of a message.
	ctx := context.Background()
	if s.gather != nil {
		s.gather.Begin()
		defer s.gather.Refer(nil)
	} else {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, blockedWrite)
		defer cancel()
	}
	for i := range batch {
		if s.gather != nil {
			s.gather.Refer(batch[i].Data)
		}
		kind := websocket.MessageBinary
		if batch[i].Text {
			kind = websocket.MessageText
		}
		if err := s.ws.Write(ctx, kind, batch[i].Data); err != nil {
			return err
		}
	}
	return nil
}

// Flush sends what the library has written.
func (s *socket) Flush(wait time.Duration) (int, error) {
	if s.gather == nil {
		return 0, nil
	}
	return s.gather.Flush(wait)
}

// Ping waits for the answer to a ping.
func (s *socket) Ping(ctx context.Context) error { return s.ws.Ping(ctx) }

// Close ends the connection with the closing handshake, or without after
// closeWait.
func (s *socket) Close(code int, reason string) {
	if len(reason) > maxCloseReason {
		reason = strings.ToValidUTF8(reason[:maxCloseReason], "")
	}
	stop := time.AfterFunc(closeWait, func() { _ = s.net.Close() })
	defer stop.Stop()
	_ = s.ws.Close(websocket.StatusCode(code), reason) // whatever comes of it, it is closed
}
