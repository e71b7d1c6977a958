package rtmp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/flv"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/rtmp/chunk"
)

// The types of message (5.4, 7.1). Audio, video, data and their numbers are
// those of FLV tags.
const (
	typeAcknowledgement = 3
	typeUserControl     = 4
	typeWindow          = 5
	typeBandwidth       = 6
	typeCommandAMF3     = 17
	typeCommand         = 20
	typeAggregate       = 22
)

// The events of User Control messages (7.1.7).
const (
	eventStreamBegin  = 0
	eventPingRequest  = 6
	eventPingResponse = 7
)

const (
	// The chunk streams on which the server speaks: 2 is prescribed for control
	// messages, the others are custom.
	controlStream = 2
	commandStream = 3
	statusStream  = 5

	// ourChunkSize holds any answer in one chunk.
	ourChunkSize = 4096

	// ackWindow is the window in bytes that is asked for, and kept unless the
	// client asks for another. minAckWindow bounds how many answers a client can
	// provoke.
	ackWindow    = 2_500_000
	minAckWindow = 4096

	// writeTimeout bounds the wait for a client that does not read.
	writeTimeout = 5 * time.Second

	// lingerTimeout is how long a connection is read on after the last word to the
	// client. Closing while media keep coming resets the connection, and the
	// client would never read why.
	lingerTimeout = time.Second

	// maxControl bounds commands, metadata and control messages in bytes.
	// Connect commands and metadata take about one kilobyte.
	maxControl = 64 << 10

	// A client may send controlBurst messages that are not media at once, and
	// controlRate more each second. Publishing takes about ten.
	controlBurst = 100
	controlRate  = 20

	// minMedia is the size from which a message counts as media: every frame is
	// larger, with its tag header.
	minMedia = 3
)

// errEnded ends a connection whose publisher said that it ends.
var errEnded = errors.New("ended by the publisher")

// conn is one connection. All but wake runs on one goroutine.
type conn struct {
	server *Server
	opts   *Options
	log    *slog.Logger
	in     *chunk.Reader
	out    *chunk.Writer

	refusal   error  // of its address, for connect to tell; nil: none
	publishes func() // called when it begins to publish

	connected bool
	target    target
	client    string
	streams   uint32 // created so far
	window    uint64
	acked     uint64
	budget    float64 // of control messages
	budgetAt  time.Time
	told      bool // the client knows why the connection ends
	logged    bool // what became of the publisher, by the desk
	watched   chan (<-chan struct{})

	// While publishing.
	pub      publish.Publication
	pubID    uint32 // message stream
	demux    *flv.Demuxer
	sinkSays error // what the publication's sink returned

	mu    sync.Mutex
	nc    net.Conn
	woken bool
}

func newConn(s *Server, nc net.Conn) *conn {
	return &conn{
		server: s, opts: &s.opts, nc: nc,
		log:       s.opts.Log.With("remote", nc.RemoteAddr().String()),
		in:        chunk.NewReader(nc, chunk.Limits{Message: min(s.opts.MaxMessage, chunk.MaxSize), Unfinished: 2 * s.opts.MaxMessage}),
		out:       chunk.NewWriter(nc),
		publishes: func() {},
		window:    ackWindow, budget: controlBurst,
		watched: make(chan (<-chan struct{})),
	}
}

// serve runs the connection to its end and closes it. It returns why it ended.
func (c *conn) serve(ctx context.Context) (err error) {
	began := time.Now()
	stop := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() { c.watch(ctx, stop) })

	c.setDeadline(began.Add(c.opts.Handshake))
	_ = c.nc.SetWriteDeadline(began.Add(c.opts.Handshake))
	if err = handshake(c.nc, began); err != nil {
		err = fmt.Errorf("handshake: %w", err)
	} else {
		c.setDeadline(began.Add(c.opts.Setup))
		err = c.loop(ctx)
	}
	err = c.reason(ctx, err)
	told := c.tell(err)
	c.unpublish(err)
	close(stop)
	watcher.Wait()
	if told {
		c.linger()
	}
	_ = c.nc.Close()
	return err
}

// watch wakes the connection's goroutine when ctx is done, or when the desk
// wants the publisher gone.
func (c *conn) watch(ctx context.Context, stop <-chan struct{}) {
	shutdown := ctx.Done()
	var done <-chan struct{}
	for {
		select {
		case done = <-c.watched:
			continue
		case <-done:
			done = nil
		case <-shutdown:
			shutdown = nil
		case <-stop:
			return
		}
		c.wake()
	}
}

// wake makes reading fail, now and from then on.
func (c *conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.woken = true
	_ = c.nc.SetReadDeadline(time.Unix(1, 0))
}

func (c *conn) setDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.woken {
		_ = c.nc.SetReadDeadline(t)
	}
}

// loop reads messages until something ends the connection.
func (c *conn) loop(ctx context.Context) error {
	for {
		m, err := c.in.ReadChunk()
		if err != nil {
			return err
		}
		if err := c.acknowledge(); err != nil {
			return err
		}
		if m == nil {
			continue
		}
		if err := c.message(ctx, m, time.Now()); err != nil {
			return err
		}
	}
}

// acknowledge tells the client how much was received, when it is due.
func (c *conn) acknowledge() error {
	received := c.in.Received()
	if received-c.acked < c.window {
		return nil
	}
	c.acked = received
	return c.send(control(typeAcknowledgement, binary.BigEndian.AppendUint32(nil, uint32(received))))
}

func control(kind uint8, data []byte) chunk.Message {
	return chunk.Message{ChunkStream: controlStream, Type: kind, Data: data}
}

func (c *conn) send(messages ...chunk.Message) error {
	_ = c.nc.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err := c.out.Write(messages...); err != nil {
		return fmt.Errorf("%w: %w", publish.ErrDisconnected, err)
	}
	return nil
}

// message acts on one message.
func (c *conn) message(ctx context.Context, m *chunk.Message, now time.Time) error {
	switch m.Type {
	case flv.TagAudio, flv.TagVideo, typeAggregate:
		if len(m.Data) < minMedia {
			return c.spend(now)
		}
		return c.media(m, now)
	}
	if err := c.spend(now); err != nil {
		return err
	}
	if len(m.Data) > maxControl {
		return fmt.Errorf("%w: message of type %d with %d bytes", publish.ErrMalformed, m.Type, len(m.Data))
	}
	switch m.Type {
	case flv.TagScript:
		c.metadata(m.Data)
	case flv.TagScriptAMF3:
		if len(m.Data) > 0 && m.Data[0] == 0 { // AMF0 behind a format byte
			c.metadata(m.Data[1:])
		}
	case typeCommand:
		return c.command(ctx, m, m.Data)
	case typeCommandAMF3:
		if len(m.Data) > 0 && m.Data[0] == 0 {
			return c.command(ctx, m, m.Data[1:])
		}
		return c.command(ctx, m, m.Data)
	case typeUserControl:
		return c.userControl(m.Data)
	case typeWindow:
		if len(m.Data) >= 4 {
			c.window = max(uint64(binary.BigEndian.Uint32(m.Data)), minAckWindow)
		}
	}
	return nil // others have no meaning for a publisher
}

// spend counts a message that is not media against its limit.
func (c *conn) spend(now time.Time) error {
	if !c.budgetAt.IsZero() {
		c.budget = min(controlBurst, c.budget+now.Sub(c.budgetAt).Seconds()*controlRate)
	}
	c.budgetAt = now
	if c.budget--; c.budget < 0 {
		return fmt.Errorf("%w: more than %d messages a second that are not media", publish.ErrLimit, controlRate)
	}
	return nil
}

func (c *conn) userControl(data []byte) error {
	if len(data) < 6 || binary.BigEndian.Uint16(data) != eventPingRequest {
		return nil
	}
	return c.send(userControl(eventPingResponse, binary.BigEndian.Uint32(data[2:])))
}

func userControl(event uint16, value uint32) chunk.Message {
	data := binary.BigEndian.AppendUint16(nil, event)
	return control(typeUserControl, binary.BigEndian.AppendUint32(data, value))
}

// reason turns what ended the loop into what ended the publisher.
func (c *conn) reason(ctx context.Context, err error) error {
	if errors.Is(err, errEnded) {
		return nil
	}
	if c.pub != nil && c.pub.Reason() != nil {
		return c.pub.Reason()
	}
	var network net.Error
	timeout := errors.Is(err, os.ErrDeadlineExceeded)
	gone := isEnd(err) || !timeout && errors.As(err, &network)
	switch {
	case ctx.Err() != nil:
		return publish.ErrShutdown
	case c.sinkSays != nil:
		return err
	case timeout && c.pub != nil:
		return fmt.Errorf("%w: %v", publish.ErrSilent, c.opts.Silence)
	case timeout:
		return fmt.Errorf("%w: nothing was published in time", publish.ErrSilent)
	case gone && c.pub == nil && c.connected:
		return nil // it published before, or thought better of it
	case gone:
		return fmt.Errorf("%w: %w", publish.ErrDisconnected, err)
	}
	return typed(err)
}

// linger reads on until the client has closed, for a moment at most.
func (c *conn) linger() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(lingerTimeout))
	_, _ = io.Copy(io.Discard, c.nc)
}
