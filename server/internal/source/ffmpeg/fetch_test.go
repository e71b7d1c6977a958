package ffmpeg

import (
	"slices"
	"strings"
	"testing"
)

// Bytes are fetched only, and taken apart here, unless the options ask for something
// that only ffmpeg does while it takes them apart: most of all for other times.
func TestOptionsOfTimesAreLeftToFFmpeg(t *testing.T) {
	for args, want := range map[string]string{
		"":                 "fetched",
		"-f mpegts":        "fetched",
		"-f matroska":      "",
		"-fflags nobuffer": "fetched",
		"-fflags +nobuffer -flags low_delay -probesize 32": "fetched",
		"-fflags +genpts":                               "",
		"-fflags nobuffer+igndts":                       "",
		"-fflags +discardcorrupt":                       "",
		"-use_wallclock_as_timestamps 1":                "",
		"-use_wallclock_as_timestamps 0":                "fetched",
		"-itsoffset 1":                                  "",
		"-itsscale 2":                                   "",
		"-ss 3":                                         "",
		"-rw_timeout 1000000 -fflags nobuffer":          "fetched -rw_timeout 1000000",
		"-latency 20000 -use_wallclock_as_timestamps 1": "",
	} {
		in := input{options: strings.Fields(args), url: "udp://127.0.0.1:5000"}
		options, ok := in.liveTransport()
		got := ""
		if ok {
			got = strings.Join(slices.Concat([]string{"fetched"}, options), " ")
		}
		if got != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}
