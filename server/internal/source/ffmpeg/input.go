package ffmpeg

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrArgs reports arguments that are no ffmpeg inputs.
var ErrArgs = errors.New("bad ffmpeg input arguments")

// input is one -i with the options before it.
type input struct {
	options []string
	url     string
}

// parseInputs cuts the arguments into inputs.
func parseInputs(args []string) ([]input, error) {
	var inputs []input
	var options []string
	for i := 0; i < len(args); i++ {
		if args[i] != "-i" {
			options = append(options, args[i])
			continue
		}
		if i++; i == len(args) {
			return nil, fmt.Errorf("%w: -i without a value", ErrArgs)
		}
		inputs = append(inputs, input{options: options, url: args[i]})
		options = nil
	}
	switch {
	case len(inputs) == 0:
		return nil, fmt.Errorf("%w: no -i in %q", ErrArgs, Redact(strings.Join(args, " ")))
	case len(options) > 0:
		return nil, fmt.Errorf("%w: %q stands behind the last input; output options are not taken", ErrArgs, Redact(strings.Join(options, " ")))
	}
	return inputs, nil
}

// option returns the value of an option of the input.
func (in *input) option(name string) string {
	for i := len(in.options) - 2; i >= 0; i-- {
		if in.options[i] == name {
			return in.options[i+1]
		}
	}
	return ""
}

// paced reports whether the input's options already set its speed.
func (in *input) paced() bool {
	return slices.Contains(in.options, "-re") || slices.Contains(in.options, "-readrate")
}

// once reports whether the input cannot be opened a second time: a peer that called
// in is gone when its call is ended.
func (in *input) once() bool {
	return in.option("-listen") == "1" || in.option("-rtsp_flags") == "listen" || in.option("-mode") == "listener" ||
		in.url == "-" || strings.HasPrefix(in.url, "pipe:") || listening.MatchString(in.url)
}

var listening = regexp.MustCompile(`[?&](?:mode=listener|listen(?:=1)?)(?:&|$)`)

// recorded reports whether the input is of a kind that may be a recording. What
// comes by other schemes comes in its own time.
func (in *input) recorded() bool {
	scheme, _, found := strings.Cut(in.url, ":")
	if !found || strings.ContainsAny(scheme, "/\\.") {
		return !strings.HasPrefix(in.url, "/dev/")
	}
	switch strings.ToLower(scheme) {
	case "file", "http", "https", "ftp", "concat", "subfile", "cache", "crypto", "data":
		return true
	}
	return false
}

// liveHTTP reports whether the input is an endless transport stream behind an http
// URL, and returns the options with which its bytes are fetched.
func (in *input) liveHTTP(f format) (options []string, ok bool) {
	if !in.scheme("http", "https") || f.name != "mpegts" || f.finite {
		return nil, false
	}
	return in.fetching()
}

// liveTransport reports whether the input comes in its own time and is said to be
// MPEG-TS, or not said to be anything, and returns the options with which its bytes
// are fetched. Whoever reads them finds out what they are.
func (in *input) liveTransport() (options []string, ok bool) {
	if f := in.option("-f"); !in.scheme(carried...) || f != "mpegts" && f != "" {
		return nil, false
	}
	return in.fetching()
}

func (in *input) scheme(known ...string) bool {
	scheme, _, _ := strings.Cut(in.url, ":")
	return slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, scheme) })
}

var (
	// taking are options of how ffmpeg takes a stream apart. They mean nothing where
	// it only fetches the bytes.
	taking = []string{"-f", "-flags", "-analyzeduration", "-probesize", "-max_delay", "-thread_queue_size"}

	// hasty are those of -fflags that say no more than that nothing is to be held back.
	// Others change what comes, its times above all, and want ffmpeg to take it apart.
	hasty = []string{"nobuffer", "flush_packets"}

	// fetched are options of how it gets at the bytes.
	fetched = []string{
		"-timeout", "-rw_timeout", "-protocol_whitelist", "-listen", "-listen_timeout", "-headers", "-user_agent", "-referer",
		"-cookies", "-auth_type", "-reconnect", "-reconnect_streamed", "-reconnect_delay_max", "-reconnect_on_network_error", "-reconnect_on_http_error",
		"-mode", "-latency", "-rcvlatency", "-peerlatency", "-passphrase", "-pbkeylen", "-streamid", "-smoother",
		"-pkt_size", "-buffer_size", "-fifo_size", "-overrun_nonfatal", "-localaddr", "-sources", "-reuse", "-tcp_nodelay", "-recv_buffer_size",
	}
)

// fetching returns the options of the input without those of taking. It reports
// false where there are any of which it is not known what they are for.
func (in *input) fetching() (options []string, ok bool) {
	if len(in.options)%2 != 0 {
		return nil, false
	}
	for pair := range slices.Chunk(in.options, 2) {
		switch {
		case slices.Contains(fetched, pair[0]):
			options = append(options, pair...)
		case pair[0] == "-fflags" && isHasty(pair[1]):
		case pair[0] == "-use_wallclock_as_timestamps" && pair[1] == "0":
		case !slices.Contains(taking, pair[0]):
			return nil, false
		}
	}
	return options, true
}

// isHasty reports whether a value of -fflags holds flags of hasty alone.
func isHasty(flags string) bool {
	for flag := range strings.FieldsFuncSeq(flags, func(r rune) bool { return r == '+' || r == '-' }) {
		if !slices.Contains(hasty, flag) {
			return false
		}
	}
	return true
}

// unpacedFormats give out as much as is asked for, or come in bursts. They are
// read in real time.
var unpacedFormats = []string{"lavfi", "hls", "dash"}

// pace is how an input is read. What its own options say comes first.
type pace struct {
	format   string        // as the probe found it
	finite   bool          // it ends
	loop     bool          // and then begins anew
	analysis time.Duration // see analyses; 0 leaves it to ffmpeg
}

// args returns the input's arguments.
func (in *input) args(p pace) []string {
	var args []string
	finite := p.finite && in.recorded()
	unpaced := finite || slices.Contains(unpacedFormats, p.format) || slices.Contains(unpacedFormats, in.option("-f"))
	if unpaced && !in.paced() {
		args = append(args, "-re")
	}
	if finite && p.loop && in.option("-stream_loop") == "" {
		args = append(args, "-stream_loop", "-1")
	}
	if p.analysis > 0 && in.option("-analyzeduration") == "" {
		args = append(args, "-analyzeduration", strconv.FormatInt(p.analysis.Microseconds(), 10))
	}
	return append(append(args, in.options...), "-i", in.url)
}

// schemes are those that URL takes, with the options that each is read with.
// Nothing is buffered that need not be; RTSP goes over TCP, where nothing is lost
// and no port has to be open.
var schemes = map[string][]string{
	"rtsp":  {"-rtsp_transport", "tcp", "-fflags", "nobuffer", "-flags", "low_delay"},
	"rtsps": {"-rtsp_transport", "tcp", "-fflags", "nobuffer", "-flags", "low_delay"},
	"rtmp":  {"-fflags", "nobuffer", "-flags", "low_delay"},
	"rtmps": {"-fflags", "nobuffer", "-flags", "low_delay"},
	"srt":   {"-fflags", "nobuffer", "-flags", "low_delay"},
	"udp":   {"-fflags", "nobuffer", "-flags", "low_delay"},
	"rtp":   {"-fflags", "nobuffer", "-flags", "low_delay"},
	"tcp":   {"-fflags", "nobuffer", "-flags", "low_delay"},
	"http":  {"-flags", "low_delay"},
	"https": {"-flags", "low_delay"},
}

// Takes reports whether URL knows the scheme.
func Takes(scheme string) bool {
	_, ok := schemes[strings.ToLower(scheme)]
	return ok
}

// URL returns the input arguments for a URL. It is not parsed further than its
// scheme: passwords of cameras hold what no URL may.
func URL(raw string) ([]string, error) {
	scheme, _, _ := strings.Cut(raw, ":")
	options, ok := schemes[strings.ToLower(scheme)]
	if !ok {
		return nil, fmt.Errorf("%w: scheme %q is not known", ErrArgs, scheme)
	}
	return append(slices.Clone(options), "-i", raw), nil
}

// File returns the input arguments for a file, whose name is taken for nothing
// else whatever it looks like.
func File(path string) []string {
	return []string{"-i", "file:" + path}
}
