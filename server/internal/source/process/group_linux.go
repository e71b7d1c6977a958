package process

import (
	"os/exec"
	"syscall"
)

// isolate puts the command at the head of its own process group, and has the
// kernel kill it should the server die without a chance to.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
