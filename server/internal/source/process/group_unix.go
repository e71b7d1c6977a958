//go:build unix && !linux

package process

import (
	"os/exec"
	"syscall"
)

// isolate puts the command at the head of its own process group.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
