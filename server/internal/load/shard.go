package load

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// shard is a part of the viewers, with the figures that they share.
type shard struct {
	ahead time.Duration // of the loader's clock before the server's; static

	mu        sync.Mutex
	viewers   []*viewer
	measuring bool
	keys      int // viewers with a first keyframe
	joining   [groups]histogram
	measured  [groups]histogram
}

func (s *shard) delays(g group) *histogram {
	if s.measuring {
		return &s.measured[g]
	}
	return &s.joining[g]
}

// take feeds one viewer with what has come, at the given time at the latest.
func (s *shard) take(v *viewer, data []byte, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return v.feed(data, now)
}

// finish notes why v is over.
func (s *shard) finish(v *viewer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !errors.Is(err, errEnded) {
		v.over(err)
	}
}

// measure begins or ends the measurement.
func (s *shard) measure(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measuring = on
	if on {
		for _, v := range s.viewers {
			v.at = v.count()
		}
	}
}

// reason turns an error into words that are the same for the same cause.
func reason(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection ended without a close frame"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "no file descriptor left on this side"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no port left on this side"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	default:
		return err.Error()
	}
}
