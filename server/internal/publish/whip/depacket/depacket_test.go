package depacket

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/pion/rtp/codecs"

	"github.com/framewire/framewire/server/internal/codec/av1"
	"github.com/framewire/framewire/server/internal/media"
)

// cases are frames in packets, in hex, with | between packets, and what they join
// to; empty when they are invalid.
var cases = []struct {
	name    string
	codec   media.Codec
	packets string
	joined  string
	begins  bool
}{
	{"single units", media.H264, "6742001e | 68ce3c80 | 658884", "000000016742001e0000000168ce3c8000000001658884", true},
	{"aggregate", media.H264, "78 0004 6742001e 0003 68ce3c | 65888400", "000000016742001e0000000168ce3c0000000165888400", true},
	{"fragments", media.H264, "7c85 88aa | 7c05 bb | 7c45 cc", "0000000165 88aabbcc", true},
	{"fragment of a later slice", media.H264, "7c85 08aa | 7c45 cc", "000000016508aacc", false},
	{"not a keyframe", media.H264, "419a00", "00000001419a00", false},
	{"mode 0", media.H264, "6588", "000000016588", true},
	{"aggregate cut off", media.H264, "78 0004 6742", "", true},
	{"aggregate with an empty unit", media.H264, "78 0000", "", false},
	{"aggregate with half a size", media.H264, "78 000167 00", "", true},
	{"fragment without beginning", media.H264, "7c45 cc", "", false},
	{"fragment without end", media.H264, "7c85 cc", "", true},
	{"fragment that begins twice", media.H264, "7c85 cc | 7c85 cc", "", true},
	{"unit within fragments", media.H264, "7c85 cc | 419a", "", true},
	{"too short a fragment", media.H264, "7c85", "", false},
	{"interleaved", media.H264, "79 0000 0000", "", false},
	{"reserved type", media.H264, "7f00", "", false},
	{"empty", media.H264, "", "", false},

	{"one packet", media.VP9, "0c 834983", "834983", true},
	{"two packets, picture id", media.VP9, "88 05 8349 | 84 05 83", "834983", true},
	{"long picture id, layers", media.VP9, "ac 8123 00 07 83", "83", true},
	{"inter", media.VP9, "4c 86", "86", false},
	{"flexible with references", media.VP9, "dc 05 03 05 02 86", "86", false},
	{"scalability structure", media.VP9, "8e 05 18 0140 00f0 01 04 01 83", "83", true},
	{"two layers", media.VP9, "28 00 00 83 | 24 00 00 49 | 2c 02 00 86", "834986 d9 02000000 01000000 d9", true},
	{"middle alone", media.VP9, "04 83", "", false},
	{"no end", media.VP9, "08 83", "", true},
	{"begins twice", media.VP9, "08 83 | 08 83", "", true},
	{"descriptor cut off", media.VP9, "8c", "", false},
	{"no payload", media.VP9, "0c", "", false},
	{"four references", media.VP9, "5c 03 03 03 02 86", "", false},
	{"group cut off", media.VP9, "0e 08 ff 0c", "", false},

	{"one OBU", media.AV1, "18 30aabb", "3202aabb", true},
	{"not the first of a sequence", media.AV1, "10 30aabb", "3202aabb", false},
	{"sequence header first", media.AV1, "20 02 08aa 30bb", "0a01aa3201bb", true},
	{"lengths throughout", media.AV1, "00 02 08aa 02 30bb", "0a01aa3201bb", true},
	{"in three packets", media.AV1, "58 30aa | d0 bb | 90 cc", "3203aabbcc", true},
	{"ends one, begins one", media.AV1, "50 30aa | e0 01bb 30cc | 90 dd", "3202aabb3202ccdd", false},
	{"with a size of its own", media.AV1, "10 3201bb", "3201bb", false},
	{"with an extension", media.AV1, "10 3408bb", "360801bb", false},
	{"own size wrong", media.AV1, "10 3205bb", "", false},
	{"extension cut off", media.AV1, "10 34", "", false},
	{"no end", media.AV1, "58 30aa", "", true},
	{"goes on from nothing", media.AV1, "90 30aa", "", false},
	{"begins anew inside", media.AV1, "58 30aa | 10 30bb", "", true},
	{"too few elements", media.AV1, "20 02 30bb", "", false},
	{"element too long", media.AV1, "00 05 30bb", "", false},
	{"endless length", media.AV1, "00 ffffffffffffffffff", "", false},
	{"header alone", media.AV1, "10", "", false},

	{"a packet", media.Opus, "fcfffe", "fcfffe", true},
	{"two packets", media.Opus, "fc | fc", "", true},
	{"no bytes", media.Opus, "", "", true},
}

func packets(t testing.TB, text string) [][]byte {
	t.Helper()
	var list [][]byte
	for _, p := range strings.Split(text, "|") {
		list = append(list, unhex(t, p))
	}
	return list
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestJoin(t *testing.T) {
	for _, c := range cases {
		t.Run(c.codec.String()+" "+c.name, func(t *testing.T) {
			format, list := For(c.codec), packets(t, c.packets)
			if got := format.Begins(list[0]); got != c.begins {
				t.Errorf("Begins: %v", got)
			}
			got, err := format.Join(list)
			if c.joined == "" {
				if !errors.Is(err, ErrPayload) {
					t.Errorf("joined to %x with error %v, want an ErrPayload", got, err)
				}
				return
			}
			if err != nil || !bytes.Equal(got, unhex(t, c.joined)) {
				t.Errorf("joined to %x (%v), want %s", got, err, c.joined)
			}
		})
	}
}

func TestCodecsThatAreNotCarried(t *testing.T) {
	for _, c := range []media.Codec{media.VP8, media.H265, media.AAC, 0} {
		if For(c) != nil {
			t.Errorf("%v has a format", c)
		}
	}
}

// TestJoinUndoesPayloader splits units with another implementation.
func TestJoinUndoesPayloader(t *testing.T) {
	slice := bytes.Repeat([]byte{0x65, 0x88, 0x42, 0x99, 0xf1}, 1500)
	stream := bytes.Join([][]byte{
		nil, {0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40}, {0x68, 0xce, 0x3c, 0x80}, slice, slice[:300],
	}, []byte{0, 0, 0, 1})
	got, err := For(media.H264).Join((&codecs.H264Payloader{}).Payload(1200, stream))
	if err != nil || !bytes.Equal(got, stream) {
		t.Errorf("H.264: %d bytes became %d (%v)", len(stream), len(got), err)
	}

	key := append([]byte{0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0e, 0xf6}, slice...)
	payloads := (&codecs.VP9Payloader{InitialPictureIDFn: func() uint16 { return 7 }}).Payload(1200, key)
	if got, err = For(media.VP9).Join(payloads); err != nil || !bytes.Equal(got, key) {
		t.Errorf("VP9: %d bytes became %d (%v)", len(key), len(got), err)
	}
	if !For(media.VP9).Begins(payloads[0]) {
		t.Error("VP9: the first packet of a keyframe does not begin one")
	}

	obus, err := appendOBU([]byte{0x0a, 0x02, 0x00, 0x00}, append([]byte{0x30}, slice...))
	if err != nil {
		t.Fatal(err)
	}
	if got, err = For(media.AV1).Join((&codecs.AV1Payloader{}).Payload(1200, obus)); err != nil || !bytes.Equal(got, obus) {
		t.Errorf("AV1: %d bytes became %d (%v)", len(obus), len(got), err)
	}
}

// FuzzJoin takes a codec and packets, each behind its length in a byte.
func FuzzJoin(f *testing.F) {
	for _, c := range cases {
		var script []byte
		for _, p := range packets(f, c.packets) {
			script = append(append(script, byte(len(p))), p...)
		}
		f.Add(uint8(c.codec), script)
	}
	f.Fuzz(func(t *testing.T, codec uint8, script []byte) {
		format := For(media.Codec(codec))
		if format == nil {
			return
		}
		var list [][]byte
		for len(script) > 0 {
			n := min(int(script[0]), len(script)-1)
			list = append(list, script[1:1+n])
			script = script[1+n:]
		}
		for _, p := range list {
			format.Begins(p)
		}
		unit, err := format.Join(list)
		if err != nil {
			if !errors.Is(err, ErrPayload) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		if limit := 2*size(list) + 8*len(list) + 40; len(unit) > limit {
			t.Fatalf("%d bytes of payload became %d", size(list), len(unit))
		}
		if media.Codec(codec) == media.AV1 {
			for _, err := range av1.Split(unit) {
				if err != nil && !errors.Is(err, av1.ErrOBU) {
					t.Fatal(err)
				}
			}
		}
	})
}
