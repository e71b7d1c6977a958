//go:build unix

package process

import (
	"os"
	"syscall"
)

// terminate asks the process group to end.
func terminate(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGTERM) }

// killGroup kills what is left of the group that pid headed. Its number is not
// given to another group while a member lives.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
