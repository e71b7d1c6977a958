// Package process runs the commands that sources are made of: each in a process
// group of its own that ends with the server, its complaints in the log, its
// output in pipes.
package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// stopGrace is how long a command may take to end after it was asked to:
	// long enough for ffmpeg to close an RTSP session.
	stopGrace = time.Second

	// drainGrace is how long pipes may stay open after the command has ended,
	// held by a child that left the process group.
	drainGrace = 250 * time.Millisecond
)

// Command describes what to run. All fields but Argv are optional.
type Command struct {
	// Argv is the program and its arguments. No shell is involved.
	Argv []string

	// Outputs is the number of pipes that the handler reads: the first is
	// standard output, the others are descriptors 3, 4 ... of the command. With 0
	// standard output is discarded.
	Outputs int

	// Stdin is copied to the command's standard input. Run closes it when the
	// command has ended, which must unblock a pending Read. Nil gives no input.
	Stdin io.ReadCloser

	// Log receives what the command writes to standard error.
	Log *slog.Logger

	// Line, when set, gives a line of standard error its level and its text. By
	// default lines are warnings.
	Line func(line string) (slog.Level, string)

	// Lines, when set, is given every line before it is logged, on a goroutine of
	// Run's, until Run returns.
	Lines func(line string)
}

// ExitError reports a command that ended by itself and unsuccessfully.
type ExitError struct {
	Program  string
	Status   string // such as "exit status 1" or "signal: killed"
	LastLine string // the last warning or error that it wrote, or empty
}

func (e *ExitError) Error() string {
	if e.LastLine == "" {
		return fmt.Sprintf("%s: %s", e.Program, e.Status)
	}
	return fmt.Sprintf("%s: %s: %s", e.Program, e.Status, e.LastLine)
}

// Run starts the command, calls handle with its outputs, and returns when both
// are done and the whole process group is gone. When ctx ends, or handle returns,
// the command is asked to stop, and killed if it does not. A nil handle waits for
// the command to end.
//
// Outputs end with io.EOF when the command ends. They are closed by Run; their
// read deadlines may be used by handle. Run returns ctx's error when
// that ended the command; else what handle returned, if not nil or io.EOF; else
// an *ExitError for an unsuccessful end. That comes before an
// io.ErrUnexpectedEOF of handle's, whose cause it is.
func Run(ctx context.Context, c Command, handle func(outputs []*os.File) error) error {
	p, err := start(c)
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()

	var tasks sync.WaitGroup
	tasks.Go(func() { p.stderr.copyTo(c, p.stderrPipe) })
	if c.Stdin != nil {
		tasks.Go(func() { p.feed(c.Stdin) })
	}
	exited := make(chan struct{})
	tasks.Go(func() { p.supervise(running, exited) })

	var handled error
	if handle != nil {
		handled = handle(p.outputs)
	}
	cutOff := errors.Is(handled, io.ErrUnexpectedEOF)
	stopped := handled != nil && !errors.Is(handled, io.EOF) && !cutOff
	switch {
	case stopped:
		cancel()
	case handle != nil:
		stop := time.AfterFunc(stopGrace, cancel)
		defer stop.Stop()
	}
	ended := p.cmd.Wait()
	close(exited)
	p.cleanUp(c.Stdin)
	tasks.Wait()
	p.close()

	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case stopped:
		return handled
	case ended != nil:
		return p.exitError(ended)
	case cutOff:
		return handled
	default:
		return nil
	}
}

// child is a started command.
type child struct {
	cmd        *exec.Cmd
	outputs    []*os.File // our ends
	stderrPipe *os.File
	stdin      *os.File // nil without input
	stderr     complaints
}

func start(c Command) (*child, error) {
	if len(c.Argv) == 0 {
		return nil, errors.New("no command to run")
	}
	p := &child{cmd: exec.Command(c.Argv[0], c.Argv[1:]...)}
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	pipe := func() (r, w *os.File, err error) {
		r, w, err = os.Pipe()
		if err != nil {
			return nil, nil, fmt.Errorf("start %s: %w", c.Argv[0], err)
		}
		return r, w, nil
	}
	for i := range c.Outputs {
		r, w, err := pipe()
		if err != nil {
			p.close()
			return nil, err
		}
		p.outputs, theirs = append(p.outputs, r), append(theirs, w)
		if i == 0 {
			p.cmd.Stdout = w
		} else {
			p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, w)
		}
	}
	r, w, err := pipe()
	if err != nil {
		p.close()
		return nil, err
	}
	p.stderrPipe, p.cmd.Stderr, theirs = r, w, append(theirs, w)
	if c.Stdin != nil {
		r, w, err := pipe()
		if err != nil {
			p.close()
			return nil, err
		}
		p.stdin, p.cmd.Stdin, theirs = w, r, append(theirs, r)
	}
	isolate(p.cmd)
	if err := p.cmd.Start(); err != nil {
		p.close()
		return nil, fmt.Errorf("start %s: %w", c.Argv[0], err)
	}
	return p, nil
}

// supervise stops the process group when ctx ends before the command does.
func (p *child) supervise(ctx context.Context, exited <-chan struct{}) {
	select {
	case <-exited:
		return
	case <-ctx.Done():
	}
	terminate(p.cmd.Process)
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-exited:
		return
	case <-grace.C:
		killGroup(p.cmd.Process.Pid)
	}
	// What is still held open by a child outside the group is not waited for.
	for _, f := range p.outputs {
		_ = f.SetReadDeadline(time.Now().Add(drainGrace))
	}
}

// cleanUp ends whatever the command has left behind, and what waits for it.
func (p *child) cleanUp(stdin io.Closer) {
	killGroup(p.cmd.Process.Pid)
	_ = p.stderrPipe.SetReadDeadline(time.Now().Add(drainGrace))
	if p.stdin != nil {
		_ = p.stdin.SetWriteDeadline(time.Now())
		_ = stdin.Close()
	}
}

func (p *child) close() {
	for _, f := range p.outputs {
		f.Close()
	}
	for _, f := range []*os.File{p.stderrPipe, p.stdin} {
		if f != nil {
			f.Close()
		}
	}
}

// feed copies input to the command. That it ends early is the command's affair.
func (p *child) feed(stdin io.Reader) {
	_, _ = io.Copy(p.stdin, stdin)
	_ = p.stdin.Close()
}

func (p *child) exitError(ended error) error {
	var status *exec.ExitError
	if !errors.As(ended, &status) {
		return fmt.Errorf("wait for %s: %w", p.cmd.Args[0], ended)
	}
	return &ExitError{Program: p.cmd.Args[0], Status: describe(status.ProcessState), LastLine: p.stderr.last}
}

func describe(s *os.ProcessState) string {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return "ended by signal: " + w.Signal().String()
	}
	return s.String()
}

const (
	// maxLine bounds one line of standard error; the rest of it is dropped.
	maxLine = 2048

	// A command may log linesBurst lines at once and linesPerSecond from then on;
	// the rest are counted. A stream that is broken in every packet must not fill
	// the disk.
	linesBurst     = 20
	linesPerSecond = 5
)

// complaints is what a command writes to standard error.
type complaints struct {
	last string // read after copyTo has returned

	tokens  float64
	filled  time.Time
	dropped int
}

func (s *complaints) copyTo(c Command, pipe io.Reader) {
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s.tokens, s.filled = linesBurst, time.Now()
	lines := bufio.NewReaderSize(pipe, maxLine)
	for {
		raw, more, err := lines.ReadLine()
		text := strings.TrimRight(string(raw), " \t\r")
		for more && err == nil {
			_, more, err = lines.ReadLine()
		}
		if text != "" {
			s.line(c, log, text)
		}
		if err != nil {
			if s.dropped > 0 {
				log.Warn("more messages from the command were not logged", "count", s.dropped)
			}
			return
		}
	}
}

func (s *complaints) line(c Command, log *slog.Logger, text string) {
	if c.Lines != nil {
		c.Lines(text)
	}
	level := slog.LevelWarn
	if c.Line != nil {
		level, text = c.Line(text)
	}
	if level >= slog.LevelWarn {
		s.last = text
	}
	if !log.Enabled(context.Background(), level) {
		return
	}
	now := time.Now()
	s.tokens = min(linesBurst, s.tokens+now.Sub(s.filled).Seconds()*linesPerSecond)
	s.filled = now
	if s.tokens < 1 {
		s.dropped++
		return
	}
	s.tokens--
	if s.dropped > 0 {
		log.Warn("messages from the command were not logged", "count", s.dropped)
		s.dropped = 0
	}
	log.Log(context.Background(), level, text)
}
