package ffmpeg

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/framewire/framewire/server/internal/media"
)

// plan is what is done with the inputs: which streams are taken, and how.
type plan struct {
	args   []string // of the inputs
	tracks []planned
}

// planned is one track of the output.
type planned struct {
	stream
	output media.Codec
	copied bool
}

// newPlan picks the largest video and the first sound.
func newPlan(inputs []input, f found, loop bool) (*plan, error) {
	p := &plan{}
	for i, in := range inputs {
		p.args = append(p.args, in.args(pace{f.formats[i].name, f.formats[i].finite, loop, f.analysis})...)
	}
	var video, audio *stream
	for i := range f.streams {
		s := &f.streams[i]
		switch {
		case s.picture || s.codec == "none":
		case s.kind == "Video" && (video == nil || s.width*s.height > video.width*video.height):
			video = s
		case s.kind == "Audio" && audio == nil:
			audio = s
		}
	}
	for _, s := range []*stream{video, audio} {
		if s != nil {
			codec, ok := copies(s)
			p.tracks = append(p.tracks, planned{stream: *s, output: codec, copied: ok})
		}
	}
	if len(p.tracks) == 0 {
		return nil, fmt.Errorf("ffmpeg found neither video nor sound in the input")
	}
	return p, nil
}

// encode has nothing copied.
func (p *plan) encode() {
	for i := range p.tracks {
		t := &p.tracks[i]
		if t.copied = false; t.kind == "Video" {
			t.output = media.H264
		} else {
			t.output = media.AAC
		}
	}
}

var (
	// copied are the codecs that browsers play out of MP4. MP3 is not among them:
	// Chromium's Media Source Extensions take it in a stream of its own only.
	copied = map[string]media.Codec{
		"h264": media.H264, "hevc": media.H265, "av1": media.AV1, "vp9": media.VP9,
		"aac": media.AAC, "opus": media.Opus, "flac": media.FLAC,
	}

	// Browsers decode 4:2:0 alone, with 10 bits a sample where the codec's usual
	// profiles have them.
	eightBit = []string{"yuv420p", "yuvj420p"}
	tenBit   = []string{"yuv420p10le"}

	// aacProfiles are those that browsers decode. Main, SSR, LTP
	// and xHE-AAC are not.
	aacProfiles = []string{"", "LC", "HE-AAC", "HE-AACv2"}
)

// copies returns the codec that a stream comes out in, and whether it can stay as
// it is.
func copies(s *stream) (media.Codec, bool) {
	codec, known := copied[s.codec]
	switch {
	case s.kind == "Audio" && (!known || s.codec == "aac" && !slices.Contains(aacProfiles, s.profile)):
		return media.AAC, false
	case s.kind == "Audio":
		return codec, true
	case known && s.pixels == "": // not decoded yet: take it at its word
		return codec, true
	case known && slices.Contains(eightBit, s.pixels):
		return codec, true
	case known && codec != media.H264 && slices.Contains(tenBit, s.pixels):
		return codec, true
	default:
		return media.H264, false
	}
}

// String says it for the log.
func (p *plan) String() string {
	var parts []string
	for _, t := range p.tracks {
		part := t.codec
		if t.copied {
			part += " as it is"
		} else {
			part += " to " + t.output.String()
		}
		if t.width > 0 {
			part += fmt.Sprintf(" %dx%d", t.width, t.height)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// outputOffset is added to all output times. Encoders of sound begin before zero,
// which NUT cannot say, and shifting each track by itself would pull them apart.
const outputOffset = "10"

// argv is the whole command line. Track i is written to descriptor 1, 3, 4 ...
func (p *plan) argv() []string {
	argv := append(globals("warning"), p.args...)
	for i, t := range p.tracks {
		argv = append(argv, "-map", fmt.Sprintf("%d:%d", t.input, t.index))
		switch {
		case t.copied:
			argv = append(argv, "-c", "copy")
		case t.kind == "Video":
			argv = append(argv, encodeVideo...)
		default:
			argv = append(argv, encodeAudio...)
		}
		fd := 1
		if i > 0 {
			fd = 2 + i
		}
		argv = append(argv, "-map_metadata", "-1", "-map_chapters", "-1",
			"-output_ts_offset", outputOffset, "-avoid_negative_ts", "disabled",
			"-flush_packets", "1", "-write_index", "0", "-f", "nut", "pipe:"+strconv.Itoa(fd))
	}
	return argv
}

var (
	// encodeVideo gives out each picture as soon as it went in. Keyframes are
	// counted in seconds, since the frame rate may not be known; -g only keeps the
	// encoder from putting in its own.
	encodeVideo = []string{
		"-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency",
		"-crf", "23", "-maxrate", "8M", "-bufsize", "4M",
		"-vf", "scale=trunc(iw/2)*2:trunc(ih/2)*2,format=yuv420p",
		"-enc_time_base", "1:90000", "-g", "9999", "-forced-idr", "1",
		"-force_key_frames", "expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+1))",
	}

	// encodeAudio is what every browser plays.
	encodeAudio = []string{"-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000"}
)
