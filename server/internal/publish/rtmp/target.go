package rtmp

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/framewire/framewire/server/internal/publish"
)

const (
	// maxName and maxKey bound what is taken from a publisher before the desk
	// looks at it. Keys may be signed tokens.
	maxName = 256
	maxKey  = 8 << 10
)

// target is where a publisher wants to go, as far as connect tells.
type target struct {
	path string // behind the application, may be empty
	key  string
}

// parseTarget takes apart the app of a connect command, such as "live",
// "live/cam" or "live?key=x". The query may also stand in tcUrl alone.
func parseTarget(app, tcURL, wanted string) (target, error) {
	path, query, _ := strings.Cut(app, "?")
	name, rest, _ := strings.Cut(strings.Trim(path, "/"), "/")
	if name != wanted {
		return target{}, fmt.Errorf("%w: there is no application %.40q here; publish to rtmp://HOST/%s/STREAM",
			publish.ErrBadName, name, wanted)
	}
	key := keyOf(query)
	if _, query, found := strings.Cut(tcURL, "?"); key == "" && found {
		key = keyOf(query)
	}
	return target{path: strings.Trim(rest, "/"), key: key}, nil
}

// stream joins what connect told with the name of a publish command, such as
// "cam", "cam?key=x" or "?key=x".
func (t target) stream(name string) (stream, key string, err error) {
	name, query, _ := strings.Cut(name, "?")
	stream = strings.Trim(t.path+"/"+strings.Trim(name, "/"), "/")
	if key = keyOf(query); key == "" {
		key = t.key
	}
	switch {
	case len(stream) > maxName:
		return "", "", fmt.Errorf("%w: %d bytes", publish.ErrBadName, len(stream))
	case len(key) > maxKey:
		return "", "", fmt.Errorf("%w: %d bytes", publish.ErrBadKey, len(key))
	}
	return stream, key, nil
}

// keyOf returns the key of a query. A plus sign is one: keys are pasted as they
// are more often than they are encoded as form fields.
func keyOf(query string) string {
	for field := range strings.SplitSeq(query, "&") {
		if raw, found := strings.CutPrefix(field, "key="); found {
			if key, err := url.PathUnescape(raw); err == nil {
				return key
			}
			return raw
		}
	}
	return ""
}
