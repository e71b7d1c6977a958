package rtmp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/flv"
	"github.com/framewire/framewire/server/internal/flv/amf0"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/rtmp/chunk"
)

// script is what a publisher sends, written beforehand: no publisher has to
// look at an answer to know its next message.
type script struct {
	t   testing.TB
	buf bytes.Buffer
	out *chunk.Writer
}

// newScript begins with a handshake.
func newScript(t testing.TB) *script {
	s := &script{t: t}
	s.out = chunk.NewWriter(&s.buf)
	s.raw("\x03" + string(make([]byte, 2*handshakeSize)))
	return s
}

func (s *script) raw(data string) *script {
	s.buf.WriteString(data)
	return s
}

func (s *script) message(kind uint8, stream, timestamp uint32, data string) *script {
	s.t.Helper()
	err := s.out.Write(chunk.Message{ChunkStream: 3, Type: kind, Stream: stream, Timestamp: timestamp, Data: []byte(data)})
	if err != nil {
		s.t.Fatal(err)
	}
	return s
}

func (s *script) call(stream uint32, values ...any) *script {
	s.t.Helper()
	return s.message(typeCommand, stream, 0, encode(s.t, values...))
}

func encode(t testing.TB, values ...any) string {
	t.Helper()
	data, err := amf0.Append(nil, values...)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (s *script) connect(app string) *script {
	s.t.Helper()
	return s.call(0, "connect", 1, amf0.Object{{Name: "app", Value: app}, {Name: "flashVer", Value: "FMLE/3.0\n"}, {Name: "tcUrl", Value: "rtmp://h/" + app}})
}

// publish goes through all that precedes media.
func (s *script) publish(name string) *script {
	s.t.Helper()
	return s.connect("live").call(0, "releaseStream", 2, nil, name).call(0, "FCPublish", 3, nil, name).
		call(0, "createStream", 4, nil).call(1, "publish", 5, nil, name, "live")
}

// The shortest sound there is: mono AAC with empty frames.
const (
	soundConfig = "\xaf\x00\x11\x88"
	soundFrame  = "\xaf\x01\x21\x10"
)

func soundOnly(t testing.TB) string {
	t.Helper()
	return encode(t, "@setDataFrame", "onMetaData", amf0.Object{{Name: "audiocodecid", Value: 10}})
}

// sound sends metadata, a configuration, and frames.
func (s *script) sound(frames int) *script {
	s.t.Helper()
	s.message(flv.TagScript, 1, 0, soundOnly(s.t)).message(flv.TagAudio, 1, 0, soundConfig)
	for i := range frames {
		s.message(flv.TagAudio, 1, uint32(i*21), soundFrame)
	}
	return s
}

// tape is a connection whose other side has sent all it will, and closed.
type tape struct {
	bytes.Reader
	wrote bytes.Buffer
}

func (*tape) Close() error                     { return nil }
func (c *tape) Write(b []byte) (int, error)    { return c.wrote.Write(b) }
func (*tape) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1935} }
func (*tape) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }
func (*tape) SetDeadline(time.Time) error      { return nil }
func (*tape) SetReadDeadline(time.Time) error  { return nil }
func (*tape) SetWriteDeadline(time.Time) error { return nil }

// play has the server hear the script, and returns what the server said and
// what ended the connection.
func play(t testing.TB, d *desk, opts Options, s *script) (*answers, error) {
	t.Helper()
	return playTo(t, New(d, opts), s)
}

func playTo(t testing.TB, server *Server, s *script) (*answers, error) {
	t.Helper()
	c := &tape{}
	c.Reset(s.buf.Bytes())
	err := server.ServeConn(context.Background(), c)
	return readAnswers(t, c.wrote.Bytes()), err
}

// answers is what a server said behind its handshake.
type answers struct {
	messages []chunk.Message
	calls    [][]any
}

func readAnswers(t testing.TB, data []byte) *answers {
	t.Helper()
	a := &answers{}
	const handshake = 1 + 2*handshakeSize
	if len(data) < handshake {
		return a
	}
	r := chunk.NewReader(bytes.NewReader(data[handshake:]), chunk.Limits{Message: 1 << 20, Unfinished: 1 << 20})
	for {
		m, err := r.ReadChunk()
		if errors.Is(err, io.EOF) {
			return a
		}
		if err != nil {
			t.Fatalf("the server's own messages: %v", err)
		}
		if m == nil {
			continue
		}
		a.messages = append(a.messages, *m)
		if m.Type == typeCommand {
			values, err := amf0.Decode(m.Data)
			if err != nil {
				t.Fatalf("the server's own command: %v", err)
			}
			a.calls = append(a.calls, values)
		}
	}
}

// codes returns the codes of all states and errors, in order.
func (a *answers) codes() []string {
	var codes []string
	for _, values := range a.calls {
		if o, ok := values[len(values)-1].(amf0.Object); ok {
			codes = append(codes, o.Text("code"))
		}
	}
	return codes
}

func (a *answers) description() string {
	for i := len(a.calls) - 1; i >= 0; i-- {
		if o, ok := a.calls[i][len(a.calls[i])-1].(amf0.Object); ok {
			return o.Text("description")
		}
	}
	return ""
}

// result returns the answer to a transaction.
func (a *answers) result(transaction float64) []any {
	for _, values := range a.calls {
		if values[1] == transaction {
			return values
		}
	}
	return nil
}

// published returns the publications that came, all of them closed.
func (d *desk) published(t testing.TB) []*publication {
	t.Helper()
	var all []*publication
	for {
		select {
		case p := <-d.came:
			select {
			case <-p.closed:
			default:
				t.Error("a publication was not closed")
			}
			all = append(all, p)
		default:
			return all
		}
	}
}

func aggregate(tags ...flv.Tag) string {
	var b []byte
	for _, tag := range tags {
		n := len(tag.Body)
		b = append(b, tag.Type, byte(n>>16), byte(n>>8), byte(n),
			byte(tag.Timestamp>>16), byte(tag.Timestamp>>8), byte(tag.Timestamp), byte(tag.Timestamp>>24), 0, 0, 0)
		b = append(b, tag.Body...)
		b = binary.BigEndian.AppendUint32(b, uint32(11+n))
	}
	return string(b)
}

// isOne reports whether err wraps an error of package publish.
func isOne(err error) bool {
	for _, known := range []error{
		publish.ErrBadName, publish.ErrUnknownStream, publish.ErrBadKey, publish.ErrStreamBusy,
		publish.ErrTooManyPublishers, publish.ErrShutdown, publish.ErrTakenOver, publish.ErrRemoved,
		publish.ErrSilent, publish.ErrLimit, publish.ErrUnsupported, publish.ErrMalformed, publish.ErrDisconnected,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
