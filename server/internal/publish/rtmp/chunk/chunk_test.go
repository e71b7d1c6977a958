package chunk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

var testLimits = Limits{Message: 1 << 20, Unfinished: 2 << 20}

func message(stream uint32, kind uint8, timestamp uint32, data string) Message {
	return Message{ChunkStream: stream, Type: kind, Timestamp: timestamp, Stream: 1, Data: []byte(data)}
}

// readAll reads until an error, which is nil at a clean end.
func readAll(in io.Reader, limits Limits) ([]Message, error) {
	r := NewReader(in, limits)
	var all []Message
	for {
		m, err := r.ReadChunk()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		if m != nil {
			all = append(all, *m)
		}
	}
}

func chunks(parts ...string) string { return strings.Join(parts, "") }

// zeros is so many bytes of payload.
func zeros(n int) string { return strings.Repeat("\x00", n) }

func setSize(n uint32) string {
	return "\x02\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00" + string(binary.BigEndian.AppendUint32(nil, n))
}

type readCase struct {
	name string
	data string
	want []Message
	err  error
}

var readCases = []readCase{
	{name: "nothing"},
	{name: "one message", data: "\x03\x00\x00\x07\x00\x00\x02\x14\x01\x00\x00\x00hi",
		want: []Message{message(3, 20, 7, "hi")}},
	{name: "empty message", data: "\x03\x00\x00\x07\x00\x00\x00\x14\x01\x00\x00\x00",
		want: []Message{message(3, 20, 7, "")}},
	{name: "two chunks", data: "\x03\x00\x00\x00\x00\x00\x82\x09\x01\x00\x00\x00" + zeros(128) + "\xc3" + zeros(2),
		want: []Message{message(3, 9, 0, zeros(130))}},
	{name: "long numbers of chunk streams", data: chunks(
		"\x00\x00\x00\x00\x00\x00\x00\x01\x08\x01\x00\x00\x00a",
		"\x00\xff\x00\x00\x00\x00\x00\x01\x08\x01\x00\x00\x00b",
		"\x01\xff\xff\x00\x00\x00\x00\x00\x01\x08\x01\x00\x00\x00c"),
		want: []Message{message(64, 8, 0, "a"), message(319, 8, 0, "b"), message(65599, 8, 0, "c")}},
	{name: "formats 1, 2 and 3 add to the time", data: chunks(
		"\x04\x00\x00\x64\x00\x00\x01\x08\x01\x00\x00\x00a",
		"\x44\x00\x00\x0a\x00\x00\x01\x09b",
		"\x84\x00\x00\x05c",
		"\xc4d"),
		want: []Message{message(4, 8, 100, "a"), message(4, 9, 110, "b"), message(4, 9, 115, "c"), message(4, 9, 120, "d")}},
	{name: "format 3 behind format 0 adds its time again", data: "\x04\x00\x00\x15\x00\x00\x01\x08\x01\x00\x00\x00a\xc4b",
		want: []Message{message(4, 8, 21, "a"), message(4, 8, 42, "b")}},
	{name: "begins with format 1", data: "\x42\x00\x00\x09\x00\x00\x01\x04x",
		want: []Message{{ChunkStream: 2, Type: 4, Timestamp: 9, Data: []byte("x")}}},
	{name: "interleaved", data: chunks(
		setSize(2),
		"\x04\x00\x00\x01\x00\x00\x03\x08\x01\x00\x00\x00ab",
		"\x06\x00\x00\x02\x00\x00\x04\x09\x01\x00\x00\x00vw",
		"\xc4c", "\xc6xy"),
		want: []Message{{ChunkStream: 2, Type: 1, Data: []byte{0, 0, 0, 2}}, message(4, 8, 1, "abc"), message(6, 9, 2, "vwxy")}},
	{name: "abort", data: chunks(
		"\x06\x00\x00\x02\x00\x00\x81\x09\x01\x00\x00\x00"+zeros(128),
		"\x02\x00\x00\x00\x00\x00\x04\x02\x00\x00\x00\x00\x00\x00\x00\x06",
		"\x06\x00\x00\x03\x00\x00\x01\x09\x01\x00\x00\x00v"),
		want: []Message{{ChunkStream: 2, Type: 2, Data: []byte{0, 0, 0, 6}}, message(6, 9, 3, "v")}},
	{name: "extended time, repeated as specified", data: chunks(
		"\x04\xff\xff\xff\x00\x00\x82\x08\x01\x00\x00\x00\x01\x02\x03\x04"+zeros(128),
		"\xc4\x01\x02\x03\x04ab"),
		want: []Message{message(4, 8, 0x01020304, zeros(128)+"ab")}},
	{name: "extended time, not repeated", data: chunks(
		"\x04\xff\xff\xff\x00\x00\x86\x08\x01\x00\x00\x00\x01\x02\x03\x04"+zeros(128),
		"\xc4abcdef"),
		want: []Message{message(4, 8, 0x01020304, zeros(128)+"abcdef")}},
	{name: "extended time, not repeated, and little left", data: chunks(
		"\x04\xff\xff\xff\x00\x00\x86\x08\x01\x00\x00\x00\x01\x02\x03\x04"+zeros(128), "\xc4abcdef",
		"\x04\xff\xff\xff\x00\x00\x81\x08\x01\x00\x00\x00\x01\x02\x03\x05"+zeros(128), "\xc4a"),
		want: []Message{message(4, 8, 0x01020304, zeros(128)+"abcdef"), message(4, 8, 0x01020305, zeros(128)+"a")}},
	{name: "time wraps", data: chunks(
		"\x04\xff\xff\xff\x00\x00\x01\x08\x01\x00\x00\x00\xff\xff\xff\xffa",
		"\x84\x00\x00\x02b"),
		want: []Message{message(4, 8, 0xffffffff, "a"), message(4, 8, 1, "b")}},
	{name: "extended step", data: chunks(
		"\x04\x00\x00\x00\x00\x00\x01\x08\x01\x00\x00\x00a",
		"\x84\xff\xff\xff\x01\x00\x00\x00b", "\xc4\x01\x00\x00\x00c"),
		want: []Message{message(4, 8, 0, "a"), message(4, 8, 1<<24, "b"), message(4, 8, 2<<24, "c")}},

	{name: "cut off in the basic header", data: "\x01\x00", err: io.ErrUnexpectedEOF},
	{name: "cut off in the header", data: "\x03\x00\x00", err: io.ErrUnexpectedEOF},
	{name: "cut off in the extended time", data: "\x03\xff\xff\xff\x00\x00\x01\x08\x01\x00\x00\x00\x00", err: io.ErrUnexpectedEOF},
	{name: "cut off in the payload", data: "\x03\x00\x00\x07\x00\x00\x02\x14\x01\x00\x00\x00h", err: io.ErrUnexpectedEOF},
	{name: "begins with format 2", data: "\x83\x00\x00\x00", err: ErrMalformed},
	{name: "begins with format 3", data: "\xc3", err: ErrMalformed},
	{name: "format 1 within a message", data: "\x03\x00\x00\x00\x00\x00\x82\x09\x01\x00\x00\x00" + zeros(128) + "\x43\x00\x00\x00\x00\x00\x02\x09",
		err: ErrMalformed},
	{name: "chunk size 0", data: setSize(0), err: ErrMalformed},
	{name: "chunk size with the first bit", data: setSize(1<<31 | 4096), err: ErrMalformed},
	{name: "short Set Chunk Size", data: "\x02\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00x", err: ErrMalformed},
	{name: "short Abort", data: "\x02\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00x", err: ErrMalformed},
	{name: "too large", data: "\x03\x00\x00\x00\xff\xff\xff\x09\x01\x00\x00\x00", err: ErrTooLarge},
	{name: "too many chunk streams", data: manyStreams(), err: ErrMalformed},
	{name: "too much unfinished", data: unfinished(), err: ErrTooLarge},
}

func manyStreams() string {
	var b strings.Builder
	for i := range maxStreams + 1 {
		b.WriteString("\x00" + string([]byte{byte(i)}) + "\x00\x00\x00\x00\x00\x00\x08\x01\x00\x00\x00")
	}
	return b.String()
}

// unfinished is three messages of 1 MiB, the last byte of each missing.
func unfinished() string {
	const most = 1<<20 - 1
	b := setSize(most)
	for i := range 3 {
		b += string([]byte{byte(3 + i)}) + "\x00\x00\x00\x10\x00\x00\x08\x01\x00\x00\x00" + zeros(most)
	}
	return b
}

func TestRead(t *testing.T) {
	for _, c := range readCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := readAll(strings.NewReader(c.data), testLimits)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if c.err == nil && !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
			slow, slowErr := readAll(iotest.OneByteReader(strings.NewReader(c.data)), testLimits)
			if !reflect.DeepEqual(slow, got) || !errors.Is(slowErr, c.err) {
				t.Errorf("byte by byte: %+v, %v", slow, slowErr)
			}
		})
	}
}

func TestWriteIsRead(t *testing.T) {
	messages := []Message{
		message(3, 20, 0, "connect"), message(64, 8, 0xfffffe, strings.Repeat("a", 128)),
		message(319, 9, 0xffffff, strings.Repeat("v", 1000)), message(65599, 9, 0xffffffff, strings.Repeat("w", 257)),
		message(2, 4, 1, ""),
	}
	for _, size := range []int{1, 3, DefaultSize, 4096} {
		var out bytes.Buffer
		w := NewWriter(&out)
		change := Message{ChunkStream: 2, Type: TypeSetChunkSize, Data: binary.BigEndian.AppendUint32(nil, uint32(size))}
		if err := w.Write(change); err != nil {
			t.Fatal(err)
		}
		w.SetSize(size)
		if err := w.Write(messages...); err != nil {
			t.Fatal(err)
		}
		got, err := readAll(&out, testLimits)
		if err != nil || !reflect.DeepEqual(got[1:], messages) {
			t.Errorf("chunks of %d bytes: %v\ngot %+v", size, err, got[1:])
		}
	}
}

func TestWriteRefusesWhatCannotBe(t *testing.T) {
	w := NewWriter(io.Discard)
	if err := w.Write(message(1, 8, 0, "")); err == nil {
		t.Error("chunk stream 1 was written")
	}
	if err := w.Write(Message{ChunkStream: 3, Data: make([]byte, MaxSize+1)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("message of 16 MiB: %v", err)
	}
}

// TestMemoryFollowsWhatIsThere: a header that promises a lot costs little.
func TestMemoryFollowsWhatIsThere(t *testing.T) {
	r := NewReader(strings.NewReader("\x03\x00\x00\x00\x0f\xff\xff\x09\x01\x00\x00\x00"+zeros(128)), testLimits)
	if _, err := r.ReadChunk(); err != nil {
		t.Fatal(err)
	}
	if have := cap(r.streams[3].data); have > firstAllocation {
		t.Errorf("128 bytes took %d", have)
	}
	if r.Received() != 140 {
		t.Errorf("received %d bytes, want 140", r.Received())
	}
}

func FuzzRead(f *testing.F) {
	for _, c := range readCases {
		if len(c.data) < 1<<12 {
			f.Add([]byte(c.data))
		}
	}
	limits := Limits{Message: 1 << 16, Unfinished: 1 << 17}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(bytes.NewReader(data), limits)
		for {
			m, err := r.ReadChunk()
			if r.unfinished < 0 || r.unfinished > limits.Unfinished {
				t.Fatalf("%d bytes unfinished", r.unfinished)
			}
			if err != nil {
				known := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
					errors.Is(err, ErrMalformed) || errors.Is(err, ErrTooLarge)
				if !known {
					t.Fatalf("untyped error %v", err)
				}
				return
			}
			if m != nil && (len(m.Data) > limits.Message || len(m.Data) > len(data)) {
				t.Fatalf("message of %d bytes out of %d", len(m.Data), len(data))
			}
		}
	})
}

// BenchmarkRead reads a picture of 200 KiB in chunks as publishers make them.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{DefaultSize, 4096} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			var out bytes.Buffer
			w := NewWriter(&out)
			w.SetSize(size)
			if err := w.Write(message(4, 9, 0, zeros(200<<10))); err != nil {
				b.Fatal(err)
			}
			in := bytes.NewReader(nil)
			r := NewReader(in, testLimits)
			r.size = size
			b.SetBytes(200 << 10)
			b.ReportAllocs()
			for b.Loop() {
				in.Reset(out.Bytes())
				for m, err := r.ReadChunk(); m == nil; m, err = r.ReadChunk() {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
