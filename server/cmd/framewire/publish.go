package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/config"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/relay"
	"github.com/framewire/framewire/server/internal/source"
	"github.com/framewire/framewire/server/internal/source/exec"
)

// publishCmd sends a source to a server, which may be another one.
type publishCmd struct {
	URL    string `name:"url" help:"Publish on this server: ws://, wss://, http:// or https://." default:"ws://localhost:8080/ws" env:"FRAMEWIRE_URL" placeholder:"URL"`
	Stream string `help:"Publish under this name." required:"" placeholder:"NAME"`
	Key    string `help:"The stream key, or a token with the action publish, where the server asks for one." env:"FRAMEWIRE_KEY" placeholder:"KEY"`
	Token  string `help:"An access token with the action publish: the same as --key for a server that asks for tokens." env:"FRAMEWIRE_TOKEN" placeholder:"TOKEN"`
	Quiet  bool   `short:"q" help:"Show no progress."`
	Source string `arg:"" help:"What to publish: demo:, a file's path, rtsp://, srt://, http(s)://, ffmpeg:INPUT-ARGUMENTS, exec:COMMAND, or - for standard input."`
}

// Bounds of the pause before a source that ended is started again.
const (
	sourcePauseFirst = 250 * time.Millisecond
	sourcePauseMax   = 10 * time.Second
)

// Run publishes until ctx is done, the server refuses for good, or standard
// input ends.
func (p *publishCmd) Run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	endpoint, err := relay.Endpoint(p.URL)
	if err != nil {
		return fmt.Errorf("%w: --url: %w", config.ErrInvalid, err)
	}
	if err := media.CheckStreamName(p.Stream); err != nil {
		return fmt.Errorf("%w: --stream: %w", config.ErrInvalid, err)
	}
	run, keyframes, err := p.source(log)
	if err != nil {
		return fmt.Errorf("%w: %w", config.ErrInvalid, err)
	}
	sender := relay.New(relay.Options{
		URL: endpoint, Stream: p.Stream, Key: p.Key, Keyframes: keyframes, Log: log,
		Session: client.Options{Name: "framewire publish", ClientVersion: version, Token: p.Token},
	})

	ctx, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	var sourceErr error
	parts.Go(func() {
		defer sender.Finish()
		sourceErr = run(ctx, sender)
	})
	if !p.Quiet {
		parts.Go(func() { showPublishing(ctx, os.Stderr, sender, p.Stream) })
	}
	err = sender.Run(ctx)
	stop()
	parts.Wait()
	return errors.Join(err, sourceErr)
}

// source returns what runs the source until it has ended for good, and whom to
// ask for keyframes, or nil.
func (p *publishCmd) source(log *slog.Logger) (run func(context.Context, media.Sink) error, keyframes media.KeyframeRequester, err error) {
	if p.Source == "-" {
		return func(ctx context.Context, sink media.Sink) error { return readStandardInput(ctx, sink, log) }, nil, nil
	}
	parsed, err := source.Parse(p.Source, log)
	if err != nil {
		return nil, nil, err
	}
	keyframes, _ = parsed.Source.(media.KeyframeRequester)
	return func(ctx context.Context, sink media.Sink) error {
		repeat(ctx, parsed.Source, sink, log)
		return nil
	}, keyframes, nil
}

// repeat runs a source again whenever it ends, as serve does.
func repeat(ctx context.Context, s media.Source, sink media.Sink, log *slog.Logger) {
	wait := sourcePauseFirst
	for {
		began := time.Now()
		err := s.Run(ctx, sink)
		if ctx.Err() != nil || errors.Is(err, media.ErrFinished) {
			return
		}
		if time.Since(began) > sourcePauseMax {
			wait = sourcePauseFirst
		}
		pause := wait/2 + rand.N(wait/2+1)
		log.Warn("the source ended", "error", err, "restart_in", pause.Round(time.Millisecond))
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		wait = min(2*wait, sourcePauseMax)
	}
}

// readStandardInput reads media of any container until the end.
func readStandardInput(ctx context.Context, sink media.Sink, log *slog.Logger) error {
	// A pipe that can be given up: closing it, or a deadline, ends a read.
	stop := context.AfterFunc(ctx, func() {
		if os.Stdin.SetReadDeadline(time.Now()) != nil {
			_ = os.Stdin.Close()
		}
	})
	defer stop()
	err := exec.Read(ctx, os.Stdin, 0, log, sink)
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	return nil
}

// How often progress is shown: on a terminal on one line, elsewhere as lines.
const (
	publishingTerminal = 500 * time.Millisecond
	publishingLog      = 10 * time.Second
)

// showPublishing writes how the sender does until ctx is done.
func showPublishing(ctx context.Context, out *os.File, sender *relay.Sender, stream string) {
	pause, begin, end := publishingLog, "", "\n"
	if info, err := out.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		pause, begin, end = publishingTerminal, "\r\x1b[2K", ""
		defer fmt.Fprintln(out)
	}
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	began, before, at := time.Now(), sender.Status(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			status := sender.Status()
			fmt.Fprint(out, begin, publishing(stream, now.Sub(began), now.Sub(at), before, status), end)
			before, at = status, now
		}
	}
}

// publishing is one line on how the sender does; span is since the status before.
func publishing(stream string, running, span time.Duration, before, now relay.Status) string {
	words := []string{clockText(running), stream}
	if now.Since.IsZero() {
		why := "connecting"
		if now.Failure != nil {
			why = "not connected: " + now.Failure.Error()
		}
		return strings.Join(append(words, why), "  ")
	}
	seconds := span.Seconds()
	words = append(words,
		fmt.Sprintf("%.2f Mb/s", float64(now.Bytes-before.Bytes)*8/1e6/seconds),
		fmt.Sprintf("%.0f fps", float64(now.Pictures-before.Pictures)/seconds),
	)
	if a := now.Ack; a != nil {
		words = append(words, fmt.Sprintf("%d viewers", a.GetViewers()), fmt.Sprintf("%.0f ms to the server", a.GetDelayMs()))
		if l := a.GetViewerLatencyMs(); l > 0 {
			words = append(words, fmt.Sprintf("%.0f ms to viewers", l))
		}
		words = append(words, fmt.Sprintf("%d acknowledged", a.GetSamples()))
	}
	if now.Dropped > 0 {
		words = append(words, fmt.Sprintf("%d left out", now.Dropped))
	}
	if now.Reconnects > 0 {
		words = append(words, fmt.Sprintf("%d reconnects", now.Reconnects))
	}
	return strings.Join(words, "  ")
}

// clockText writes a time as 1:02:03.
func clockText(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}
