package main

import (
	"io"
	"os"
	"syscall"
)

// enlarge lets the pipe hold a whole picture, so that writing one does not take
// as many turns as the pipe's 64 kB fit into it. It is not needed to work.
func enlarge(pipe io.Writer) {
	const setPipeSize = 1031 // F_SETPIPE_SZ, fcntl(2)
	file, ok := pipe.(*os.File)
	if !ok {
		return
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _, _, _ = syscall.Syscall(syscall.SYS_FCNTL, fd, setPipeSize, 1<<20) })
}
