package load

import (
	"context"
	"net"
	"time"
)

const (
	// pumpBuffer is that of a viewer with a goroutine of his own.
	pumpBuffer = 4 << 10
	// sips is how many reads a second a throttled viewer spreads his bytes over.
	sips = 20
	// sendWait bounds the sending of a small frame.
	sendWait = 5 * time.Second
)

// pace is how a viewer with a goroutine of his own reads.
type pace struct {
	throttle          int // bytes a second, 0 for no bound
	stallAt, stallFor time.Duration
}

// pump reads conn until it ends or ctx is done, and closes it.
func pump(ctx context.Context, v *viewer, conn net.Conn, early []byte, p pace, measuring <-chan struct{}) {
	v.send = func(frame []byte) error {
		_ = conn.SetWriteDeadline(time.Now().Add(sendWait)) // a write on a closed connection fails by itself
		_, err := conn.Write(frame)
		return err
	}
	leave := context.AfterFunc(ctx, func() {
		v.shard.mu.Lock()
		defer v.shard.mu.Unlock()
		_ = v.send(leaving)
		_ = conn.Close()
	})
	defer leave()
	defer conn.Close()
	size := pumpBuffer
	if p.throttle > 0 {
		size = max(1, min(size, p.throttle/sips))
	}
	buffer := make([]byte, size)
	err := v.shard.take(v, early, time.Now())
	var due, stall <-chan time.Time
	next := time.Now()
	for err == nil {
		select {
		case <-measuring:
			measuring = nil
			if p.stallFor > 0 {
				stall = time.After(p.stallAt)
			}
		case <-stall:
			stall = nil
			pause(ctx, p.stallFor)
		default:
		}
		var n int
		n, err = conn.Read(buffer)
		if n > 0 {
			if e := v.shard.take(v, buffer[:n], time.Now()); e != nil {
				err = e
			}
		}
		if p.throttle > 0 {
			next = next.Add(time.Duration(n) * time.Second / time.Duration(p.throttle))
			if now := time.Now(); next.Before(now) {
				next = now // what was not read in time is not made up for
			}
			due = time.After(time.Until(next))
			select {
			case <-due:
			case <-ctx.Done():
			}
		}
	}
	v.shard.finish(v, err)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
