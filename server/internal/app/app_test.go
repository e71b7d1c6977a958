package app_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/gen/go/framewire/v1/framewirev1connect"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/app"
	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/config"
	"github.com/framewire/framewire/server/internal/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen.
const patience = 30 * time.Second

// server is a whole server with its configuration in a file.
type server struct {
	t    testing.TB
	ctx  context.Context
	file string
	url  string
	addr string
	log  *logtest.Text
	http *http.Client

	// stop is what SIGTERM does, and end returns what comes of it; both may be
	// called again.
	stop context.CancelFunc
	end  func() error
}

// start runs a server with the configuration, on a free port of loopback.
func start(t testing.TB, yaml string) *server {
	t.Helper()
	return startOn(t, "127.0.0.1:0", yaml)
}

func startOn(t testing.TB, listen, yaml string) *server {
	t.Helper()
	s := &server{t: t, file: filepath.Join(t.TempDir(), "framewire.yaml"), log: &logtest.Text{}, http: &http.Client{Transport: &http.Transport{}}}
	s.write(yaml)
	read := func() (config.Config, error) {
		c, err := config.Load(s.file)
		if err != nil {
			return c, err
		}
		c.Listen = listen
		c.Publish.RTMP, c.Publish.WebRTC = cmp.Or(c.Publish.RTMP, config.Off), cmp.Or(c.Publish.WebRTC, config.Off)
		return c, c.Finish()
	}
	c, err := read()
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan net.Addr, 1)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- app.Serve(ctx, app.Options{
			Config: c, Version: "test", Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			Reload: &app.Reload{File: s.file, Read: read},
			Ready:  func(a net.Addr) { ready <- a },
		})
	}()
	s.stop, s.end = stop, sync.OnceValue(func() error { return <-done })
	t.Cleanup(func() {
		s.http.CloseIdleConnections()
		stop()
		if err := s.end(); err != nil {
			t.Errorf("serve: %v", err)
		}
		if t.Failed() {
			t.Log(s.log.String())
		}
	})
	var cancel context.CancelFunc
	s.ctx, cancel = context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	select {
	case a := <-ready:
		s.addr = fmt.Sprintf("127.0.0.1:%d", a.(*net.TCPAddr).Port)
		s.url = "http://" + s.addr
	case err := <-done:
		s.end = func() error { return nil }
		t.Fatal(err)
	}
	return s
}

// write replaces the configuration as editors do.
func (s *server) write(yaml string) {
	s.t.Helper()
	next := s.file + ".new"
	if err := os.WriteFile(next, []byte(yaml), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(next, s.file); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) admin() framewirev1connect.AdminServiceClient {
	return framewirev1connect.NewAdminServiceClient(s.http, s.url)
}

func (s *server) dial(opts client.Options, query string) (*client.Session, error) {
	s.t.Helper()
	opened, err := client.Dial(s.ctx, "ws://"+s.addr+"/ws"+query, opts)
	if err == nil {
		s.t.Cleanup(func() { _ = opened.Close() })
	}
	return opened, err
}

// must returns an open session.
func (s *server) must(opts client.Options, query string) *client.Session {
	s.t.Helper()
	opened, err := s.dial(opts, query)
	if err != nil {
		s.t.Fatal(err)
	}
	return opened
}

// wait looks at a condition that no channel tells of.
func (s *server) wait(what string, done func() bool) {
	s.t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-s.ctx.Done():
			s.t.Fatalf("waiting until %s", what)
		}
	}
}

// fragment waits for media.
func (s *server) fragment(v *client.Session) {
	s.t.Helper()
	for m, err := range v.Messages(s.ctx) {
		if err != nil {
			s.t.Fatal(err)
		}
		if m.GetFragment() != nil {
			return
		}
	}
}

// get returns the status and body of a page.
func (s *server) get(path string, header ...string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := s.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

const secret = "a secret of at least thirty-two bytes"

// secretFile writes the secret, and returns where.
func secretFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func token(t testing.TB, lasts time.Duration, streams []string, actions ...auth.Action) string {
	t.Helper()
	made, err := auth.Sign(auth.Claims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: "ann", ExpiresAt: jwt.NewNumericDate(time.Now().Add(lasts))},
		Streams:          streams, Actions: actions,
	}, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func goodbye(err error) framewirev1.GoodbyeReason {
	var g *client.GoodbyeError
	if errors.As(err, &g) {
		return g.Reason
	}
	return 0
}

func TestTokensOpenStreams(t *testing.T) {
	s := start(t, fmt.Sprintf("streams: {open/a: {source: 'demo:'}, cam/a: {source: 'demo:'}}\nauth: {secret_file: %q, public: ['open/*']}\n", secretFile(t)))
	cam := token(t, time.Hour, []string{"cam/*"})

	t.Run("hello", func(t *testing.T) {
		v := s.must(client.Options{Token: cam}, "")
		if err := v.Play(s.ctx, "cam/a"); err != nil {
			t.Fatal(err)
		}
		s.fragment(v)
		var refusal *client.CommandError
		if err := v.Play(s.ctx, "open/a"); !errors.As(err, &refusal) || refusal.Code != framewirev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED {
			t.Errorf("another stream: %v", err)
		}
		list, err := v.ListStreams(s.ctx)
		if err != nil || len(list) != 1 || list[0].GetName() != "cam/a" {
			t.Errorf("the list shows %v, %v", list, err)
		}
	})
	for name, way := range map[string]struct {
		query  string
		header http.Header
	}{
		"query":         {"?stream=cam/a&token=" + cam, nil},
		"authorization": {"?stream=cam/a", http.Header{"Authorization": {"Bearer " + cam}}},
		"cookie":        {"?stream=cam/a", http.Header{"Cookie": {auth.Cookie + "=" + cam}}},
	} {
		t.Run(name, func(t *testing.T) { s.fragment(s.must(client.Options{Header: way.header}, way.query)) })
	}
	t.Run("none", func(t *testing.T) {
		s.fragment(s.must(client.Options{}, "?stream=open/a"))
		v := s.must(client.Options{}, "")
		var refusal *client.CommandError
		if err := v.Play(s.ctx, "cam/a"); !errors.As(err, &refusal) || refusal.Code != framewirev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED {
			t.Errorf("%v", err)
		}
		if _, err := s.dial(client.Options{}, "?stream=cam/a"); goodbye(err) != framewirev1.GoodbyeReason_GOODBYE_REASON_UNAUTHORIZED {
			t.Errorf("from the start: %v", err)
		}
	})
	t.Run("bad", func(t *testing.T) {
		if _, err := s.dial(client.Options{Token: "nonsense"}, ""); goodbye(err) != framewirev1.GoodbyeReason_GOODBYE_REASON_UNAUTHORIZED {
			t.Errorf("nonsense: %v", err)
		}
		old := token(t, -time.Hour, nil)
		if _, err := s.dial(client.Options{Token: old}, ""); goodbye(err) != framewirev1.GoodbyeReason_GOODBYE_REASON_TOKEN_EXPIRED {
			t.Errorf("expired: %v", err)
		}
	})
	t.Run("http", func(t *testing.T) {
		for _, c := range []struct {
			path, token string
			want        int
		}{
			{"/streams/cam/a.jpg", "", http.StatusUnauthorized},
			{"/streams/cam/a.jpg", "nonsense", http.StatusUnauthorized},
			{"/streams/open/a.jpg", cam, http.StatusForbidden},
			{"/files/cam/a", "", http.StatusUnauthorized},
			{"/files/cam/a", cam, http.StatusNotFound},
			{"/metrics", cam, http.StatusForbidden},
			{"/metrics", "", http.StatusUnauthorized},
			{"/metrics", token(t, time.Hour, nil, auth.Admin), http.StatusOK},
		} {
			var header []string
			if c.token != "" {
				header = []string{"Authorization", "Bearer " + c.token}
			}
			if status, body := s.get(c.path, header...); status != c.want {
				t.Errorf("%s: %d %s, want %d", c.path, status, body, c.want)
			}
		}
	})
	if strings.Contains(s.log.String(), cam) || strings.Contains(s.log.String(), secret) {
		t.Error("a secret is in the log")
	}
}

func TestSessionEndsWithItsTokenUnlessRenewed(t *testing.T) {
	s := start(t, fmt.Sprintf("streams: {cam: {source: 'demo:'}}\nauth: {secret_file: %q}\n", secretFile(t)))
	short := token(t, 4*time.Second, nil)
	ends, stays := s.must(client.Options{Token: short}, "?stream=cam"), s.must(client.Options{Token: short}, "?stream=cam")
	refresh := func(v *client.Session, token string) error {
		_, err := v.Do(s.ctx, &framewirev1.Command{Body: &framewirev1.Command_RefreshToken{RefreshToken: &framewirev1.RefreshToken{Token: token}}})
		return err
	}
	var refusal *client.CommandError
	for name, bad := range map[string]string{"nonsense": "x", "for another stream": token(t, time.Hour, []string{"other"}), "none": ""} {
		if err := refresh(stays, bad); !errors.As(err, &refusal) || refusal.Code != framewirev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := refresh(stays, token(t, time.Hour, []string{"cam"})); err != nil {
		t.Fatal(err)
	}
	var end error
	for _, err := range ends.Messages(s.ctx) {
		end = err
	}
	if goodbye(end) != framewirev1.GoodbyeReason_GOODBYE_REASON_TOKEN_EXPIRED {
		t.Errorf("ended with %v", end)
	}
	s.fragment(stays)
	if err := stays.Pause(s.ctx); err != nil {
		t.Errorf("the renewed session: %v", err)
	}
}

func TestConfigurationIsAppliedWhileRunning(t *testing.T) {
	s := start(t, "streams: {a: {source: 'demo:'}, b: {source: 'demo:'}}\n")
	a, b := s.must(client.Options{}, "?stream=a"), s.must(client.Options{}, "?stream=b")
	s.fragment(a)
	s.fragment(b)
	_, err := s.admin().AddStream(s.ctx, connect.NewRequest(&framewirev1.AddStreamRequest{Stream: "mine", Source: "demo:"}))
	if err != nil {
		t.Fatal(err)
	}
	reads := func(text string) int { return strings.Count(s.log.String(), text) }
	const taken, refused = "configuration was read again", "configuration is refused"

	s.write("streams: {a: {source: 'demo:'}, c: {source: 'demo:'}}\nlimits: {viewers_per_stream: 1}\nwindow: 10s\n")
	s.wait("it was read", func() bool { return reads(taken) == 1 })
	var ended *framewirev1.StreamEnded
	for m, err := range b.Messages(s.ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if ended = m.GetStreamEnded(); ended != nil {
			break
		}
	}
	if ended.GetReason() != framewirev1.StreamEndReason_STREAM_END_REASON_REMOVED {
		t.Errorf("%v", ended)
	}
	list, err := a.ListStreams(s.ctx)
	var names []string
	for _, stream := range list {
		names = append(names, stream.GetName())
	}
	if err != nil || fmt.Sprint(names) != "[a c mine]" {
		t.Errorf("streams %v, %v", names, err)
	}
	var refusal *client.CommandError
	if err := b.Play(s.ctx, "a"); !errors.As(err, &refusal) || refusal.Code != framewirev1.ErrorCode_ERROR_CODE_OVERLOADED {
		t.Errorf("a second viewer: %v", err)
	}
	if !strings.Contains(s.log.String(), "restart to change") || !strings.Contains(s.log.String(), "window") {
		t.Error("nobody is told that the window takes a restart")
	}
	told, err := s.admin().WatchEvents(s.ctx, connect.NewRequest(&framewirev1.WatchEventsRequest{Recent: 1000}))
	if err != nil {
		t.Fatal(err)
	}
	var read *framewirev1.ConfigurationRead
	for read == nil && told.Receive() {
		read = told.Msg().GetEvent().GetConfigurationRead()
	}
	_ = told.Close()
	if got := fmt.Sprint(read.GetTakesRestart()); got != "[window]" || read.GetError() != "" {
		t.Errorf("the operator is told of %s", got)
	}

	for i, bad := range []string{
		"streams: [", "streams: {a: {source: 'what:'}}", "streams: {a: {source: 'demo:'}}\nauth: {secret_file: /none}", "lisen: x",
	} {
		s.write(bad)
		s.wait(bad+" is refused", func() bool { return reads(refused) == i+1 })
	}
	if list, err := a.ListStreams(s.ctx); err != nil || len(list) != 3 {
		t.Errorf("after refusals: %v, %v", list, err)
	}

	// Tokens can be asked for from now on; who is in stays.
	s.write(fmt.Sprintf("streams: {a: {source: 'demo:'}}\nauth: {secret_file: %q}\n", secretFile(t)))
	s.wait("it was read", func() bool { return reads(taken) == 2 })
	if _, err := s.dial(client.Options{}, "?stream=a"); goodbye(err) != framewirev1.GoodbyeReason_GOODBYE_REASON_UNAUTHORIZED {
		t.Errorf("without token: %v", err)
	}
	s.fragment(a)
	_, err = s.admin().ListStreams(s.ctx, connect.NewRequest(&framewirev1.ListStreamsRequest{}))
	if connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("the operator's service: %v", err)
	}
}

func TestMetricsFollowWhatHappens(t *testing.T) {
	s := start(t, "streams: {cam: {source: 'demo:'}}\n")
	v := s.must(client.Options{}, "?stream=cam")
	s.fragment(v)
	err := v.Send(s.ctx, &framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_PlaybackReport{PlaybackReport: &framewirev1.PlaybackReport{
		LatencyMs: 120, PlaybackRate: 1, State: framewirev1.PlayerState_PLAYER_STATE_PLAYING,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	has := func(lines ...string) func() bool {
		return func() bool {
			_, body := s.get("/metrics")
			for _, line := range lines {
				if !strings.Contains(body, "\n"+line) {
					return false
				}
			}
			return true
		}
	}
	s.wait("the viewer shows", has(
		`framewire_stream_viewers{stream="cam"} 1`, `framewire_sessions{degradation="none"} 1`, `framewire_sessions_opened_total 1`,
		`framewire_capture_to_glass_seconds_bucket{le="0.15"} 1`, `framewire_capture_to_glass_seconds_bucket{le="0.1"} 0`,
		`framewire_stream_live{stream="cam"} 1`, `framewire_viewer_lag_seconds_count 1`,
	))
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	s.wait("its end shows", has(`framewire_sessions_closed_total{reason="client_left"} 1`, `framewire_stream_viewers{stream="cam"} 0`))
	_, body := s.get("/metrics")
	if !strings.Contains(body, `framewire_sent_bytes_total{stream="cam"} `) {
		t.Error("what was sent went with the viewer")
	}
}
