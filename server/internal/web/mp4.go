package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
)

const (
	// httpLag is how far behind live a plain HTTP viewer may be before it is
	// moved to the newest keyframe.
	httpLag = 5 * time.Second

	// httpBlocked ends a response of which nothing was taken for so long.
	httpBlocked = 20 * time.Second

	// retryLater is what a client is told to wait for a stream that is not live.
	retryLater = "5"
)

// liveStream returns the stream of that name with a present epoch, or answers
// why not and returns nil.
func (s *Server) liveStream(w http.ResponseWriter, name string) *hub.Stream {
	stream := s.opts.Hub.Lookup(name)
	if stream == nil {
		explain(w, http.StatusNotFound, "There is no stream %q.", name)
		return nil
	}
	if stream.Status().State != hub.Live || stream.Epoch() == nil {
		w.Header().Set("Retry-After", retryLater)
		explain(w, http.StatusServiceUnavailable, "Stream %q is not live now.", name)
		return nil
	}
	return stream
}

// serveMP4 answers with an endless fragmented MP4 file from the newest keyframe
// on. It ends when the stream changes its tracks, for an MP4 file cannot.
func (s *Server) serveMP4(w http.ResponseWriter, r *http.Request, name string) {
	stream := s.liveStream(w, name)
	if stream == nil {
		return
	}
	f := openFeed(stream, func(*media.Packet) bool { return true })
	defer f.close()
	h := w.Header()
	h.Set("Content-Type", "video/mp4")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Accept-Ranges", "none")
	if r.Method == http.MethodHead {
		return
	}
	control := http.NewResponseController(w)
	ctx, cancel := s.whileServing(r)
	defer cancel()
	// A blocked write ends with the server too.
	stop := context.AfterFunc(ctx, func() { _ = control.SetWriteDeadline(time.Now()) })
	defer stop()
	for {
		parts, err := f.next(ctx)
		if err != nil {
			return
		}
		if ctx.Err() == nil {
			_ = control.SetWriteDeadline(time.Now().Add(httpBlocked))
		}
		for _, part := range parts {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
		if err := control.Flush(); err != nil {
			return
		}
	}
}

// whileServing returns a context that is done with the request, or with the
// server.
func (s *Server) whileServing(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(s.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// errEnded is returned by feed.next when no more fits the file.
var errEnded = errors.New("stream ended or changed its tracks")

// isOver reports whether nothing more is to come of a stream.
func isOver(s *hub.Stream) bool {
	state := s.Status().State
	return state == hub.Closed || state == hub.Finished
}

// feed reads a stream as the bytes of an MP4 file.
type feed struct {
	stream  *hub.Stream
	cursor  *hub.Cursor
	wants   func(*media.Packet) bool
	init    func(*media.Epoch) []byte
	epoch   *media.Epoch // nil before the first packet
	needKey bool
	packets [32]*media.Packet
	parts   [][]byte
}

// openFeed begins at the newest keyframe with the packets that wants takes. It
// must be closed.
func openFeed(stream *hub.Stream, wants func(*media.Packet) bool) *feed {
	f := &feed{stream: stream, cursor: stream.Subscribe(), wants: wants, needKey: true}
	f.init = func(e *media.Epoch) []byte { return e.Init }
	f.cursor.SeekLive()
	return f
}

func (f *feed) close() { f.cursor.Close() }

// next returns what comes next, at least one piece. The slice is valid until the
// next call, the pieces for ever.
func (f *feed) next(ctx context.Context) ([][]byte, error) {
	f.parts = f.parts[:0]
	for {
		changed := f.stream.Changed()
		if f.cursor.Lag() > httpLag && f.epoch != nil {
			f.skip()
		}
		n, evicted := f.cursor.Read(f.packets[:])
		if evicted {
			f.skip()
			continue
		}
		for _, p := range f.packets[:n] {
			if err := f.add(p); err != nil {
				if len(f.parts) > 0 {
					return f.parts, nil // the next call finds out again
				}
				return nil, err
			}
		}
		if len(f.parts) > 0 {
			return f.parts, nil
		}
		if n > 0 {
			continue
		}
		if isOver(f.stream) {
			return nil, errEnded
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// skip moves to the newest keyframe, if that is ahead.
func (f *feed) skip() {
	before := f.cursor.Next()
	if !f.cursor.SeekLive() || f.cursor.Next() <= before {
		f.cursor.SeekExact(before)
		return
	}
	f.needKey = true
}

func (f *feed) add(p *media.Packet) error {
	if f.epoch == nil || p.Epoch != f.epoch.ID {
		if err := f.enter(p.Epoch); err != nil {
			f.cursor.SeekExact(p.Sequence)
			return err
		}
	}
	if !f.wants(p) {
		return nil
	}
	if p.Kind == media.Video {
		if f.needKey && !p.Keyframe {
			return nil
		}
		f.needKey = false
	}
	f.parts = append(f.parts, p.Payload)
	return nil
}

// enter follows the stream into an epoch, if its file would begin alike.
func (f *feed) enter(id uint32) error {
	epoch := f.stream.EpochByID(id)
	switch {
	case epoch == nil:
		return errEnded
	case f.epoch == nil:
		f.parts = append(f.parts, f.init(epoch))
	case !bytes.Equal(f.init(f.epoch), f.init(epoch)):
		return errEnded
	}
	// The next epoch with the same pictures may begin without a keyframe.
	if f.epoch == nil || epoch.ID != f.epoch.ID+1 {
		f.needKey = true
	}
	f.epoch = epoch
	return nil
}
