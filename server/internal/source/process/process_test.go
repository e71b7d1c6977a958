package process_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/source/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shell is a command that does what script says.
func shell(script string) process.Command {
	return process.Command{Argv: []string{"/bin/sh", "-c", script}}
}

// lineOf reads the first line of an output.
func lineOf(t *testing.T, r io.Reader) string {
	t.Helper()
	var line []byte
	for b := make([]byte, 1); ; {
		if _, err := r.Read(b); err != nil || b[0] == '\n' {
			return string(line)
		}
		line = append(line, b[0])
	}
}

// gone waits until there is no such process, or only what is left of it for its
// parent to collect.
func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}

func TestOutputsAreSeparate(t *testing.T) {
	c := shell("echo one; echo two >&3; echo three >&4")
	c.Outputs = 3
	var got []string
	err := process.Run(t.Context(), c, func(outputs []*os.File) error {
		for _, o := range outputs {
			text, err := io.ReadAll(o)
			if err != nil {
				return err
			}
			got = append(got, strings.TrimSpace(string(text)))
		}
		return nil
	})
	if err != nil || !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFailureNamesStatusAndLastLine(t *testing.T) {
	for _, c := range []struct{ script, status, last string }{
		{"echo first >&2; echo the reason >&2; exit 3", "exit status 3", "the reason"},
		{"exit 1", "exit status 1", ""},
		{"echo before >&2; kill -KILL $$", "signal: killed", "before"},
	} {
		command := shell(c.script)
		command.Outputs = 1
		err := process.Run(t.Context(), command, func(outputs []*os.File) error {
			_, err := io.ReadAll(outputs[0])
			return err
		})
		var exit *process.ExitError
		if !errors.As(err, &exit) {
			t.Fatalf("%s: %v", c.script, err)
		}
		if !strings.Contains(exit.Status, c.status) || exit.LastLine != c.last {
			t.Errorf("%s: %+v", c.script, exit)
		}
	}
}

func TestCancelEndsTheWholeGroup(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"willing", "sleep 600 & echo $!; wait"},
		{"unwilling", "trap '' TERM; (trap '' TERM; sleep 600) & echo $!; wait; wait; wait"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			command := shell(c.script)
			command.Outputs = 1
			var child int
			err := process.Run(ctx, command, func(outputs []*os.File) error {
				child, _ = strconv.Atoi(lineOf(t, outputs[0]))
				cancel()
				_, err := io.ReadAll(outputs[0])
				return err
			})
			if !errors.Is(err, context.Canceled) || child == 0 {
				t.Errorf("child %d: %v", child, err)
			}
			gone(t, child)
		})
	}
}

func TestChildLeftBehindIsKilled(t *testing.T) {
	command := shell("sleep 600 >/dev/null 2>&1 & echo $!")
	command.Outputs = 1
	var child int
	err := process.Run(t.Context(), command, func(outputs []*os.File) error {
		child, _ = strconv.Atoi(lineOf(t, outputs[0]))
		return nil
	})
	if err != nil || child == 0 {
		t.Errorf("child %d: %v", child, err)
	}
	gone(t, child)
}

func TestHandlersErrorStopsTheCommand(t *testing.T) {
	full := errors.New("full")
	command := shell("echo $$; exec sleep 600")
	command.Outputs = 1
	var pid int
	err := process.Run(t.Context(), command, func(outputs []*os.File) error {
		pid, _ = strconv.Atoi(lineOf(t, outputs[0]))
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	gone(t, pid)
}

// endless is an input that has nothing more to give until it is closed.
type endless struct {
	text   io.Reader
	closed chan struct{}
	once   sync.Once
}

func (e *endless) Read(p []byte) (int, error) {
	if n, err := e.text.Read(p); err == nil {
		return n, nil
	}
	<-e.closed
	return 0, io.ErrClosedPipe
}

func (e *endless) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}

func TestInputThatBlocksIsLetGo(t *testing.T) {
	command := shell("read line; echo got $line")
	command.Outputs = 1
	command.Stdin = &endless{text: strings.NewReader("hello\n"), closed: make(chan struct{})}
	var got string
	err := process.Run(t.Context(), command, func(outputs []*os.File) error {
		got = lineOf(t, outputs[0])
		return nil
	})
	if err != nil || got != "got hello" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFloodOfMessagesIsThinned(t *testing.T) {
	var log bytes.Buffer
	command := shell("i=0; while [ $i -lt 3000 ]; do echo message $i >&2; i=$((i+1)); done; exit 1")
	command.Log = slog.New(slog.NewTextHandler(&log, nil))
	err := process.Run(t.Context(), command, nil)
	var exit *process.ExitError
	if !errors.As(err, &exit) || exit.LastLine != "message 2999" {
		t.Errorf("%v", err)
	}
	if n := strings.Count(log.String(), "\n"); n > 60 || n < 10 {
		t.Errorf("%d lines were logged", n)
	}
	if !strings.Contains(log.String(), "count=") {
		t.Error("nothing tells how many are missing")
	}
}

func TestLongLinesAreCut(t *testing.T) {
	var lines []string
	command := shell("head -c 100000 /dev/zero | tr '\\0' x >&2; echo >&2; echo end >&2")
	command.Lines = func(line string) { lines = append(lines, line) }
	if err := process.Run(t.Context(), command, nil); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 2 || len(lines[0]) > 4096 || lines[1] != "end" {
		t.Errorf("%d lines", len(lines))
	}
}

func TestMissingProgram(t *testing.T) {
	err := process.Run(t.Context(), process.Command{Argv: []string{"framewire-no-such-program"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "framewire-no-such-program") {
		t.Errorf("%v", err)
	}
}
