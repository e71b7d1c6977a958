package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// errNoFFmpeg reports that pictures cannot be made.
var errNoFFmpeg = errors.New("ffmpeg is missing")

// errNoPicture reports a stream that has none, or none yet.
var errNoPicture = errors.New("no picture")

// errBusy reports that as many pictures are being made as may be.
var errBusy = errors.New("busy")

// decodeArgs let ffmpeg hold back as little as it can: one thread, since frame
// threads each hold a picture, and a look at no more of the input than the
// tracks' description. (-fflags nobuffer would throw away what it looked at,
// which is the keyframe.)
func decodeArgs() []string {
	return []string{
		"-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1",
		"-flags", "low_delay", "-analyzeduration", "0", "-f", "mp4", "-i", "pipe:0",
		"-map", "0:v:0",
	}
}

// maxComplaint bounds what is kept of what ffmpeg says.
const maxComplaint = 2 << 10

// command returns an ffmpeg process that is killed with ctx, and what it
// complains of once it has ended.
func (s *Server) command(ctx context.Context, args ...string) (*exec.Cmd, *complaint) {
	c := exec.CommandContext(ctx, s.opts.FFmpeg, args...)
	said := &complaint{}
	c.Stderr = said
	c.WaitDelay = time.Second
	return c, said
}

// complaint keeps the beginning of what is written to it.
type complaint struct{ bytes.Buffer }

func (c *complaint) Write(p []byte) (int, error) {
	if room := maxComplaint - c.Len(); room > 0 {
		c.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// explain turns the failure of a command into an error that says why.
func (c *complaint) explain(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return errNoFFmpeg
	}
	if text := strings.TrimSpace(c.String()); text != "" {
		return fmt.Errorf("ffmpeg: %w: %s", err, text)
	}
	return fmt.Errorf("ffmpeg: %w", err)
}

// noPicture answers why there is no picture.
func (s *Server) noPicture(w http.ResponseWriter, name string, err error) {
	w.Header().Set("Retry-After", retryLater)
	switch {
	case errors.Is(err, errNoFFmpeg):
		explain(w, http.StatusServiceUnavailable, "Pictures are made with ffmpeg, which this server lacks. Install it there (Debian, Ubuntu: apt-get install ffmpeg; Fedora: dnf install ffmpeg-free; macOS: brew install ffmpeg).")
	case errors.Is(err, errNoPicture):
		explain(w, http.StatusServiceUnavailable, "Stream %q has no picture yet, or carries sound alone.", name)
	case errors.Is(err, errBusy):
		explain(w, http.StatusServiceUnavailable, "The server makes as many pictures as it may now.")
	default:
		s.log.Warn("no picture can be made", "stream", name, "error", err)
		explain(w, http.StatusServiceUnavailable, "No picture can be made of stream %q.", name)
	}
}

// videoInit returns the init segment of the epoch's first video track and its
// ID, or nil.
func videoInit(e *media.Epoch) ([]byte, uint32) {
	for i := range e.Tracks {
		if e.Tracks[i].Kind() == media.Video {
			return e.Inits[i], e.Tracks[i].ID
		}
	}
	return nil, 0
}
