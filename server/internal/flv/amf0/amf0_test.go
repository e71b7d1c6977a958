package amf0

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

var cases = []struct {
	name   string
	data   string
	values []any
	again  bool // Append gives the same bytes
}{
	{"nothing", "", nil, true},
	{"number", "\x00\x40\x09\x21\xfb\x54\x44\x2d\x18", []any{math.Pi}, true},
	{"boolean", "\x01\x01\x01\x00\x01\x07", []any{true, false, true}, false},
	{"string", "\x02\x00\x04live", []any{"live"}, true},
	{"long string", "\x0c\x00\x00\x00\x03abc", []any{"abc"}, false},
	{"null and its like", "\x05\x06\x0d", []any{nil, nil, nil}, false},
	{"object", "\x03\x00\x03app\x02\x00\x04live\x00\x01n\x05\x00\x00\x09",
		[]any{Object{{"app", "live"}, {"n", nil}}}, true},
	{"empty object", "\x03\x00\x00\x09", []any{Object{}}, true},
	{"empty name", "\x03\x00\x00\x05\x00\x00\x09", []any{Object{{"", nil}}}, true},
	{"ECMA array whose count is wrong", "\x08\x00\x00\x00\x09\x00\x01a\x01\x01\x00\x00\x09\x05",
		[]any{Object{{"a", true}}, nil}, false},
	{"ECMA array without end", "\x08\x00\x00\x00\x01\x00\x01a\x01\x01", []any{Object{{"a", true}}}, false},
	{"typed object", "\x10\x00\x01C\x00\x01a\x05\x00\x00\x09", []any{Object{{"a", nil}}}, false},
	{"strict array", "\x0a\x00\x00\x00\x02\x05\x02\x00\x01x", []any{Array{nil, "x"}}, true},
	{"date", "\x0b\x42\x78\xbc\xfe\x56\x80\x00\x00\x00\x00", []any{time.UnixMilli(1700000000000).UTC()}, true},
	{"nested", "\x03\x00\x01a\x03\x00\x01b\x0a\x00\x00\x00\x01\x05\x00\x00\x09\x00\x00\x09",
		[]any{Object{{"a", Object{{"b", Array{nil}}}}}}, true},
}

func TestDecodeAndAppend(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Decode([]byte(c.data))
			if err != nil || !reflect.DeepEqual(got, c.values) {
				t.Fatalf("Decode = %#v, %v; want %#v", got, err, c.values)
			}
			back, err := Append(nil, got...)
			if err != nil {
				t.Fatal(err)
			}
			if c.again && string(back) != c.data {
				t.Errorf("Append = %q, want %q", back, c.data)
			}
			if again, err := Decode(back); err != nil || !reflect.DeepEqual(again, got) {
				t.Errorf("Decode(Append) = %#v, %v", again, err)
			}
		})
	}
}

var malformed = []struct{ name, data string }{
	{"number cut off", "\x00\x40\x09"},
	{"string cut off", "\x02\x00\x09live"},
	{"string without length", "\x02\x00"},
	{"long string beyond the end", "\x0c\xff\xff\xff\xffabc"},
	{"boolean cut off", "\x01"},
	{"object cut off inside an object", "\x03\x00\x01a\x03\x00\x01b\x05"},
	{"array of billions", "\x0a\xff\xff\xff\xff\x05\x05"},
	{"date that is no number", "\x0b\x7f\xf8\x00\x00\x00\x00\x00\x00\x00\x00"},
	{"date too far away", "\x0b\x7f\xe8\x00\x00\x00\x00\x00\x00\x00\x00"},
	{"reference", "\x07\x00\x00"},
	{"AMF3", "\x11\x01"},
	{"stray end of object", "\x09"},
	{"too deep", strings.Repeat("\x0a\x00\x00\x00\x01", 40) + "\x05"},
	{"too many", "\x0a\x00\x01\x00\x00" + strings.Repeat("\x05", 1<<16)},
}

func TestDecodeRefusesMalformed(t *testing.T) {
	for _, c := range malformed {
		if v, err := Decode([]byte(c.data)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Decode = %#v, %v", c.name, v, err)
		}
	}
}

func TestDecodeKeepsWhatWasBeforeTheFault(t *testing.T) {
	v, err := Decode([]byte("\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00\x11\x0a"))
	if !errors.Is(err, ErrMalformed) || !reflect.DeepEqual(v, []any{"connect", 1.0}) {
		t.Errorf("Decode = %#v, %v", v, err)
	}
}

func TestAppend(t *testing.T) {
	if out, err := Append([]byte("x"), 1, struct{}{}); !errors.Is(err, ErrType) || string(out) != "x" {
		t.Errorf("Append of a struct = %q, %v", out, err)
	}
	if _, err := Append(nil, Object{{strings.Repeat("n", 1<<16), nil}}); err == nil {
		t.Error("Append took a name of 64 KiB")
	}
	long := strings.Repeat("s", 1<<16)
	out, err := Append(nil, long, 7)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := Decode(out); err != nil || !reflect.DeepEqual(v, []any{long, 7.0}) {
		t.Errorf("long string came back as %.20v..., %v", v, err)
	}
}

func TestObjectAccess(t *testing.T) {
	o := Object{{"a", 1.5}, {"a", 2.5}, {"s", "x"}, {"nan", math.NaN()}}
	if n, ok := o.Number("a"); n != 1.5 || !ok {
		t.Errorf("Number(a) = %v, %v", n, ok)
	}
	for _, name := range []string{"s", "nan", "none"} {
		if n, ok := o.Number(name); ok {
			t.Errorf("Number(%s) = %v", name, n)
		}
	}
	if o.Text("s") != "x" || o.Text("a") != "" || o.Get("none") != nil {
		t.Error("Text or Get gave something else")
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range cases {
		f.Add([]byte(c.data))
	}
	for _, c := range malformed {
		f.Add([]byte(c.data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := Decode(data)
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("untyped error %v", err)
		}
		first, err := Append(nil, values...)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := Decode(first)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		second, err := Append(nil, again...)
		if err != nil || string(first) != string(second) {
			t.Fatalf("writing is not stable: %q, %q, %v", first, second, err)
		}
	})
}
