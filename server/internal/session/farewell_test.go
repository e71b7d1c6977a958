package session

import (
	"errors"
	"testing"

	"github.com/framewire/framewire/server/internal/wire"
)

// ending is a connection that ends with an error.
type ending struct {
	*link
	err error
}

func (e ending) Receive() ([]byte, bool, error) { return nil, false, e.err }

// Whatever a session ends with is told in a message, unless a close frame has gone one
// way or the other before: no message follows that.
func TestGoodbyeIsToldUnlessACloseFrameWasBefore(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error // with which receiving ends
		kicked bool
		told   wire.GoodbyeReason
	}{
		{"the client closes", errors.New("close frame"), false, 0},
		{"the client closes while it is sent away", errors.New("close frame"), true, 0},
		{"the client breaks the framing", ErrProtocol, false, 0},
		{"the client breaks the framing while it is sent away", ErrProtocol, true, 0},
		{"the client floods", ErrMessageFlood, false, wire.GoodbyeTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			lab := newLaboratory(t, 5, 4000, 500)
			lab.link.keep, lab.link.rate = true, 1e9
			lab.viewer.conn = ending{lab.link, c.err}
			lab.viewer.receive()
			if c.kicked {
				lab.viewer.Goodbye(wire.Goodbye{Reason: wire.GoodbyeKicked})
			}
			lab.step()
			var told wire.GoodbyeReason
			for _, m := range lab.link.got {
				if g := m.GetGoodbye(); g != nil {
					told = g.GetReason()
				}
			}
			if told != c.told {
				t.Errorf("told %v, want %v", told, c.told)
			}
		})
	}
}
