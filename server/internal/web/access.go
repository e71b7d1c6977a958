package web

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/framewire/framewire/server/internal/auth"
)

// permit lets a request watch the stream, or answers why not and returns nil. The
// request that it returns ends with the token.
func (s *Server) permit(w http.ResponseWriter, r *http.Request, stream string) (*http.Request, context.CancelFunc) {
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
	if grant.Expires.IsZero() {
		return r, func() {}
	}
	ctx, cancel := context.WithDeadline(r.Context(), grant.Expires)
	return r.WithContext(ctx), cancel
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
