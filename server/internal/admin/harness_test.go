package admin_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/gen/go/framewire/v1/framewirev1connect"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/admin"
	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/desk"
	"github.com/framewire/framewire/server/internal/events"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/roster"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/source/demo"
	"github.com/framewire/framewire/server/internal/web"
	"github.com/framewire/framewire/server/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

// site is a server with the operator's service, on a real socket.
type site struct {
	t       testing.TB
	addr    string
	hub     *hub.Hub
	roster  *roster.Roster
	desk    *desk.Desk
	events  *events.Log
	web     *web.Server
	service *admin.Service
	access  atomic.Pointer[admin.Access]
	ctx     context.Context
	http    *http.Client

	watching atomic.Int64 // calls of the service that go on
}

// stall is how long clients may take nothing: more than a busy machine takes.
const stall = time.Second

// counted counts the calls that go on.
func (s *site) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.watching.Add(1)
		defer s.watching.Add(-1)
		next.ServeHTTP(w, r)
	})
}

// sources adds demo sources under any URL that begins with "demo", and tells each
// error.
type sources struct{ *roster.Roster }

func (s sources) Add(name, url string) error {
	switch url {
	case "demo:", "demo2:":
		return s.Roster.Add(name, roster.Source{Source: demo.New(), URL: url, Display: url})
	case "fails:":
		return s.Roster.Add(name, roster.Source{Source: broken{}, URL: url, Display: url})
	case "exec:":
		return fmt.Errorf("%w: exec", roster.ErrForbidden)
	default:
		return fmt.Errorf("%w: %s", roster.ErrSource, url)
	}
}

// broken is a source that fails at once.
type broken struct{}

func (broken) Run(context.Context, media.Sink) error { return errors.New("no such camera \xff") }

func (s *site) All() []*session.Viewer           { return s.web.Sessions().All() }
func (s *site) Lookup(id string) *session.Viewer { return s.web.Sessions().Lookup(id) }
func (s *site) Sent() map[string]session.Sent    { return s.web.Sessions().Sent() }

// serve starts a server with the demo stream, live.
func serve(t testing.TB) *site {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	streams := hub.New(hub.Options{})
	s := &site{
		t: t, hub: streams, roster: roster.New(streams, log), events: events.New(events.Capacity),
		desk: desk.New(streams, desk.Options{Rules: []desk.Rule{{Streams: "**"}}, Log: log}),
		http: &http.Client{Transport: &http.Transport{}},
	}
	s.access.Store(&admin.Access{Open: true})
	s.service = admin.New(admin.Options{
		Hub: streams, Sources: sources{s.roster}, Sessions: s, Publishers: s.desk, Events: s.events,
		Access: func() admin.Access { return *s.access.Load() },
		Build:  admin.Build{Version: "test", Go: "go", Commit: "abc"}, Refused: func(string, error) {}, Log: log,
		Patience: stall,
	})
	s.web = web.New(web.Options{
		Hub: streams, Log: log, Mount: map[string]http.Handler{admin.Path: s.counted(s.service.Handler())},
		Sessions: session.Options{Hooks: session.Hooks{
			Opened: func(id, address, client string) {
				s.events.Emit(events.Event{Session: id, Body: events.SessionOpened{Remote: address, Client: client}})
			},
			Closed: func(c session.Closed) {
				s.events.Emit(events.Event{Session: c.ID, Stream: c.Stream, Body: events.SessionClosed{Reason: c.Reason, After: c.After}})
			},
		}},
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	server := s.web.HTTPServer()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = s.roster.Run(ctx) })
	running.Go(func() { _ = s.desk.Run(ctx) })
	running.Go(func() { _ = server.Serve(web.Listen(listener)) })
	var stop context.CancelFunc
	s.ctx, stop = context.WithTimeout(context.Background(), patience)
	t.Cleanup(func() {
		defer stop()
		s.service.Close()
		s.http.CloseIdleConnections()
		if err := s.web.Drain(s.ctx, wire.ShuttingDown, 0); err != nil {
			t.Errorf("drain: %v", err)
		}
		if err := server.Shutdown(s.ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		cancel()
		running.Wait()
		streams.Close()
	})
	if err := (sources{s.roster}).Add("demo", "demo:"); err != nil {
		t.Fatal(err)
	}
	s.live("demo")
	return s
}

// live waits until a stream is.
func (s *site) live(name string) {
	s.t.Helper()
	s.wait(name+" is live", func() bool { return s.hub.Lookup(name).Status().State == hub.Live })
}

// wait looks at a condition that no channel tells of.
func (s *site) wait(what string, done func() bool) {
	s.t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-s.ctx.Done():
			s.t.Fatalf("waiting until %s: %v", what, s.ctx.Err())
		}
	}
}

// client speaks Connect, or with options another protocol.
func (s *site) client(opts ...connect.ClientOption) framewirev1connect.AdminServiceClient {
	return framewirev1connect.NewAdminServiceClient(s.http, "http://"+s.addr, opts...)
}

// player is a client that plays the demo and answers directives.
type player struct {
	*client.Session
	id     string
	done   sync.WaitGroup
	got    chan *framewirev1.Directive
	ended  error
	answer func(*framewirev1.Directive) *framewirev1.DirectiveResult // nil result: none
}

func obey(*framewirev1.Directive) *framewirev1.DirectiveResult {
	return &framewirev1.DirectiveResult{Outcome: &framewirev1.DirectiveResult_Done{Done: &framewirev1.DirectiveDone{}}}
}

func refuse(*framewirev1.Directive) *framewirev1.DirectiveResult {
	return &framewirev1.DirectiveResult{Outcome: &framewirev1.DirectiveResult_Error{Error: &framewirev1.Error{
		Code: framewirev1.ErrorCode_ERROR_CODE_UNSUPPORTED, Message: "not this one",
	}}}
}

func ignore(*framewirev1.Directive) *framewirev1.DirectiveResult { return nil }

// play opens a session on the stream, none if empty, that is closed with the test.
func (s *site) play(stream string, answer func(*framewirev1.Directive) *framewirev1.DirectiveResult) *player {
	s.t.Helper()
	opened, err := client.Dial(s.ctx, "ws://"+s.addr+"/ws", client.Options{Name: "tester", ClientVersion: "2"})
	if err != nil {
		s.t.Fatal(err)
	}
	p := &player{Session: opened, id: opened.Welcome().GetSessionId(), got: make(chan *framewirev1.Directive, 64), answer: answer}
	p.done.Go(func() {
		for m, err := range p.Messages(s.ctx) {
			if err != nil {
				p.ended = err
				return
			}
			d := m.GetDirective()
			if d == nil {
				continue
			}
			p.got <- d
			if r := p.answer(d); r != nil {
				r.Id = d.GetId()
				_ = p.Send(s.ctx, &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_DirectiveResult{DirectiveResult: r}})
			}
		}
	})
	s.t.Cleanup(func() {
		_ = p.Close()
		p.done.Wait()
	})
	if stream != "" {
		if err := p.Play(s.ctx, stream); err != nil {
			s.t.Fatal(err)
		}
	}
	return p
}

// code fails the test unless err has the code.
func code(t testing.TB, what string, err error, want connect.Code) {
	t.Helper()
	if connect.CodeOf(err) != want || err == nil {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// must returns the message of a response.
func must[T any](t testing.TB, r *connect.Response[T], err error) *T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return r.Msg
}

// signed makes a token and the verifier that reads it.
func signed(t testing.TB, claims auth.Claims) (string, auth.Verifier) {
	t.Helper()
	secret := []byte("a secret of at least thirty-two bytes")
	token, err := auth.Sign(claims, secret)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := auth.NewSecret(secret, auth.JWTOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return token, verifier
}
