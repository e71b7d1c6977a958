package webm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/framewire/framewire/server/internal/elementary"
	"github.com/framewire/framewire/server/internal/media"
)

const (
	flagKeyframe = 0x80
	flagLacing   = 0x06
	laceXiph     = 0x02
	laceFixed    = 0x04
	laceEBML     = 0x06

	// maxLaced is what the count of a lace can say.
	maxLaced = 256
)

// group reads a BlockGroup (5.1.3.5). A block that refers to no other is a
// keyframe.
func (d *demuxer) group(e element, data []byte, at int64) error {
	var block []byte
	keyframe := true
	err := children(data, at, func(e element, data []byte) error {
		switch e.id {
		case idBlock:
			block = data
		case idReferenceBlock:
			keyframe = false
		}
		return nil
	})
	if err != nil {
		return err
	}
	if block == nil {
		return e.fault("a group without a block")
	}
	return d.frames(e, block, keyframe)
}

// block reads a SimpleBlock.
func (d *demuxer) block(e element, data []byte) error {
	keyframe := false
	if _, n := vint(data); n > 0 && len(data) > n+2 {
		keyframe = data[n+2]&flagKeyframe != 0
	}
	return d.frames(e, data, keyframe)
}

// frames hands on the frames of a block (10.1).
func (d *demuxer) frames(e element, data []byte, keyframe bool) error {
	number, n := vint(data)
	const rest = 3 // time and flags
	if n == 0 || len(data) < n+rest {
		return e.fault("block of %d bytes", len(data))
	}
	if !d.timed {
		return e.fault("block before the timestamp of its cluster")
	}
	t := d.track(number)
	if t == nil {
		return nil
	}
	at := d.cluster + int64(int16(binary.BigEndian.Uint16(data[n:])))
	list, err := unlace(data[n+rest:], data[n+2]&flagLacing)
	if err != nil {
		return e.fault("%w", err)
	}
	packet := elementary.Packet{Keyframe: keyframe, PTS: d.ticks(at)}
	packet.DTS = packet.PTS
	if t.media.Kind() == media.Video {
		packet.DTS = t.order.add(packet.PTS)
	}
	for _, frame := range list {
		packet.Data = t.restore(frame)
		if err := d.program.Push(t.stream, packet); err != nil {
			return err
		}
		packet.Untimed = true // the block's time is that of its first frame
	}
	return nil
}

// ticks converts a time of the segment to the timescale of the streams.
func (d *demuxer) ticks(at int64) int64 {
	if d.scale == defaultScale {
		return at
	}
	const nanoseconds = 1_000_000_000
	const limit = 1 << 62 / nanoseconds // so that the product fits
	return min(max(at, -limit), limit) * d.scale / (nanoseconds / fineTimescale)
}

var errLace = errors.New("broken lacing")

// unlace divides a block's data into frames (10.3).
func unlace(data []byte, lacing byte) ([][]byte, error) {
	if lacing == 0 {
		if len(data) == 0 {
			return nil, nil
		}
		return [][]byte{data}, nil
	}
	if len(data) == 0 {
		return nil, errLace
	}
	count, data := int(data[0])+1, data[1:]
	sizes := make([]int, 0, maxLaced)
	var err error
	switch lacing {
	case laceFixed:
		if len(data)%count != 0 {
			return nil, fmt.Errorf("%w: %d bytes in %d equal frames", errLace, len(data), count)
		}
		for range count - 1 {
			sizes = append(sizes, len(data)/count)
		}
	case laceXiph:
		sizes, data, err = xiphSizes(sizes, data, count-1)
	default:
		sizes, data, err = ebmlSizes(sizes, data, count-1)
	}
	if err != nil {
		return nil, err
	}
	frames := make([][]byte, 0, count)
	for i, size := range sizes {
		if size < 0 || size > len(data) {
			return nil, fmt.Errorf("%w: frame %d of %d bytes with %d left", errLace, i, size, len(data))
		}
		frames = append(frames, data[:size:size])
		data = data[size:]
	}
	return append(frames, data), nil
}

// xiphSizes reads sizes as sums of bytes, each ended by one below 255.
func xiphSizes(sizes []int, data []byte, count int) ([]int, []byte, error) {
	for range count {
		size := 0
		for {
			if len(data) == 0 {
				return nil, nil, errLace
			}
			b := data[0]
			data = data[1:]
			size += int(b)
			if b < 255 {
				break
			}
		}
		sizes = append(sizes, size)
	}
	return sizes, data, nil
}

// ebmlSizes reads one size, and the differences of those that follow.
func ebmlSizes(sizes []int, data []byte, count int) ([]int, []byte, error) {
	size := 0
	for i := range count {
		value, n := vint(data)
		if n == 0 || value > maxElement*2 {
			return nil, nil, errLace
		}
		data = data[n:]
		if i == 0 {
			size = int(value)
		} else {
			size += int(value) - (1<<(7*n-1) - 1) // signed by a bias
		}
		sizes = append(sizes, size)
	}
	return sizes, data, nil
}
