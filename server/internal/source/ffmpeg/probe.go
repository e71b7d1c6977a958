package ffmpeg

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/framewire/framewire/server/internal/source/process"
)

// probeLimit is how long ffmpeg may take to find out what its inputs hold. It
// waits that long for a sender that is not there yet.
const probeLimit = 30 * time.Second

// found is what the inputs hold.
type found struct {
	formats map[int]format
	streams []stream

	analysis time.Duration // that it took
}

type format struct {
	name   string // such as "rtsp" or "mov,mp4,m4a,3gp,3g2,mj2"
	finite bool   // it has a duration
}

// stream is one stream of an input as ffmpeg describes it.
type stream struct {
	input, index  int
	kind          string // "Video" or "Audio"
	codec         string // ffmpeg's name: "h264", "pcm_alaw"
	profile       string
	pixels        string // pixel format
	width, height int
	picture       bool // a cover, not a video
	silent        bool // sound of which no frame was seen
}

// analyses are how long ffmpeg may look at an input to find out what its streams
// are. Of transport streams it uses all of that, so the first try is short; streams
// whose keyframes are further apart need a longer one.
var analyses = []time.Duration{time.Second, 6 * time.Second, 15 * time.Second}

// probe finds out what the inputs hold.
func probe(ctx context.Context, inputs []input, open func() io.ReadCloser) (found, error) {
	limited, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	var f found
	var err error
	for _, analysis := range analyses {
		var stdin io.ReadCloser
		if open != nil {
			stdin = open()
		}
		f, err = describe(limited, inputs, analysis, stdin)
		if err != nil || f.complete() {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return found{}, context.Cause(ctx)
	case limited.Err() != nil:
		return found{}, fmt.Errorf("ffmpeg found no media within %v", probeLimit)
	}
	return f, err
}

// describe runs ffmpeg without an output, which describes its inputs and gives up.
// ffprobe would say it in JSON, but of one input only, and not of several.
func describe(ctx context.Context, inputs []input, analysis time.Duration, stdin io.ReadCloser) (found, error) {
	argv := globals("info")
	for _, in := range inputs {
		argv = append(argv, in.args(pace{analysis: analysis})...)
	}
	d := description{found: found{formats: make(map[int]format), analysis: analysis}}
	err := process.Run(ctx, process.Command{Argv: argv, Stdin: stdin, Line: parseLine, Lines: d.line}, nil)
	switch {
	case d.whole || err == nil:
		return d.found, nil
	case d.problem != "":
		return found{}, fmt.Errorf("ffmpeg cannot read the input: %s", d.problem)
	default:
		return found{}, fmt.Errorf("probe: %w", err)
	}
}

// complete reports whether every stream is known well enough to be copied.
func (f *found) complete() bool {
	for _, s := range f.streams {
		if s.kind == "Video" && s.codec != "none" && s.width == 0 || s.kind == "Audio" && s.silent {
			return false
		}
	}
	return len(f.streams) > 0
}

// description collects ffmpeg's words on its inputs.
type description struct {
	found
	input   int
	whole   bool   // all inputs were opened
	problem string // the last complaint, behind the one before it
	last    string
}

var (
	inputLine    = regexp.MustCompile(`^Input #(\d+), (.+), from '`)
	durationLine = regexp.MustCompile(`^Duration: (\d[^,]*),`)
	streamLine   = regexp.MustCompile(`^Stream #(\d+):(\d+)(?:\[[^\]]*\])?(?:\([^)]*\))?: (Video|Audio): (\w+)(.*)$`)
	profilePart  = regexp.MustCompile(`^ \(([^)/]+)\)`)
	pixelPart    = regexp.MustCompile(`, ([a-z][a-z0-9]+)(?:\(|,|$)`)
	sizePart     = regexp.MustCompile(`, (\d{1,5})x(\d{1,5})(?:[ ,]|$)`)
)

func (d *description) line(raw string) {
	level, text := parseLine(raw)
	switch m := streamLine.FindStringSubmatch(text); {
	case m != nil:
		d.stream(m)
		return
	case level < slog.LevelWarn:
	case strings.HasPrefix(text, "At least one output file must be specified"):
		d.whole = true
		return
	default:
		if d.problem = text; d.last != "" && d.last != text {
			d.problem = d.last + "; " + text
		}
		d.last = text
		return
	}
	if m := inputLine.FindStringSubmatch(text); m != nil {
		d.input, _ = strconv.Atoi(m[1])
		d.formats[d.input] = format{name: m[2]}
	} else if durationLine.MatchString(text) {
		f := d.formats[d.input]
		f.finite = true
		d.formats[d.input] = f
	}
}

func (d *description) stream(m []string) {
	s := stream{kind: m[3], codec: m[4]}
	s.input, _ = strconv.Atoi(m[1])
	s.index, _ = strconv.Atoi(m[2])
	rest := m[5]
	if p := profilePart.FindStringSubmatch(rest); p != nil {
		s.profile = strings.TrimSpace(p[1])
	}
	s.picture = strings.Contains(rest, "(attached pic)")
	s.silent = strings.Contains(rest, ", 0 channels") || strings.Contains(rest, ", 0 Hz")
	if s.kind == "Video" {
		if p := pixelPart.FindStringSubmatch(rest); p != nil {
			s.pixels = p[1]
		}
		if p := sizePart.FindStringSubmatch(rest); p != nil {
			s.width, _ = strconv.Atoi(p[1])
			s.height, _ = strconv.Atoi(p[2])
		}
	}
	for _, known := range d.streams {
		if known.input == s.input && known.index == s.index {
			return
		}
	}
	d.streams = append(d.streams, s)
}
