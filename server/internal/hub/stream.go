package hub

import (
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// bitrateSpan is the stretch of media over which Bitrate averages: long enough
// to hold a keyframe of most streams, short enough to follow a change.
const bitrateSpan = 4 * time.Second

// keyframeRequestInterval keeps many viewers who ask for a keyframe at once from
// turning the stream into keyframes only.
const keyframeRequestInterval = 500 * time.Millisecond

// maxGroup is how long the newest keyframe is kept when no other follows: twice
// what the longest groups of encoders last. Pictures have ceased then, or the
// encoder sends no more keyframes, and all that came since is too much to begin
// with.
const maxGroup = 2 * time.Minute

// State says whether a stream can be seen.
type State uint8

// The states of a stream.
const (
	// Starting: a source or publisher is there and has given no keyframe yet.
	Starting State = iota + 1
	// Live: packets come.
	Live
	// Lost: the source broke off and is being restarted.
	Lost
	// Offline: nobody feeds the stream.
	Offline
	// Closed: the stream was removed.
	Closed
	// Finished: the source came to its end and is not started again by itself.
	Finished
)

// Status is a stream's state with its history.
type Status struct {
	State State
	// Since is when the state was entered.
	Since time.Time
	// Message is for viewers: it names no file, address or command.
	Message string
}

// Stream is one live stream: a bounded ring of packets with one writer and any
// number of cursors.
type Stream struct {
	name     string
	instance string
	opts     Options
	onChange func() // tells the hub that the list reads differently now

	viewers atomic.Int64
	status  atomic.Pointer[Status]

	mu      sync.RWMutex
	ring    ring
	epochs  []*media.Epoch // those that packets in the ring belong to, and the present one
	ends    map[uint32]time.Duration
	changed chan struct{} // closed and replaced at each packet, status and close
	closed  bool

	keyframes       func() // asks the source for a keyframe; nil where it cannot
	lastKeyframeAsk time.Time
}

func newStream(name string, opts Options, onChange func()) *Stream {
	s := &Stream{
		name:     name,
		instance: rand.Text()[:12],
		opts:     opts,
		onChange: onChange,
		ring:     ring{window: opts.Window, hold: max(opts.Window, maxGroup), maxBytes: opts.MaxBytes},
		ends:     make(map[uint32]time.Duration),
		changed:  make(chan struct{}),
	}
	s.status.Store(&Status{State: Offline, Since: time.Now()})
	return s
}

// Name is the stream's name, unique in its hub.
func (s *Stream) Name() string { return s.name }

// Instance identifies this life of the stream: it is different after a restart
// of the server.
func (s *Stream) Instance() string { return s.instance }

// Window is how far back viewers can go. Media is kept somewhat longer: to the
// keyframe before that.
func (s *Stream) Window() time.Duration { return s.opts.Window }

// Status returns the present status.
func (s *Stream) Status() Status { return *s.status.Load() }

// Viewers is the number of open cursors.
func (s *Stream) Viewers() int { return int(s.viewers.Load()) }

// SetStatus tells viewers and the hub's list. Setting the same state and message
// again changes nothing. A closed stream stays Closed.
func (s *Stream) SetStatus(state State, message string) {
	s.mu.Lock()
	old := s.status.Load()
	same := old.State == state && old.Message == message
	if s.closed || same {
		s.mu.Unlock()
		return
	}
	s.status.Store(&Status{State: state, Since: time.Now(), Message: message})
	s.signalLocked()
	s.mu.Unlock()
	s.onChange()
}

// SetKeyframeRequester sets what RequestKeyframe calls; nil for nothing. ask
// must not block. Where there is one, keyframes older than the window are let go
// of: a new one comes sooner than all that followed an old one.
func (s *Stream) SetKeyframeRequester(ask func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keyframes = ask
	s.ring.hold = s.opts.Window
	if ask == nil {
		s.ring.hold = max(s.opts.Window, maxGroup)
	}
}

// RequestKeyframe asks the source for a keyframe, or returns ErrUnsupported.
// Requests that follow each other closely are joined.
func (s *Stream) RequestKeyframe() error {
	s.mu.Lock()
	ask := s.keyframes
	due := time.Since(s.lastKeyframeAsk) >= keyframeRequestInterval
	if ask != nil && due {
		s.lastKeyframeAsk = time.Now()
	}
	s.mu.Unlock()
	if ask == nil {
		return ErrUnsupported
	}
	if due {
		ask()
	}
	return nil
}

// NextSequence is the sequence that the next packet must carry. Only the writer
// may rely on it.
func (s *Stream) NextSequence() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.ring.next()
}

// End is the decode time at which the track that reaches furthest ends. Only
// the writer may rely on it.
func (s *Stream) End() time.Duration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var end time.Duration
	for _, t := range s.ends {
		end = max(end, t)
	}
	return end
}

// Begin opens an epoch. Its ID must be one more than that of the last.
func (s *Stream) Begin(e *media.Epoch) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fmt.Errorf("begin epoch %d of %q: %w", e.ID, s.name, ErrClosed)
	}
	if want := s.epochLocked() + 1; e.ID != want {
		s.mu.Unlock()
		return fmt.Errorf("begin epoch %d of %q: want epoch %d", e.ID, s.name, want)
	}
	s.epochs = append(s.epochs, e)
	s.trimEpochsLocked()
	s.signalLocked()
	s.mu.Unlock()
	s.onChange()
	return nil
}

func (s *Stream) epochLocked() uint32 {
	if len(s.epochs) == 0 {
		return 0
	}
	return s.epochs[len(s.epochs)-1].ID
}

// Publish appends p for every viewer and never blocks on one. It keeps p, which
// must not change afterwards.
func (s *Stream) Publish(p *media.Packet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("publish to %q: %w", s.name, ErrClosed)
	}
	if want := s.ring.next(); p.Sequence != want {
		return fmt.Errorf("publish to %q: sequence %d, want %d", s.name, p.Sequence, want)
	}
	if p.Epoch != s.epochLocked() {
		return fmt.Errorf("publish to %q: epoch %d, want %d", s.name, p.Epoch, s.epochLocked())
	}
	epoch := s.epochs[len(s.epochs)-1]
	s.ring.push(p, p.Keyframe && p.TrackID == leadTrack(epoch))
	s.ends[p.TrackID] = p.End()
	s.trimEpochsLocked()
	s.signalLocked()
	return nil
}

// leadTrack returns the track whose keyframes are the places to start: the first
// with pictures, or else the first. Where there are alternatives, a start at the
// keyframe of a later one would come after the keyframe of the first.
func leadTrack(e *media.Epoch) uint32 {
	for i := range e.Tracks {
		if e.Tracks[i].Kind() == media.Video {
			return e.Tracks[i].ID
		}
	}
	if len(e.Tracks) == 0 {
		return 0
	}
	return e.Tracks[0].ID
}

// trimEpochsLocked forgets epochs of which no packet is left.
func (s *Stream) trimEpochsLocked() {
	for len(s.epochs) > 1 && (s.ring.packets.len() == 0 || s.ring.packets.at(0).Epoch > s.epochs[0].ID) {
		s.epochs = s.epochs[1:]
	}
}

// Changed returns a channel that is closed at the next packet, change of status
// or close. Take the channel before reading.
func (s *Stream) Changed() <-chan struct{} {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.changed
}

func (s *Stream) signalLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Epoch returns the present epoch, or nil before the first.
func (s *Stream) Epoch() *media.Epoch {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.epochs) == 0 {
		return nil
	}
	return s.epochs[len(s.epochs)-1]
}

// EpochByID returns an epoch of which packets are still held, or nil.
func (s *Stream) EpochByID(id uint32) *media.Epoch {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, e := range s.epochs {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// NewestKeyframe returns the newest packet at which a viewer can start, or nil.
func (s *Stream) NewestKeyframe() *media.Packet {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, ok := s.ring.newestKey()
	if !ok {
		return nil
	}
	return s.ring.at(k.sequence)
}

// Range returns the earliest and latest time at which a viewer can start, and
// whether there is any.
func (s *Stream) Range() (from, to time.Duration, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.ring.keys.len() == 0 {
		return 0, 0, false
	}
	newest := s.ring.packets.at(s.ring.packets.len() - 1)
	return s.ring.keys.at(0).time, newest.End(), true
}

// Stats are figures of the moment.
type Stats struct {
	// Packets and Bytes are held in the ring now.
	Packets int
	Bytes   int64
	// Bitrate is of the last seconds, in bits per second.
	Bitrate float64
}

// Stats measures the ring.
func (s *Stream) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := s.ring.packets.len()
	stats := Stats{Packets: n, Bytes: s.ring.bytes}
	if n == 0 {
		return stats
	}
	newest := s.ring.packets.at(n - 1)
	var bytes int
	span := time.Duration(0)
	for i := n - 1; i >= 0; i-- {
		p := s.ring.packets.at(i)
		if newest.Time-p.Time > bitrateSpan {
			break
		}
		bytes += len(p.Message)
		span = max(span, newest.End()-p.Time)
	}
	if span > 0 {
		stats.Bitrate = float64(bytes) * 8 / span.Seconds()
	}
	return stats
}

func (s *Stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.status.Store(&Status{State: Closed, Since: time.Now()})
	s.signalLocked()
}
