package wire

import (
	"errors"
	"fmt"
	"strings"
)

// MaxStreamName is the greatest length of a stream's name, in bytes.
const MaxStreamName = 128

// CheckStreamName returns nil for a name that a stream may have: 1 to 128 of the
// characters a-z A-Z 0-9 . _ ~ -, and / between parts; no part is empty, `.` or
// `..`.
func CheckStreamName(name string) error {
	if name == "" {
		return errors.New("a stream name is needed")
	}
	if len(name) > MaxStreamName {
		return fmt.Errorf("stream name of %d bytes; at most %d are allowed", len(name), MaxStreamName)
	}
	for i := range len(name) {
		if !nameByte(name[i]) {
			return fmt.Errorf("stream name has %q at byte %d; allowed are a-z A-Z 0-9 . _ ~ - and / between parts", name[i], i)
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "":
			return errors.New("stream name has an empty part; / stands between parts only")
		case ".", "..":
			return fmt.Errorf("stream name has the part %q, which paths cannot carry", part)
		}
	}
	return nil
}

func nameByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	default:
		return strings.IndexByte("._~-/", c) >= 0
	}
}
