package mediatest

import (
	"encoding/json"
	"strings"
	"testing"
)

// Probed is what ffprobe says of a file.
type Probed struct {
	Format  Format   `json:"format"`
	Streams []Stream `json:"streams"`
	Packets []Packet `json:"packets"`
}

// Format describes the container. Numbers that ffprobe prints as strings stay
// strings.
type Format struct {
	Name      string `json:"format_name"`
	StartTime string `json:"start_time"` // seconds
	Duration  string `json:"duration"`   // seconds, empty or "N/A" when unknown
}

// Stream describes one elementary stream.
type Stream struct {
	Index         int               `json:"index"`
	CodecType     string            `json:"codec_type"` // "video" or "audio"
	CodecName     string            `json:"codec_name"`
	CodecTag      string            `json:"codec_tag_string"`
	Profile       string            `json:"profile"`
	Level         int               `json:"level"`
	Width         int               `json:"width"`
	Height        int               `json:"height"`
	SampleAspect  string            `json:"sample_aspect_ratio"`
	PixelFormat   string            `json:"pix_fmt"`
	ColorRange    string            `json:"color_range"`
	ColorSpace    string            `json:"color_space"`
	HasBFrames    int               `json:"has_b_frames"`
	SampleRate    string            `json:"sample_rate"`
	Channels      int               `json:"channels"`
	FrameRate     string            `json:"avg_frame_rate"`
	TimeBase      string            `json:"time_base"`
	Duration      string            `json:"duration"` // seconds
	ExtradataSize int               `json:"extradata_size"`
	Tags          map[string]string `json:"tags"`
	SideData      []struct {
		Type     string `json:"side_data_type"`
		Rotation int    `json:"rotation"` // degrees, counter-clockwise
	} `json:"side_data_list"`
}

// Packet is one packet as the demuxer gave it, times in ticks of the stream's
// time base.
type Packet struct {
	Stream   int    `json:"stream_index"`
	PTS      *int64 `json:"pts"`
	DTS      *int64 `json:"dts"`
	Duration int64  `json:"duration"`
	Size     int    `json:"size,string"`
	Flags    string `json:"flags"` // "K" keyframe, "D" discard, "_" unset
	Hash     string `json:"data_hash"`
}

// Keyframe reports whether the demuxer flagged the packet as a keyframe.
func (p Packet) Keyframe() bool { return strings.HasPrefix(p.Flags, "K") }

// Probe returns the file's streams and format.
func Probe(t testing.TB, path string) Probed {
	t.Helper()
	return probe(t, path, "-show_streams", "-show_format")
}

// ProbePackets returns streams, format and every packet with a hash of its data.
// Options, such as "-ignore_editlist 1", are given to ffprobe before the input.
func ProbePackets(t testing.TB, path string, options ...string) Probed {
	t.Helper()
	return probe(t, path, append(options, "-show_streams", "-show_format", "-show_packets", "-show_data_hash", "crc32")...)
}

// PacketsOf returns the packets of one stream.
func (p Probed) PacketsOf(stream int) []Packet {
	var own []Packet
	for _, packet := range p.Packets {
		if packet.Stream == stream {
			own = append(own, packet)
		}
	}
	return own
}

func probe(t testing.TB, path string, args ...string) Probed {
	t.Helper()
	RequireFFmpeg(t)
	full := append([]string{"-hide_banner", "-loglevel", "error", "-of", "json"}, args...)
	stdout, stderr, err := run("ffprobe", append(full, path)...)
	if err != nil {
		t.Fatalf("ffprobe %s: %v\n%s", path, err, stderr)
	}
	var result Probed
	if err := json.Unmarshal(stdout, &result); err != nil {
		t.Fatalf("ffprobe %s: %v", path, err)
	}
	return result
}
