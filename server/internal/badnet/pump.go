package badnet

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// maxRead is the most that one read takes; what is read together is delayed
// together.
const maxRead = 16 << 10

// pump carries one direction of one connection.
type pump struct {
	link  *link
	src   io.Reader
	dst   io.Writer
	moved *atomic.Int64 // bytes written, counted for Stats

	random *rand.Rand // owned by read

	mu     sync.Mutex
	queue  []chunk
	queued int   // bytes in queue and in the writer's hands
	err    error // why no more comes; io.EOF for an orderly end

	wakeReader chan struct{} // capacity 1, never closed: queue has shrunk
	wakeWriter chan struct{} // capacity 1, never closed: queue or err has changed
}

// chunk is what one read brought.
type chunk struct {
	data    []byte
	arrived time.Time
	chance  float64
}

func newPump(l *link, src io.Reader, dst io.Writer, moved *atomic.Int64, seed uint64) *pump {
	return &pump{
		link: l, src: src, dst: dst, moved: moved,
		random:     rand.New(rand.NewPCG(l.seed, seed)),
		wakeReader: make(chan struct{}, 1),
		wakeWriter: make(chan struct{}, 1),
	}
}

// read fills the queue until src ends or fails, or ctx is done. Closing src is
// what ends a read that waits for bytes.
func (p *pump) read(ctx context.Context) {
	buf := make([]byte, maxRead)
	for {
		room, err := p.room(ctx)
		if err != nil {
			p.end(err)
			return
		}
		n, err := p.src.Read(buf[:min(room, maxRead)])
		if n > 0 {
			p.push(chunk{append([]byte(nil), buf[:n]...), time.Now(), p.random.Float64()})
		}
		if err != nil {
			p.end(err)
			return
		}
	}
}

// room waits until the queue is below its bound and returns by how much.
func (p *pump) room(ctx context.Context) (int, error) {
	for {
		bound, changed := p.link.queue()
		p.mu.Lock()
		room := bound - p.queued
		p.mu.Unlock()
		if room > 0 {
			return room, ctx.Err()
		}
		select {
		case <-p.wakeReader:
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (p *pump) push(c chunk) {
	p.mu.Lock()
	p.queue = append(p.queue, c)
	p.queued += len(c.data)
	p.mu.Unlock()
	signal(p.wakeWriter)
}

func (p *pump) end(err error) {
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	signal(p.wakeWriter)
}

// next waits for a chunk. After the last one it returns why the reading ended.
func (p *pump) next(ctx context.Context) (chunk, error) {
	for {
		p.mu.Lock()
		if len(p.queue) > 0 {
			c := p.queue[0]
			p.queue = p.queue[1:]
			p.mu.Unlock()
			return c, nil
		}
		err := p.err
		p.mu.Unlock()
		if err != nil {
			return chunk{}, err
		}
		select {
		case <-p.wakeWriter:
		case <-ctx.Done():
			return chunk{}, ctx.Err()
		}
	}
}

// write empties the queue into dst, each byte in its time. At an orderly end of
// src it ends dst likewise and returns nil.
func (p *pump) write(ctx context.Context) error {
	for {
		c, err := p.next(ctx)
		if err == nil {
			err = p.deliver(ctx, c)
		}
		if errors.Is(err, io.EOF) {
			return closeWrite(p.dst)
		}
		if err != nil {
			return err
		}
	}
}

func (p *pump) deliver(ctx context.Context, c chunk) error {
	for len(c.data) > 0 {
		if err := p.link.await(ctx, c.arrived, c.chance); err != nil {
			return err
		}
		n := len(c.data)
		if p.link.limited() {
			n = min(n, segment)
		}
		if err := p.link.pass(ctx, n); err != nil {
			return err
		}
		if _, err := p.dst.Write(c.data[:n]); err != nil {
			return err
		}
		c.data = c.data[n:]
		p.moved.Add(int64(n))
		p.mu.Lock()
		p.queued -= n
		p.mu.Unlock()
		signal(p.wakeReader)
	}
	return nil
}

// closeWrite tells dst's peer that no more comes, where dst can.
func closeWrite(dst io.Writer) error {
	if half, ok := dst.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// signal wakes whoever waits on c; one wake-up is enough for any number of
// changes.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
