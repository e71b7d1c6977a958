package flv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/framewire/framewire/server/internal/codec/h264"
	"github.com/framewire/framewire/server/internal/media"
)

func parameterSets(t testing.TB, avcC []byte) (sps, pps []byte) {
	t.Helper()
	c, err := h264.ParseConfig(avcC)
	if err != nil {
		t.Fatal(err)
	}
	return c.SPS[0], c.PPS[0]
}

type tagCase struct {
	name string
	kind media.Kind
	body string
	want []Packet
	err  error
	says string // part of the error
}

var tagCases = []tagCase{
	{name: "empty video", kind: media.Video},
	{name: "empty audio", kind: media.Audio},
	{name: "AVC configuration", kind: media.Video, body: "\x17\x00\x00\x00\x00cfg",
		want: []Packet{{Type: Config, Codec: media.H264, Keyframe: true, Data: []byte("cfg")}}},
	{name: "AVC frame", kind: media.Video, body: "\x27\x01\xff\xff\xfeabc",
		want: []Packet{{Type: Frame, Codec: media.H264, Composition: -2, Data: []byte("abc")}}},
	{name: "AVC end without composition time", kind: media.Video, body: "\x17\x02",
		want: []Packet{{Type: End, Codec: media.H264, Keyframe: true, Data: []byte{}}}},
	{name: "AVC frame cut off", kind: media.Video, body: "\x27\x01\x00", err: ErrMalformed},
	{name: "AVC packet of no type", kind: media.Video, body: "\x27\x03\x00\x00\x00", err: ErrMalformed},
	{name: "HEVC by number 12", kind: media.Video, body: "\x1c\x01\x00\x00\x28x",
		want: []Packet{{Type: Frame, Codec: media.H265, Composition: 40, Keyframe: true, Data: []byte("x")}}},
	{name: "seek marker", kind: media.Video, body: "\x57\x00"},
	{name: "frame type 0", kind: media.Video, body: "\x07\x01\x00\x00\x00", err: ErrMalformed},
	{name: "Sorenson", kind: media.Video, body: "\x12abc", err: ErrUnsupported, says: "Sorenson H.263"},
	{name: "codec 15", kind: media.Video, body: "\x1fabc", err: ErrUnsupported, says: "15"},

	{name: "AAC configuration", kind: media.Audio, body: "\xaf\x00\x11\x90",
		want: []Packet{{Type: Config, Codec: media.AAC, Data: []byte{0x11, 0x90}}}},
	{name: "AAC frame", kind: media.Audio, body: "\xaf\x01!",
		want: []Packet{{Type: Frame, Codec: media.AAC, Data: []byte("!")}}},
	{name: "AAC cut off", kind: media.Audio, body: "\xaf", err: ErrMalformed},
	{name: "AAC packet of no type", kind: media.Audio, body: "\xaf\x02", err: ErrMalformed},
	{name: "MP3", kind: media.Audio, body: "\x2fmp3",
		want: []Packet{{Type: Frame, Codec: media.MP3, Data: []byte("mp3")}}},
	{name: "Speex", kind: media.Audio, body: "\xb6abc", err: ErrUnsupported, says: "Speex"},

	{name: "enhanced configuration", kind: media.Video, body: "\x90hvc1cfg",
		want: []Packet{{Type: Config, Codec: media.H265, Keyframe: true, Data: []byte("cfg")}}},
	{name: "enhanced frame with composition time", kind: media.Video, body: "\xa1hvc1\x00\x00\x50x",
		want: []Packet{{Type: Frame, Codec: media.H265, Composition: 80, Data: []byte("x")}}},
	{name: "enhanced frame without", kind: media.Video, body: "\xa3avc1x",
		want: []Packet{{Type: Frame, Codec: media.H264, Data: []byte("x")}}},
	{name: "AV1 has no composition time", kind: media.Video, body: "\xa1av01xyz",
		want: []Packet{{Type: Frame, Codec: media.AV1, Data: []byte("xyz")}}},
	{name: "enhanced end", kind: media.Video, body: "\x92vp09",
		want: []Packet{{Type: End, Codec: media.VP9, Keyframe: true, Data: []byte{}}}},
	{name: "HDR metadata", kind: media.Video, body: "\x94hvc1\x02\x00\x09colorInfo\x03\x00\x00\x09"},
	{name: "enhanced seek marker", kind: media.Video, body: "\xd1\x00"},
	{name: "MPEG-2 TS start", kind: media.Video, body: "\x95av01\x80\x04\x81\x00\x00\x00"},
	{name: "unknown code", kind: media.Video, body: "\x90vvc1", err: ErrUnsupported, says: `"vvc1"`},
	{name: "code cut off", kind: media.Video, body: "\x90hv", err: ErrMalformed},
	{name: "video packet type 8", kind: media.Video, body: "\x98hvc1", err: ErrUnsupported, says: "8"},

	{name: "nanoseconds", kind: media.Video, body: "\xa7\x02\x01\x00\x00\x03avc1x",
		want: []Packet{{Type: Frame, Codec: media.H264, Nanos: 65536, Data: []byte("x")}}},
	{name: "long unknown modifier, then nanoseconds", kind: media.Audio,
		body: "\x97\xff\x01\x00" + strings.Repeat("m", 257) + "\x37\x02\xff\xff\xff\x01Opusx",
		want: []Packet{{Type: Frame, Codec: media.Opus, Nanos: maxNanos, Data: []byte("x")}}},
	{name: "modifier beyond the end", kind: media.Video, body: "\xa7\x09abc", err: ErrMalformed},
	{name: "modifier with nothing behind", kind: media.Video, body: "\xa7\x00m", err: ErrMalformed},

	{name: "one track", kind: media.Video, body: "\xa6\x03avc1\x00x",
		want: []Packet{{Type: Frame, Codec: media.H264, Data: []byte("x")}}},
	{name: "many tracks", kind: media.Video, body: "\xa6\x11av01\x00\x00\x00\x02ab\x01\x00\x00\x01c",
		want: []Packet{{Type: Frame, Codec: media.AV1, Data: []byte("ab")},
			{Type: Frame, Codec: media.AV1, Track: 1, Data: []byte("c")}}},
	{name: "many codecs", kind: media.Audio, body: "\x95\x21Opus\x00\x00\x00\x01afLaC\x07\x00\x00\x01b",
		want: []Packet{{Type: Frame, Codec: media.Opus, Data: []byte("a")},
			{Type: Frame, Codec: media.FLAC, Track: 7, Data: []byte("b")}}},
	{name: "track beyond the end", kind: media.Video, body: "\xa6\x11av01\x00\x00\x00\x09ab", err: ErrMalformed},
	{name: "multitrack within multitrack", kind: media.Video, body: "\xa6\x06avc1\x00x", err: ErrUnsupported},
	{name: "multitrack of no type", kind: media.Video, body: "\xa6\x31avc1\x00x", err: ErrUnsupported},
	{name: "tracks without end", kind: media.Audio,
		body: "\x95\x11Opus" + strings.Repeat("\x00\x00\x00\x00", maxTracks+1), err: ErrMalformed},

	{name: "enhanced AAC", kind: media.Audio, body: "\x90mp4a\x11\x90",
		want: []Packet{{Type: Config, Codec: media.AAC, Data: []byte{0x11, 0x90}}}},
	{name: "channel layout", kind: media.Audio, body: "\x94Opus\x01\x02\x00\x00\x00\x03"},
	{name: "audio packet type 3", kind: media.Audio, body: "\x93Opus", err: ErrUnsupported},
	{name: "AC-3", kind: media.Audio, body: "\x90ac-3", err: ErrUnsupported, says: `"ac-3"`},
}

func parse(c *tagCase) ([]Packet, error) {
	if c.kind == media.Video {
		return AppendVideo(nil, []byte(c.body))
	}
	return AppendAudio(nil, []byte(c.body))
}

func TestTagBodies(t *testing.T) {
	for _, c := range tagCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(&c)
			if !errors.Is(err, c.err) || (c.err != nil && !strings.Contains(err.Error(), c.says)) {
				t.Fatalf("error %v, want %v saying %q", err, c.err, c.says)
			}
			if c.err != nil {
				return
			}
			same := slices.EqualFunc(got, c.want, func(a, b Packet) bool {
				data := bytes.Equal(a.Data, b.Data)
				a.Data, b.Data = nil, nil
				return data && a.Type == b.Type && a.Codec == b.Codec && a.Track == b.Track &&
					a.Composition == b.Composition && a.Nanos == b.Nanos && a.Keyframe == b.Keyframe
			})
			if !same {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

var header = string(binary.BigEndian.AppendUint32([]byte("FLV\x01\x05\x00\x00\x00\x09"), 0))

var fileCases = []struct {
	name, data string
	err        error
}{
	{"header only", header, nil},
	{"header without back pointer", header[:9], nil},
	{"longer header", "FLV\x01\x05\x00\x00\x00\x0bxx\x00\x00\x00\x00", nil},
	{"unknown script", header + string(appendTag(nil, TagScript, 0, []byte("garbage"))), nil},
	{"nothing", "", io.ErrUnexpectedEOF},
	{"half a header", "FLV\x01", io.ErrUnexpectedEOF},
	{"something else", "RIFF\x00\x00\x00\x00WAVE", ErrMalformed},
	{"version 2", "FLV\x02\x05\x00\x00\x00\x09", ErrMalformed},
	{"huge header", "FLV\x01\x05\xff\xff\xff\xff", ErrMalformed},
	{"half a back pointer", header + "\x00", io.ErrUnexpectedEOF},
	{"half a tag header", header + "\x09\x00", io.ErrUnexpectedEOF},
	{"half a body", header + "\x09\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00abc", io.ErrUnexpectedEOF},
	{"large body that is not there", header + "\x09\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00abc", io.ErrUnexpectedEOF},
	{"tag of no type", header + string(appendTag(nil, 7, 0, nil)), ErrMalformed},
	{"encrypted", header + string(appendTag(nil, 0x29, 0, nil)), ErrUnsupported},
	{"broken video", header + string(appendTag(nil, TagVideo, 0, []byte("\x17\x09\x00\x00\x00"))), ErrMalformed},
}

func TestFiles(t *testing.T) {
	for _, c := range fileCases {
		t.Run(c.name, func(t *testing.T) {
			var r recorder
			if err := Demux(strings.NewReader(c.data), &r); !errors.Is(err, c.err) {
				t.Errorf("Demux: %v, want %v", err, c.err)
			}
			if err := Demux(iotest.OneByteReader(strings.NewReader(c.data)), &r); !errors.Is(err, c.err) {
				t.Errorf("Demux byte by byte: %v, want %v", err, c.err)
			}
		})
	}
}

func TestTagsOfAnAggregate(t *testing.T) {
	whole := appendTag(appendTag(nil, TagVideo, 0x01020304, []byte("v")), TagAudio, 7, nil)
	for cut, want := range map[int]struct {
		tags int
		err  error
	}{
		len(whole):     {2, nil},
		len(whole) - 4: {2, nil}, // without the last back pointer
		len(whole) - 5: {1, ErrMalformed},
		12:             {1, nil},
		11:             {0, ErrMalformed},
		0:              {0, nil},
	} {
		n := 0
		var err error
		for tag, e := range Tags(whole[:cut]) {
			if err = e; e != nil {
				break
			}
			if n == 0 && (tag.Type != TagVideo || tag.Timestamp != 0x01020304 || string(tag.Body) != "v") {
				t.Errorf("first tag %+v", tag)
			}
			n++
		}
		if n != want.tags || !errors.Is(err, want.err) {
			t.Errorf("%d of %d bytes: %d tags, %v; want %d, %v", cut, len(whole), n, err, want.tags, want.err)
		}
	}
}
