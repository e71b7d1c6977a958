package web

import (
	"testing"

	"github.com/framewire/framewire/server/internal/gate"
)

// TellRefusedPages has only so many pages that may not play told so while a test
// runs, however long it takes.
func TellRefusedPages(t *testing.T, burst int) {
	before := pagesTold
	pagesTold = gate.Limits{PerSecond: 1, Burst: burst}
	t.Cleanup(func() { pagesTold = before })
}
