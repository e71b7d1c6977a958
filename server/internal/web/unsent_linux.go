package web

import (
	"net"
	"syscall"
)

// maxUnsent bounds what the kernel holds for a peer that takes data slowly,
// beyond what is on its way. Where megabytes could wait there, a slow viewer
// would be seconds behind before its session noticed.
const maxUnsent = 128 << 10

// tcpNotsentLowat is TCP_NOTSENT_LOWAT of linux/tcp.h.
const tcpNotsentLowat = 25

// limitUnsent is an improvement only: where the kernel refuses, nothing is lost.
func limitUnsent(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotsentLowat, maxUnsent)
	})
}
