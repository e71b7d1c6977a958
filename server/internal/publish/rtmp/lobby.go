package rtmp

import (
	"net/netip"
	"sync"

	"github.com/framewire/framewire/server/internal/gate"
)

// lobby counts connections that do not publish yet, by network address: they need
// no key, and must not take all places.
type lobby struct {
	mu      sync.Mutex
	waiting map[netip.Addr]int // by gate.Network; guarded by mu
}

// enter takes a place for the address, or reports false where it has as many as it
// may. leave gives the place back; it may be called more than once.
func (l *lobby) enter(from netip.Addr, most int) (leave func(), ok bool) {
	from = gate.Network(from)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting[from] >= most {
		return nil, false
	}
	if l.waiting == nil {
		l.waiting = make(map[netip.Addr]int)
	}
	l.waiting[from]++
	return sync.OnceFunc(func() { l.left(from) }), true
}

func (l *lobby) left(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting[from]--; l.waiting[from] == 0 {
		delete(l.waiting, from)
	}
}
