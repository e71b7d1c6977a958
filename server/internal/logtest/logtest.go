// Package logtest is a log for tests to look into.
package logtest

import (
	"bytes"
	"strings"
	"sync"
)

// Text keeps what is written to it, and can be read meanwhile. Its zero value is
// empty and ready for use, by any number of goroutines.
type Text struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (t *Text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

// String returns all that was written so far.
func (t *Text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// Count returns how often something was written so far.
func (t *Text) Count(what string) int { return strings.Count(t.String(), what) }
