package desk

import (
	"context"
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
)

// byKey is the grant of a publisher that a rule let in.
var byKey = &auth.Grant{}

// admit lets a publisher in by a rule, or by its token. It may take a while, and
// is called without locks.
func (d *Desk) admit(ctx context.Context, r publish.Request) (Rule, *auth.Grant, error) {
	rule, err := d.rule(r)
	if err == nil {
		return rule, byKey, nil
	}
	tokens := d.opts.Tokens.Get()
	if tokens == nil {
		return rule, nil, err
	}
	grant, err := tokens.Verify(ctx, auth.Request{Token: r.Key, Remote: r.Remote.Addr(), Action: auth.Publish, Stream: r.Stream})
	if err == nil {
		err = grant.Allows(auth.Publish, r.Stream, time.Now())
	}
	if err != nil {
		return rule, nil, fmt.Errorf("%w, for stream %q: %w", publish.ErrBadKey, r.Stream, err)
	}
	return rule, grant, nil
}

// rule returns the rule for a stream, the zero value where there is none, and
// why it does not let the publisher in.
func (d *Desk) rule(r publish.Request) (Rule, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, rule := range d.rules {
		if !media.MatchStreamName(rule.Streams, r.Stream) {
			continue
		}
		if rule.Key != "" && subtle.ConstantTimeCompare([]byte(rule.Key), []byte(r.Key)) != 1 {
			return rule, fmt.Errorf("%w, for stream %q", publish.ErrBadKey, r.Stream)
		}
		return rule, nil
	}
	return Rule{}, fmt.Errorf("%w that may be published: %q", publish.ErrUnknownStream, r.Stream)
}
