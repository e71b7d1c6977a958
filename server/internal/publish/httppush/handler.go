package httppush

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/patience"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/door"
)

const (
	defaultSilence = 10 * time.Second

	// admitLimit is the time for the desk's decision.
	admitLimit = 10 * time.Second

	// restLimit is the time for what a publisher sends behind the end of its media.
	restLimit = 10 * time.Second

	// maxName bounds stream names before the desk judges them.
	maxName = 256
)

// cors is what pages may send: as MediaRecorder gives it, in the body of a fetch.
var cors = door.CORS{
	Methods: "OPTIONS, POST, PUT",
	Headers: "Authorization, Content-Type",
	Expose:  "Retry-After",
}

// Converter fills sink from media in any container, until they end or ctx is
// done. head is what was read already. The sink's methods are called from one
// goroutine, and not after the converter has returned. Errors that mean that the
// media are of no known kind wrap publish.ErrUnsupported.
type Converter func(ctx context.Context, head []byte, body io.Reader, sink media.Sink) error

// Options says how a Handler works. Zero fields take the default.
type Options struct {
	// Desk lets publishers in. Required.
	Desk publish.Desk

	// Convert takes the containers that are not read here. Nil refuses them.
	Convert Converter

	// Origins are the pages that may publish. Nil: all.
	Origins door.Origins

	// Brake slows the guessing of keys down. Nil: one of its own.
	Brake *door.Brake

	// Gate limits how often an address may begin to publish. Nil: as often as it
	// likes.
	Gate *gate.Gate

	// Silence is how long a publisher may send nothing. Default 10 s.
	Silence time.Duration

	// Log, default none.
	Log *slog.Logger
}

// Handler serves the URLs of streams. It is to be mounted on the pattern
// "/publish/{stream...}", for all methods, on a server whose reading is not bound
// by a time: it sets read deadlines itself.
type Handler struct {
	options Options

	mu      sync.Mutex
	closed  bool               // guarded by mu
	running map[*body]struct{} // guarded by mu
	open    sync.WaitGroup     // one for each of running; added to under mu
}

// New returns a handler. Close it at the end.
func New(o Options) *Handler {
	if o.Silence == 0 {
		o.Silence = defaultSilence
	}
	if o.Brake == nil {
		o.Brake = new(door.Brake)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{options: o, running: make(map[*body]struct{})}
}

// Close ends all publishers and waits until their media are no longer read. New
// ones are refused.
func (h *Handler) Close() {
	h.mu.Lock()
	h.closed = true
	for b := range h.running {
		b.stop(publish.ErrShutdown)
	}
	h.mu.Unlock()
	h.open.Wait()
}

// begin notes a publisher, unless the handler is closed.
func (h *Handler) begin(b *body) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.running[b] = struct{}{}
	h.open.Add(1)
	return true
}

func (h *Handler) end(b *body) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.running, b)
	h.open.Done()
}

// ServeHTTP implements http.Handler. It returns when the publisher has ended.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !cors.Admit(w, r, h.options.Origins) {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.Method != http.MethodPut && r.Method != http.MethodPost {
		w.Header().Set("Allow", "OPTIONS, POST, PUT")
		http.Error(w, "send the media as the body of a PUT or POST", http.StatusMethodNotAllowed)
		return
	}
	if !door.Knock(h.options.Gate, w, r) || h.options.Brake.Hold(w, r) {
		return
	}
	key := door.Key(r)
	in := newBody(w, r, h.options.Silence)
	if !h.begin(in) {
		door.Refuse(w, publish.ErrShutdown, key != "")
		return
	}
	defer h.end(in)
	defer in.cancel()
	publication, err := h.admit(r, key)
	if err != nil {
		h.options.Brake.Refused(door.Remote(r).Addr(), key != "", err, time.Now())
		door.Refuse(w, err, key != "")
		return
	}
	err = h.receive(r, in, publication)
	if err != nil {
		in.release() // so that the answer is not held up by what the publisher goes on sending
		w.Header().Set("Connection", "close")
		door.Refuse(w, err, key != "")
		return
	}
	patience.Await(w, r, restLimit)
	w.WriteHeader(http.StatusNoContent)
}

func (h *Handler) admit(r *http.Request, key string) (publish.Publication, error) {
	ctx, cancel := context.WithTimeout(r.Context(), admitLimit)
	defer cancel()
	name := r.PathValue("stream")
	return h.options.Desk.Open(ctx, publish.Request{
		Stream: name[:min(len(name), maxName)], Key: key, Protocol: publish.HTTP,
		Remote: door.Remote(r), Client: door.Client(r),
	})
}

// receive reads the media to their end, and closes the publication with what
// ended them.
func (h *Handler) receive(r *http.Request, in *body, publication publish.Publication) error {
	log := h.options.Log.With("stream", r.PathValue("stream"), "protocol", publish.HTTP,
		"remote", door.Remote(r), "client", door.Client(r))
	began := time.Now()
	finished := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		select {
		case <-publication.Done():
			in.stop(publication.Reason())
		case <-finished:
		}
	})
	out := &sink{Sink: publication}
	err := h.cause(read(in.context, in, out, h.options.Convert, log), in, out)
	close(finished)
	watcher.Wait()
	publication.Close(err)
	log.Debug("publisher gone", "reason", err, "after", time.Since(began).Round(time.Millisecond))
	return err
}

// cause says what it was that ended the media.
func (h *Handler) cause(err error, in *body, out *sink) error {
	reason, ended := in.outcome()
	switch {
	case reason != nil:
		return reason
	case out.err != nil:
		return out.err
	case err == nil, ended && errors.Is(err, io.ErrUnexpectedEOF):
		return nil // the publisher broke off within an element, and ended its request well
	case isUnsupported(err):
		return fmt.Errorf("%w: %w", publish.ErrUnsupported, err)
	case errors.Is(err, publish.ErrUnsupported):
		return err
	default:
		return fmt.Errorf("%w: %w", publish.ErrMalformed, err)
	}
}

// sink remembers the error that ended it, and whether anything was started.
type sink struct {
	media.Sink
	started bool
	err     error
}

func (s *sink) Start(tracks []media.Track) error {
	s.started = true
	return s.keep(s.Sink.Start(tracks))
}

func (s *sink) Write(sample media.Sample) error { return s.keep(s.Sink.Write(sample)) }

func (s *sink) keep(err error) error {
	if err != nil {
		s.err = err
	}
	return err
}
