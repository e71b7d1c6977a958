// Package exec reads what a command writes to its standard output: fragmented MP4
// and MPEG-TS as they come, everything else through ffmpeg. What it is, the bytes
// tell.
package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mp4"
	"github.com/framewire/framewire/server/internal/mpegts"
	"github.com/framewire/framewire/server/internal/source/ffmpeg"
	"github.com/framewire/framewire/server/internal/source/process"
)

// ErrNoCommand reports an empty command.
var ErrNoCommand = errors.New("no command")

// Source runs one command.
type Source struct {
	argv []string
	log  *slog.Logger
}

// New returns a source for the command, which no shell sees.
func New(argv []string, log *slog.Logger) (*Source, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, ErrNoCommand
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Source{argv: argv, log: log}, nil
}

// Run implements media.Source.
func (s *Source) Run(ctx context.Context, sink media.Sink) error {
	command := process.Command{Argv: s.argv, Outputs: 1, Log: s.log, Line: line}
	return process.Run(ctx, command, func(outputs []*os.File) error {
		return Read(ctx, outputs[0], 0, s.log, sink)
	})
}

// line logs what the command has to say, which may name URLs.
func line(text string) (slog.Level, string) { return slog.LevelWarn, ffmpeg.Redact(text) }

// Read reads media of any container from a pipe, whose read deadline is used, until
// it ends or the context is done and whoever writes to the pipe stops. With stall
// it fails with os.ErrDeadlineExceeded when nothing comes for so long.
//
// What cannot be played as it is goes through ffmpeg; without ffmpeg, the rest is
// played and the log tells what is missing.
func Read(ctx context.Context, pipe *os.File, stall time.Duration, log *slog.Logger, sink media.Sink) error {
	in := &attempt{Sink: sink, pipe: pipe, stall: stall, log: log}
	if err := in.peek(); err != nil {
		return err
	}
	demux := in.demuxer()
	if demux == nil {
		return ffmpeg.Convert(ctx, in.head, pipe, log, sink)
	}
	err := demux(false)
	if in.started || !isUnsupported(err) {
		return err
	}
	log.Info("reading on through ffmpeg", "reason", err)
	converted := ffmpeg.Convert(ctx, in.kept, pipe, log, sink)
	if !errors.Is(converted, ffmpeg.ErrMissing) {
		return converted
	}
	in.again()
	if partly := demux(true); in.started {
		return partly
	}
	return fmt.Errorf("%w; %w", err, converted)
}

// errMP3 sends MP3 through ffmpeg: Media Source Extensions take it out of MP4 in
// Firefox alone.
var errMP3 = errors.New("MP3 does not play out of MP4 in most browsers")

// isUnsupported reports errors that ffmpeg can help with.
func isUnsupported(err error) bool {
	return errors.Is(err, mp4.ErrNotFragmented) || errors.Is(err, mp4.ErrNoTracks) ||
		errors.Is(err, mpegts.ErrUnsupported) || errors.Is(err, errMP3)
}

// demuxer returns what reads the container that the head is of, as much as can be
// played of it or else nothing; nil where only ffmpeg may know it.
func (a *attempt) demuxer() func(partial bool) error {
	switch {
	case isMP4(a.head):
		a.log.Info("reading MP4")
		return func(partial bool) error {
			a.partial = partial
			return mp4.Demux(a, a, mp4.Options{Partial: partial, LeftOut: a.leftOut})
		}
	case mpegts.Recognize(a.head):
		a.log.Info("reading MPEG-TS")
		return func(partial bool) error {
			a.partial = partial
			return mpegts.Demux(a, a, mpegts.Options{Partial: partial})
		}
	}
	return nil
}

const (
	// headSize is what recognition needs: three packets of MPEG-TS.
	headSize = 3 * 204

	// maxKept bounds what is kept of the beginning for ffmpeg, should it turn out
	// that nothing else can read it: program maps and moov boxes come early, and
	// parameters within seconds.
	maxKept = 32 << 20
)

// isMP4 reports whether the head is that of an MP4: a box of a type that comes
// first.
func isMP4(head []byte) bool {
	if len(head) < 8 {
		return false
	}
	switch string(head[4:8]) {
	case "ftyp", "styp", "moov", "moof", "sidx", "free", "skip", "emsg", "prft", "mdat", "wide":
		return true
	}
	return false
}

// attempt feeds a reader and keeps what it is given until media comes out.
type attempt struct {
	media.Sink
	pipe    *os.File
	stall   time.Duration
	log     *slog.Logger
	head    []byte // not given out yet
	kept    []byte
	partial bool
	started bool
}

// again begins anew with what was kept.
func (a *attempt) again() { a.head, a.kept = a.kept, nil }

func (a *attempt) leftOut(u mp4.Unsupported) {
	a.log.Warn("a track is left out", "kind", u.Kind().String(), "track", u.ID, "format", u.Format, "reason", u.Err)
}

// peek reads the first bytes; fewer when the output ends early.
func (a *attempt) peek() error {
	head := make([]byte, headSize)
	n, err := io.ReadFull(a, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err // io.EOF: whoever wrote nothing tells why
	}
	a.head = head[:n]
	return nil
}

// Start implements media.Sink.
func (a *attempt) Start(tracks []media.Track) error {
	mp3 := slices.ContainsFunc(tracks, func(t media.Track) bool { return t.Codec == media.MP3 })
	if mp3 && !a.partial && !a.started {
		return errMP3
	}
	a.started, a.kept = true, nil
	return a.Sink.Start(tracks)
}

// Read implements io.Reader.
func (a *attempt) Read(p []byte) (int, error) {
	if len(a.head) > 0 {
		n := copy(p, a.head)
		a.head = a.head[n:]
		return n, nil
	}
	if a.stall > 0 {
		if err := a.pipe.SetReadDeadline(time.Now().Add(a.stall)); err != nil {
			return 0, err
		}
	}
	n, err := a.pipe.Read(p)
	if !a.started {
		if len(a.kept)+n > maxKept {
			return n, fmt.Errorf("nothing to play in the first %d MB", maxKept>>20)
		}
		a.kept = append(a.kept, p[:n]...)
	}
	return n, err
}

var _ media.Source = (*Source)(nil)
