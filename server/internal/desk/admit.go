package desk

import (
	"context"
	"crypto/subtle"
	"errors"
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
	if d.opts.Tokens.Get() == nil {
		return rule, nil, err
	}
	grant, err := d.verify(ctx, r)
	return rule, grant, err
}

// verify reads the token that is the request's key. Errors wrap one of package
// publish's and one of package auth's.
func (d *Desk) verify(ctx context.Context, r publish.Request) (*auth.Grant, error) {
	grant, err := d.opts.Tokens.Verify(ctx, auth.Request{Token: r.Key, Remote: r.Remote.Addr(), Action: auth.Publish, Stream: r.Stream})
	why := publish.ErrBadKey
	if err == nil {
		err, why = grant.Allows(auth.Publish, r.Stream, time.Now()), publish.ErrNotAllowed
	}
	switch {
	case err == nil:
		return grant, nil
	case errors.Is(err, auth.ErrUnavailable):
		why = publish.ErrUnchecked
	case errors.Is(err, auth.ErrExpired):
		why = publish.ErrExpired
	}
	return nil, fmt.Errorf("%w, for stream %q: %w", why, r.Stream, err)
}

// Renew implements publish.Publication.
func (p *publication) Renew(ctx context.Context, token string) error {
	if p.keyed {
		return nil
	}
	r := p.request
	r.Key = token
	grant, err := p.desk.verify(ctx, r)
	if err != nil {
		return err
	}
	p.desk.mu.Lock()
	defer p.desk.mu.Unlock()
	if err := p.desk.subjectLocked(r.Stream, grant); err != nil {
		return err
	}
	p.slot.mu.Lock()
	defer p.slot.mu.Unlock()
	if p.run == nil {
		return p.reason
	}
	p.grant = grant
	p.log.Debug("publisher gave a new token", "expires", grant.Expires)
	return nil
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
