package session

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/wire"
)

// verifyTimeout bounds the time that a token may take to be checked: by a
// callback, that of the slowest that is worth waiting for.
const verifyTimeout = 10 * time.Second

// verifyRetry is when a client whose token could not be checked may ask again.
const verifyRetry = 5 * time.Second

// everything is what viewers may do where no tokens are asked for.
var everything = auth.Everything()

// nobody is what viewers without a token may do where one is asked for. They are
// let in nevertheless: they may have a stream key, or get a token later.
var nobody = &auth.Grant{}

// verify reads a token, "" for none. It may take a while, and is called without
// locks.
func (v *Viewer) verify(token, stream string) (*auth.Grant, error) {
	if v.host.opts.Verifier == nil {
		return everything, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), verifyTimeout)
	defer cancel()
	remote, _ := netip.ParseAddrPort(v.peer.Address)
	grant, err := v.host.opts.Verifier.Verify(ctx, auth.Request{Token: token, Remote: remote.Addr(), Action: auth.Watch, Stream: stream})
	switch {
	case err != nil:
		return nil, err
	case stream == "":
		return grant, nil // it may be for something else than watching
	default:
		return grant, grant.Allows(auth.Watch, stream, time.Now())
	}
}

// admit checks the token that a session begins with, and returns what it grants,
// or how the session ends.
func (v *Viewer) admit(h *wire.Hello) (*auth.Grant, *wire.Goodbye) {
	stream := v.peer.Play
	if h.Resume != nil {
		stream = h.Resume.Stream
	}
	grant, err := v.verify(cmp.Or(h.Token, v.peer.Token), stream)
	v.keepToken(cmp.Or(h.Token, v.peer.Token))
	h.Token, v.peer.Token = "", ""
	switch {
	case err == nil:
		if r := v.host.opts.Handshakes.AdmitSubject("watch", grant.Subject, remoteOf(v)); r != nil {
			return nil, &wire.Goodbye{Reason: wire.GoodbyeOverloaded, RetryAfter: r.Wait, Message: "Your token's holder connects too often. Please come back a little later."}
		}
		place, ok := v.host.enroll(v, stream, grant.Subject)
		if !ok {
			return nil, &wire.Goodbye{Reason: wire.GoodbyeOverloaded, RetryAfter: overloadRetry, Message: subjectFull}
		}
		place.take()
		return grant, nil
	case errors.Is(err, auth.ErrNoToken) && stream == "":
		return nobody, nil
	}
	v.host.opts.Hooks.Refused(v.id, stream, v.peer.Address, err)
	switch {
	case errors.Is(err, auth.ErrUnavailable):
		v.host.log.Warn("a token could not be checked", "session", v.id, "remote", v.peer.Address, "error", err)
		return nil, &wire.Goodbye{Reason: wire.GoodbyeInternalError, RetryAfter: verifyRetry, Message: "Tokens cannot be checked now. Please come back later."}
	case errors.Is(err, auth.ErrExpired):
		return nil, &tokenExpired
	default:
		return nil, &wire.Goodbye{Reason: wire.GoodbyeUnauthorized, Message: "You may not watch this: " + err.Error() + "."}
	}
}

var tokenExpired = wire.Goodbye{Reason: wire.GoodbyeTokenExpired, Message: "The token has expired. Ask for a new one where you got it."}

// hold takes the grant that the session lives by, and ends the session with it.
// The caller holds mu.
func (v *Viewer) hold(g *auth.Grant) {
	v.grant = g
	if v.expiry != nil {
		v.expiry.Stop()
		v.expiry = nil
	}
	if g.Expires.IsZero() {
		return
	}
	v.expiry = time.AfterFunc(time.Until(g.Expires), func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.grant == g { // no new one has come meanwhile
			v.endLocked(tokenExpired)
		}
	})
}

// keepToken keeps the token for publishing, where that is possible and asks for
// one. It is called from the goroutine that receives.
func (v *Viewer) keepToken(token string) {
	if v.host.opts.Publisher != nil && v.host.opts.Verifier != nil {
		v.token = token
	}
}

// mayWatch refuses a stream that the grant does not cover. The caller holds mu.
func (v *Viewer) mayWatch(stream string, now time.Time) *wire.Error {
	err := v.grant.Allows(auth.Watch, stream, now)
	if err == nil {
		return nil
	}
	if v.grant == nobody {
		err = auth.ErrNoToken
	}
	v.host.opts.Hooks.Refused(v.id, stream, v.peer.Address, err)
	return &wire.Error{Code: wire.PermissionDenied, Field: "command.play.stream", Message: err.Error()}
}

// refreshToken answers a RefreshToken command.
func (v *Viewer) refreshToken(id uint32, token string, now time.Time) {
	result := wire.Result{ID: id}
	if result.Err = v.ready(now); result.Err == nil {
		result.Err = v.renew(token)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.send(result)
}

// renew lives by a new token from now on, with what the session publishes: by both,
// or by neither. It is called from the goroutine that receives.
func (v *Viewer) renew(token string) *wire.Error {
	v.mu.Lock()
	stream := v.play.name
	v.mu.Unlock()
	grant, err := v.verify(token, stream)
	if err != nil {
		return v.notRenewed(stream, err)
	}
	place, ok := v.host.enroll(v, stream, grant.Subject)
	if !ok {
		return &wire.Error{Code: wire.Overloaded, Field: refreshField, Message: subjectFull, RetryAfter: overloadRetry}
	}
	// The publication comes last of what may refuse, and takes the token or leaves
	// all as it was.
	if v.publisher != nil {
		if err := v.publisher.Renew(token); err != nil {
			place.leave()
			return v.notRenewed(stream, err)
		}
	}
	place.take()
	v.keepToken(token)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hold(grant)
	return nil
}

// refreshField is what refusals of a new token name.
const refreshField = "command.refresh_token.token"

// notRenewed answers a RefreshToken whose token is not taken.
func (v *Viewer) notRenewed(stream string, err error) *wire.Error {
	v.host.opts.Hooks.Refused(v.id, stream, v.peer.Address, err)
	answer := wire.Error{Code: wire.PermissionDenied, Field: refreshField, Message: err.Error()}
	if typed := (*wire.Error)(nil); errors.As(err, &typed) {
		answer.Code, answer.RetryAfter = typed.Code, typed.RetryAfter
	} else if errors.Is(err, auth.ErrUnavailable) {
		answer.Code, answer.RetryAfter = wire.Internal, verifyRetry
	}
	return &answer
}

// visible returns the part of the list that the session may see: the list that
// was sent last, when it reads the same. The caller holds mu.
func (v *Viewer) visible(l *list) *list {
	if v.grant.Covers(auth.Watch) {
		return l
	}
	part := &list{}
	for i := range l.Streams {
		if v.grant.Allows(auth.Watch, l.Streams[i].Name, time.Time{}) == nil {
			part.Streams = append(part.Streams, l.Streams[i])
		}
	}
	if v.listed != nil && sameList(v.listed.Streams, part.Streams) {
		return v.listed
	}
	return part
}
