package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ticksPerSecond is USER_HZ, which is 100 on every Linux.
const ticksPerSecond = 100

// childWait bounds the start and the end of a child.
const childWait = 20 * time.Second

// child is this program in another process, which is to be measured.
type child struct {
	cmd     *exec.Cmd
	address string
	said    bytes.Buffer // the end of what it said; owned by reader until it is done
	reader  sync.WaitGroup
}

// startChild runs this program with args, which must make it say on standard
// error or output a line in which found finds the address that it listens on.
func startChild(ctx context.Context, found func(line string) string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self, args...)}
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = childWait
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stderr = c.cmd.Stdout
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	address := make(chan string, 1)
	c.reader.Go(func() { c.listen(out, found, address) })
	select {
	case a, ok := <-address:
		if ok {
			c.address = a
			return c, nil
		}
	case <-time.After(childWait):
	case <-ctx.Done():
	}
	_ = c.stop()
	return nil, fmt.Errorf("%s did not start: %s", strings.Join(args, " "), strings.TrimSpace(c.said.String()))
}

// maxSaid bounds what is kept of a child's words.
const maxSaid = 16 << 10

func (c *child) listen(out io.Reader, found func(string) string, address chan<- string) {
	defer close(address)
	told := false
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if a := found(lines.Text()); a != "" && !told {
			address <- a
			told = true
		}
		if c.said.Len() < maxSaid {
			fmt.Fprintln(&c.said, lines.Text())
		}
	}
}

// stop asks the child to end, and waits for it.
func (c *child) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	kill := time.AfterFunc(childWait, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	c.reader.Wait()
	return c.cmd.Wait()
}

// cpu is the processor time that the child has taken so far.
func (c *child) cpu() (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("processor time of a process (needs Linux): %w", err)
	}
	// The name, in parentheses, may hold spaces; utime and stime are fields 14
	// and 15 (proc_pid_stat(5)).
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, errors.New("processor time: /proc/PID/stat cannot be read")
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("processor time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// resident is the memory that the child holds, in bytes.
func (c *child) resident() (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("memory of a process (needs Linux): %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("memory: /proc/PID/status has no VmRSS")
}
