package ingest

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
)

const (
	backoffFirst = 250 * time.Millisecond
	backoffMax   = 10 * time.Second

	// backoffReset is how long a source has to run for the next failure to count
	// as the first again.
	backoffReset = 10 * time.Second
)

// Supervise runs source into stream until ctx is done, and starts it again
// whenever it ends. Viewers are told in between.
func Supervise(ctx context.Context, stream *hub.Stream, source media.Source, log *slog.Logger) error {
	feed := New(stream, log)
	wait := backoffFirst
	for {
		began := time.Now()
		err := runOnce(ctx, feed, source)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, hub.ErrClosed) {
			return err
		}
		if time.Since(began) >= backoffReset {
			wait = backoffFirst
		}
		pause := wait/2 + rand.N(wait/2+1)
		if err != nil {
			log.Warn("source failed", "error", err, "retry_in", pause.Round(time.Millisecond))
		} else {
			log.Info("source ended", "restart_in", pause.Round(time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		wait = min(2*wait, backoffMax)
	}
}

func runOnce(ctx context.Context, feed *Feed, source media.Source) error {
	run := feed.Open()
	if asker, ok := source.(media.KeyframeRequester); ok {
		feed.stream.SetKeyframeRequester(asker.RequestKeyframe)
	}
	err := source.Run(ctx, run)
	return errors.Join(err, run.Close(hub.Lost, "The source broke off and is being restarted."))
}
