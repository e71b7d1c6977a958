//go:build !unix

package web

import "net"

// attempt is for systems on which a connection can be written to without
// waiting.
type attempt struct{}

func (*attempt) open(net.Conn) {}

func (*attempt) can() bool { return false }

func (*attempt) write([]byte) (int, error) { return 0, nil }
