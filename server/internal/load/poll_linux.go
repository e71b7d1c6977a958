package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pollBuffer is shared by all viewers of a poller: what comes is looked at
	// once and forgotten.
	pollBuffer = 128 << 10
	pollEvents = 256
	// epollET reports what comes once (EPOLLET, whose constant in syscall does not
	// fit the field): otherwise each report would be checked again at the next
	// wait.
	epollET = 1 << 31
	// pollWait is how soon a poller notices that it is to stop.
	pollWait = 100 * time.Millisecond
	// stampSpace holds the control message with the time of arrival: a header of
	// 16 bytes and a timespec.
	stampSpace = 64
)

// poller reads many connections on one goroutine. A goroutine for each would
// cost a wake-up and a second, empty read for each message.
//
// When data came the kernel notes (SO_TIMESTAMPNS), so that it does not matter
// when the poller gets to it.
type poller struct {
	shard   *shard
	every   time.Duration // between two looks; 0 to be woken by what comes
	epoll   int
	stopped atomic.Bool
	done    sync.WaitGroup

	mu    sync.Mutex
	conns map[int32]*viewer // by file descriptor
}

func newPoller(s *shard, every time.Duration) (*poller, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p := &poller{shard: s, every: every, epoll: epoll, conns: make(map[int32]*viewer)}
	p.done.Go(p.loop)
	return p, nil
}

// add takes over conn. It reports false for a connection that cannot be polled.
func (p *poller) add(v *viewer, conn net.Conn, early []byte) (bool, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return false, nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false, err
	}
	// A copy of the descriptor, since the runtime polls the original.
	fd := -1
	if e := raw.Control(func(original uintptr) { fd, err = syscall.Dup(int(original)) }); e != nil {
		err = e
	}
	if err != nil {
		return false, err
	}
	syscall.CloseOnExec(fd)
	_ = conn.Close()
	// Without it, what is read counts as having come just then.
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1)
	v.send = func(frame []byte) error {
		_, err := syscall.Write(fd, frame) // small, and rare: it fits
		return err
	}
	if err := p.shard.take(v, early, time.Now()); err != nil {
		_ = syscall.Close(fd)
		return true, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[int32(fd)] = v
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | epollET, Fd: int32(fd)}
	if err := syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
		delete(p.conns, int32(fd))
		_ = syscall.Close(fd)
		return true, fmt.Errorf("epoll: %w", err)
	}
	return true, nil
}

func (p *poller) loop() {
	buffer, stamp := make([]byte, pollBuffer), make([]byte, stampSpace)
	var events [pollEvents]syscall.EpollEvent
	var ready [pollEvents]*viewer
	next := time.Now()
	more := false // than one wait returned
	for !p.stopped.Load() {
		if p.every > 0 && !more {
			next = next.Add(p.every)
			if wait := time.Until(next); wait > 0 {
				time.Sleep(wait)
			} else {
				next = time.Now()
			}
		}
		n, err := syscall.EpollWait(p.epoll, events[:], int(pollWait.Milliseconds()))
		if err != nil {
			if errors.Is(err, syscall.EINTR) {
				continue
			}
			return
		}
		more = n == len(events)
		p.mu.Lock()
		for i := range n {
			ready[i] = p.conns[events[i].Fd]
		}
		p.mu.Unlock()
		for i := range n {
			if ready[i] != nil {
				p.read(int(events[i].Fd), ready[i], buffer, stamp, events[i].Events&^syscall.EPOLLIN != 0)
			}
		}
	}
}

// read takes all that has come, and with ending set what comes up to the end.
func (p *poller) read(fd int, v *viewer, buffer, stamp []byte, ending bool) {
	for {
		n, control, _, _, err := syscall.Recvmsg(fd, buffer, stamp, 0)
		switch {
		case n > 0:
			err = p.shard.take(v, buffer[:n], arrival(stamp[:control]))
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return
		case err == nil:
			err = io.EOF
		}
		if err != nil {
			p.shard.finish(v, err)
			p.mu.Lock()
			delete(p.conns, int32(fd))
			p.mu.Unlock()
			_ = syscall.Close(fd)
			return
		}
		if n < len(buffer) && !ending {
			return // what comes from now on is reported
		}
	}
}

// arrival returns the time in the control message of SO_TIMESTAMPNS: that at
// which the last of the data came, on the system's clock.
func arrival(control []byte) time.Time {
	if len(control) < syscall.SizeofCmsghdr {
		return time.Now() // it came before the kernel was asked to note that
	}
	header, data, _, err := unix.ParseOneSocketControlMessage(control)
	if err != nil || header.Level != syscall.SOL_SOCKET || header.Type != syscall.SCM_TIMESTAMPNS || len(data) < 16 {
		return time.Now()
	}
	return time.Unix(int64(binary.NativeEndian.Uint64(data)), int64(binary.NativeEndian.Uint64(data[8:])))
}

// stop ends all connections of the poller.
func (p *poller) stop() {
	p.stopped.Store(true)
	p.done.Wait()
	for fd, v := range p.conns {
		_ = v.send(leaving)
		_ = syscall.Close(int(fd))
	}
	_ = syscall.Close(p.epoll)
}
