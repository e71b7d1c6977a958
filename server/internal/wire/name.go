package wire

import "github.com/framewire/framewire/server/internal/media"

// MaxStreamName is the greatest length of a stream's name, in bytes.
const MaxStreamName = media.MaxStreamName

// CheckStreamName returns nil for a name that a stream may have.
func CheckStreamName(name string) error { return media.CheckStreamName(name) }
