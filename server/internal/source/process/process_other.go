//go:build !unix

package process

import (
	"os"
	"os/exec"
)

// Without process groups only the command itself is ended.

func isolate(*exec.Cmd) {}

func terminate(p *os.Process) { _ = p.Kill() }

func killGroup(int) {}
