package mediatest

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"
)

// Edit is an entry of an edit list: so much of the media from a time on, or nothing
// where From is Nothing. Rate 0 stands for 1.
type Edit struct {
	Length, From time.Duration
	Rate         float64
}

// Nothing as From makes an empty edit.
const Nothing = time.Duration(-1)

// WithEdits returns an MP4 file, whose moov is its last box as ffmpeg has it, with an
// edit list for each of its tracks.
func WithEdits(t testing.TB, file []byte, list ...Edit) []byte {
	t.Helper()
	at := bytes.LastIndex(file, []byte("moov")) - 4
	if at < 0 || int(binary.BigEndian.Uint32(file[at:])) != len(file)-at {
		t.Fatal("moov is not the last box")
	}
	var movie uint32 // timescale
	var moov []byte
	for name, payload := range boxes(file[at+8:]) {
		switch name {
		case "mvhd":
			movie = timescale(payload)
		case "trak":
			payload = edited(payload, movie, list)
		}
		moov = appendBox(moov, name, payload)
	}
	return appendBox(slices.Clone(file[:at]), "moov", moov)
}

// edited gives the content of a trak box an edit list.
func edited(trak []byte, movie uint32, list []Edit) []byte {
	var out []byte
	var media uint32
	for name, payload := range boxes(trak) {
		if name == "mdia" {
			for inner, header := range boxes(payload) {
				if inner == "mdhd" {
					media = timescale(header)
				}
			}
		}
		if name != "edts" {
			out = appendBox(out, name, payload)
		}
	}
	elst := binary.BigEndian.AppendUint32(make([]byte, 4), uint32(len(list)))
	for _, e := range list {
		from := uint32(math.MaxUint32)
		if e.From != Nothing {
			from = ticks(e.From, media)
		}
		rate := e.Rate
		if rate == 0 {
			rate = 1
		}
		for _, v := range []uint32{ticks(e.Length, movie), from, uint32(rate * (1 << 16))} {
			elst = binary.BigEndian.AppendUint32(elst, v)
		}
	}
	return appendBox(out, "edts", appendBox(nil, "elst", elst))
}

func ticks(d time.Duration, scale uint32) uint32 {
	return uint32(math.Round(d.Seconds() * float64(scale)))
}

// timescale is that of an mvhd or mdhd box of version 0.
func timescale(header []byte) uint32 { return binary.BigEndian.Uint32(header[12:]) }

func appendBox(dst []byte, name string, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(8+len(payload)))
	return append(append(dst, name...), payload...)
}

// boxes yields the boxes in data.
func boxes(data []byte) func(yield func(name string, payload []byte) bool) {
	return func(yield func(string, []byte) bool) {
		for len(data) >= 8 {
			size := binary.BigEndian.Uint32(data)
			if !yield(string(data[4:8]), data[8:size]) {
				return
			}
			data = data[size:]
		}
	}
}
