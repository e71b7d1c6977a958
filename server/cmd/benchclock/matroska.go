package main

import (
	"encoding/binary"
	"io"
	"math"
	"math/bits"
	"time"
)

// Raw picture and sound go to ffmpeg in one Matroska stream (RFC 9559). With an
// input for each, ffmpeg polls the one while it waits for the other, and sleeps
// 10 ms in between.

// tick is the resolution of times in the stream.
const tick = 100 * time.Microsecond

const (
	videoTrack = 1
	audioTrack = 2
)

// matroska writes the stream. It is used by one goroutine.
type matroska struct {
	w      io.Writer
	header []byte
}

// writeHeader begins the stream.
func (m *matroska) writeHeader(audio bool) error {
	tracks := element(0xAE, // TrackEntry
		number(0xD7, videoTrack), number(0x73C5, videoTrack), number(0x83, 1), number(0x9C, 0),
		text(0x86, "V_UNCOMPRESSED"), number(0x23E383, uint64(time.Second/frameRate)),
		element(0xE0, number(0xB0, width), number(0xBA, height), text(0x2EB524, "I420")))
	if audio {
		tracks = append(tracks, element(0xAE,
			number(0xD7, audioTrack), number(0x73C5, audioTrack), number(0x83, 2), number(0x9C, 0),
			text(0x86, "A_PCM/INT/LIT"),
			element(0xE1, float(0xB5, sampleRate), number(0x9F, 1), number(0x6264, 16)))...)
	}
	head := element(0x1A45DFA3, number(0x4286, 1), number(0x42F7, 1), number(0x42F2, 4), number(0x42F3, 8),
		text(0x4282, "matroska"), number(0x4287, 4), number(0x4285, 2))
	head = append(head, 0x18, 0x53, 0x80, 0x67, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF) // Segment of unknown size
	head = append(head, element(0x1549A966, number(0x2AD7B1, uint64(tick)), text(0x4D80, "benchclock"), text(0x5741, "benchclock"))...)
	head = append(head, element(0x1654AE6B, tracks)...)
	_, err := m.w.Write(head)
	return err
}

// writeBlock adds one picture, or one block of sound, as a cluster of its own.
func (m *matroska) writeBlock(track byte, at time.Duration, data []byte) error {
	timestamp := number(0xE7, uint64(at.Round(tick)/tick))
	block := append(size(uint64(4+len(data))), 0x80|track, 0, 0, 0x80) // at the cluster's time; a keyframe
	h := binary.BigEndian.AppendUint32(m.header[:0], 0x1F43B675)       // Cluster
	h = append(h, size(uint64(len(timestamp)+1+len(block)+len(data)))...)
	h = append(h, timestamp...)
	h = append(h, 0xA3) // SimpleBlock
	m.header = append(h, block...)
	if _, err := m.w.Write(m.header); err != nil {
		return err
	}
	_, err := m.w.Write(data)
	return err
}

// element is an EBML element made of others.
func element(id uint32, children ...[]byte) []byte {
	n := 0
	for _, c := range children {
		n += len(c)
	}
	e := append(identifier(id), size(uint64(n))...)
	for _, c := range children {
		e = append(e, c...)
	}
	return e
}

func number(id uint32, v uint64) []byte {
	return element(id, binary.BigEndian.AppendUint64(nil, v))
}

func float(id uint32, v float64) []byte { return number(id, math.Float64bits(v)) }

func text(id uint32, s string) []byte { return element(id, []byte(s)) }

// identifier writes an ID without its leading zero bytes.
func identifier(id uint32) []byte {
	return binary.BigEndian.AppendUint32(nil, id)[bits.LeadingZeros32(id)/8:]
}

// size writes a length in 8 bytes.
func size(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, 1<<56|n) }
