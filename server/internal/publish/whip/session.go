package whip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/whip/jitter"
)

const (
	// queuedEvents is how many packets may wait for the session's goroutine, which
	// is never long in coming back.
	queuedEvents = 512

	// askAgain is the time between two requests for a keyframe. Encoders take a
	// few frames to make one, and every one costs bandwidth.
	askAgain = 500 * time.Millisecond
)

// errEnded is the cause of a session's end when the publisher ended it.
var errEnded = errors.New("ended by the publisher")

// event is what the readers of a track tell the session's goroutine.
type event struct {
	kind   media.Kind
	ssrc   uint32
	packet jitter.Packet      // of RTP, or
	report *rtcp.SenderReport // of RTCP
}

// session is one publisher.
type session struct {
	id, stream string
	log        *slog.Logger
	silence    time.Duration
	handshake  time.Duration
	began      time.Time

	publication publish.Publication
	connection  *webrtc.PeerConnection
	signalling  signalling

	ctx    context.Context // ends with the cause of the session's end
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when everything has ended

	events    chan event    // never closed
	connected chan struct{} // closed when media can flow
	keyframes chan struct{} // capacity 1; never closed

	mu      sync.Mutex
	closing bool           // guarded by mu; no more readers then
	readers sync.WaitGroup // added to under mu

	// Owned by run.
	tracks  map[media.Kind]*track
	program program
	heard   time.Time // when media last came
	wants   bool      // a keyframe
	asked   time.Time // when a keyframe was last asked for
	key     time.Time // when the last one came
	timer   *time.Timer
	wake    time.Time // when timer fires
}

// RequestKeyframe implements media.KeyframeRequester.
func (s *session) RequestKeyframe() {
	select {
	case s.keyframes <- struct{}{}:
	default:
	}
}

// stateChanged is called by the WebRTC stack.
func (s *session) stateChanged(state webrtc.PeerConnectionState) {
	switch state {
	case webrtc.PeerConnectionStateConnected:
		s.mu.Lock()
		defer s.mu.Unlock()
		select {
		case <-s.connected:
		default:
			close(s.connected)
		}
	case webrtc.PeerConnectionStateFailed:
		s.cancel(fmt.Errorf("%w: nothing came for %v", publish.ErrDisconnected, disconnectedAfter+failedAfter))
	case webrtc.PeerConnectionStateClosed:
		s.cancel(errEnded) // told by DTLS
	}
}

// run owns the session until its end.
func (s *session) run() {
	defer close(s.done)
	err := s.loop()
	s.cancel(err)
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	if closeErr := s.connection.GracefulClose(); closeErr != nil {
		s.log.Debug("close connection", "error", closeErr)
	}
	s.readers.Wait()
	if errors.Is(err, errEnded) {
		err = nil
	}
	s.publication.Close(err)
	s.log.Debug("publisher gone", "reason", err, "after", time.Since(s.began).Round(time.Millisecond))
}

func (s *session) loop() error {
	s.heard = time.Now()
	s.timer = time.NewTimer(s.handshake)
	s.wake = s.heard.Add(s.handshake)
	defer s.timer.Stop()
	connected := s.connected
	for {
		select {
		case e := <-s.events:
			if err := s.take(e); err != nil {
				return err
			}
		case <-s.timer.C:
			s.wake = time.Time{}
			if err := s.catchUp(); err != nil {
				return err
			}
			if err := s.tick(time.Now(), connected == nil); err != nil {
				return err
			}
		case <-s.keyframes:
			s.wants = true
			s.ask(time.Now())
		case <-connected:
			connected = nil
			s.heard = time.Now()
			s.wakeAt(s.heard.Add(s.silence), s.heard)
			s.log.Debug("publisher connected", "after", time.Since(s.began).Round(time.Millisecond))
		case <-s.publication.Done():
			return s.publication.Reason()
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	}
}

// catchUp handles what is queued: after a pause of the whole machine, what was
// waited for may long be there.
func (s *session) catchUp() error {
	for range len(s.events) {
		if err := s.take(<-s.events); err != nil {
			return err
		}
	}
	return nil
}

// take handles an event of a track.
func (s *session) take(e event) error {
	t := s.track(e.kind, e.ssrc)
	if t == nil {
		return nil
	}
	if e.report != nil {
		if t.clock.takeReport(e.report.NTPTime, e.report.RTPTime) && len(s.tracks) == 2 {
			s.tracks[media.Video].clock.follow(&s.tracks[media.Audio].clock)
		}
		return nil
	}
	s.heard = e.packet.Arrived
	t.buffer.Push(e.packet)
	return s.service(t, e.packet.Arrived)
}

// track returns the track of a kind; a source other than its first is not it.
func (s *session) track(kind media.Kind, ssrc uint32) *track {
	if t := s.tracks[kind]; t != nil {
		if t.ssrc != ssrc {
			return nil
		}
		return t
	}
	for i := range s.signalling.offer.sections {
		if section := &s.signalling.offer.sections[i]; section.kind == kind {
			t := newTrack(section, uint32(kind), ssrc, s.began)
			s.tracks[kind] = t
			return t
		}
	}
	return nil
}

// service does what is due of a track.
func (s *session) service(t *track, now time.Time) error {
	if err := t.drain(now, &s.program); err != nil {
		return err
	}
	if t.section.kind == media.Video {
		if t.key {
			s.key = now
		}
		s.wants = s.wants || now.Sub(s.key) >= keyframeEvery
		s.wants = s.wants && !t.key || t.seeking && len(t.payloads) == 0
		t.key = false
		s.ask(now)
	}
	if t.format == nil || t.format.can("nack") {
		t.missing = t.buffer.Missing(t.missing[:0], now)
		if len(t.missing) > 0 {
			s.send(&rtcp.TransportLayerNack{
				MediaSSRC: t.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(t.missing),
			})
		}
	}
	s.wakeAt(t.buffer.Due(), now)
	return nil
}

// keyframeEvery is how long a publisher may send no keyframe before it is asked for
// one: viewers, recordings and thumbnails begin at keyframes, and browsers send
// none for minutes by themselves.
const keyframeEvery = 4 * time.Second

// ask asks for a keyframe when one is wanted, and was not just asked for.
func (s *session) ask(now time.Time) {
	t := s.tracks[media.Video]
	if !s.wants || t == nil {
		return
	}
	if now.Sub(s.asked) >= askAgain {
		s.asked = now
		s.send(&rtcp.PictureLossIndication{MediaSSRC: t.ssrc})
	}
	s.wakeAt(s.asked.Add(askAgain), now)
}

func (s *session) send(p rtcp.Packet) {
	if err := s.connection.WriteRTCP([]rtcp.Packet{p}); err != nil {
		s.log.Debug("send RTCP", "error", err)
	}
}

// wakeAt makes the timer fire no later than at.
func (s *session) wakeAt(at, now time.Time) {
	if at.IsZero() || !s.wake.IsZero() && !at.Before(s.wake) {
		return
	}
	s.wake = at
	s.timer.Reset(max(0, at.Sub(now)))
}

// tick does what time alone makes due.
func (s *session) tick(now time.Time, connected bool) error {
	limit := s.handshake
	if connected {
		limit = s.silence
	}
	if now.Sub(s.heard) >= limit {
		if !connected {
			return fmt.Errorf("%w: no connection within %v", publish.ErrDisconnected, limit)
		}
		return fmt.Errorf("%w: %v", publish.ErrSilent, limit)
	}
	s.wakeAt(s.heard.Add(limit), now)
	for _, t := range s.tracks {
		if err := s.service(t, now); err != nil {
			return err
		}
	}
	return nil
}
