package httppush

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/framewire/framewire/server/internal/media"
)

// FileConverter is a Converter that reads from a pipe, as those that run a
// process do. It uses the pipe's read deadline.
type FileConverter func(ctx context.Context, head []byte, pipe *os.File, log *slog.Logger, sink media.Sink) error

// Through makes a Converter of one that reads from a pipe.
func Through(convert FileConverter, log *slog.Logger) Converter {
	return func(ctx context.Context, head []byte, body io.Reader, sink media.Sink) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		reader, writer, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("open pipe: %w", err)
		}
		done := make(chan error, 1)
		go func() {
			err := convert(ctx, head, reader, log, sink)
			_ = reader.Close() // upon which the copying below fails, if it goes on
			done <- err
		}()
		_, copyErr := io.Copy(writer, struct{ io.Reader }{body})
		if copyErr != nil && !errors.Is(copyErr, os.ErrClosed) {
			cancel()
		}
		_ = writer.Close()
		return <-done
	}
}
