package whip

import (
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// loggers gives the WebRTC stack a logger. What it has to say is of use when a
// connection is looked into, and not before: sessions report their own ends.
type loggers struct{ log *slog.Logger }

func (l loggers) NewLogger(scope string) logging.LeveledLogger {
	return logger{l.log.With("webrtc", scope)}
}

type logger struct{ log *slog.Logger }

func (l logger) Trace(string)          {}
func (l logger) Tracef(string, ...any) {}
func (l logger) Debug(string)          {}
func (l logger) Debugf(string, ...any) {}
func (l logger) Info(text string)      { l.log.Debug(text) }
func (l logger) Warn(text string)      { l.log.Debug(text) }
func (l logger) Error(text string)     { l.log.Debug(text) }

func (l logger) Infof(format string, args ...any)  { l.log.Debug(fmt.Sprintf(format, args...)) }
func (l logger) Warnf(format string, args ...any)  { l.log.Debug(fmt.Sprintf(format, args...)) }
func (l logger) Errorf(format string, args ...any) { l.log.Debug(fmt.Sprintf(format, args...)) }
