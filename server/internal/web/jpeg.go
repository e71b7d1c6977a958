package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
)

const (
	// pictureTimeout bounds the making of one picture.
	pictureTimeout = 10 * time.Second

	// maxPictureWorkers bounds the ffmpeg processes that make single pictures.
	maxPictureWorkers = 2

	// maxPicture bounds one picture, in bytes.
	maxPicture = 16 << 20

	// pictureFilter keeps thumbnails of large streams small.
	pictureFilter = "scale='min(1280,iw)':-2"
)

// serveJPEG answers with the newest keyframe as a picture.
func (s *Server) serveJPEG(w http.ResponseWriter, r *http.Request, name string) {
	stream := s.opts.Hub.Lookup(name)
	if stream == nil {
		explain(w, http.StatusNotFound, "There is no stream %q.", name)
		return
	}
	key := stream.NewestKeyframe()
	if key == nil || key.Kind != media.Video {
		s.noPicture(w, name, errNoPicture)
		return
	}
	ctx, cancel := s.whileServing(r)
	defer cancel()
	p := s.pictures.of(stream, key)
	data, err := p.get(ctx, func() ([]byte, error) { return s.picture(stream, key) })
	if err != nil {
		if r.Context().Err() == nil {
			s.noPicture(w, name, err)
		}
		return
	}
	h := w.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", cacheChecked)
	h.Set("ETag", fmt.Sprintf(`"%s-%d"`, stream.Instance(), key.Sequence))
	http.ServeContent(w, r, "", time.UnixMicro(key.CapturedAt), bytes.NewReader(data))
}

// picture decodes one keyframe.
func (s *Server) picture(stream *hub.Stream, key *media.Packet) ([]byte, error) {
	epoch := stream.EpochByID(key.Epoch)
	if epoch == nil || epoch.Track(key.TrackID) == nil {
		return nil, errNoPicture
	}
	var input bytes.Buffer
	for i := range epoch.Tracks {
		if epoch.Tracks[i].ID == key.TrackID {
			input.Write(epoch.Inits[i])
		}
	}
	input.Write(key.Payload)
	ctx, cancel := context.WithTimeout(s.ctx, pictureTimeout)
	defer cancel()
	select {
	case s.workers <- struct{}{}:
		defer func() { <-s.workers }()
	case <-ctx.Done():
		return nil, errBusy
	}
	args := append(decodeArgs(), "-frames:v", "1", "-vf", pictureFilter, "-c:v", "mjpeg", "-q:v", "4",
		"-pix_fmt", "yuvj420p", "-strict", "unofficial", "-f", "image2pipe", "pipe:1")
	c, said := s.command(ctx, args...)
	c.Stdin = &input
	out, err := c.Output()
	if err != nil {
		return nil, said.explain(err)
	}
	if len(out) == 0 || len(out) > maxPicture {
		return nil, fmt.Errorf("picture of %d bytes: %s", len(out), said.String())
	}
	return out, nil
}

// pictures holds the newest picture of each stream, made or being made.
type pictures struct {
	mu   sync.Mutex
	last map[*hub.Stream]*picture
}

// of returns the picture of a keyframe, and forgets that of the one before and
// those of streams that are gone.
func (ps *pictures) of(stream *hub.Stream, key *media.Packet) *picture {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p := ps.last[stream]; p != nil && p.sequence == key.Sequence {
		return p
	}
	if ps.last == nil {
		ps.last = make(map[*hub.Stream]*picture)
	}
	for other := range ps.last {
		if other.Status().State == hub.Closed {
			delete(ps.last, other)
		}
	}
	p := &picture{sequence: key.Sequence, turn: make(chan struct{}, 1)}
	ps.last[stream] = p
	return p
}

// picture is made by the first who asks; the others wait.
type picture struct {
	sequence uint64
	turn     chan struct{} // capacity 1: held by whoever makes it

	// Owned by the holder of turn until made is true.
	made bool
	data []byte
	err  error
}

func (p *picture) get(ctx context.Context, make func() ([]byte, error)) ([]byte, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if !p.made {
		p.data, p.err = make()
		p.made = !errors.Is(p.err, errBusy)
	}
	return p.data, p.err
}
