package media

import (
	"errors"
	"fmt"
	"path"
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

// CheckStreamPattern returns nil for a pattern that MatchStreamName takes.
func CheckStreamPattern(pattern string) error {
	if pattern == "" {
		return errors.New("a pattern of stream names is needed")
	}
	if _, err := path.Match(strings.TrimSuffix(pattern, "**"), ""); err != nil {
		return fmt.Errorf("pattern %q of stream names: %w", pattern, err)
	}
	return nil
}

// MatchStreamName reports whether name matches pattern: * stands for any part of
// a name between slashes, ? for one character, and ** at the end for everything
// that follows. A bad pattern matches nothing.
func MatchStreamName(pattern, name string) bool {
	prefix, open := strings.CutSuffix(pattern, "**")
	if !open {
		matched, err := path.Match(pattern, name)
		return err == nil && matched
	}
	// As many parts as the prefix has must match it; the last may be its start.
	parts := strings.SplitN(name, "/", strings.Count(prefix, "/")+1)
	if len(parts) < strings.Count(prefix, "/")+1 {
		return false
	}
	head := strings.Join(parts[:len(parts)-1], "/")
	if len(parts) > 1 {
		head += "/"
	}
	directory, start := prefix[:strings.LastIndexByte(prefix, '/')+1], prefix[strings.LastIndexByte(prefix, '/')+1:]
	matched, err := path.Match(directory, head)
	if err != nil || !matched {
		return false
	}
	matched, err = path.Match(start+"*", strings.ReplaceAll(parts[len(parts)-1], "/", "."))
	return err == nil && matched
}
