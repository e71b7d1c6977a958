package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/wire"
)

// group is what kind of viewer one is.
type group uint8

const (
	steady    group = iota // reads all the time
	stalled                // stops reading for a while
	throttled              // reads slowly
	groups
)

func (g group) String() string { return [groups]string{"steady", "stalled", "throttled"}[g] }

// viewer is one session. All but its static fields belong to its shard's lock.
type viewer struct {
	// Static.
	shard  *shard
	group  group
	dialed time.Time
	send   func(frame []byte) error // never blocks for long

	parser   parser
	welcome  time.Duration // from dialling; 0 until it came
	firstKey time.Duration // from dialling; 0 until it came
	playing  bool          // a stream has started
	video    uint64        // bit set of the IDs of video tracks, below 64

	bytes, fragments uint64 // of fragments
	videos           uint64 // fragments of video
	videoBytes       uint64
	at               counted // when measuring began
	next             uint64  // sequence that should come next; 0 before the first
	missing          uint64  // fragments since the last picture
	excused          bool    // a Gap was told since the last picture, or the stream was thinned out
	thinned          bool
	holes            uint64 // missing fragments that no Gap explains
	skipped          uint64 // missing fragments that were told of
	degradation      pb.Degradation
	steps            uint32 // changes of degradation
	gaps             [gapReasons]uint32
	goodbye          pb.GoodbyeReason
	end              string // why it ended; empty while it goes on
}

// counted are figures of a viewer that only grow.
type counted struct {
	bytes, fragments, videos, videoBytes, missing uint64
	valid                                         bool
}

const gapReasons = int(pb.GapReason_GAP_REASON_RESUMED) + 1

func (v *viewer) count() counted {
	return counted{bytes: v.bytes, fragments: v.fragments, videos: v.videos, videoBytes: v.videoBytes, missing: v.holes + v.skipped, valid: true}
}

// errEnded says that the session is over, for the reason in viewer.end.
var errEnded = errors.New("session ended")

// feed takes bytes as they were read at now.
func (v *viewer) feed(data []byte, now time.Time) error {
	return v.parser.feed(data, func(op byte, head []byte, size int) error {
		switch op {
		case opBinary:
			if wire.IsFragment(head) {
				return v.fragment(head, size, now)
			}
			return v.message(head, now)
		case opPing:
			return v.send(clientFrame(opPong, head))
		case opClose:
			return v.closed(head)
		case opPong, opText:
			return nil
		default:
			return fmt.Errorf("%w: opcode %d", errFraming, op)
		}
	})
}

func (v *viewer) closed(payload []byte) error {
	if v.goodbye != 0 {
		v.end = strings.TrimPrefix(v.goodbye.String(), "GOODBYE_REASON_")
	} else if len(payload) >= 2 {
		v.end = fmt.Sprintf("closed with code %d", binary.BigEndian.Uint16(payload))
	} else {
		v.end = "closed without a code"
	}
	_ = v.send(clientFrame(opClose, payload[:min(2, len(payload))]))
	return errEnded
}

func (v *viewer) fragment(head []byte, size int, now time.Time) error {
	h, _, ok := wire.ReadFragmentHeader(head)
	if !ok {
		return errors.New("a fragment whose envelope cannot be read")
	}
	v.bytes += uint64(size)
	v.fragments++
	video := v.video == 0 || h.TrackID < 64 && v.video&(1<<h.TrackID) != 0
	if video {
		v.videos++
		v.videoBytes += uint64(size)
	}
	if video && h.Keyframe && v.firstKey == 0 {
		v.firstKey = now.Sub(v.dialed)
		v.shard.keys++
	}
	if v.next != 0 && h.Sequence < v.next {
		return fmt.Errorf("sequence %d after %d", h.Sequence, v.next-1)
	}
	if v.next != 0 {
		v.missing += h.Sequence - v.next
	}
	v.next = h.Sequence + 1
	if video {
		v.explain()
	}
	captured := time.UnixMicro(h.CapturedAt).Add(v.shard.ahead)
	if captured.After(v.dialed) { // what was captured before is history, sent at once
		v.shard.delays(v.group).add(now.Sub(captured))
	}
	return nil
}

// explain tells missing fragments that the server has spoken of from others. It
// is called at a picture: pictures that are left out are told of before the next
// one, while sound goes on.
func (v *viewer) explain() {
	if v.excused || v.thinned {
		v.skipped += v.missing
	} else {
		v.holes += v.missing
	}
	v.missing = 0
	v.excused = v.thinned
}

func (v *viewer) message(data []byte, now time.Time) error {
	var m pb.ServerMessage
	if err := proto.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("a message that cannot be read: %w", err)
	}
	switch body := m.GetBody().(type) {
	case *pb.ServerMessage_Welcome:
		v.welcome = max(1, now.Sub(v.dialed))
	case *pb.ServerMessage_StreamStarted:
		v.playing = true
		v.video = 0
		for _, t := range body.StreamStarted.GetTracks() {
			if t.GetKind() == pb.TrackKind_TRACK_KIND_VIDEO && t.GetId() < 64 {
				v.video |= 1 << t.GetId()
			}
		}
	case *pb.ServerMessage_Gap:
		v.excused = true
		if r := body.Gap.GetReason(); int(r) < gapReasons {
			v.gaps[r]++
		}
	case *pb.ServerMessage_SessionState:
		d := body.SessionState.GetDegradation()
		if v.degradation != 0 && d != v.degradation {
			v.steps++
		}
		v.degradation, v.thinned = d, d > pb.Degradation_DEGRADATION_NONE
		v.excused = v.excused || v.thinned
	case *pb.ServerMessage_StreamEnded:
		v.end = "stream ended: " + strings.TrimPrefix(body.StreamEnded.GetReason().String(), "STREAM_END_REASON_")
		return errEnded
	case *pb.ServerMessage_Goodbye:
		v.goodbye = body.Goodbye.GetReason()
	}
	return nil
}

// over notes the end of the session, once.
func (v *viewer) over(err error) {
	switch {
	case v.end != "":
	case v.goodbye != 0:
		v.end = strings.TrimPrefix(v.goodbye.String(), "GOODBYE_REASON_")
	case err != nil:
		v.end = reason(err)
	}
}
