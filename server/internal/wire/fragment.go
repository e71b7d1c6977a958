package wire

import (
	"math/bits"

	"google.golang.org/protobuf/encoding/protowire"
)

// FragmentHeader is what the envelope of a fragment says of its payload.
type FragmentHeader struct {
	TrackID           uint32
	Epoch             uint32
	Sequence          uint64
	DecodeTime        int64  // ticks
	CompositionOffset int32  // ticks
	Duration          uint32 // ticks
	Keyframe          bool
	CapturedAt        int64 // Unix microseconds
}

// Field numbers of ServerMessage and Fragment.
const (
	fieldServerFragment = 1

	fieldTrackID           = 1
	fieldEpoch             = 2
	fieldSequence          = 3
	fieldDecodeTime        = 4
	fieldCompositionOffset = 5
	fieldDuration          = 6
	fieldKeyframe          = 7
	fieldCapturedAt        = 8
	fieldPayload           = 15
)

// maxFragmentHeader is an upper bound of what AppendFragmentHeader appends: two
// lengths of at most 5 bytes, nine tags, and the widest value of each field.
const maxFragmentHeader = 2*5 + 9 + 5 + 5 + 10 + 10 + 5 + 5 + 1 + 10

// FragmentRoom is the capacity that holds the header and a payload of that size.
func FragmentRoom(payloadSize int) int { return maxFragmentHeader + payloadSize }

// AppendFragmentHeader appends a ServerMessage with a Fragment in wire form, up
// to where its payload of payloadSize bytes begins. The payload is the last field,
// so that appending it completes the message: the media is written once, straight
// into the envelope.
func AppendFragmentHeader(dst []byte, h FragmentHeader, payloadSize int) []byte {
	size := h.size() + protowire.SizeTag(fieldPayload) + sizeLength(payloadSize) + payloadSize
	dst = protowire.AppendTag(dst, fieldServerFragment, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(size))
	dst = appendVarint(dst, fieldTrackID, uint64(h.TrackID))
	dst = appendVarint(dst, fieldEpoch, uint64(h.Epoch))
	dst = appendVarint(dst, fieldSequence, h.Sequence)
	dst = appendVarint(dst, fieldDecodeTime, uint64(h.DecodeTime))
	dst = appendVarint(dst, fieldCompositionOffset, protowire.EncodeZigZag(int64(h.CompositionOffset)))
	dst = appendVarint(dst, fieldDuration, uint64(h.Duration))
	dst = appendVarint(dst, fieldKeyframe, protowire.EncodeBool(h.Keyframe))
	dst = appendVarint(dst, fieldCapturedAt, uint64(h.CapturedAt))
	dst = protowire.AppendTag(dst, fieldPayload, protowire.BytesType)
	return protowire.AppendVarint(dst, uint64(payloadSize))
}

func (h *FragmentHeader) size() int {
	return sizeField(uint64(h.TrackID)) + sizeField(uint64(h.Epoch)) +
		sizeField(h.Sequence) + sizeField(uint64(h.DecodeTime)) +
		sizeField(protowire.EncodeZigZag(int64(h.CompositionOffset))) +
		sizeField(uint64(h.Duration)) + sizeField(protowire.EncodeBool(h.Keyframe)) +
		sizeField(uint64(h.CapturedAt))
}

// appendVarint leaves out zero, as proto3 does for fields without presence. All
// its fields have numbers below 16, so that a tag takes one byte.
func appendVarint(dst []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, field, protowire.VarintType)
	return protowire.AppendVarint(dst, v)
}

func sizeField(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + protowire.SizeVarint(v)
}

func sizeLength(n int) int { return (bits.Len(uint(n|1)) + 6) / 7 }
