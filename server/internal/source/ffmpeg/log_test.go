package ffmpeg_test

import (
	"log/slog"
	"testing"
)

// testLog shows the log of a test that fails.
func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}
