// Package hub holds the streams of a server and hands their packets to any
// number of viewers.
//
//	ingest --Publish--> [ ring: 30 s of groups, keyframe index ] <--Read-- Cursor (viewer)
//
// Each stream has one writer. A viewer is a Cursor: a sequence number into the
// ring, with no queue of its own. Publish never waits for a viewer; a viewer
// who falls behind finds that its position was evicted, and decides itself where
// to go on.
package hub

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Defaults of Options.
const (
	DefaultWindow   = 30 * time.Second
	DefaultMaxBytes = 256 << 20
)

var (
	// ErrExists is returned by Create when the name is taken.
	ErrExists = errors.New("stream exists")
	// ErrClosed is returned once a stream or the hub has been closed.
	ErrClosed = errors.New("closed")
	// ErrUnsupported is returned by RequestKeyframe where the source cannot.
	ErrUnsupported = errors.New("the source makes keyframes at its own pace only")
)

// Options bounds what each stream keeps.
type Options struct {
	// Window is how far back viewers can go. Groups of pictures are kept whole:
	// what is held begins at the keyframe before that, and at the newest keyframe
	// however old (up to two minutes, where the source cannot be asked for
	// another). Default 30 s.
	Window time.Duration
	// MaxBytes bounds the memory of one stream's media, whatever the window: the
	// oldest packets go first. A group of pictures that does not fit loses its
	// keyframe, and who comes then waits for the next one. Default 256 MiB.
	MaxBytes int64
}

func (o Options) withDefaults() Options {
	o.Window = cmp.Or(o.Window, DefaultWindow)
	o.MaxBytes = cmp.Or(o.MaxBytes, DefaultMaxBytes)
	return o
}

// Hub is the registry of streams. Its methods may be called from any goroutine.
type Hub struct {
	opts Options

	mu      sync.Mutex
	streams map[string]*Stream
	changed chan struct{} // closed and replaced whenever the list changes
	closed  bool
}

// New returns an empty hub.
func New(opts Options) *Hub {
	return &Hub{
		opts:    opts.withDefaults(),
		streams: make(map[string]*Stream),
		changed: make(chan struct{}),
	}
}

// Create adds a stream that nobody feeds yet.
func (h *Hub) Create(name string) (*Stream, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("create stream %q: hub is %w", name, ErrClosed)
	}
	if _, taken := h.streams[name]; taken {
		return nil, fmt.Errorf("create stream %q: %w", name, ErrExists)
	}
	s := newStream(name, h.opts, h.signal)
	h.streams[name] = s
	h.signalLocked()
	return s, nil
}

// Remove takes the stream off the list and closes it, which ends it for its
// viewers. It does nothing for an unknown name.
func (h *Hub) Remove(name string) {
	h.mu.Lock()
	s := h.streams[name]
	delete(h.streams, name)
	h.signalLocked()
	h.mu.Unlock()
	if s != nil {
		s.close()
	}
}

// Lookup returns the stream of that name, or nil.
func (h *Hub) Lookup(name string) *Stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.streams[name]
}

// Streams returns all streams, ordered by name.
func (h *Hub) Streams() []*Stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*Stream, 0, len(h.streams))
	for _, s := range h.streams {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *Stream) int { return cmp.Compare(a.name, b.name) })
	return list
}

// Changed returns a channel that is closed at the next change of the list: a
// stream added or removed, or its status or epoch changed. Take the channel
// before reading the list.
func (h *Hub) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

// Close removes all streams.
func (h *Hub) Close() {
	h.mu.Lock()
	streams := h.streams
	h.streams = map[string]*Stream{}
	h.closed = true
	h.signalLocked()
	h.mu.Unlock()
	for _, s := range streams {
		s.close()
	}
}

func (h *Hub) signal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.signalLocked()
}

func (h *Hub) signalLocked() {
	close(h.changed)
	h.changed = make(chan struct{})
}
