package media

import "time"

// Packet is a fragment as it travels through the hub: made once, sent to every
// viewer, never changed.
type Packet struct {
	// Message is the fragment's ServerMessage in wire form. It ends with
	// Payload.
	Message []byte

	// Payload is the CMAF chunk (moof and mdat) inside Message, sharing its
	// memory.
	Payload []byte

	// Epoch, TrackID and Sequence identify the fragment. Sequence grows by one
	// from packet to packet of a stream, over all its tracks and epochs.
	Epoch    uint32
	TrackID  uint32
	Sequence uint64

	Kind Kind

	// Keyframe marks a packet at which a viewer of this track can start.
	Keyframe bool

	// Time is the decode time on the stream's timeline, which starts near zero
	// and only grows; Duration follows from the track's samples.
	Time, Duration time.Duration

	// CapturedAt is when the fragment's first sample was captured, in Unix
	// microseconds.
	CapturedAt int64
}

// End is the decode time at which the next packet of the track is due.
func (p *Packet) End() time.Duration { return p.Time + p.Duration }
