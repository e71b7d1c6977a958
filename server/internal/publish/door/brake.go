package door

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/patience"
	"github.com/framewire/framewire/server/internal/publish"
)

const (
	// maxFailures is how many wrong keys one address may try before it has to
	// wait; some come from a typing error and a client that insists.
	maxFailures = 10

	// ownRecovery is how long it takes until one more may be tried. A key of 64 bits
	// is out of reach at that pace, and so is a dictionary.
	ownRecovery = 6 * time.Second

	// sharedFailures and sharedRecovery are the same for addresses behind which there
	// are many who cannot be told apart: more than they type wrong together, and too
	// few still to find a key.
	sharedFailures = 1000
	sharedRecovery = 60 * time.Millisecond

	// maxAddresses bounds what is remembered.
	maxAddresses = 4096
)

// Brake slows the guessing of keys down, over all protocols that share it. Its zero
// value is ready for use, by any number of goroutines.
type Brake struct {
	// Held is told of each attempt that is not looked at. Set it before the first.
	// It must not block. Nil: nobody is told.
	Held func(from netip.Addr)

	// Shared names addresses behind which there are many, such as that of a proxy
	// that does not tell for whom it comes. Set it before the first attempt. Nil:
	// there are none.
	Shared func(netip.Addr) bool

	mu     sync.Mutex
	failed map[netip.Addr]debt // guarded by mu
}

// debt is paid off over time.
type debt struct {
	failures float64
	at       time.Time
}

func (d debt) now(now time.Time, recovery time.Duration) float64 {
	return max(0, d.failures-now.Sub(d.at).Seconds()/recovery.Seconds())
}

// bounds returns how many failures an address has, and how soon one is forgotten.
func (b *Brake) bounds(from netip.Addr) (failures int, recovery time.Duration) {
	if b.Shared != nil && b.Shared(from.Unmap()) {
		return sharedFailures, sharedRecovery
	}
	return maxFailures, ownRecovery
}

// Wait returns how long an address that wants to try a key has to wait, 0 when it
// need not.
func (b *Brake) Wait(from netip.Addr, now time.Time) time.Duration {
	wait := b.wait(from, now)
	if wait > 0 && b.Held != nil {
		b.Held(from)
	}
	return wait
}

func (b *Brake) wait(from netip.Addr, now time.Time) time.Duration {
	failures, recovery := b.bounds(from)
	b.mu.Lock()
	defer b.mu.Unlock()
	over := b.failed[gate.Network(from)].now(now, recovery) - float64(failures-1)
	if over <= 0 {
		return 0
	}
	return time.Duration(over * float64(recovery))
}

// Refused notes what became of a key that an address tried: a guess counts, and
// nothing else does. keyed tells that there was one.
func (b *Brake) Refused(from netip.Addr, keyed bool, err error, now time.Time) {
	if !keyed || !publish.Guessed(err) {
		return
	}
	_, recovery := b.bounds(from)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed == nil {
		b.failed = make(map[netip.Addr]debt)
	}
	if len(b.failed) >= maxAddresses {
		b.forget(now)
	}
	from = gate.Network(from)
	b.failed[from] = debt{failures: b.failed[from].now(now, recovery) + 1, at: now}
}

// forget drops who has paid, and when that is not enough, anyone.
func (b *Brake) forget(now time.Time) {
	for address, d := range b.failed {
		if d.now(now, ownRecovery) == 0 {
			delete(b.failed, address)
		}
	}
	for address := range b.failed {
		if len(b.failed) < maxAddresses*3/4 {
			return
		}
		delete(b.failed, address)
	}
}

// Hold answers a request whose address has to wait, and reports whether it did.
func (b *Brake) Hold(w http.ResponseWriter, r *http.Request) bool {
	wait := b.Wait(Remote(r).Addr(), time.Now())
	if wait == 0 {
		return false
	}
	w.Header().Set("Retry-After", patience.Seconds(wait))
	http.Error(w, "too many wrong stream keys from this address", http.StatusTooManyRequests)
	return true
}

// Knock lets a request begin, or answers it: its address has begun too often. A nil
// gate lets every request begin.
func Knock(g *gate.Gate, w http.ResponseWriter, r *http.Request) bool {
	refusal := g.Admit(What, Remote(r).Addr())
	if refusal == nil {
		return true
	}
	w.Header().Set("Retry-After", patience.Seconds(refusal.Wait))
	http.Error(w, refusal.Error(), http.StatusTooManyRequests)
	return false
}

// What a Gate is told that publishers want.
const What = "publish"
