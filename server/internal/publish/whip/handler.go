package whip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/patience"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/door"
)

const (
	// maxOffer bounds offers and fragments in bytes. Those of browsers with every
	// codec take about 10 kB.
	maxOffer = 64 << 10

	// maxName bounds stream names before the desk judges them.
	maxName = 256

	// setupLimit is the time for all of a request but the reading of its body:
	// the desk's decision and the making of an answer.
	setupLimit = 10 * time.Second

	typeOffer    = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

// Handler serves a WHIP endpoint and its sessions. It is to be mounted on the
// pattern "/whip/{stream...}", for all methods: the sessions lie below their
// stream's path.
type Handler struct {
	options Options
	engine  webrtc.SettingEngine
	conn    *net.UDPConn
	mux     *ice.UDPMuxDefault
	patient http.Handler // serve, with its patience bounded

	mu       sync.Mutex
	sessions map[string]*session // by ID; guarded by mu; nil for one in the making
	closed   bool                // guarded by mu
	open     sync.WaitGroup      // one for each of sessions; added to under mu
}

// New opens the UDP port and returns a handler. Close it at the end.
func New(o Options) (*Handler, error) {
	o = o.withDefaults()
	conn, mux, engine, err := o.listen()
	if err != nil {
		return nil, err
	}
	h := &Handler{options: o, engine: engine, conn: conn, mux: mux, sessions: make(map[string]*session)}
	h.patient = patience.Handler(http.HandlerFunc(h.serve), o.Patience)
	return h, nil
}

// UDPAddr is the address that media come to.
func (h *Handler) UDPAddr() *net.UDPAddr { return h.conn.LocalAddr().(*net.UDPAddr) }

// Close ends all sessions and waits for their end. New ones are refused.
func (h *Handler) Close() error {
	h.mu.Lock()
	h.closed = true
	for _, s := range h.sessions {
		if s != nil {
			s.cancel(publish.ErrShutdown)
		}
	}
	h.mu.Unlock()
	h.open.Wait()
	return errors.Join(h.mux.Close(), ignoreClosed(h.conn.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// ServeHTTP implements http.Handler. It sets deadlines on the connection: see
// patience.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.patient.ServeHTTP(w, r) }

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	if !cors.Admit(w, r, h.options.Origins) {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	path := r.PathValue("stream")
	_, id, _ := cutLast(path)
	session, isSession := h.session(id)
	switch r.Method {
	case http.MethodOptions:
		w.Header().Set("Accept-Post", typeOffer)
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPost:
		if isSession {
			notAllowed(w, "DELETE, OPTIONS, PATCH")
			return
		}
		h.post(w, r, path)
	case http.MethodPatch, http.MethodDelete:
		switch {
		case !isSession || session == nil:
			http.Error(w, "there is no such session", http.StatusNotFound)
		case r.Method == http.MethodPatch:
			h.patch(w, r, session)
		default:
			h.delete(w, r, session)
		}
	default:
		notAllowed(w, "DELETE, OPTIONS, PATCH, POST")
	}
}

func notAllowed(w http.ResponseWriter, allowed string) {
	w.Header().Set("Allow", allowed)
	http.Error(w, "this method is not allowed here", http.StatusMethodNotAllowed)
}

// cors is what WHIP takes (RFC 9725 4.2).
var cors = door.CORS{
	Methods: "DELETE, OPTIONS, PATCH, POST",
	Headers: "Authorization, Content-Type, If-Match",
	Expose:  "Accept-Patch, Accept-Post, ETag, Link, Location, Retry-After",
}

func cutLast(path string) (before, last string, found bool) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:], i >= 0
}

func (h *Handler) session(id string) (*session, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.sessions[id]
	return s, ok
}

// readBody returns the body of a request of the given type, or answers it.
func readBody(w http.ResponseWriter, r *http.Request, contentType string) ([]byte, bool) {
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || got != contentType {
		http.Error(w, "the body has to be of type "+contentType, http.StatusUnsupportedMediaType)
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOffer))
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		http.Error(w, fmt.Sprintf("the body is longer than %d bytes", maxOffer), http.StatusRequestEntityTooLarge)
		return nil, false
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		http.Error(w, "the body did not come in time", http.StatusRequestTimeout)
		return nil, false
	}
	if err != nil {
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return nil, false
	}
	return body, true
}

// post opens a session.
func (h *Handler) post(w http.ResponseWriter, r *http.Request, stream string) {
	if !door.Knock(h.options.Gate, w, r) || h.options.Brake.Hold(w, r) {
		return
	}
	body, ok := readBody(w, r, typeOffer)
	if !ok {
		return
	}
	offer, err := parseOffer(body)
	if err != nil {
		refuseOffer(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), setupLimit)
	defer cancel()
	key := door.Key(r)
	s, answer, err := h.admit(ctx, offer, publish.Request{
		Stream: stream[:min(len(stream), maxName)], Key: key, Protocol: publish.WHIP,
		Remote: door.Remote(r), Client: door.Client(r),
	})
	switch {
	case errors.Is(err, errUnacceptable):
		refuseOffer(w, err)
		return
	case err != nil:
		h.options.Brake.Refused(door.Remote(r).Addr(), key != "", err, time.Now())
		door.Refuse(w, err, key != "")
		return
	}
	header := w.Header()
	path, _, _ := strings.Cut(r.RequestURI, "?")
	header.Set("Location", strings.TrimSuffix(path, "/")+"/"+s.id)
	header.Set("Content-Type", typeOffer)
	header.Set("Accept-Patch", typeFragment)
	header.Set("ETag", answer.tag)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer.text)
}

func refuseOffer(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	if errors.Is(err, errUnacceptable) {
		status = http.StatusUnprocessableEntity
	}
	http.Error(w, err.Error(), status)
}

// reserve makes room for a session and returns its ID.
func (h *Handler) reserve() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return "", publish.ErrShutdown
	}
	if len(h.sessions) >= h.options.MaxSessions {
		return "", publish.ErrTooManyPublishers
	}
	id := rand.Text()
	h.sessions[id] = nil
	h.open.Add(1)
	return id, nil
}

func (h *Handler) release(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, id)
	h.open.Done()
}

type answer struct{ text, tag string }

// admit lets a publisher in and starts its session.
func (h *Handler) admit(ctx context.Context, o *offer, r publish.Request) (*session, answer, error) {
	id, err := h.reserve()
	if err != nil {
		return nil, answer{}, err
	}
	s := &session{
		id: id, stream: r.Stream, began: time.Now(),
		log:     h.options.Log.With("stream", r.Stream, "protocol", r.Protocol, "remote", r.Remote, "client", r.Client),
		silence: h.options.Silence, handshake: h.options.Handshake,
		signalling: signalling{offer: o}, done: make(chan struct{}), connected: make(chan struct{}),
		events: make(chan event, queuedEvents), keyframes: make(chan struct{}, 1),
		tracks: make(map[media.Kind]*track),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	r.Keyframes = s
	if s.publication, err = h.options.Desk.Open(ctx, r); err != nil {
		h.release(id)
		return nil, answer{}, err
	}
	s.program = program{out: s.publication, expected: len(o.sections)}
	a, err := s.connect(ctx, h.engine)
	if err != nil {
		h.release(id)
		s.publication.Close(err)
		return nil, answer{}, err
	}
	return h.start(s, a)
}

// start lets a session run, unless the handler was closed meanwhile.
func (h *Handler) start(s *session, a answer) (*session, answer, error) {
	h.mu.Lock()
	closed := h.closed
	h.sessions[s.id] = s
	h.mu.Unlock()
	if closed {
		s.cancel(publish.ErrShutdown)
	}
	go func() {
		s.run()
		h.release(s.id)
	}()
	if closed {
		<-s.done
		return nil, answer{}, publish.ErrShutdown
	}
	return s, a, nil
}

// connect makes the connection and the answer to the offer.
func (s *session) connect(ctx context.Context, engine webrtc.SettingEngine) (answer, error) {
	connection, err := newConnection(engine, s.signalling.offer)
	if err != nil {
		return answer{}, fmt.Errorf("make connection: %w", err)
	}
	s.connection = connection
	connection.OnConnectionStateChange(s.stateChanged)
	connection.OnTrack(s.trackBegan)
	s.signalling.mu.Lock()
	defer s.signalling.mu.Unlock()
	var a answer
	if a.text, a.tag, err = s.signalling.answer(ctx, connection); err != nil {
		s.cancel(err)
		return answer{}, errors.Join(err, connection.GracefulClose())
	}
	return a, nil
}

// patch serves trickled candidates and ICE restarts.
func (h *Handler) patch(w http.ResponseWriter, r *http.Request, s *session) {
	match := r.Header.Get("If-Match")
	if match == "" {
		http.Error(w, "If-Match is missing", http.StatusPreconditionRequired)
		return
	}
	body, ok := readBody(w, r, typeFragment)
	if !ok {
		return
	}
	f, err := parseFragment(string(body))
	if err != nil {
		refuseOffer(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), setupLimit)
	defer cancel()
	text, tag, err := s.signalling.patch(ctx, s.connection, f, match)
	switch {
	case errors.Is(err, errNoMatch):
		http.Error(w, err.Error(), http.StatusPreconditionFailed)
	case err != nil:
		s.log.Debug("restart ICE", "error", err)
		http.Error(w, "ICE could not be restarted", http.StatusInternalServerError)
	case tag == "":
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", typeFragment)
		w.Header().Set("ETag", tag)
		_, _ = io.WriteString(w, text)
	}
}

// delete ends a session. When it answers, the stream is free.
func (h *Handler) delete(w http.ResponseWriter, r *http.Request, s *session) {
	s.cancel(errEnded)
	select {
	case <-s.done:
	case <-r.Context().Done():
	}
	w.WriteHeader(http.StatusOK)
}
