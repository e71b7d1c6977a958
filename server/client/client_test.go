package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/ingest"
	"github.com/framewire/framewire/server/internal/source/demo"
	"github.com/framewire/framewire/server/internal/web"
	"github.com/framewire/framewire/server/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server with the demo and returns it with its protocol's address.
func serve(t *testing.T) (*web.Server, string) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	streams := hub.New(hub.Options{})
	stream, err := streams.Create("demo")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := web.New(web.Options{Hub: streams, Log: log})
	ctx, cancel := context.WithCancel(context.Background())
	fed, served := make(chan error, 1), make(chan error, 1)
	go func() { fed <- ingest.Supervise(ctx, stream, demo.New(), log) }()
	h := server.HTTPServer()
	go func() { served <- h.Serve(web.Listen(listener)) }()
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		if err := server.Drain(ctx, wire.ShuttingDown, 0); err != nil {
			t.Error(err)
		}
		cancel()
		<-fed
		streams.Close()
		if err := h.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return server, "ws://" + listener.Addr().String() + "/ws"
}

func dial(t *testing.T, url string, opts client.Options) (*client.Session, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	s, err := client.Dial(ctx, url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, ctx
}

func TestPlayYieldsFragmentsInBothSubprotocols(t *testing.T) {
	_, url := serve(t)
	for _, subprotocol := range []string{client.Proto, client.JSON} {
		s, ctx := dial(t, url, client.Options{Subprotocol: subprotocol})
		if s.Welcome().GetSessionId() == "" {
			t.Fatalf("welcome: %v", s.Welcome())
		}
		if err := s.Play(ctx, "demo"); err != nil {
			t.Fatal(err)
		}
		fragments := 0
		for m, err := range s.Messages(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if f := m.GetFragment(); f != nil {
				if fragments++; fragments == 20 {
					break
				}
			}
		}
		clock, err := s.Ping(ctx)
		if err != nil || clock.RoundTrip < 0 || clock.Offset.Abs() > time.Second {
			t.Errorf("clock %+v, %v", clock, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := s.SetMuted(ctx, true); !errors.Is(err, client.ErrClosed) {
			t.Errorf("a command after Close: %v", err)
		}
	}
}

func TestServersGoodbyeIsTheLastError(t *testing.T) {
	server, url := serve(t)
	s, ctx := dial(t, url, client.Options{})
	drained := make(chan error, 1)
	go func() { drained <- server.Drain(ctx, wire.Restarting, 4*time.Second) }()
	var last error
	for _, err := range s.Messages(ctx) {
		last = err
	}
	var goodbye *client.GoodbyeError
	if !errors.As(last, &goodbye) || goodbye.Reason != framewirev1.GoodbyeReason_GOODBYE_REASON_RESTARTING || goodbye.RetryAfter <= 0 {
		t.Errorf("last error: %v", last)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if _, err := client.Dial(ctx, url, client.Options{}); !errors.As(err, &goodbye) {
		t.Errorf("dial while draining: %v", err)
	}
}

func TestDialSaysWhyTheServerRefuses(t *testing.T) {
	_, url := serve(t)
	_, err := client.Dial(t.Context(), url+"?stream=a//b", client.Options{})
	if err == nil || !strings.Contains(err.Error(), "empty part") {
		t.Errorf("got %v", err)
	}
	_, err = client.Dial(t.Context(), url, client.Options{Name: strings.Repeat("x", 100)})
	var refusal *client.CommandError
	if !errors.As(err, &refusal) || refusal.Field != "hello.client_name" {
		t.Errorf("got %v", err)
	}
}

func TestWhoDoesNotReceiveDoesNotGrow(t *testing.T) {
	_, url := serve(t)
	s, ctx := dial(t, url, client.Options{Buffer: 64 << 10})
	if err := s.Play(ctx, "demo"); err != nil {
		t.Fatal(err)
	}
	// Its queue is soon full; Close must end it all the same.
	if err := s.Close(); err != nil {
		t.Logf("close: %v", err)
	}
}

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := client.Dial(ctx, "ws://localhost:8080/ws", client.Options{Name: "counter"})
	if err != nil {
		log.Print(err)
		return
	}
	defer s.Close()
	if err := s.Play(ctx, "demo"); err != nil {
		log.Print(err)
		return
	}
	for m, err := range s.Messages(ctx) {
		var goodbye *client.GoodbyeError
		switch {
		case errors.As(err, &goodbye):
			fmt.Println("the server ended the session:", goodbye.Message)
		case err != nil:
			log.Print(err)
		case m.GetStreamStarted() != nil:
			for _, track := range m.GetStreamStarted().GetTracks() {
				fmt.Println("track", track.GetId(), track.GetMimeType())
			}
		case m.GetFragment() != nil:
			fmt.Println("fragment", m.GetFragment().GetSequence(), len(m.GetFragment().GetPayload()), "bytes")
		}
	}
}
