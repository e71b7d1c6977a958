package web

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// chunkSize is that of the pooled buffers for what has to be copied: frame
	// headers, control messages and the first bytes of fragments.
	chunkSize = 4 << 10

	// referMin is the size from which a piece of a message is sent from where it
	// is instead of being copied: about where another entry in the list given to
	// the kernel costs less than the copy.
	referMin = 1 << 10

	// keptPieces bounds the list that a quiet connection holds on to.
	keptPieces = 16

	// aloneWait is how long a frame that the WebSocket library writes by itself,
	// such as a pong, may hold up its writer. What is left then goes with the
	// next batch.
	aloneWait = 50 * time.Millisecond

	// leastWait stands for not waiting at all, where the system knows no such
	// writes.
	leastWait = time.Millisecond
)

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// Conn is a network connection that can gather writes. Until Gather is called it
// is the connection it wraps.
//
// Gathering, Write never blocks on the network: between Begin and Flush it only
// notes what is written, and at other times it tries for a moment. What a slow
// peer has not taken stays and is sent first the next time. Nothing bounds it
// but the caller, who ought not to Begin before Flush has sent everything.
type Conn struct {
	net.Conn
	remote net.Addr // the client's, which a proxy may have told

	mu   sync.Mutex
	idle sync.Cond // sending has become false
	// Guarded by mu.
	gathering bool
	batch     bool        // between Begin and Flush
	sending   bool        // a goroutine is in writeOut, which owns onWire
	pieces    net.Buffers // to be sent, in order
	size      int         // bytes in pieces and onWire
	stable    []byte      // the message being written, which will not change
	chunk     *[chunkSize]byte
	used      int                // bytes of chunk that pieces refer to
	open      bool               // the last piece ends at used
	full      []*[chunkSize]byte // earlier chunks that pieces refer to
	err       error

	onWire   net.Buffers
	deadline time.Time // as set on the connection; owned with onWire
	try      attempt
}

func newConn(c net.Conn, remote net.Addr) *Conn {
	w := &Conn{Conn: c, remote: remote}
	w.idle.L = &w.mu
	return w
}

// RemoteAddr is the client's address.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// ReadFrom lets files go out without passing through the program.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(r)
	}
	return io.Copy(writerOnly{c.Conn}, r)
}

type writerOnly struct{ io.Writer }

// Gather begins to gather, for as long as the connection lasts.
func (c *Conn) Gather() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering = true
	c.try.open(c.Conn)
}

// Begin lets all that is written until Flush leave together.
func (c *Conn) Begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batch = true
}

// Refer announces that message is about to be written, in pieces, and will not
// change. Its end is then sent from where it is. Nil ends that.
func (c *Conn) Refer(message []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stable = message
}

// Put notes a message in two parts, to be sent with the batch. message must not
// change before that.
func (c *Conn) Put(header, message []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.copy(header)
	if len(message) >= referMin {
		c.pieces = append(c.pieces, message)
		c.open = false
	} else {
		c.copy(message)
	}
	c.size += len(header) + len(message)
	return nil
}

// SendNow sends as much of p as the connection takes at once, and returns how
// many bytes are left, which Flush sends. p must not change before that.
func (c *Conn) SendNow(p []byte) (left int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	if c.size == 0 && !c.sending {
		n, err := c.tryNow(p)
		if err != nil {
			c.err = err
			c.release()
			return 0, err
		}
		p = p[n:]
	}
	if len(p) > 0 {
		c.pieces = append(c.pieces, p)
		c.open = false
		c.size += len(p)
	}
	return c.size, nil
}

// tryNow writes what the connection takes without waiting. It is called with mu
// locked and sending false.
func (c *Conn) tryNow(p []byte) (int, error) {
	if !c.try.can() {
		return 0, nil
	}
	if !c.deadline.IsZero() { // one that has passed would keep it from trying
		c.deadline = time.Time{}
		if err := c.Conn.SetWriteDeadline(time.Time{}); err != nil {
			return 0, err
		}
	}
	return c.try.write(p)
}

// Write sends p, or notes it.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.gathering {
		c.mu.Unlock()
		defer c.mu.Lock()
		return c.Conn.Write(p)
	}
	if c.err != nil {
		return 0, c.err
	}
	if len(p) >= referMin && endOf(c.stable, p) {
		c.pieces = append(c.pieces, p)
		c.open = false
	} else {
		c.copy(p)
	}
	c.size += len(p)
	if !c.batch && !c.sending {
		c.writeOut(aloneWait)
	}
	return len(p), c.err
}

// endOf reports whether p is the end of message: not equal to it, but the same
// memory.
func endOf(message, p []byte) bool {
	return len(message) >= len(p) && len(p) > 0 && &message[len(message)-1] == &p[len(p)-1]
}

func (c *Conn) copy(p []byte) {
	for len(p) > 0 {
		if c.chunk == nil || c.used == chunkSize {
			if c.chunk != nil {
				c.full = append(c.full, c.chunk)
			}
			c.chunk, c.used, c.open = chunks.Get().(*[chunkSize]byte), 0, false
		}
		n := copy(c.chunk[c.used:], p)
		if c.open {
			last := &c.pieces[len(c.pieces)-1]
			*last = (*last)[:len(*last)+n]
		} else {
			c.pieces = append(c.pieces, c.chunk[c.used:c.used+n])
			c.open = true
		}
		c.used += n
		p = p[n:]
	}
}

// Flush ends the batch and sends what was written, for about wait at the most.
// It returns how many bytes are left.
func (c *Conn) Flush(wait time.Duration) (left int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batch = false
	for c.sending {
		c.idle.Wait()
	}
	if c.size > 0 && c.err == nil {
		if wait > 0 || !c.try.can() {
			c.writeOut(max(wait, leastWait))
		} else {
			c.tryPieces()
		}
	}
	return c.size, c.err
}

// tryPieces sends what the connection takes without waiting. It is called with
// mu locked and sending false.
func (c *Conn) tryPieces() {
	for c.size > 0 && c.err == nil {
		n, err := c.tryNow(c.pieces[0])
		c.size -= n
		c.err = err
		if n < len(c.pieces[0]) {
			c.pieces[0] = c.pieces[0][n:]
			break
		}
		// Taking off the first would leave ever less room behind it.
		copy(c.pieces, c.pieces[1:])
		c.pieces[len(c.pieces)-1] = nil
		c.pieces = c.pieces[:len(c.pieces)-1]
	}
	if c.size == 0 || c.err != nil {
		c.release()
	}
}

// writeOut sends until nothing is left, wait is over or the connection fails. It
// is called with mu locked and sending false, and unlocks mu while it writes.
func (c *Conn) writeOut(wait time.Duration) {
	c.sending = true
	for c.size > 0 && c.err == nil {
		c.pieces, c.onWire, c.open = c.onWire[:0], c.pieces, false
		c.mu.Unlock()
		n, err := c.writePieces(wait)
		c.mu.Lock()
		c.size -= int(n)
		if err != nil {
			c.pieces, c.onWire = append(c.onWire, c.pieces...), nil
			c.open = false
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			c.err = err
		}
	}
	if c.size == 0 || c.err != nil {
		c.release()
	}
	c.sending = false
	c.idle.Broadcast()
}

// writePieces writes onWire and takes off it what was written.
func (c *Conn) writePieces(wait time.Duration) (int64, error) {
	// Setting a deadline costs as much as a good part of a small write, so one
	// that is nearly right serves.
	if d := time.Until(c.deadline); d < wait/2 || d > 2*wait {
		c.deadline = time.Now().Add(wait)
		if err := c.Conn.SetWriteDeadline(c.deadline); err != nil {
			return 0, err
		}
	}
	list := c.onWire
	n, err := c.onWire.WriteTo(c.Conn)
	if err == nil {
		clear(list)
		c.onWire = list[:0]
	}
	return n, err
}

// Close sends what was noted, as far as the peer takes it within a moment, and
// closes. The WebSocket library closes right behind its last frame, which may be
// noted only: another goroutine is sending, or has begun a batch.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.sending {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(aloneWait)) // or that of the other holds
	}
	for c.sending {
		c.idle.Wait()
	}
	if c.size > 0 && c.err == nil {
		c.writeOut(aloneWait)
	}
	c.mu.Unlock()
	return c.Conn.Close()
}

// release lets go of all memory that a quiet connection does not need.
func (c *Conn) release() {
	for _, chunk := range c.full {
		chunks.Put(chunk)
	}
	c.full = nil
	if c.chunk != nil {
		chunks.Put(c.chunk)
		c.chunk, c.used = nil, 0
	}
	c.open = false
	if c.err != nil {
		c.size = 0
	}
	if c.err != nil || cap(c.pieces) > keptPieces {
		c.pieces = nil
	}
	if c.err != nil || cap(c.onWire) > keptPieces {
		c.onWire = nil
	}
}
