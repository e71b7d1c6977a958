//go:build !linux

package load

import (
	"net"
	"time"
)

// poller is for Linux; elsewhere every viewer has a goroutine.
type poller struct{}

func newPoller(*shard, time.Duration) (*poller, error) { return &poller{}, nil }

func (*poller) add(*viewer, net.Conn, []byte) (bool, error) { return false, nil }

func (*poller) stop() {}
