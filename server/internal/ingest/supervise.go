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
	s := Supervision{Stream: stream, Source: func() media.Source { return source }, Log: log}
	return s.Run(ctx)
}

// Supervision keeps a source running into a stream.
type Supervision struct {
	Stream *hub.Stream
	// Source is asked before each run for what to run.
	Source func() media.Source
	// Restart, when something comes from it, ends the present run, or the pause
	// after one, and begins the next at once. It may be nil.
	Restart <-chan struct{}
	// Ended is told of each run that ended by itself: with nil where the source
	// had no more to give. It may be nil.
	Ended func(err error)
	Log   *slog.Logger
}

// Run runs until ctx is done, with nil, or the stream is closed, with
// hub.ErrClosed.
func (s *Supervision) Run(ctx context.Context) error {
	feed := New(s.Stream, s.Log)
	wait := backoffFirst
	for {
		began := time.Now()
		restart, err := s.run(ctx, feed)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, hub.ErrClosed):
			return err
		case restart:
			wait = backoffFirst
			s.Log.Info("source restarts")
			continue
		case errors.Is(err, media.ErrFinished):
			wait = backoffFirst
			s.Log.Info("source is finished")
			if !s.asked(ctx) {
				return nil
			}
			continue
		case time.Since(began) >= backoffReset:
			wait = backoffFirst
		}
		if s.Ended != nil {
			s.Ended(err)
		}
		pause := wait/2 + rand.N(wait/2+1)
		if err != nil {
			s.Log.Warn("source failed", "error", err, "retry_in", pause.Round(time.Millisecond))
		} else {
			s.Log.Info("source ended", "restart_in", pause.Round(time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.Restart:
		case <-time.After(pause):
		}
		wait = min(2*wait, backoffMax)
	}
}

// asked waits to be asked for another run, and reports false when ctx is done
// first.
func (s *Supervision) asked(ctx context.Context) bool {
	if s.Ended != nil {
		s.Ended(nil)
	}
	select {
	case <-ctx.Done():
		return false
	case <-s.Restart:
		return true
	}
}

// run is one run. restart reports that it ended because it was asked to.
func (s *Supervision) run(ctx context.Context, feed *Feed) (restart bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	asked := make(chan bool, 1)
	go func() {
		select {
		case <-s.Restart:
			asked <- true
			cancel()
		case <-ctx.Done():
			asked <- false
		}
	}()
	err = runOnce(ctx, feed, s.Source())
	cancel()
	return <-asked, err
}

func runOnce(ctx context.Context, feed *Feed, source media.Source) error {
	run := feed.Open()
	if asker, ok := source.(media.KeyframeRequester); ok {
		feed.stream.SetKeyframeRequester(asker.RequestKeyframe)
	}
	err := source.Run(ctx, run)
	if errors.Is(err, media.ErrFinished) {
		return errors.Join(err, run.Close(hub.Finished, "The stream has come to its end."))
	}
	return errors.Join(err, run.Close(hub.Lost, "The source broke off and is being restarted."))
}
