package ffmpeg

import (
	"log/slog"
	"testing"
)

func TestLinesOfFFmpeg(t *testing.T) {
	for _, c := range []struct {
		line, text string
		level      slog.Level
	}{
		{"[tcp @ 0x55] [error] Connection to tcp://u:p@x:1 failed", "tcp: Connection to tcp://***@x:1 failed", slog.LevelWarn},
		{"[fatal] no", "no", slog.LevelWarn},
		{"[warning] slow", "slow", slog.LevelInfo},
		{"[nut @ 0x55] [warning] Non-monotonous DTS in output stream 0:0; previous: 1", "nut: Non-monotonous DTS in output stream 0:0; previous: 1", slog.LevelDebug},
		{"[out#0/nut @ 0x55] [warning] Non-monotonic DTS; previous: 1", "out#0/nut: Non-monotonic DTS; previous: 1", slog.LevelDebug},
	} {
		if level, text := parseLine(c.line); level != c.level || text != c.text {
			t.Errorf("%s: %v %q", c.line, level, text)
		}
	}
}
