// Package source makes sources from the URLs that a configuration names them by.
//
//	demo:                     the clip in the binary
//	file:PATH, PATH           a file, played in real time, over and over
//	ffmpeg:ARGS               ffmpeg with these input arguments
//	rtsp://... srt://... etc. whatever ffmpeg gets from this URL
//	exec:COMMAND              a command's standard output
//	once:SOURCE               a source of the others that is not played again at its end
//
// Only configuration names sources; nothing that a viewer or publisher sends gets
// here.
package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/source/demo"
	"github.com/framewire/framewire/server/internal/source/exec"
	"github.com/framewire/framewire/server/internal/source/ffmpeg"
	"github.com/framewire/framewire/server/internal/source/file"
	"github.com/framewire/framewire/server/internal/source/process"
)

// ErrURL reports a source URL that means nothing.
var ErrURL = errors.New("bad source URL")

// Kind is the way a source gets its media.
type Kind string

// The kinds of source.
const (
	Demo   Kind = "demo"
	File   Kind = "file"
	FFmpeg Kind = "ffmpeg"
	Exec   Kind = "exec"
)

// Info says what is known of a source before it runs.
type Info struct {
	Kind Kind

	// File is the path of the file, empty for other kinds.
	File string

	// Display is the URL for people to read, without credentials.
	Display string

	// KeyframeOnRequest reports whether the source is a media.KeyframeRequester.
	KeyframeOnRequest bool
}

// Parsed is a source with what is known of it.
type Parsed struct {
	media.Source
	Info Info
}

// Parse makes the source of a URL. It checks what can be told from the URL alone:
// that a file or a program is there shows when the source runs. Log receives what
// the source and its commands have to say.
func Parse(raw string, log *slog.Logger) (Parsed, error) {
	p, err := parse(raw, log)
	if err != nil {
		return Parsed{}, fmt.Errorf("%w %q: %w", ErrURL, ffmpeg.Redact(raw), err)
	}
	p.Info.Display = ffmpeg.Redact(raw)
	_, p.Info.KeyframeOnRequest = p.Source.(media.KeyframeRequester)
	return p, nil
}

// once is a source that is finished when it has come to its end.
type once struct{ media.Source }

// Run implements media.Source.
func (o once) Run(ctx context.Context, sink media.Sink) error {
	if err := o.Source.Run(ctx, sink); err != nil || ctx.Err() != nil {
		return cmp.Or(err, ctx.Err())
	}
	return media.ErrFinished
}

func parse(raw string, log *slog.Logger) (Parsed, error) {
	scheme, rest := cutScheme(raw)
	if scheme != "once" {
		return parseSource(raw, true, log)
	}
	switch Scheme(rest) {
	case "once":
		return Parsed{}, errors.New("once: is needed once only")
	case string(Demo):
		return Parsed{}, errors.New("demo: has no end")
	}
	p, err := parseSource(rest, false, log)
	p.Source = once{p.Source}
	return p, err
}

func parseSource(raw string, loop bool, log *slog.Logger) (Parsed, error) {
	if strings.ContainsRune(raw, 0) {
		return Parsed{}, errors.New("NUL byte")
	}
	scheme, rest := cutScheme(raw)
	switch {
	case scheme == "":
		return parseFile(raw, loop, log)
	case scheme == "demo":
		if strings.Trim(rest, "/") != "" {
			return Parsed{}, errors.New("demo: takes nothing behind it")
		}
		return Parsed{demo.New(), Info{Kind: Demo}}, nil
	case scheme == "file":
		path, err := filePath(rest)
		if err != nil {
			return Parsed{}, err
		}
		return parseFile(path, loop, log)
	case scheme == "ffmpeg":
		args, err := process.Split(rest)
		if err != nil {
			return Parsed{}, err
		}
		return parseFFmpeg(args, loop, log)
	case scheme == "exec":
		argv, err := process.Split(rest)
		if err != nil {
			return Parsed{}, err
		}
		s, err := exec.New(argv, log)
		return Parsed{s, Info{Kind: Exec}}, err
	case ffmpeg.Takes(scheme):
		if s := ffmpeg.NewTransport(raw, exec.Read, log); s != nil {
			return Parsed{s, Info{Kind: FFmpeg}}, nil
		}
		args, err := ffmpeg.URL(raw)
		if err != nil {
			return Parsed{}, err
		}
		return parseFFmpeg(args, loop, log)
	default:
		return Parsed{}, fmt.Errorf("scheme %q is not known; want demo:, file:, ffmpeg:, exec:, rtsp://, rtmp://, srt://, udp://, http:// or a path, or once: before one", scheme)
	}
}

func parseFFmpeg(args []string, loop bool, log *slog.Logger) (Parsed, error) {
	s, err := ffmpeg.New(ffmpeg.Options{Args: args, Loop: loop, Read: exec.Read, Log: log})
	return Parsed{s, Info{Kind: FFmpeg}}, err
}

func parseFile(path string, loop bool, log *slog.Logger) (Parsed, error) {
	if strings.TrimSpace(path) == "" {
		return Parsed{}, errors.New("no path")
	}
	path = filepath.Clean(path)
	s := file.New(path, log)
	if !loop {
		s = s.Once()
	}
	return Parsed{s, Info{Kind: File, File: path}}, nil
}

// filePath reads what stands behind file: - a path as it is, or the rest of a URL
// (RFC 8089) with two slashes, an empty or local host, and percent encoding.
func filePath(rest string) (string, error) {
	remote, isURL := strings.CutPrefix(rest, "//")
	if !isURL {
		return rest, nil
	}
	host, path, found := strings.Cut(remote, "/")
	if !found || host != "" && host != "localhost" {
		return "", fmt.Errorf("host %q: want file:PATH or file:///PATH", host)
	}
	return url.PathUnescape("/" + path)
}

// Scheme returns the scheme of a source URL, in lower case: "file" for a path, and
// for once: that of what is behind it.
func Scheme(raw string) string {
	scheme, rest := cutScheme(raw)
	if scheme == "once" {
		return Scheme(rest)
	}
	return cmp.Or(scheme, string(File))
}

// cutScheme cuts a URL behind its scheme (RFC 3986 3.1), in lower case. It is
// empty for what is a path: on Windows, a letter and a colon begin one.
func cutScheme(raw string) (scheme, rest string) {
	scheme, rest, found := strings.Cut(raw, ":")
	if !found || scheme == "" || len(scheme) == 1 && runtime.GOOS == "windows" {
		return "", raw
	}
	for i, c := range []byte(scheme) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(c))) {
			return "", raw
		}
	}
	return strings.ToLower(scheme), rest
}
