package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
)

// Subprotocols of the WebSocket.
const (
	// Proto sends every message as binary protobuf.
	Proto = "framewire.v1.proto"
	// JSON sends control messages as ProtoJSON.
	JSON = "framewire.v1.json"
)

// Version is the version of the protocol that this package speaks.
const Version = 1

// DefaultBuffer is how many bytes of messages wait for Receive before the
// session stops reading: more than any keyframe, less than a memory's worth.
const DefaultBuffer = 16 << 20

// maxMessage bounds one message of the server. A fragment holds one picture.
const maxMessage = 256 << 20

// Options of a session. The zero value serves.
type Options struct {
	// Subprotocol is Proto or JSON. Default Proto.
	Subprotocol string

	// Name and ClientVersion are shown to the operator. Default "framewire-go".
	Name, ClientVersion string

	// DecodableTypes lists MIME types with codecs parameter; the server withholds
	// tracks of other codecs. Default: everything is sent.
	DecodableTypes []string

	// Token is an access token, where the server asks for one. One that allows
	// publishing needs no key beside it.
	Token string

	// Settings to begin with. Default: volume 1, not muted, automatic latency.
	Settings *framewirev1.PlayerSettings

	// Resume goes on where an earlier session broke off.
	Resume *framewirev1.ResumePosition

	// Header is sent with the WebSocket's request.
	Header http.Header

	// HTTPClient makes the connection. Default http.DefaultClient.
	HTTPClient *http.Client

	// Buffer bounds the bytes that wait for Receive. Default 16 MiB.
	Buffer int
}

// Session is an open session. Its methods may be called from any goroutine,
// Receive from one at a time.
type Session struct {
	ws      *websocket.Conn
	json    bool
	welcome *framewirev1.Welcome
	reader  sync.WaitGroup
	inbox   inbox

	mu      sync.Mutex
	id      uint32 // of the last command
	waiting map[uint32]chan<- *framewirev1.CommandResult
	pings   map[int64]chan<- pong
	end     error         // why nothing more comes
	ended   chan struct{} // closed once end is set
	goodbye *GoodbyeError
	closed  bool

	publications uint32 // ID of the last one
	publishing   map[uint32]*Publication
}

// Dial connects to a server's /ws, such as "wss://example.com/ws", and opens a
// session there. ctx bounds the handshake alone. Close must be called.
func Dial(ctx context.Context, url string, opts Options) (*Session, error) {
	subprotocol := cmp.Or(opts.Subprotocol, Proto)
	ws, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient:   opts.HTTPClient,
		HTTPHeader:   opts.Header,
		Subprotocols: []string{subprotocol},
	})
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w%s", url, err, explanation(response))
	}
	if ws.Subprotocol() != subprotocol {
		_ = ws.CloseNow()
		return nil, fmt.Errorf("dial %s: the server does not speak %s", url, subprotocol)
	}
	ws.SetReadLimit(maxMessage)
	s := &Session{
		ws:      ws,
		json:    subprotocol == JSON,
		waiting: make(map[uint32]chan<- *framewirev1.CommandResult),
		pings:   make(map[int64]chan<- pong),
		ended:   make(chan struct{}),
	}
	s.inbox.init(cmp.Or(opts.Buffer, DefaultBuffer))
	if err := s.greet(ctx, opts); err != nil {
		_ = ws.CloseNow()
		return nil, fmt.Errorf("open session on %s: %w", url, err)
	}
	s.reader.Go(s.read)
	return s, nil
}

func (s *Session) greet(ctx context.Context, opts Options) error {
	err := s.write(ctx, &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_Hello{Hello: &framewirev1.Hello{
		ProtocolVersion: Version,
		ClientName:      cmp.Or(opts.Name, "framewire-go"),
		ClientVersion:   opts.ClientVersion,
		DecodableTypes:  opts.DecodableTypes,
		Token:           opts.Token,
		Resume:          opts.Resume,
		Settings:        opts.Settings,
	}}})
	if err != nil {
		return err
	}
	for {
		m, _, err := s.readMessage(ctx)
		if err != nil {
			return err
		}
		switch body := m.GetBody().(type) {
		case *framewirev1.ServerMessage_Welcome:
			s.welcome = body.Welcome
			return nil
		case *framewirev1.ServerMessage_Goodbye:
			return goodbyeError(body.Goodbye)
		case *framewirev1.ServerMessage_CommandResult:
			if e := body.CommandResult.GetError(); e != nil {
				return commandError(e)
			}
		}
	}
}

// Welcome is the server's answer to the handshake.
func (s *Session) Welcome() *framewirev1.Welcome { return s.welcome }

// Receive returns the next message that is not an answer to a command or a ping.
// The last error is a *GoodbyeError where the server told why.
func (s *Session) Receive(ctx context.Context) (*framewirev1.ServerMessage, error) {
	if m, err := s.inbox.take(ctx, s.ended); m != nil || err != nil {
		return m, err
	}
	return nil, s.end
}

// Messages ranges over what Receive returns, up to and including its first
// error.
func (s *Session) Messages(ctx context.Context) iter.Seq2[*framewirev1.ServerMessage, error] {
	return func(yield func(*framewirev1.ServerMessage, error) bool) {
		for {
			m, err := s.Receive(ctx)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the session and waits until it has ended.
func (s *Session) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.inbox.close()
	err := s.ws.Close(websocket.StatusNormalClosure, "")
	s.reader.Wait()
	if websocket.CloseStatus(err) != -1 || s.goodbye != nil {
		return nil // the server closed first
	}
	return err
}

// read distributes what the server sends, until nothing more comes.
func (s *Session) read() {
	for {
		m, size, err := s.readMessage(context.Background())
		if err != nil {
			s.finish(err)
			return
		}
		if !s.answer(m) && m.GetBody() != nil {
			s.inbox.put(m, size)
		}
	}
}

func (s *Session) finish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.goodbye != nil:
		s.end = s.goodbye
	case s.closed:
		s.end = ErrClosed
	default:
		s.end = fmt.Errorf("session broke off: %w", err)
	}
	close(s.ended)
}

// answer hands answers to whoever waits for them.
func (s *Session) answer(m *framewirev1.ServerMessage) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch body := m.GetBody().(type) {
	case *framewirev1.ServerMessage_CommandResult:
		if c, ok := s.waiting[body.CommandResult.GetId()]; ok {
			delete(s.waiting, body.CommandResult.GetId())
			c <- body.CommandResult
			return true
		}
	case *framewirev1.ServerMessage_Pong:
		if c, ok := s.pings[body.Pong.GetClientTimeUnixUs()]; ok {
			delete(s.pings, body.Pong.GetClientTimeUnixUs())
			c <- pong{body.Pong, time.Now()}
			return true
		}
	case *framewirev1.ServerMessage_Goodbye:
		s.goodbye = goodbyeError(body.Goodbye)
	}
	return s.published(m)
}

func goodbyeError(g *framewirev1.Goodbye) *GoodbyeError {
	return &GoodbyeError{
		Reason:     g.GetReason(),
		RetryAfter: time.Duration(g.GetRetryAfterMs()) * time.Millisecond,
		Message:    g.GetMessage(),
	}
}

func (s *Session) readMessage(ctx context.Context) (*framewirev1.ServerMessage, int, error) {
	kind, data, err := s.ws.Read(ctx)
	if err != nil {
		return nil, 0, err
	}
	var m framewirev1.ServerMessage
	if kind == websocket.MessageText {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, &m)
	} else {
		err = proto.Unmarshal(data, &m)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read server message: %w", err)
	}
	return &m, len(data), nil
}

func (s *Session) write(ctx context.Context, m *framewirev1.ClientMessage) error {
	if s.json {
		data, err := protojson.Marshal(m)
		if err != nil {
			return err
		}
		return s.ws.Write(ctx, websocket.MessageText, data)
	}
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return s.ws.Write(ctx, websocket.MessageBinary, data)
}

// Send sends any message, for what has no method of its own: reports, answers to
// directives. A ctx that ends while the network is blocked ends the session.
func (s *Session) Send(ctx context.Context, m *framewirev1.ClientMessage) error {
	if err := s.write(ctx, m); err != nil {
		return errors.Join(err, s.reason())
	}
	return nil
}

func (s *Session) reason() error {
	select {
	case <-s.ended:
		return s.end
	default:
		return nil
	}
}
