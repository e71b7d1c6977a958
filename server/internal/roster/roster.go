// Package roster keeps the streams that have a source of their own: those that
// the configuration names, and those that an operator adds.
//
//	config, admin --Add, Replace, Restart, Remove--> Roster
//	Roster: a goroutine a stream --ingest.Supervision--> hub.Stream
package roster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/ingest"
	"github.com/framewire/framewire/server/internal/media"
)

var (
	// ErrUnknown: the roster has no stream of this name.
	ErrUnknown = errors.New("there is no stream of this name with a source")
	// ErrForbidden: the configuration does not allow operators this source.
	ErrForbidden = errors.New("admin.sources does not allow a source of this kind")
	// ErrSource: the source URL means nothing.
	ErrSource = errors.New("unusable source")
	// ErrStopped: the roster runs no more.
	ErrStopped = errors.New("the server is stopping")
)

// Source is what feeds a stream.
type Source struct {
	media.Source
	// URL identifies the source: one with the same URL is the same. It may hold
	// credentials, and is never shown.
	URL string
	// Display is for people to read, without credentials.
	Display string
	// File is the path of the file that is played, or empty.
	File string
	// Configured marks a stream that the configuration names.
	Configured bool
}

// Entry is what is known of one stream.
type Entry struct {
	Name string
	Source
	// Restarts counts runs that ended and were followed by another.
	Restarts uint32
	// Err is why the last run ended, nil for one that had no more to give, and
	// FailedAt when; the zero time before the first.
	Err      error
	FailedAt time.Time
}

// Roster runs sources. Its methods may be called from any goroutine.
type Roster struct {
	hub *hub.Hub
	log *slog.Logger

	mu      sync.Mutex
	members map[string]*member
	ctx     context.Context // of all sources, nil before Run
	stopped bool
	running sync.WaitGroup
}

// member is one stream. Guarded by Roster.mu but for its channels.
type member struct {
	entry   Entry
	stream  *hub.Stream
	restart chan struct{} // capacity 1
	cancel  context.CancelFunc
	over    chan struct{} // closed when its goroutine has ended
}

// New returns an empty roster of streams in h.
func New(h *hub.Hub, log *slog.Logger) *Roster {
	return &Roster{hub: h, log: log, members: make(map[string]*member)}
}

// Run runs all sources, those included that are added later, until ctx is done
// and all have ended.
func (r *Roster) Run(ctx context.Context) error {
	r.mu.Lock()
	r.ctx = ctx
	for _, m := range r.members {
		r.startLocked(m)
	}
	r.mu.Unlock()
	<-ctx.Done()
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.running.Wait()
	return nil
}

// Add creates a stream and starts its source. Where the name is taken it returns
// an error that wraps hub.ErrExists.
func (r *Roster) Add(name string, source Source) error {
	if err := media.CheckStreamName(name); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return ErrStopped
	}
	stream, err := r.hub.Create(name)
	if err != nil {
		return err
	}
	m := &member{entry: Entry{Name: name, Source: source}, stream: stream, restart: make(chan struct{}, 1), over: make(chan struct{})}
	r.members[name] = m
	if r.ctx != nil {
		r.startLocked(m)
	}
	return nil
}

func (r *Roster) startLocked(m *member) {
	ctx, cancel := context.WithCancel(r.ctx)
	m.cancel = cancel
	supervision := ingest.Supervision{
		Stream:  m.stream,
		Source:  func() media.Source { return r.source(m) },
		Restart: m.restart,
		Ended:   func(err error) { r.ended(m, err) },
		Log:     r.log.With("stream", m.entry.Name),
	}
	r.running.Go(func() {
		defer close(m.over)
		defer cancel()
		if err := supervision.Run(ctx); err != nil && !errors.Is(err, hub.ErrClosed) {
			supervision.Log.Error("source given up", "error", err)
		}
	})
}

func (r *Roster) source(m *member) media.Source {
	r.mu.Lock()
	defer r.mu.Unlock()
	return m.entry.Source.Source
}

func (r *Roster) ended(m *member, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.entry.Restarts++
	m.entry.Err, m.entry.FailedAt = err, time.Now()
}

// Restart ends the present run of a source and begins the next at once. The
// stream stays, and its viewers with it.
func (r *Roster) Restart(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.members[name]
	if m == nil {
		return fmt.Errorf("restart %q: %w", name, ErrUnknown)
	}
	m.entry.Restarts++
	m.signal()
	return nil
}

func (m *member) signal() {
	select {
	case m.restart <- struct{}{}:
	default: // one is on its way
	}
}

// Replace gives a stream another source, and its viewers stay. With the same URL
// as before it changes nothing.
func (r *Roster) Replace(name string, source Source) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.members[name]
	if m == nil {
		return fmt.Errorf("replace the source of %q: %w", name, ErrUnknown)
	}
	if m.entry.URL == source.URL {
		m.entry.Configured = source.Configured
		return nil
	}
	m.entry.Source, m.entry.Err, m.entry.FailedAt = source, nil, time.Time{}
	m.signal()
	return nil
}

// Remove stops a source, and ends its stream for its viewers. It returns when
// the source has ended.
func (r *Roster) Remove(name string) error {
	r.mu.Lock()
	m := r.members[name]
	if m == nil {
		r.mu.Unlock()
		return fmt.Errorf("remove %q: %w", name, ErrUnknown)
	}
	delete(r.members, name)
	r.mu.Unlock()
	r.hub.Remove(name)
	if m.cancel != nil {
		m.cancel()
		<-m.over
	}
	return nil
}

// Get returns what is known of a stream, and whether the roster has it.
func (r *Roster) Get(name string) (Entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.members[name]; m != nil {
		return m.entry, true
	}
	return Entry{}, false
}

// All returns the streams, ordered by name.
func (r *Roster) All() []Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Entry, 0, len(r.members))
	for _, m := range r.members {
		all = append(all, m.entry)
	}
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
