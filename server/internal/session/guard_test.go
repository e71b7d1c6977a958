package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/wire"
)

// broken is a connection with a defect.
type broken struct {
	closed chan int
	where  string
}

func (b broken) fail(where string) {
	if where == b.where {
		panic("a defect")
	}
}

func (b broken) Receive() ([]byte, bool, error) {
	b.fail("receive")
	<-b.closed
	return nil, false, io.EOF
}

func (b broken) Send([]Message) error             { b.fail("send"); return nil }
func (b broken) Flush(time.Duration) (int, error) { return 0, nil }
func (b broken) Ping(context.Context) error       { return errors.New("not used") }
func (b broken) Close(int, string)                { close(b.closed) }

func TestDefectEndsItsSessionAlone(t *testing.T) {
	for _, where := range []string{"receive", "send"} {
		s := New(hubs{hub.New(hub.Options{})}, Options{HandshakeTimeout: time.Millisecond}, slog.New(slog.DiscardHandler))
		reason := s.Serve(broken{make(chan int), where}, Peer{})
		if reason != wire.GoodbyeInternalError && reason != wire.HandshakeTimeout {
			t.Errorf("%s: ended with %v", where, reason)
		}
		if len(s.All()) != 0 {
			t.Errorf("%s: the session is still listed", where)
		}
	}
}
