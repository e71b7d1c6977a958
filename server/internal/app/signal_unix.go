//go:build unix

package app

import (
	"os"
	"syscall"
)

// reloadSignal asks for the configuration to be read again.
var reloadSignal os.Signal = syscall.SIGHUP
