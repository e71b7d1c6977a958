package metrics

import (
	"errors"
	"strings"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/origin"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/session"
)

// label writes an enumeration's value without its prefix, in lower case.
func label(value, prefix string) string {
	return strings.ToLower(strings.TrimPrefix(value, prefix))
}

// reasons are the refusals that are told apart, in the order in which they are
// looked for. What wraps none of them counts as "other".
var reasons = []struct {
	err  error
	name string
}{
	{auth.ErrNoToken, "no_token"},
	{auth.ErrExpired, "expired_token"},
	{auth.ErrBadToken, "bad_token"},
	{auth.ErrForbidden, "forbidden"},
	{auth.ErrUnavailable, "unavailable"},
	{origin.ErrRefused, "origin"},
	{session.ErrServerFull, "too_many_viewers"},
	{session.ErrAddressFull, "too_many_viewers_of_address"},
	{session.ErrSubjectFull, "too_many_viewers_of_subject"},
	{session.ErrStreamFull, "too_many_viewers_of_stream"},
	{publish.ErrBadName, "bad_name"},
	{publish.ErrUnknownStream, "unknown_stream"},
	{publish.ErrTooManyAttempts, "too_many_attempts"},
	{publish.ErrBadKey, "bad_key"},
	{publish.ErrStreamBusy, "stream_busy"},
	{publish.ErrAddressFull, "too_many_publishers_of_address"},
	{publish.ErrSubjectFull, "too_many_publishers_of_subject"},
	{gate.ErrHandshakes, "too_many_handshakes"},
	{gate.ErrHandshakesOfSubject, "too_many_handshakes_of_subject"},
	{gate.ErrCommands, "too_many_commands"},
	{gate.ErrCommandsOfAddress, "too_many_commands_of_address"},
	{gate.ErrCommandsOfSubject, "too_many_commands_of_subject"},
	{publish.ErrTooManyPublishers, "too_many_publishers"},
	{publish.ErrTooManyConnections, "too_many_connections"},
	{publish.ErrShutdown, "shutdown"},
}

// Reason returns the label of a refusal.
func Reason(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.name
		}
	}
	return "other"
}
