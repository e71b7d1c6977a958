package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/framewire/framewire/server/client"
)

func TestTokenForPublishingAlonePublishes(t *testing.T) {
	addr, token := serving(t)
	publisher := token("--streams", "cam/*", "--actions", "publish")
	for flag, name := range map[string]string{"--token": "cam/token", "--key": "cam/key"} {
		t.Run(flag, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, os.Args[0], "publish", "--url", "http://"+addr, "--stream", name, flag, publisher, "demo:")
			c.Env = append(os.Environ(), "FRAMEWIRE_TEST_PROGRAM=1")
			var said strings.Builder
			c.Stderr = &said
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := c.Process.Signal(os.Interrupt); err != nil {
					t.Error(err)
				}
				if err := c.Wait(); err != nil {
					t.Errorf("%v: %s", err, said.String())
				}
			}()
			watch(ctx, t, addr, name, token("--streams", "cam/*"))
		})
	}
	t.Run("not another stream", func(t *testing.T) {
		_, complaint, code := framewire(t, nil, "publish", "--url", "http://"+addr, "--stream", "other", "--token", publisher, "demo:")
		if code == 0 || !strings.Contains(complaint, "other") || strings.Contains(complaint, publisher) {
			t.Errorf("%d %s", code, complaint)
		}
	})
}

// watch returns once a picture of the stream has come.
func watch(ctx context.Context, t *testing.T, addr, name, token string) {
	t.Helper()
	viewer, err := client.Dial(ctx, "ws://"+addr+"/ws", client.Options{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = viewer.Close() }()
	for viewer.Play(ctx, name) != nil { // until there is such a stream
		if ctx.Err() != nil {
			t.Fatalf("no stream %s", name)
		}
		if _, err := viewer.Ping(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for m, err := range viewer.Messages(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if m.GetFragment() != nil {
			return
		}
	}
}
