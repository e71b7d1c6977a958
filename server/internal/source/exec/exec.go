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
func Read(ctx context.Context, pipe *os.File, stall time.Duration, log *slog.Logger, sink media.Sink) error {
	in := &attempt{Sink: sink, pipe: pipe, stall: stall}
	if err := in.peek(); err != nil {
		return err
	}
	head := in.head
	var err error
	switch {
	case isMP4(head):
		log.Info("reading MP4")
		err = mp4.Demux(in, in)
	case mpegts.Recognize(head):
		log.Info("reading MPEG-TS")
		err = mpegts.Demux(in, in, mpegts.Options{})
	default:
		return ffmpeg.Convert(ctx, head, pipe, log, sink)
	}
	if !in.started && (errors.Is(err, mp4.ErrNotFragmented) || errors.Is(err, mp4.ErrNoTracks) || errors.Is(err, mpegts.ErrUnsupported)) {
		log.Info("reading on through ffmpeg", "reason", err)
		return ffmpeg.Convert(ctx, in.kept, pipe, log, sink)
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
	head    []byte // not given out yet
	kept    []byte
	started bool
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
