package opus_test

import (
	"bytes"
	"testing"

	"github.com/framewire/framewire/server/internal/codec/opus"
)

var heads = [][]byte{
	append([]byte("OpusHead\x01\x02"), 0x38, 0x01, 0x80, 0xbb, 0, 0, 0, 0, 0),
	append([]byte("OpusHead\x01\x06"), 0x38, 0x01, 0x80, 0xbb, 0, 0, 0xf0, 0xff, 1, 4, 2, 0, 4, 1, 2, 3, 5),
}

func TestHeadAndBoxSayTheSame(t *testing.T) {
	for i, want := range []opus.Config{
		{Channels: 2, PreSkip: 312, InputRate: 48000},
		{Channels: 6, PreSkip: 312, InputRate: 48000, OutputGain: -16, Family: 1, Table: []byte{4, 2, 0, 4, 1, 2, 3, 5}},
	} {
		c, err := opus.ParseHead(heads[i])
		if err != nil {
			t.Fatal(err)
		}
		if c.Channels != want.Channels || c.PreSkip != want.PreSkip || c.InputRate != want.InputRate ||
			c.OutputGain != want.OutputGain || c.Family != want.Family || !bytes.Equal(c.Table, want.Table) {
			t.Errorf("got %+v, want %+v", c, want)
		}
		if !bytes.Equal(c.Head(), heads[i]) {
			t.Errorf("Head gives %x, want %x", c.Head(), heads[i])
		}
		track, err := c.Track()
		if err != nil || track.Channels != want.Channels || track.SampleRate != 48000 || track.CodecString != "opus" {
			t.Errorf("track %+v, %v", track, err)
		}
		again, err := opus.ParseConfig(track.Config)
		if err != nil || !bytes.Equal(again.Head(), heads[i]) {
			t.Errorf("the box came back as %+v, %v", again, err)
		}
	}
}

func TestBadHeads(t *testing.T) {
	for _, head := range [][]byte{
		nil, heads[0][:18], append([]byte("OpusTags"), heads[0][8:]...), heads[1][:25],
		bytes.Replace(heads[0], []byte{1, 2}, []byte{0x11, 2}, 1), bytes.Replace(heads[0], []byte{1, 2}, []byte{1, 3}, 1),
		bytes.Replace(heads[0], []byte{1, 2}, []byte{1, 0}, 1),
	} {
		if c, err := opus.ParseHead(head); err == nil {
			t.Errorf("%x is taken as %+v", head, c)
		}
	}
}

func TestPacketSamples(t *testing.T) {
	for _, c := range []struct {
		packet []byte
		want   int // 0: refused
	}{
		{nil, 0},
		{[]byte{0x00}, 480},        // SILK 10 ms
		{[]byte{0x18}, 2880},       // SILK 60 ms
		{[]byte{0x60}, 480},        // hybrid 10 ms
		{[]byte{0x68}, 960},        // hybrid 20 ms
		{[]byte{0x80}, 120},        // CELT 2.5 ms
		{[]byte{0xfc}, 960},        // CELT 20 ms, stereo
		{[]byte{0xfd}, 1920},       // two frames
		{[]byte{0xfe, 1}, 1920},    // two frames of different sizes
		{[]byte{0xff, 6}, 5760},    // six frames: 120 ms
		{[]byte{0xff, 7}, 0},       // 140 ms
		{[]byte{0xff, 0x40}, 0},    // no frames
		{[]byte{0xff}, 0},          // no count
		{[]byte{0x1b, 0x83}, 0},    // 3 x 60 ms
		{[]byte{0x83, 0xb0}, 5760}, // 48 x 2.5 ms, padded
	} {
		got, err := opus.PacketSamples(c.packet)
		if got != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("PacketSamples(%x) = %d, %v; want %d", c.packet, got, err, c.want)
		}
	}
	if opus.PacketChannels([]byte{0xfc}) != 2 || opus.PacketChannels([]byte{0xf8}) != 1 {
		t.Error("PacketChannels")
	}
}

func FuzzOpus(f *testing.F) {
	for _, h := range heads {
		f.Add(h)
		c, _ := opus.ParseHead(h)
		f.Add(c.Marshal())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte) (opus.Config, error){opus.ParseHead, opus.ParseConfig} {
			c, err := parse(data)
			if err != nil {
				continue
			}
			again, err := opus.ParseHead(c.Head())
			if err != nil || !bytes.Equal(again.Marshal(), c.Marshal()) {
				t.Fatalf("%+v came back as %+v, %v", c, again, err)
			}
			if _, err := c.Track(); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := opus.PacketSamples(data); err == nil && (n < 120 || n > opus.MaxPacketSamples) {
			t.Fatalf("packet of %d samples", n)
		}
	})
}

func TestTrackTellsTheRateThatBrowsersWant(t *testing.T) {
	track, err := opus.Config{Channels: 2, InputRate: 44100}.Track()
	if err != nil {
		t.Fatal(err)
	}
	if c, err := opus.ParseConfig(track.Config); err != nil || c.InputRate != opus.SampleRate {
		t.Errorf("input rate %d, %v; want %d", c.InputRate, err, opus.SampleRate)
	}
}
