package session

import (
	"runtime/debug"

	"github.com/framewire/framewire/server/internal/wire"
)

// guard, deferred, ends the session that a defect of the program has struck,
// and no other.
func (v *Viewer) guard() {
	reason := recover()
	if reason == nil {
		return
	}
	v.host.log.Error("a session failed by a defect of the server; please report it",
		"session", v.id, "remote", v.peer.Address, "panic", reason, "stack", string(debug.Stack()))
	v.Goodbye(wire.Goodbye{Reason: wire.GoodbyeInternalError, Message: "The server failed."})
}
