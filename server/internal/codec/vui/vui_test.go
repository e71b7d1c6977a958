package vui_test

import (
	"reflect"
	"testing"

	"github.com/framewire/framewire/server/internal/codec/bits"
	"github.com/framewire/framewire/server/internal/codec/vui"
)

func TestParse(t *testing.T) {
	cases := map[string]struct {
		write func(w *bits.Writer)
		want  vui.Look
		width int // that 720 samples are shown at
	}{
		"nothing told":           {func(w *bits.Writer) { w.Bits(0, 4) }, vui.Plain(), 720},
		"an aspect of Table E-1": {func(w *bits.Writer) { w.Flag(true); w.Bits(4, 8); w.Bits(0, 3) }, vui.Look{SARWidth: 16, SARHeight: 11}, 1047},
		"an aspect of its own": {func(w *bits.Writer) {
			w.Flag(true)
			w.Bits(255, 8)
			w.Bits(3, 16)
			w.Bits(2, 16)
			w.Bits(0, 3)
		}, vui.Look{SARWidth: 3, SARHeight: 2}, 1080},
		"an aspect of nothing": {func(w *bits.Writer) {
			w.Flag(true)
			w.Bits(255, 8)
			w.Bits(0, 16)
			w.Bits(2, 16)
			w.Bits(0, 3)
		}, vui.Plain(), 720},
		"an aspect that is reserved": {func(w *bits.Writer) { w.Flag(true); w.Bits(17, 8); w.Bits(0, 3) }, vui.Plain(), 720},
		"colours": {func(w *bits.Writer) {
			w.Flag(false)
			w.Flag(true) // overscan
			w.Flag(false)
			w.Flag(true) // video signal type
			w.Bits(5, 3)
			w.Flag(true) // full range
			w.Flag(true)
			w.Bits(9, 8)
			w.Bits(16, 8)
			w.Bits(10, 8)
			w.Flag(true) // chroma locations
			w.UE(1)
			w.UE(1)
		}, vui.Look{SARWidth: 1, SARHeight: 1, Colour: &vui.Colour{Primaries: 9, Transfer: 16, Matrix: 10, FullRange: true}}, 720},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var w bits.Writer
			c.write(&w)
			w.Flag(true) // what follows is still to be read
			r := bits.NewReader(w.Bytes())
			look := vui.Parse(r)
			if !reflect.DeepEqual(look, c.want) {
				t.Errorf("read %+v, want %+v", look, c.want)
			}
			if got := look.Display(720); got != c.width {
				t.Errorf("720 samples are shown %d wide, want %d", got, c.width)
			}
			if !r.Flag() || r.Err() != nil {
				t.Errorf("read past or short of the common part: %v", r.Err())
			}
		})
	}
}
