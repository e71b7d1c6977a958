//go:build unix

package web

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// attempt writes to a connection without waiting: Go's own writes wait until all
// is sent or a deadline has passed.
type attempt struct {
	raw  syscall.RawConn // nil where it cannot be done
	call func(fd uintptr) bool

	// For the time of write.
	p   []byte
	n   int
	err error
}

func (a *attempt) open(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			a.raw = raw
			a.call = a.once // made here, so that write allocates nothing
		}
	}
}

func (a *attempt) can() bool { return a.raw != nil }

// write returns how much of p was taken.
func (a *attempt) write(p []byte) (int, error) {
	a.p, a.n, a.err = p, 0, nil
	err := a.raw.Write(a.call)
	a.p = nil
	if err == nil {
		err = a.err
	}
	return a.n, err
}

// once is called with the connection's descriptor. It returns true: what was not
// taken is not waited for.
func (a *attempt) once(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), a.p)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
		case err != nil:
			a.err = err
		case n <= 0 && len(a.p) > 0:
			a.err = io.ErrUnexpectedEOF
		default:
			a.n = n
		}
		return true
	}
}
