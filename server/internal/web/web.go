package web

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/origin"
	"github.com/framewire/framewire/server/internal/patience"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/wire"
)

// Options are what a Server needs. Hub is required.
type Options struct {
	Hub *hub.Hub

	// Sessions bounds the viewers.
	Sessions session.Options

	// Pages holds index.html, watch.html, embed.html, player.js and assets/.
	// Nil: the server has no pages.
	Pages fs.FS

	// Origins are patterns (path.Match) of the hosts whose pages may open a
	// session, besides the server's own; "*" for all. With "://" in it, a
	// pattern is matched against scheme and host.
	Origins []string

	// FrameAncestors are patterns of the hosts whose pages may show /embed in a
	// frame, besides the server's own: see origin.FrameSource. Nil: those of
	// Origins that are such patterns.
	FrameAncestors []string

	// File returns the file behind a stream, or "" when it has none that may be
	// given out. Nil: no stream has.
	File func(stream string) string

	// FFmpeg is the program that makes pictures of keyframes. Default "ffmpeg".
	FFmpeg string

	// Mount adds handlers, by pattern: the endpoints of publishers and of the
	// operator.
	Mount map[string]http.Handler

	// Verifier reads tokens, for sessions and for HTTP media. Nil: everybody may
	// watch everything.
	Verifier auth.Verifier

	// Gate limits how often an address may open sessions. Nil: as often as it likes.
	Gate *gate.Gate

	// Refused is told of who was turned away from what ("watch", "origin"). It must
	// not block. Nil: nobody is told.
	Refused func(what, stream, remote string, err error)

	// Ready returns why the server is not ready to serve, or nil. Nil: it is.
	Ready func() error

	// Log takes what an operator should know. Default slog.Default.
	Log *slog.Logger
}

// Server is the HTTP side of Framewire.
type Server struct {
	opts         Options
	messageBytes int
	origins      origin.List
	log          *slog.Logger
	sessions     *session.Sessions
	mux          *http.ServeMux
	pages        pages
	pictures     pictures
	projectors   projectors
	workers      chan struct{}  // tickets to make single pictures
	running      sync.WaitGroup // sessions; added to while door is held for reading
	door         sync.RWMutex
	shut         bool                    // guarded by door; nothing is added to running any more
	leaving      atomic.Pointer[leaving] // nil until new viewers are refused
	refusedMu    sync.Mutex
	refusedPages gate.Bucket // guarded by refusedMu
	ctx          context.Context
	stop         context.CancelFunc // of everything but sessions
}

// New returns a Server. It serves until Drain.
func New(opts Options) *Server {
	opts.FFmpeg = cmp.Or(opts.FFmpeg, "ffmpeg")
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.Refused == nil {
		opts.Refused = func(string, string, string, error) {}
	}
	opts.Sessions.Verifier = opts.Verifier
	opts.Sessions.MessageBytes = cmp.Or(opts.Sessions.MessageBytes, session.DefaultMessageBytes)
	s := &Server{
		opts:         opts,
		messageBytes: opts.Sessions.MessageBytes,
		log:          opts.Log,
		sessions:     session.New(streams{opts.Hub}, opts.Sessions, opts.Log),
	}
	s.SetOrigins(opts.Origins, opts.FrameAncestors)
	s.workers = make(chan struct{}, maxPictureWorkers)
	var err error
	if s.pages, err = loadPages(opts.Pages); err != nil {
		s.log.Error("the pages cannot be read", "error", err)
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.routes()
	return s
}

// referrers keeps names of streams, and tokens in queries, from other hosts.
const referrers = "strict-origin-when-cross-origin"

// ServeHTTP is http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	patience.Forget(w, r)
	patience.Await(w, r, httpBlocked)
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", referrers)
	h.Set("Permissions-Policy", noDevices)
	h.Set("Content-Security-Policy", plainPolicy)
	s.mux.ServeHTTP(w, r)
}

// SetOrigins replaces Options.Origins and FrameAncestors. Sessions that are open
// stay.
func (s *Server) SetOrigins(patterns, ancestors []string) { s.origins.Set(patterns, ancestors) }

// Sessions returns the viewers.
func (s *Server) Sessions() *session.Sessions { return s.sessions }

// Bounds of HTTP connections: time for the request's header, and between
// requests.
const (
	headerTimeout = 10 * time.Second
	keepAlive     = 2 * time.Minute
	maxHeader     = 32 << 10
)

// Bounds of connections of HTTP/2: requests at the same time, and when one that
// is silent is asked whether it still is there, and given up.
const (
	maxStreams = 100
	pingAfter  = 30 * time.Second
	pingWait   = 15 * time.Second
)

// HTTPServer returns an http.Server that serves s, to be given a listener made
// with Listen.
func (s *Server) HTTPServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // gRPC without TLS needs it
	return &http.Server{
		Protocols:         protocols,
		Handler:           s,
		ConnContext:       ConnContext,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    maxHeader,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams,
			SendPingTimeout:      pingAfter,
			PingTimeout:          pingWait,
			WriteByteTimeout:     httpBlocked,
		},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// leaving is how a server goes.
type leaving struct {
	reason wire.GoodbyeReason
	spread time.Duration
}

// Refuse sends away who comes from now on, and has /readyz say so. Clients are
// asked to come back at times spread over the given span.
func (s *Server) Refuse(reason wire.GoodbyeReason, spread time.Duration) {
	s.leaving.Store(&leaving{reason, spread})
	s.sessions.Refuse(reason, spread)
}

// Drain ends all that goes on for ever: sessions with the reason, the clients
// asked to come back at times spread over the given span, and HTTP streams. It
// returns when all are gone or ctx is done. Who comes is refused.
func (s *Server) Drain(ctx context.Context, reason wire.GoodbyeReason, spread time.Duration) error {
	s.Refuse(reason, spread)
	s.stop()
	err := s.sessions.Drain(ctx, reason, spread)
	s.door.Lock()
	s.shut = true
	s.door.Unlock()
	if err != nil {
		return fmt.Errorf("drain sessions: %w", err)
	}
	s.running.Wait()
	return nil
}

// run runs a session, unless the server has come to its end.
func (s *Server) run(session func()) bool {
	s.door.RLock()
	defer s.door.RUnlock()
	if s.shut {
		return false
	}
	s.running.Go(session)
	return true
}

// gone answers a request for what goes on for ever once the server is about to
// end, and reports whether it did.
func (s *Server) gone(w http.ResponseWriter) bool {
	l := s.leaving.Load()
	if l == nil {
		return false
	}
	if l.spread > 0 {
		w.Header().Set("Retry-After", patience.Seconds(l.spread))
	}
	explain(w, http.StatusServiceUnavailable, "The server is shutting down.")
	return true
}

// explain answers with plain text.
func explain(w http.ResponseWriter, status int, format string, args ...any) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintf(w, format+"\n", args...)
}
