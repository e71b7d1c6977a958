package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/events"
	"github.com/framewire/framewire/server/internal/patience"
)

// Access says who may call the service.
type Access struct {
	// Verifier reads tokens. Nil: none are configured.
	Verifier auth.Verifier
	// Open lets everybody on this machine in where no tokens are configured: the
	// server listens on loopback only.
	Open bool
}

var (
	errPanicked = errors.New("the server failed; its log tells more")
	errClosed   = errors.New("the operator's service is closed: the server listens beyond this machine and no tokens are configured; see auth in the configuration")
	errRemote   = errors.New("the operator's service is open to this machine only, and the request comes from another, or through a proxy; configure tokens (auth) to use it from there")
	errCross    = errors.New("pages of other origins may not use the operator's service")
	errHost     = errors.New("the operator's service is open under the name localhost and loopback addresses only; configure tokens (auth) to use it under others")
)

// caller is who makes a call.
type caller struct {
	grant  *auth.Grant
	remote string
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// byControl names the methods for which a grant of auth.Control on the stream
// suffices. They check it themselves.
var byControl = map[string]bool{"SendDirective": true, "RequestStreamKeyframe": true, "KickPublisher": true}

// guard lets calls through that may be made.
func (s *Service) guard(next http.Handler) http.Handler {
	failures := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := s.admit(r)
		if err == nil && !byControl[path.Base(r.URL.Path)] {
			err = c.grant.Allows(auth.Admin, "", time.Now())
		}
		if err == nil {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
			return
		}
		s.opts.Refused(r.RemoteAddr, err)
		failure := connect.NewError(codeOf(err), err)
		if failures.IsSupported(r) {
			_ = failures.Write(w, r, failure) // the client may have gone
			return
		}
		http.Error(w, err.Error(), statusOf(err))
	})
}

// Guard serves another handler to operators only: the metrics.
func (s *Service) Guard(next http.Handler) http.Handler {
	next = patience.Handler(next, s.opts.Patience)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := s.admit(r)
		if err == nil {
			err = c.grant.Allows(auth.Admin, "", time.Now())
		}
		if err != nil {
			s.opts.Refused(r.RemoteAddr, err)
			if statusOf(err) == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admit finds out who makes a request.
func (s *Service) admit(r *http.Request) (caller, error) {
	c := caller{remote: r.RemoteAddr}
	access := s.opts.Access()
	if access.Verifier == nil {
		c.grant = auth.Everything()
		return c, local(r, access.Open)
	}
	remote, _ := netip.ParseAddrPort(r.RemoteAddr)
	var err error
	c.grant, err = access.Verifier.Verify(r.Context(), auth.Request{Token: auth.Bearer(r.Header), Remote: remote.Addr(), Action: auth.Admin})
	return c, err
}

// crossOrigin refuses what pages of other origins send.
var crossOrigin = http.NewCrossOriginProtection()

// local lets requests of this machine through: not those that a proxy passes on,
// and not those of pages elsewhere, be it under a name that was made to point
// here.
func local(r *http.Request, open bool) error {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	switch {
	case !open:
		return errClosed
	case err != nil || !remote.Addr().Unmap().IsLoopback() || forwarded(r.Header):
		return errRemote
	case !localHost(r.Host):
		return errHost
	case crossOrigin.Check(r) != nil:
		return errCross
	}
	return nil
}

func forwarded(h http.Header) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if h.Get(name) != "" {
			return true
		}
	}
	return false
}

func localHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

// control checks that the caller may steer viewers of the stream.
func control(ctx context.Context, stream string) error {
	if err := callerOf(ctx).grant.Allows(auth.Control, stream, time.Now()); err != nil {
		return connect.NewError(codeOf(err), err)
	}
	return nil
}

// everyone checks that the caller may do something that concerns all streams.
func everyone(ctx context.Context) error {
	if err := callerOf(ctx).grant.Allows(auth.Admin, "", time.Now()); err != nil {
		return connect.NewError(codeOf(err), fmt.Errorf("%w: all viewers", err))
	}
	return nil
}

func codeOf(err error) connect.Code {
	switch {
	case errors.Is(err, auth.ErrNoToken), errors.Is(err, auth.ErrBadToken), errors.Is(err, auth.ErrExpired):
		return connect.CodeUnauthenticated
	case errors.Is(err, auth.ErrUnavailable):
		return connect.CodeUnavailable
	default:
		return connect.CodePermissionDenied
	}
}

func statusOf(err error) int {
	switch codeOf(err) {
	case connect.CodeUnauthenticated:
		return http.StatusUnauthorized
	case connect.CodeUnavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusForbidden
	}
}

// acted tells that an operator did something.
func (s *Service) acted(ctx context.Context, method, stream, id string) {
	c := callerOf(ctx)
	s.opts.Log.Info("operator", "method", method, "stream", stream, "session", id, "subject", c.grant.Subject, "remote", c.remote)
	s.opts.Events.Emit(events.Event{Stream: stream, Session: id, Body: events.OperatorActed{
		Method: method, Subject: c.grant.Subject, Remote: c.remote,
	}})
}
