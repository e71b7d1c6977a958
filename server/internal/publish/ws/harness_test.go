package ws_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/mp4"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/ws"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/web"
	"github.com/framewire/framewire/server/internal/wire"
)

// patience is how long a test waits for what has to happen.
const patience = 30 * time.Second

// site is a server that takes publishers over its sessions.
type site struct {
	t   *testing.T
	url string
	hub *hub.Hub
	web *web.Server
}

func serve(t *testing.T, desk publish.Desk, streams *hub.Hub, opts ws.Options) *site {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	opts.Desk, opts.Log = desk, log
	opts.Viewers = func(name string) int {
		if s := streams.Lookup(name); s != nil {
			return s.Viewers()
		}
		return 0
	}
	publishers := ws.New(opts)
	server := web.New(web.Options{Hub: streams, Log: log, Sessions: session.Options{
		Publisher: func(o session.Outlet) session.Publisher {
			return publishers.Open(ws.Client{SessionID: o.SessionID, Address: o.Address, Name: o.Client, Send: o.Send, Latency: o.Latency})
		},
	}})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	httpServer := server.HTTPServer()
	done := make(chan error, 1)
	go func() { done <- httpServer.Serve(web.Listen(listener)) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Drain(ctx, wire.ShuttingDown, 0); err != nil {
			t.Errorf("drain: %v", err)
		}
		streams.Close()
		if err := httpServer.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return &site{t, "ws://" + listener.Addr().String() + "/ws", streams, server}
}

func (s *site) dial(ctx context.Context, opts client.Options) *client.Session {
	s.t.Helper()
	c, err := client.Dial(ctx, s.url, opts)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

func withTimeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// clipSeconds is enough for two groups of pictures.
const clipSeconds = 1.5

// clip is media to publish.
type clip struct {
	tracks  []media.Track
	samples []media.Sample
}

// makeClip encodes pictures and a tone with ffmpeg into an MP4 and reads it.
func makeClip(t *testing.T, options string) clip {
	t.Helper()
	path := mediatest.Make(t, "clip.mp4", mediatest.Args(
		mediatest.Picture("320x180", 30, clipSeconds), mediatest.Tone(48000, clipSeconds), strings.Fields(options))...)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := mp4.Open(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	c := clip{tracks: file.Tracks()}
	cursor := file.Samples()
	for {
		s, err := cursor.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		c.samples = append(c.samples, s)
	}
	if len(c.tracks) == 0 || len(c.samples) == 0 {
		t.Fatal("the clip is empty")
	}
	return c
}

func (c *clip) start(stream, key string) *framewirev1.PublishStart {
	return &framewirev1.PublishStart{Stream: stream, Key: key, Tracks: c.describe()}
}

func (c *clip) describe() []*framewirev1.PublishTrack {
	var list []*framewirev1.PublishTrack
	for _, t := range c.tracks {
		list = append(list, &framewirev1.PublishTrack{Id: t.ID, Codec: t.CodecString, DecoderConfig: t.Config, Timescale: t.Timescale})
	}
	return list
}

func sampleOf(s media.Sample) *framewirev1.PublishSample {
	return &framewirev1.PublishSample{
		TrackId: s.TrackID, DecodeTimeTicks: s.DTS, CompositionOffsetTicks: s.Offset,
		DurationTicks: s.Duration, Keyframe: s.Keyframe, Data: s.Data,
	}
}

func (c *clip) write(ctx context.Context, t *testing.T, p *client.Publication) {
	t.Helper()
	for _, s := range c.samples {
		if err := p.Write(ctx, sampleOf(s)); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *clip) count(kind media.Kind) int {
	n := 0
	for _, s := range c.samples {
		for _, t := range c.tracks {
			if t.ID == s.TrackID && t.Kind() == kind {
				n++
			}
		}
	}
	return n
}
