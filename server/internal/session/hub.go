package session

import (
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// Hub is where sessions find streams.
type Hub interface {
	// Lookup returns the stream of that name, or nil.
	Lookup(name string) Stream
	// Streams returns all streams, ordered by name.
	Streams() []Stream
	// Changed returns a channel that is closed at the next change of the list:
	// a stream added or removed, or its status or epoch changed.
	Changed() <-chan struct{}
}

// Stream is what a session needs of a stream. All methods may be called from any
// goroutine.
type Stream interface {
	Name() string
	// Instance identifies this life of the stream.
	Instance() string
	Status() Status
	Viewers() int
	// Bitrate is of the last seconds, in bits per second.
	Bitrate() float64

	// Epoch is the present epoch, or nil before the first.
	Epoch() *media.Epoch
	// EpochByID returns an epoch of which packets are still held, or nil.
	EpochByID(id uint32) *media.Epoch
	// Range tells the earliest and latest time that can be sought to.
	Range() (from, to time.Duration, ok bool)
	// Subscribe opens a cursor at the end of the stream.
	Subscribe() Cursor
	// Tail opens a cursor at the end of the stream that does not count as a
	// viewer and need not be closed.
	Tail() Cursor
	// Changed returns a channel that is closed at the next packet, change of
	// status or close.
	Changed() <-chan struct{}

	// RequestKeyframe asks the source for a keyframe, or fails where it cannot.
	RequestKeyframe() error
}

// Cursor is a viewer's place in a stream. See hub.Cursor.
type Cursor interface {
	Read(dst []*media.Packet) (n int, evicted bool)
	Peek() *media.Packet
	Next() uint64
	Lag() time.Duration
	SeekLive() bool
	SeekTime(t time.Duration) bool
	SeekSequence(sequence uint64) bool
	SeekExact(sequence uint64) bool
	SeekEnd()
	Close()
}

// StreamState says whether a stream can be seen.
type StreamState uint8

// The states of a stream.
const (
	// StreamStarting: a source is there and has given no keyframe yet.
	StreamStarting StreamState = iota + 1
	// StreamLive: packets come.
	StreamLive
	// StreamLost: the source broke off and is being restarted.
	StreamLost
	// StreamOffline: nobody feeds the stream.
	StreamOffline
	// StreamClosed: the stream was removed.
	StreamClosed
	// StreamFinished: the source came to its end, and is not to come back by
	// itself.
	StreamFinished
)

// Status is a stream's state with its history.
type Status struct {
	State   StreamState
	Since   time.Time
	Message string // for viewers
}
