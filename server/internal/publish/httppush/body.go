package httppush

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/publish"
)

// body is a request's body that fails when nothing comes for too long, or when it
// is told to.
type body struct {
	from    io.Reader
	control *http.ResponseController
	silence time.Duration
	context context.Context // done when stopped
	cancel  context.CancelFunc

	mu     sync.Mutex
	reason error // what ended the reading, other than the end of the media; guarded by mu
	ended  bool  // guarded by mu
}

func newBody(w http.ResponseWriter, r *http.Request, silence time.Duration) *body {
	b := &body{from: r.Body, control: http.NewResponseController(w), silence: silence}
	// Not the request's own context: it ends with the connection, which encoders
	// close right behind their last byte, when a converter still works on it.
	b.context, b.cancel = context.WithCancel(context.WithoutCancel(r.Context()))
	return b
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if err := b.extend(); err != nil {
		return 0, err
	}
	n, err := b.from.Read(p)
	if err != nil {
		err = b.fail(err)
	}
	return n, err
}

// extend allows for another time of silence.
func (b *body) extend() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reason != nil {
		return b.reason
	}
	if err := b.control.SetReadDeadline(time.Now().Add(b.silence)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("set read deadline: %w", err)
	}
	return nil
}

// fail takes note of why reading ended.
func (b *body) fail(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.reason != nil:
	case errors.Is(err, io.EOF):
		b.ended = true
		return io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.reason = fmt.Errorf("%w: %v", publish.ErrSilent, b.silence)
	default:
		b.reason = fmt.Errorf("%w: %w", publish.ErrDisconnected, err)
	}
	return b.reason
}

// stop makes reading fail with reason, now and later. It may be called from any
// goroutine.
func (b *body) stop(reason error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reason == nil {
		b.reason = reason
	}
	b.cancel()
	_ = b.control.SetReadDeadline(time.Now()) // a read that waits fails
}

// release gives up the rest of the body.
func (b *body) release() { b.stop(publish.ErrDisconnected) }

// outcome returns what ended the reading, and whether the body came to its end.
func (b *body) outcome() (reason error, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reason, b.ended
}
