// Package admin is the operator's service: what streams, viewers and publishers
// there are, and the means to do something about them.
//
//	console, framewire ctl, curl --Connect, gRPC, gRPC-Web--> guard -> Service
//	Service -> hub, roster (streams), session (viewers), desk (publishers), events
//
// It holds no state of its own.
package admin

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"github.com/framewire/framewire/gen/go/framewire/v1/framewirev1connect"
	"github.com/framewire/framewire/server/internal/desk"
	"github.com/framewire/framewire/server/internal/events"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/patience"
	"github.com/framewire/framewire/server/internal/roster"
	"github.com/framewire/framewire/server/internal/session"
)

// Path is where the service is served, as a pattern of http.ServeMux.
const Path = "/" + framewirev1connect.AdminServiceName + "/"

// maxRequest bounds a request: names, a source URL, a notice.
const maxRequest = 64 << 10

// Sources are the streams that have a source.
type Sources interface {
	// Add starts a stream with the source that url names. Its errors wrap
	// hub.ErrExists, roster.ErrSource, roster.ErrForbidden or roster.ErrStopped.
	Add(name, url string) error
	Remove(name string) error
	Restart(name string) error
	Get(name string) (roster.Entry, bool)
}

// Sessions are the viewers.
type Sessions interface {
	All() []*session.Viewer
	Lookup(id string) *session.Viewer
	Sent() map[string]session.Sent
}

// Publishers are those who publish.
type Publishers interface {
	Publishers() []desk.Publisher
	Remove(stream string, reason error) bool
	Discard(stream string, reason error) bool
}

// Build says what program this is.
type Build struct{ Version, Go, Commit string }

// Options are what a Service needs; all but Patience are required.
type Options struct {
	Hub        *hub.Hub
	Sources    Sources
	Sessions   Sessions
	Publishers Publishers
	Events     *events.Log
	// Access is asked at each call who may do what.
	Access func() Access
	Build  Build
	// Refused is told of who was turned away. It must not block.
	Refused func(remote string, err error)
	Log     *slog.Logger

	// Patience is how long a client may take nothing of an answer, or give nothing of
	// a request. Default 15 s.
	Patience time.Duration
}

// Service implements framewirev1connect.AdminServiceHandler.
type Service struct {
	opts    Options
	started time.Time
	ctx     context.Context // done with Close
	close   context.CancelFunc
}

var _ framewirev1connect.AdminServiceHandler = (*Service)(nil)

// New returns a Service. Its calls that last end with Close.
func New(opts Options) *Service {
	opts.Patience = cmp.Or(opts.Patience, 15*time.Second)
	s := &Service{opts: opts, started: time.Now()}
	s.ctx, s.close = context.WithCancel(context.Background())
	return s
}

// Close ends the calls that would last.
func (s *Service) Close() { s.close() }

// Handler serves the service at Path, to those who may.
func (s *Service) Handler() http.Handler {
	_, handler := framewirev1connect.NewAdminServiceHandler(s,
		connect.WithReadMaxBytes(maxRequest),
		connect.WithRecover(func(_ context.Context, spec connect.Spec, _ http.Header, what any) error {
			s.opts.Log.Error("operator's call panicked", "procedure", spec.Procedure, "panic", what)
			return connect.NewError(connect.CodeInternal, errPanicked)
		}),
	)
	return s.guard(patience.Handler(handler, s.opts.Patience))
}
