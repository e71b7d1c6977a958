package ffmpeg

import (
	"log/slog"
	"regexp"
	"strings"
)

var (
	userInfo = regexp.MustCompile(`(://)[^/?#\s"'@]*(?:@[^/?#\s"'@]*)*@`)
	secrets  = regexp.MustCompile(`(?i)\b((?:[a-z0-9_-]*(?:pass|secret|token|key|auth|sig|pwd|credential)[a-z0-9_-]*|streamid)=)[^&\s"'#]+`)
	options  = regexp.MustCompile(`(?i)((?:^|\s)--?(?:[a-z0-9_-]*(?:pass|secret|token)[a-z0-9_-]*|u|user)\s+)("[^"]*"|'[^']*'|\S+)`)
	headers  = regexp.MustCompile(`(?i)\b((?:proxy-)?authorization|cookie)(:\s*)[^\r\n"']+`)
)

// Redact returns text with what may be a credential replaced by three asterisks:
// user and password of URLs, query parameters and options of programs that are
// named like secrets, and headers that carry them.
func Redact(text string) string {
	text = userInfo.ReplaceAllString(text, "${1}***@")
	text = secrets.ReplaceAllString(text, "${1}***")
	text = options.ReplaceAllString(text, "${1}***")
	return headers.ReplaceAllString(text, "${1}${2}***")
}

// stderrLine is a line as -loglevel level+... makes them: a part of ffmpeg with
// its address, a level, a message. Either of the first two may be missing.
var stderrLine = regexp.MustCompile(`^(?:\[([^\]@]+) @ 0x[0-9a-f]+\] )?(?:\[(\w+)\] )?(.*)$`)

// harmless is what ffmpeg says at each keyframe of a camera that sends its parameter
// sets in packets of their own: these have the time of the picture behind them.
var harmless = regexp.MustCompile(`Non-monoton(?:ous|ic) DTS`)

// parseLine returns a line's level and its text. What ffmpeg calls an error is for
// the most part one broken packet, so nothing is above a warning.
func parseLine(line string) (slog.Level, string) {
	m := stderrLine.FindStringSubmatch(line)
	text := Redact(strings.TrimSpace(m[3]))
	if m[1] != "" {
		text = m[1] + ": " + text
	}
	if harmless.MatchString(text) {
		return slog.LevelDebug, text
	}
	switch m[2] {
	case "panic", "fatal", "error":
		return slog.LevelWarn, text
	case "debug", "verbose", "trace":
		return slog.LevelDebug, text
	default:
		return slog.LevelInfo, text
	}
}
