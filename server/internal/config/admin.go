package config

import "slices"

// Admin says what operators may do over the network.
type Admin struct {
	// Sources are the schemes of the sources that may be added with AddStream; "*"
	// for all. file, exec and ffmpeg reach the server's own files and programs, and
	// so are only for who trusts every operator with them.
	Sources []string `yaml:"sources"`
}

func defaultAdmin() Admin {
	return Admin{Sources: []string{"demo", "rtsp", "rtsps", "rtmp", "rtmps", "srt", "http", "https"}}
}

// sourceSchemes are all that admin.sources can hold.
var sourceSchemes = []string{
	"*", "demo", "file", "exec", "ffmpeg", "rtsp", "rtsps", "rtmp", "rtmps", "srt", "http", "https", "udp", "tcp", "rtp",
}

func (a *Admin) check(bad func(format string, args ...any)) {
	for i, scheme := range a.Sources {
		if !slices.Contains(sourceSchemes, scheme) {
			bad("admin.sources[%d] is %q, want one of %v", i, scheme, sourceSchemes)
		}
	}
}
