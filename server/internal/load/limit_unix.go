//go:build unix

package load

import (
	"fmt"
	"syscall"
)

// spareDescriptors are for everything that is not a viewer.
const spareDescriptors = 64

// checkDescriptors reports when this process may not hold so many connections.
// Go raises the soft limit to the hard one by itself.
func checkDescriptors(viewers int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil // unknown; dialling will tell
	}
	if need := uint64(viewers + spareDescriptors); limit.Cur < need {
		return fmt.Errorf("%w: %d viewers need %d file descriptors and this process may hold %d: raise it with ulimit -n %d, or for a service with LimitNOFILE",
			ErrInvalid, viewers, need, limit.Cur, need)
	}
	return nil
}
