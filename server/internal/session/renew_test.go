package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/wire"
)

// bySubject takes a token for the subject that it names.
type bySubject struct{}

func (bySubject) Verify(_ context.Context, r auth.Request) (*auth.Grant, error) {
	if r.Token == "" {
		return nil, auth.ErrNoToken
	}
	return &auth.Grant{Subject: r.Token, Streams: []string{"**"}, Actions: []auth.Action{auth.Watch, auth.Publish}}, nil
}

// livesBy is a publication, of which only the token matters.
type livesBy struct {
	Publisher
	token   string
	refusal error
}

func (p *livesBy) Renew(token string) error {
	if p.refusal == nil {
		p.token = token
	}
	return p.refusal
}

// A session and what it publishes live by one token, whichever of them refuses
// another.
func TestSessionAndPublicationTakeATokenTogether(t *testing.T) {
	lab := newLaboratory(t, 5, 4000, 500)
	v, host := lab.viewer, lab.viewer.host
	host.opts.Verifier = bySubject{}
	host.SetLimits(Limits{SessionsPerSubject: 1})
	other := newViewer(host, lab.link, Peer{})
	for viewer, subject := range map[*Viewer]string{v: "ann", other: "bob"} {
		grant, refusal := viewer.admit(&wire.Hello{Token: subject})
		if refusal != nil {
			t.Fatal(refusal)
		}
		viewer.hold(grant)
	}
	p := &livesBy{token: "ann"}
	v.publisher = p
	for _, c := range []struct {
		name, token string
		publication error // of the publication
		want        wire.ErrorCode
		lives       string // by whose token
	}{
		{"the session's limit", "bob", nil, wire.Overloaded, "ann"},
		{"the publication's limit", "carol", &wire.Error{Code: wire.Overloaded, RetryAfter: time.Second}, wire.Overloaded, "ann"},
		{"not for publishing", "carol", errors.New("no"), wire.PermissionDenied, "ann"},
		{"cannot be checked", "carol", auth.ErrUnavailable, wire.Internal, "ann"},
		{"taken by both", "carol", nil, 0, "carol"},
		{"the place left is free", "ann", nil, 0, "ann"},
		{"and that of those who were refused", "carol", nil, 0, "carol"},
	} {
		p.refusal = c.publication
		err := v.renew(c.token)
		if c.want == 0 && err != nil || c.want != 0 && (err == nil || err.Code != c.want || err.Field != refreshField) {
			t.Errorf("%s: %+v, want code %v", c.name, err, c.want)
		}
		if c.want == wire.Overloaded && err != nil && err.RetryAfter == 0 {
			t.Errorf("%s: told of no time to come back", c.name)
		}
		if v.grant.Subject != c.lives || v.subject != c.lives || p.token != c.lives {
			t.Errorf("%s: the session lives by the token of %s, counts for %s, and publishes by that of %s; want %s",
				c.name, v.grant.Subject, v.subject, p.token, c.lives)
		}
		if n := host.crowd.subjects; n[c.lives] != 1 || n["bob"] != 1 || len(n) != 2 {
			t.Errorf("%s: sessions by subject: %v", c.name, n)
		}
	}
}
