package bits

import (
	"errors"
	"testing"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	var w Writer
	w.Bits(0b101, 3)
	w.Flag(true)
	w.Bits(0x0123456789abcdef, 64)
	golomb := []uint32{0, 1, 2, 3, 7, 8, 255, 1 << 20, 1<<32 - 2, 1<<32 - 1}
	for _, v := range golomb {
		w.UE(v)
	}
	r := NewReader(w.Bytes())
	if got := r.Bits(3); got != 0b101 {
		t.Errorf("Bits(3) = %b", got)
	}
	if !r.Flag() {
		t.Error("Flag() = false")
	}
	if got := r.Bits(64); got != 0x0123456789abcdef {
		t.Errorf("Bits(64) = %x", got)
	}
	for _, want := range golomb {
		if got := r.UE(); got != want {
			t.Errorf("UE() = %d, want %d", got, want)
		}
	}
	if r.Err() != nil || r.Left() >= 8 {
		t.Errorf("after the last field: %v, %d bits left", r.Err(), r.Left())
	}
}

func TestSignedGolomb(t *testing.T) {
	var w Writer
	for code := range uint32(5) {
		w.UE(code)
	}
	r := NewReader(w.Bytes())
	for _, want := range []int32{0, 1, -1, 2, -2} {
		if got := r.SE(); got != want {
			t.Errorf("SE() = %d, want %d", got, want)
		}
	}
}

func TestFaultsStick(t *testing.T) {
	r := NewReader([]byte{0xff})
	r.Bits(9)
	if r.Bits(1) != 0 || !errors.Is(r.Err(), ErrOverrun) {
		t.Errorf("reading past the end: %v", r.Err())
	}
	r = NewReader(make([]byte, 16))
	if r.UE() != 0 || !errors.Is(r.Err(), ErrGolomb) {
		t.Errorf("endless code: %v", r.Err())
	}
	r = NewReader([]byte{0})
	r.Skip(9)
	if !errors.Is(r.Err(), ErrOverrun) {
		t.Errorf("skipping past the end: %v", r.Err())
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0xff}, []byte{1, 2, 3, 64, 33})
	f.Fuzz(func(t *testing.T, data, steps []byte) {
		r := NewReader(data)
		for _, s := range steps {
			switch s % 4 {
			case 0:
				r.Bits(int(s) % 65)
			case 1:
				r.UE()
			case 2:
				r.SE()
			case 3:
				r.Skip(int(s))
			}
			if r.Left() < 0 {
				t.Fatal("read past the end")
			}
		}
	})
}
