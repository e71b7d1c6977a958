package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/app"
	"github.com/framewire/framewire/server/internal/config"
)

// TestMain lets tests run the program: the test binary itself, told so by the
// environment.
func TestMain(m *testing.M) {
	if os.Getenv("FRAMEWIRE_TEST_PROGRAM") == "1" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// framewire runs the program to its end.
func framewire(t *testing.T, env []string, args ...string) (out, complaint string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append(append(os.Environ(), "FRAMEWIRE_TEST_PROGRAM=1"), env...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), c.ProcessState.ExitCode()
}

// serving starts a server that asks for tokens, and returns its address and how
// to get a token.
func serving(t *testing.T) (addr string, token func(args ...string) string) {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("a secret of at least thirty-two bytes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Listen = "127.0.0.1:0"
	c.Publish.RTMP, c.Publish.WebRTC = config.Off, config.Off
	c.Auth.SecretFile = secret
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		done <- app.Serve(ctx, app.Options{Config: c, Version: "1.2.3", Log: slog.New(slog.DiscardHandler), Ready: func(a net.Addr) { ready <- a }})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case a := <-ready:
		addr = a.String()
	case err := <-done:
		t.Fatal(err)
	}
	return addr, func(args ...string) string {
		t.Helper()
		out, complaint, code := framewire(t, nil, append([]string{"token", "--secret-file", secret}, args...)...)
		if code != 0 {
			t.Fatal(complaint)
		}
		return strings.TrimSpace(out)
	}
}

func TestCtlSteersAServer(t *testing.T) {
	addr, token := serving(t)
	env := []string{"FRAMEWIRE_URL=http://" + addr}
	if _, complaint, code := framewire(t, env, "ctl", "streams"); code != exitFailure || !strings.Contains(complaint, "framewire token") {
		t.Errorf("without token: %d %s", code, complaint)
	}
	env = append(env, "FRAMEWIRE_TOKEN="+token("--actions", "admin", "--subject", "ann"))
	viewer, err := client.Dial(t.Context(), "ws://"+addr+"/ws?stream=demo", client.Options{
		Name: "tester\x1b[31m", Token: token("--streams", "demo", "--address", "127.0.0.0/8"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = viewer.Close() }()
	id := viewer.Welcome().GetSessionId()
	publisher, err := client.Dial(t.Context(), "ws://"+addr+"/ws", client.Options{Token: token("--streams", "studio", "--actions", "publish")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = publisher.Close() }()
	published, err := publisher.Publish(t.Context(), &framewirev1.PublishStart{Stream: "studio"})
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		args []string
		want []string // parts of what is printed
	}{
		{[]string{"info"}, []string{"1.2.3", "sessions     2"}},
		// Soon, before it is ended for sending nothing.
		{[]string{"publishers"}, []string{"PROTOCOL", "studio", "ws"}},
		{[]string{"kick", "--publisher", "studio"}, []string{"ended the publisher of studio"}},
		{[]string{"streams"}, []string{"STREAM", "demo", "demo:"}},
		{[]string{"sessions"}, []string{id, "tester[31m", "127.0.0.1:"}},
		{[]string{"sessions", "none"}, []string{"SESSION"}},
		{[]string{"add", "cam/1", "demo:"}, []string{"added cam/1"}},
		{[]string{"restart", "cam/1"}, []string{"restarting cam/1"}},
		{[]string{"remove", "cam/1"}, []string{"removed cam/1"}},
		{[]string{"directive", "--session", id, "--wait", "100ms", "volume", "0.5"}, []string{id + " no answer"}},
		{[]string{"directive", "--stream", "demo", "--wait", "100ms", "--json", "notice", "Hi"}, []string{`"sessionId"`, id, `"unanswered":true`}},
		{[]string{"kick", id, "--message", "Bye"}, []string{"ended " + id}},
	} {
		out, complaint, code := framewire(t, env, append([]string{"ctl"}, c.args...)...)
		if code != 0 {
			t.Errorf("%q: %d %s", c.args, code, complaint)
		}
		for _, part := range c.want {
			if !strings.Contains(out, part) {
				t.Errorf("%q prints %q, want %q in it", c.args, out, part)
			}
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("%q lets a client steer the terminal: %q", c.args, out)
		}
	}
	var end *client.PublishError
	if !errors.As(published.Err(), &end) || end.Reason != framewirev1.PublishEndReason_PUBLISH_END_REASON_REMOVED {
		t.Errorf("the publisher that was kicked is told %v", published.Err())
	}
	for _, args := range [][]string{
		{"kick", "none"}, {"restart", "none"}, {"add", "x", "exec:ls"}, {"directive", "--all", "volume"}, {"directive", "--all", "pause", "now"},
	} {
		if out, complaint, code := framewire(t, env, append([]string{"ctl"}, args...)...); code == 0 || complaint == "" {
			t.Errorf("%q succeeds: %s", args, out)
		}
	}
	for _, what := range []string{"streams", "sessions", "publishers", "info"} {
		out, complaint, _ := framewire(t, env, "ctl", "--json", what)
		var any map[string]any
		if err := json.Unmarshal([]byte(out), &any); err != nil {
			t.Errorf("%s: %q %s: %v", what, out, complaint, err)
		}
	}
}

func TestTokensAreChecked(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--secret-file", secret}, {}, {"--secret-file", "/none"},
	} {
		if out, _, code := framewire(t, nil, append([]string{"token"}, args...)...); code == 0 {
			t.Errorf("%q: %s", args, out)
		}
	}
}

func TestCheckConfigFindsMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"streams: {a: {source: 'demo:'}}":                "",
		"streams: {a: {source: 'what:'}}":                "streams.a",
		"lisen: x":                                       "lisen",
		"streams: {a: {source: 'demo:'}}\nwindow: 0s":    "window",
		"auth: {secret_file: /none}":                     "auth",
		"streams: {a: {source: 'demo:'}}\nlisten: :80\n": "",
	} {
		file := filepath.Join(t.TempDir(), "framewire.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, complaint, code := framewire(t, nil, "check-config", file)
		switch {
		case want == "" && (code != 0 || !strings.Contains(out, "is fine")):
			t.Errorf("%q: %d %s", text, code, complaint)
		case want != "" && (code == 0 || !strings.Contains(complaint, want) || !strings.Contains(complaint, file)):
			t.Errorf("%q: %d %s", text, code, complaint)
		}
	}
}

// Events are printed from the past on, and as they come, until the program is told
// to stop.
func TestCtlPrintsEventsUntilInterrupted(t *testing.T) {
	addr, token := serving(t)
	c := exec.CommandContext(t.Context(), os.Args[0], "ctl", "events")
	c.Env = append(os.Environ(), "FRAMEWIRE_TEST_PROGRAM=1", "FRAMEWIRE_URL=http://"+addr, "FRAMEWIRE_TOKEN="+token("--actions", "admin"))
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	comes := func(words ...string) {
		t.Helper()
		for lines.Scan() {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(lines.Text(), w) }) {
				return
			}
		}
		t.Errorf("no line with %q comes", words)
	}
	comes("demo", "stream live")
	viewer, err := client.Dial(t.Context(), "ws://"+addr+"/ws", client.Options{Token: token("--streams", "demo")})
	if err != nil {
		t.Fatal(err)
	}
	id := viewer.Welcome().GetSessionId()
	comes(id, "session opened by")
	_ = viewer.Close()
	comes(id, "session closed: client left")
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		continue
	}
	if err := c.Wait(); err != nil {
		t.Errorf("interrupted: %v", err)
	}
}

func TestVersionNamesTheBuild(t *testing.T) {
	want, _, _ := framewire(t, nil, "version")
	for _, flag := range []string{"--version", "-v"} {
		if out, complaint, code := framewire(t, nil, flag); code != 0 || out != want || !strings.Contains(out, "framewire dev\nbuilt with go1.") {
			t.Errorf("%s: %d %q %s", flag, code, out, complaint)
		}
	}
}
