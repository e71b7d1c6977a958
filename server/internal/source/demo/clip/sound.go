package main

import (
	"encoding/binary"
	"io"
	"math"
)

// melody holds a note for each beat, in semitones above A3 (220 Hz): a walk
// through A minor pentatonic that leads back to its start.
var melody = [beats]int{0, 3, 7, 10, 12, 10, 7, 3, 5, 7, 12, 15, 12, 7, 5, 3}

// repeats is how often the loop is written: an encoder's state at the start of
// the second pass is the one it has at the end of it, so the pass cut from the
// middle joins its own beginning.
const repeats = 3

// writeSound writes the loop as interleaved 16-bit samples, repeats times.
func writeSound(w io.Writer) error {
	const length = beats * sampleRate
	left, right := make([]float64, length), make([]float64, length)
	for beat, note := range melody {
		pan := 0.5 + 0.35*math.Sin(2*math.Pi*float64(beat)/beats)
		pluck(left, right, beat*sampleRate, 220*math.Pow(2, float64(note)/12), 0.30, pan)
		if beat%4 == 0 { // a low note carries each bar
			pluck(left, right, beat*sampleRate, 110, 0.22, 0.5)
		}
	}
	pcm := make([]byte, 0, length*4)
	for i := range left {
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(toPCM(left[i])))
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(toPCM(right[i])))
	}
	for range repeats {
		if _, err := w.Write(pcm); err != nil {
			return err
		}
	}
	return nil
}

// pluck adds a soft, bell-like note that starts at sample at; what rings past
// the end of the loop is heard at its beginning.
func pluck(left, right []float64, at int, hertz, gain, pan float64) {
	partials := []struct{ ratio, gain, decay float64 }{
		{1, 1, 1.1}, {2, 0.35, 0.6}, {3.01, 0.12, 0.35}, {5.4, 0.05, 0.12},
	}
	const ring, attack = 4 * sampleRate, 0.004 * sampleRate
	for n := range ring {
		t := float64(n) / sampleRate
		var v float64
		for _, p := range partials {
			v += p.gain * math.Exp(-t/p.decay*2.3) * math.Sin(2*math.Pi*hertz*p.ratio*t)
		}
		v *= gain * math.Min(1, float64(n)/attack) * math.Min(1, float64(ring-n)/(0.2*ring))
		i := (at + n) % len(left)
		left[i] += v * math.Cos(pan*math.Pi/2)
		right[i] += v * math.Sin(pan*math.Pi/2)
	}
}

func toPCM(v float64) int16 {
	return int16(math.Round(32767 * math.Tanh(v)))
}
