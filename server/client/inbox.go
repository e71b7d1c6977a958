package client

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
)

// inbox is a queue bounded in bytes. One goroutine puts, one takes.
type inbox struct {
	limit int
	more  chan struct{} // capacity 1: something was put
	less  sync.Cond     // something was taken

	mu       sync.Mutex
	messages []sized
	bytes    int
	closed   bool
}

type sized struct {
	*framewirev1.ServerMessage
	size int
}

func (b *inbox) init(limit int) {
	b.limit = limit
	b.more = make(chan struct{}, 1)
	b.less.L = &b.mu
}

// put waits for room. One message always fits. After close it drops m.
func (b *inbox) put(m *framewirev1.ServerMessage, size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.bytes >= b.limit && !b.closed {
		b.less.Wait()
	}
	if b.closed {
		return
	}
	b.messages = append(b.messages, sized{m, size})
	b.bytes += size
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// take waits for a message. It returns neither message nor error when the queue
// is empty and ended is closed.
func (b *inbox) take(ctx context.Context, ended <-chan struct{}) (*framewirev1.ServerMessage, error) {
	for {
		// Asked before looking: what was put before the end is taken first.
		over := false
		select {
		case <-ended:
			over = true
		default:
		}
		if m := b.pop(); m != nil || over {
			return m, nil
		}
		select {
		case <-b.more:
		case <-ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (b *inbox) pop() *framewirev1.ServerMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.messages) == 0 {
		return nil
	}
	m := b.messages[0]
	b.messages[0] = sized{}
	b.messages = b.messages[1:]
	b.bytes -= m.size
	b.less.Signal()
	return m.ServerMessage
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.less.Broadcast()
}

// explanation is what a server that refuses the WebSocket says of it.
func explanation(r *http.Response) string {
	if r == nil || r.Body == nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	if err != nil || len(text) == 0 {
		return ""
	}
	return ": " + strings.TrimSpace(string(text))
}
