package ffmpeg

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/source/process"
)

// carried are the schemes that carry bare bytes, mostly MPEG-TS.
var carried = []string{"srt", "udp", "tcp"}

// Reader reads media of whatever container from a pipe; see the package exec. It
// fails with os.ErrDeadlineExceeded when nothing comes for as long as stall.
type Reader func(ctx context.Context, pipe *os.File, stall time.Duration, log *slog.Logger, sink media.Sink) error

// Transport is a source for URLs that carry bare bytes. ffmpeg only fetches them:
// it does not take a second or two to find out what they hold, holds back no frame
// to see the next, and takes a peer's one call.
type Transport struct {
	options []string // of the input
	url     string
	read    Reader
	log     *slog.Logger
}

// NewTransport returns the source of a URL, or nil when its scheme is not of this
// kind.
func NewTransport(url string, read Reader, log *slog.Logger) *Transport {
	scheme, _, _ := strings.Cut(url, ":")
	for _, c := range carried {
		if strings.EqualFold(scheme, c) {
			if log == nil {
				log = slog.New(slog.DiscardHandler)
			}
			return &Transport{url: url, read: read, log: log}
		}
	}
	return nil
}

// Run implements media.Source.
func (s *Transport) Run(ctx context.Context, sink media.Sink) error {
	if err := available(); err != nil {
		return err
	}
	argv := append(globals("warning"), s.options...)
	argv = append(argv, "-f", "data", "-i", s.url,
		"-map", "0", "-c", "copy", "-flush_packets", "1", "-f", "data", "pipe:1")
	command := process.Command{Argv: argv, Outputs: 1, Log: s.log, Line: parseLine}
	err := process.Run(ctx, command, func(outputs []*os.File) error {
		return s.read(ctx, outputs[0], stallLimit, s.log, sink)
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errStalled
	}
	return err
}

var _ media.Source = (*Transport)(nil)
