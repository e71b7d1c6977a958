package web

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/patience"
)

// permit lets a request watch the stream, or answers why not and returns nil. The
// request that it returns ends with the token. One that is endless counts as a
// handshake, as a session does.
func (s *Server) permit(w http.ResponseWriter, r *http.Request, stream string, endless bool) (*http.Request, context.CancelFunc) {
	if endless && tooOften(w, s.opts.Gate.Admit("watch", addressOf(r))) {
		return nil, nil
	}
	if s.opts.Verifier == nil {
		return r, func() {}
	}
	remote, _ := netip.ParseAddrPort(r.RemoteAddr)
	grant, err := s.opts.Verifier.Verify(r.Context(), auth.Request{
		Token: auth.TokenOf(r), Remote: remote.Addr(), Action: auth.Watch, Stream: stream,
	})
	if err == nil {
		err = grant.Allows(auth.Watch, stream, time.Now())
	}
	w.Header().Add("Vary", "Authorization, Cookie")
	if err != nil {
		s.refuse(w, r, stream, err)
		return nil, nil
	}
	if endless && tooOften(w, s.opts.Gate.AdmitSubject("watch", grant.Subject, remote.Addr())) {
		return nil, nil
	}
	if grant.Expires.IsZero() {
		return r, func() {}
	}
	ctx, cancel := context.WithDeadline(r.Context(), grant.Expires)
	return r.WithContext(ctx), cancel
}

// tooOften answers a request that the gate refuses, and reports whether it did.
func tooOften(w http.ResponseWriter, refusal *gate.Refusal) bool {
	if refusal == nil {
		return false
	}
	w.Header().Set("Retry-After", patience.Seconds(refusal.Wait))
	explain(w, http.StatusTooManyRequests, "That is %v.", refusal)
	return true
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, stream string, err error) {
	s.opts.Refused("watch", stream, r.RemoteAddr, err)
	switch {
	case errors.Is(err, auth.ErrUnavailable):
		s.log.Warn("a token could not be checked", "stream", stream, "remote", r.RemoteAddr, "error", err)
		w.Header().Set("Retry-After", retryLater)
		explain(w, http.StatusServiceUnavailable, "Tokens cannot be checked now. Please come back later.")
	case errors.Is(err, auth.ErrForbidden) && auth.TokenOf(r) != "":
		explain(w, http.StatusForbidden, "You may not watch this: %v.", err)
	default:
		w.Header().Set("WWW-Authenticate", "Bearer")
		explain(w, http.StatusUnauthorized, "You may not watch this: %v. Give one as ?token=, in the cookie %s or in Authorization: Bearer.", err, auth.Cookie)
	}
}
