package wire

import "google.golang.org/protobuf/encoding/protowire"

// FragmentHead is how many bytes of a fragment's message hold its whole header.
const FragmentHead = maxFragmentHeader

// IsFragment reports whether a ServerMessage in wire form carries a Fragment.
// The first byte is enough.
func IsFragment(message []byte) bool {
	return len(message) > 0 && message[0] == fieldServerFragment<<3|byte(protowire.BytesType)
}

// ReadFragmentHeader reads what AppendFragmentHeader has written, and fields that
// a newer version added before the payload. message may end anywhere after the
// header, at the earliest after FragmentHead bytes; payloadSize is what the header says
// of the payload's size. It reports false for anything else than a fragment.
//
// It is for programs that look at many streams' worth of fragments, such as load
// generators; everybody else decodes the message.
func ReadFragmentHeader(message []byte) (h FragmentHeader, payloadSize int, ok bool) {
	if !IsFragment(message) {
		return h, 0, false
	}
	rest := message[1:]
	_, n := protowire.ConsumeVarint(rest)
	if n < 0 {
		return h, 0, false
	}
	rest = rest[n:]
	for len(rest) > 0 {
		number, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return h, 0, false
		}
		rest = rest[n:]
		if number == fieldPayload && kind == protowire.BytesType {
			size, n := protowire.ConsumeVarint(rest)
			return h, int(size), n > 0
		}
		var v uint64
		if kind == protowire.VarintType {
			v, n = protowire.ConsumeVarint(rest)
		} else {
			n = protowire.ConsumeFieldValue(number, kind, rest)
		}
		if n < 0 {
			return h, 0, false
		}
		rest = rest[n:]
		h.set(number, v)
	}
	return h, 0, true // a fragment without payload
}

func (h *FragmentHeader) set(number protowire.Number, v uint64) {
	switch number {
	case fieldTrackID:
		h.TrackID = uint32(v)
	case fieldEpoch:
		h.Epoch = uint32(v)
	case fieldSequence:
		h.Sequence = v
	case fieldDecodeTime:
		h.DecodeTime = int64(v)
	case fieldCompositionOffset:
		h.CompositionOffset = int32(protowire.DecodeZigZag(v & 0xffffffff))
	case fieldDuration:
		h.Duration = uint32(v)
	case fieldKeyframe:
		h.Keyframe = v != 0
	case fieldCapturedAt:
		h.CapturedAt = int64(v)
	}
}
