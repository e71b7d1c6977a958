package main

import (
	"encoding/binary"
	"math"
)

const (
	sampleRate = 48000

	// blockSamples is how much sound is handed to the encoder at once: as it is
	// captured, and as much as one AAC frame takes, so that the block itself
	// adds no more than that.
	blockSamples = 1024

	tickSamples = sampleRate / 16
)

// appendSound appends one block of 16-bit mono beginning at the given sample: a
// hum, and a tick at the beginning of each second, when the picture shows a
// line.
func appendSound(dst []byte, first int64) []byte {
	for i := first; i < first+blockSamples; i++ {
		t := float64(i) / sampleRate
		v := 0.03 * math.Sin(2*math.Pi*220*t)
		if i%sampleRate < tickSamples {
			v += 0.4 * math.Sin(2*math.Pi*1000*t)
		}
		dst = binary.LittleEndian.AppendUint16(dst, uint16(int16(v*math.MaxInt16)))
	}
	return dst
}
