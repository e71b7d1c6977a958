package annexb

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want [][]byte
	}{
		{"empty", nil, nil},
		{"no start code", []byte{1, 2, 3}, nil},
		{"three-byte code", []byte{0, 0, 1, 9, 8}, [][]byte{{9, 8}}},
		{"four-byte code", []byte{0, 0, 0, 1, 9}, [][]byte{{9}}},
		{"two units", []byte{0, 0, 1, 9, 0, 0, 0, 1, 7, 6}, [][]byte{{9}, {7, 6}}},
		{"trailing zeros", []byte{0, 0, 1, 9, 0, 0, 0}, [][]byte{{9}}},
		{"empty unit", []byte{0, 0, 1, 0, 0, 1, 5}, [][]byte{{5}}},
		{"junk first", []byte{4, 4, 0, 0, 1, 5}, [][]byte{{5}}},
		{"code at the end", []byte{0, 0, 1, 5, 0, 0, 1}, [][]byte{{5}}},
		{"zero then one inside", []byte{0, 0, 1, 0, 1, 2}, [][]byte{{0, 1, 2}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := slices.Collect(Split(c.in))
			if !slices.EqualFunc(got, c.want, bytes.Equal) {
				t.Errorf("got %x, want %x", got, c.want)
			}
		})
	}
}

func TestIsStream(t *testing.T) {
	for in, want := range map[string]bool{
		"\x00\x00\x01\x67": true, "\x00\x00\x00\x01": true,
		"\x00\x00\x00\x02\x09\x10": false, "\x00\x01": false, "": false, "\x00\x00": false,
	} {
		if got := IsStream([]byte(in)); got != want {
			t.Errorf("IsStream(%x) = %v", in, got)
		}
	}
}

func TestUnitsNameABadLength(t *testing.T) {
	for _, sample := range [][]byte{{0, 0, 0, 2, 1}, {0, 0, 1}, {255, 255, 255, 255, 1}} {
		var last error
		for _, err := range Units(sample, 4) {
			last = err
		}
		if !errors.Is(last, ErrLength) {
			t.Errorf("Units(%x): %v", sample, last)
		}
	}
}

func TestWidenLengths(t *testing.T) {
	got, err := WidenLengths([]byte{0, 1, 9, 0, 2, 8, 7}, 2)
	if want := []byte{0, 0, 0, 1, 9, 0, 0, 0, 2, 8, 7}; err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x, %v; want %x", got, err, want)
	}
	if _, err := WidenLengths([]byte{0, 9, 1}, 2); !errors.Is(err, ErrLength) {
		t.Errorf("a length beyond the sample: %v", err)
	}
}

func FuzzNALUnits(f *testing.F) {
	f.Add([]byte{0, 0, 1, 9, 0, 0, 3, 1, 0, 0, 0, 1, 7, 6}, 4)
	f.Add([]byte{0, 0, 3, 0, 0, 3, 0, 0, 3}, 2)
	f.Add([]byte{0, 1, 5, 0, 2, 6, 7}, 2)
	f.Fuzz(func(t *testing.T, data []byte, lengthSize int) {
		var sample []byte
		var units [][]byte
		for nal := range Split(data) {
			units = append(units, nal)
			sample = AppendUnit(sample, nal)
		}
		i := 0
		for nal, err := range Units(sample, 4) {
			if err != nil || !bytes.Equal(nal, units[i]) {
				t.Fatalf("unit %d came back as %x, %v; was %x", i, nal, err, units[i])
			}
			i++
		}
		if i != len(units) {
			t.Fatalf("%d of %d units came back", i, len(units))
		}
		escaped := Escape(data)
		if got := Unescape(escaped); len(data) > 0 && data[len(data)-1] != 0 && !bytes.Equal(got, data) {
			t.Fatalf("%x came back as %x", data, got)
		}
		for range Split(escaped) {
			t.Fatalf("%x escaped to %x holds a start code", data, escaped)
		}
		_, _ = WidenLengths(data, lengthSize)
	})
}
