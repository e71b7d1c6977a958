// Package ffmpeg is the source for everything that ffmpeg can read: cameras,
// servers, devices, files in other containers. An ffmpeg process does the reading;
// what plays in browsers as it is comes through untouched, the rest is encoded
// anew.
//
//	probe -> plan -> ffmpeg -> one NUT stream a track -> elementary.Program -> Sink
//
// Each track has a pipe of its own: in a shared one ffmpeg holds every packet back
// until it has one of the other track.
package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/source/process"
)

// ErrMissing reports that there is no ffmpeg to run.
var ErrMissing = errors.New("ffmpeg is not installed; install it (Debian, Ubuntu: apt-get install ffmpeg; macOS: brew install ffmpeg; others: https://ffmpeg.org/download.html)")

// program is looked up in PATH each time, so that it may be installed while the
// server runs.
const program = "ffmpeg"

// Options describe what to read. Args are required.
type Options struct {
	// Args are ffmpeg's own input arguments, ending with the last -i and its
	// value. Inputs that are not live by nature are paced with -re.
	Args []string

	// Loop begins finite inputs anew when they end.
	Loop bool

	// Encode has all tracks encoded, also those that browsers play as they are. What
	// an edit list leaves out of a file, a copy would show.
	Encode bool

	// Read, when set, reads what comes over udp, tcp or srt, unless it is said to be
	// something else than MPEG-TS, and live MPEG-TS behind http URLs, with less delay
	// than ffmpeg does.
	Read Reader

	// Log receives what ffmpeg has to say. Credentials in URLs are left out.
	Log *slog.Logger
}

// Source is a media.Source. It remembers from one Run to the next what the input
// holds, for as long as that works.
type Source struct {
	inputs []input
	loop   bool
	encode bool
	log    *slog.Logger

	read Reader

	mu        sync.Mutex
	plan      *plan      // nil before the first probe
	transport *Transport // takes the place of plan
}

// New checks the arguments. It does not look for ffmpeg yet.
func New(o Options) (*Source, error) {
	inputs, err := parseInputs(o.Args)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Source{inputs: inputs, loop: o.Loop, encode: o.Encode, read: o.Read, log: o.Log}, nil
}

// Run implements media.Source.
func (s *Source) Run(ctx context.Context, sink media.Sink) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := available(); err != nil {
		return err
	}
	if s.read != nil && len(s.inputs) == 1 && s.transport == nil {
		if options, ok := s.inputs[0].liveTransport(); ok {
			s.carry(options)
		}
	}
	if s.transport == nil && slices.ContainsFunc(s.inputs, func(in input) bool { return in.once() }) {
		return s.relay(ctx, sink)
	}
	if s.plan == nil && s.transport == nil {
		if err := s.prepare(ctx); err != nil {
			return err
		}
	}
	var delivered bool
	var err error
	if s.transport != nil {
		watched := &watch{Sink: sink}
		err = s.transport.Run(ctx, watched)
		delivered = watched.started
	} else {
		delivered, err = s.plan.run(ctx, s.log, nil, sink)
	}
	if !delivered || errors.Is(err, errChanged) {
		s.plan, s.transport = nil, nil // whatever was found there has gone or changed
	}
	return err
}

// watch notes whether media came.
type watch struct {
	media.Sink
	started bool
}

func (w *watch) Start(tracks []media.Track) error {
	w.started = true
	return w.Sink.Start(tracks)
}

// prepare finds out what the inputs hold and how to read them.
func (s *Source) prepare(ctx context.Context) error {
	found, err := probe(ctx, s.inputs, nil)
	if err != nil {
		return err
	}
	if s.read != nil && len(s.inputs) == 1 {
		if options, ok := s.inputs[0].liveHTTP(found.formats[0]); ok {
			s.carry(options)
			return nil
		}
	}
	if s.plan, err = newPlan(s.inputs, found, s.loop); err != nil {
		return err
	}
	if s.encode {
		s.plan.encode()
	}
	s.log.Info("ffmpeg input", "plan", s.plan.String())
	return nil
}

// carry has ffmpeg fetch the only input's bytes and no more.
func (s *Source) carry(options []string) {
	s.transport = &Transport{options: options, url: s.inputs[0].url, read: s.read, log: s.log}
	s.log.Info("ffmpeg input", "plan", "carried only")
}

// relay reads inputs that can be opened only once: one ffmpeg reads them and hands
// everything on as it is to another, which does the rest.
func (s *Source) relay(ctx context.Context, sink media.Sink) error {
	argv := globals("warning")
	for _, in := range s.inputs {
		argv = append(argv, in.args(pace{})...)
	}
	argv = append(argv, "-map", "0:v:0?", "-map", "0:a:0?", "-c", "copy",
		"-flush_packets", "1", "-write_index", "0", "-f", "nut", "pipe:1")
	command := process.Command{Argv: argv, Outputs: 1, Log: s.log, Line: parseLine}
	return process.Run(ctx, command, func(outputs []*os.File) error {
		return Convert(ctx, nil, outputs[0], s.log, sink)
	})
}

func available() error {
	if _, err := exec.LookPath(program); err != nil {
		return ErrMissing
	}
	return nil
}

// Convert reads media of any container from pipe and fills sink, until the media
// ends or ctx is done. Head is what was read from the pipe already. The caller
// closes pipe, whose read deadline is used here.
func Convert(ctx context.Context, head []byte, pipe *os.File, log *slog.Logger, sink media.Sink) error {
	if err := available(); err != nil {
		return err
	}
	// What comes may be a publisher's: a playlist among it must open nothing.
	inputs := []input{{options: []string{"-protocol_whitelist", "pipe"}, url: "pipe:0"}}
	recorded := &recorder{seen: head, pipe: pipe}
	found, err := probe(ctx, inputs, recorded.open)
	if err != nil {
		return err
	}
	if recorded.lost {
		return fmt.Errorf("no tracks found in the first %d MB", maxRecorded>>20)
	}
	p, err := newPlan(inputs, found, false)
	if err != nil {
		return err
	}
	log.Info("ffmpeg input", "plan", p.String())
	rest := recorded.open()
	recorded.full = true
	_, err = p.run(ctx, log, rest, sink)
	return err
}

// maxRecorded bounds what probing a pipe keeps for the run that follows. ffmpeg
// looks at 5 MB unless told otherwise.
const maxRecorded = 32 << 20

// recorder reads a pipe, and can be opened again and again from its beginning.
// One opening is in use at a time.
type recorder struct {
	pipe *os.File
	seen []byte // everything that was read
	lost bool   // more was read than is kept
	full bool   // keep no more
}

// open returns a reader of the pipe from its beginning. Closing it ends a pending
// Read and leaves the pipe open.
func (r *recorder) open() io.ReadCloser {
	_ = r.pipe.SetReadDeadline(time.Time{})
	return &replay{recorder: r, head: r.seen}
}

type replay struct {
	*recorder
	head []byte
}

func (r *replay) Read(p []byte) (n int, err error) {
	if len(r.head) > 0 {
		n = copy(p, r.head)
		r.head = r.head[n:]
		return n, nil
	}
	n, err = r.pipe.Read(p)
	switch {
	case r.full:
		r.head, r.seen = nil, nil
	case len(r.seen)+n > maxRecorded:
		r.lost = true
	default:
		r.seen = append(r.seen, p[:n]...)
	}
	return n, err
}

func (r *replay) Close() error { return r.pipe.SetReadDeadline(time.Now()) }

// globals are the arguments before all inputs.
func globals(level string) []string {
	return []string{program, "-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+" + level}
}

var _ media.Source = (*Source)(nil)
