package whip

import (
	"fmt"
	"time"

	"github.com/framewire/framewire/server/internal/codec/opus"
	"github.com/framewire/framewire/server/internal/elementary"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/whip/depacket"
	"github.com/framewire/framewire/server/internal/publish/whip/jitter"
)

const (
	// videoWait is how long a lost packet of video is waited for: three round
	// trips over a bad network. Then a keyframe is the better hope.
	videoWait = 250 * time.Millisecond

	// audioWait only lets packets that overtook each other fall into place:
	// audio is as a rule not sent again, and what waits is heard as delay.
	audioWait = 30 * time.Millisecond

	// audioResendWait is for audio that is sent again on request.
	audioResendWait = 120 * time.Millisecond

	// maxFrame bounds one frame in bytes: above any keyframe of 8K video.
	maxFrame = 16 << 20

	// maxBroken is how many frames in a row may be broken before the publisher is
	// turned away: ten seconds of video. Loss does not do that.
	maxBroken = 300

	// maxFill is the longest hole in sound that is filled. Beyond it the publisher
	// paused or jumped, which is for the timeline to follow.
	maxFill = time.Second
)

// track is one track of a session. It is used by the session's goroutine alone.
type track struct {
	section *section
	id      uint32
	ssrc    uint32
	began   time.Time // of the session
	clock   clock
	buffer  *jitter.Buffer

	format  *format
	shape   depacket.Format
	stream  *elementary.Stream
	missing []uint16 // scratch

	// The frame being put together.
	payloads  [][]byte
	size      int
	timestamp uint32
	arrived   time.Time

	seeking bool  // frames are dropped until a keyframe
	key     bool  // a keyframe came, of which the session has yet to take note
	broken  int   // frames in a row
	decode  int64 // decode time of the last picture
	sound   int64 // where the last sample of sound ended, 0 before the first
}

func newTrack(s *section, id, ssrc uint32, began time.Time) *track {
	wait := videoWait
	if s.kind == media.Audio {
		wait = audioWait
		if s.formats[0].can("nack") {
			wait = audioResendWait
		}
	}
	return &track{
		section: s, id: id, ssrc: ssrc, began: began, seeking: s.kind == media.Video, decode: -1 << 62,
		buffer: jitter.New(wait), clock: clock{rate: s.formats[0].clockRate()},
	}
}

// drain handles the packets that are next in order.
func (t *track) drain(now time.Time, out *program) error {
	for {
		p, lost, ok := t.buffer.Pop(now)
		if !ok {
			return nil
		}
		if lost {
			t.skip()
		}
		if err := t.accept(p, out); err != nil {
			return err
		}
	}
}

// skip gives up the frame at hand, and for video all that follow it up to a
// keyframe: they build on what was lost.
func (t *track) skip() {
	t.drop()
	t.seeking = t.section.kind == media.Video
}

func (t *track) drop() {
	clear(t.payloads)
	t.payloads, t.size = t.payloads[:0], 0
}

// accept takes a packet in order.
func (t *track) accept(p jitter.Packet, out *program) error {
	if len(p.Payload) == 0 {
		return nil // padding, with which publishers probe the network
	}
	if t.format == nil || t.format.payloadType != p.PayloadType {
		if known, err := t.use(p.PayloadType, out); !known || err != nil {
			return err
		}
	}
	if len(t.payloads) > 0 && p.Timestamp != t.timestamp {
		if err := t.complete(out); err != nil { // its last packet was not marked
			return err
		}
	}
	if len(t.payloads) == 0 {
		if t.seeking && !t.shape.Begins(p.Payload) {
			return nil
		}
		t.timestamp, t.arrived = p.Timestamp, p.Arrived
	}
	t.payloads = append(t.payloads, p.Payload)
	if t.size += len(p.Payload); t.size > maxFrame {
		return fmt.Errorf("%w: a frame of more than %d bytes", publish.ErrLimit, maxFrame)
	}
	if p.Marker || t.section.kind == media.Audio {
		return t.complete(out)
	}
	return nil
}

// use switches to a payload type. It reports false for one that was not agreed.
func (t *track) use(payloadType uint8, out *program) (bool, error) {
	for i := range t.section.formats {
		f := &t.section.formats[i]
		if f.payloadType != payloadType {
			continue
		}
		if t.format != nil && t.format.codec == f.codec {
			t.format = f
			return true, nil
		}
		stream, err := elementary.NewStream(t.id, f.codec, f.clockRate())
		if err != nil {
			return false, err
		}
		if err := stream.Configure(f.config); err != nil {
			return false, fmt.Errorf("%w: %w", publish.ErrMalformed, err)
		}
		t.skip()
		t.format, t.shape, t.stream = f, depacket.For(f.codec), stream
		return true, nil
	}
	return false, nil
}

// complete hands on the frame that was put together.
func (t *track) complete(out *program) error {
	defer t.drop()
	unit, err := t.shape.Join(t.payloads)
	if err != nil {
		return t.fault(err)
	}
	at := t.clock.place(t.timestamp, t.arrived.Sub(t.began))
	packet := elementary.Packet{Data: unit, PTS: at, DTS: at}
	if t.section.kind == media.Video {
		// Decode times must grow. They are those of presentation, unless the
		// publisher sends pictures in another order than it shows them.
		packet.DTS = max(at, t.decode+1)
		t.decode = packet.DTS
	} else if err := t.fill(at, unit, out); err != nil {
		return err
	}
	samples, _, err := t.stream.Push(packet)
	if err != nil {
		return fmt.Errorf("%w: %w", publish.ErrMalformed, err)
	}
	t.broken = 0
	for _, s := range samples {
		if t.seeking && !s.Keyframe {
			continue
		}
		t.seeking = false
		t.key = t.key || s.Keyframe
		s.CapturedAt = t.arrived
		if err := out.write(t, s); err != nil {
			return err
		}
	}
	return nil
}

// fault notes a frame that cannot be put together.
func (t *track) fault(err error) error {
	t.skip()
	if t.broken++; t.broken >= maxBroken {
		return fmt.Errorf("%w: %d frames in a row, the last: %w", publish.ErrMalformed, t.broken, err)
	}
	return nil
}

// silences are frames of Opus for two channels that code silence (RFC 6716 3.1:
// CELT, full band), the longest first.
var silences = []struct {
	samples int64
	packet  []byte
}{
	{960, []byte{0xfc, 0xff, 0xfe}},
	{480, []byte{0xf4, 0xff, 0xfe}},
	{240, []byte{0xec, 0xff, 0xfe}},
	{120, []byte{0xe4, 0xff, 0xfe}},
}

// fill puts silence where packets of sound before the one at hand were lost, or
// not sent. A player stops at a hole.
func (t *track) fill(at int64, packet []byte, out *program) error {
	length, err := opus.PacketSamples(packet)
	if err != nil {
		return nil // told by the stream
	}
	hole := at - t.sound
	if t.sound != 0 && hole <= media.Ticks(maxFill, t.clock.rate) {
		for _, silence := range silences {
			for ; hole >= silence.samples; hole -= silence.samples {
				if err := t.silence(silence.packet, at-hole, out); err != nil {
					return err
				}
			}
		}
	}
	t.sound = at + int64(length)
	return nil
}

func (t *track) silence(packet []byte, at int64, out *program) error {
	samples, _, err := t.stream.Push(elementary.Packet{Data: packet, PTS: at, DTS: at})
	if err != nil {
		return err
	}
	for _, s := range samples {
		s.CapturedAt = t.arrived
		if err := out.write(t, s); err != nil {
			return err
		}
	}
	return nil
}
