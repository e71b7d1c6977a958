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
		return s.read(ctx, outputs[0], sink)
	})
}

// line logs what the command has to say, which may name URLs.
func line(text string) (slog.Level, string) { return slog.LevelWarn, ffmpeg.Redact(text) }

// read finds out what comes and reads it.
func (s *Source) read(ctx context.Context, output *os.File, sink media.Sink) error {
	head, err := peek(output)
	if err != nil {
		return err
	}
	native := &attempt{Sink: sink, in: output, head: head, kept: head}
	switch {
	case isMP4(head):
		s.log.Info("the command writes MP4")
		err = mp4.Demux(native, native)
	case mpegts.Recognize(head):
		s.log.Info("the command writes MPEG-TS")
		err = mpegts.Demux(native, native, mpegts.Options{})
	default:
		return ffmpeg.Convert(ctx, head, output, s.log, sink)
	}
	if !native.started && (errors.Is(err, mp4.ErrNotFragmented) || errors.Is(err, mp4.ErrNoTracks) || errors.Is(err, mpegts.ErrUnsupported)) {
		s.log.Info("reading the command's output through ffmpeg", "reason", err)
		return ffmpeg.Convert(ctx, native.kept, output, s.log, sink)
	}
	return err
}

const (
	// headSize is what recognition needs: three packets of MPEG-TS.
	headSize = 3 * 204

	// maxKept bounds what is kept of the beginning for ffmpeg, should it turn out
	// that nothing else can read it: program maps and moov boxes come early.
	maxKept = 8 << 20
)

// peek reads the first bytes; fewer when the output ends early.
func peek(output io.Reader) ([]byte, error) {
	head := make([]byte, headSize)
	n, err := io.ReadFull(output, head)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = nil
	case errors.Is(err, io.EOF):
		return nil, io.EOF // the process tells why
	case err != nil:
		return nil, fmt.Errorf("read the command's output: %w", err)
	}
	return head[:n], err
}

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
	in      io.Reader
	head    []byte // not given out yet
	kept    []byte
	started bool
}

// Start implements media.Sink.
func (a *attempt) Start(tracks []media.Track) error {
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
	n, err := a.in.Read(p)
	if !a.started {
		if len(a.kept)+n > maxKept {
			return n, fmt.Errorf("nothing to play in the first %d MB of the command's output", maxKept>>20)
		}
		a.kept = append(a.kept, p[:n]...)
	}
	return n, err
}

var _ media.Source = (*Source)(nil)
