package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
)

const (
	// maxProjectors bounds the ffmpeg processes that turn whole streams into
	// pictures: each takes a good part of a processor.
	maxProjectors = 4

	// firstPicture is how long a viewer waits for a picture before it is refused.
	firstPicture = 15 * time.Second

	boundary = "framewire-picture"
)

// serveMJPEG answers with a stream as a sequence of JPEG pictures
// (multipart/x-mixed-replace). All viewers of a stream share one ffmpeg, which
// runs while there are any.
func (s *Server) serveMJPEG(w http.ResponseWriter, r *http.Request, name string) {
	stream := s.liveStream(w, name)
	if stream == nil {
		return
	}
	if video, _ := videoInit(stream.Epoch()); video == nil {
		s.noPicture(w, name, errNoPicture)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodHead {
		h.Set("Content-Type", "multipart/x-mixed-replace; boundary="+boundary)
		return
	}
	ctx, cancel := s.whileServing(r)
	defer cancel()
	p, err := s.projectors.join(s, stream)
	if err != nil {
		s.noPicture(w, name, err)
		return
	}
	defer s.projectors.leave(p)
	first, giveUp := context.WithTimeout(ctx, firstPicture)
	defer giveUp()
	shown, err := p.after(first, 0)
	if err != nil {
		if ctx.Err() == nil {
			s.noPicture(w, name, err)
		}
		return
	}
	h.Set("Content-Type", "multipart/x-mixed-replace; boundary="+boundary)
	control := http.NewResponseController(w)
	stop := context.AfterFunc(ctx, func() { _ = control.SetWriteDeadline(time.Now()) })
	defer stop()
	for err == nil {
		_ = control.SetWriteDeadline(time.Now().Add(httpBlocked))
		if ctx.Err() != nil {
			return
		}
		fmt.Fprintf(w, "--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", boundary, len(shown.data))
		_, _ = w.Write(shown.data)
		_, _ = io.WriteString(w, "\r\n")
		if control.Flush() != nil {
			return
		}
		shown, err = p.after(ctx, shown.number)
	}
}

// projectors are the streams that are being turned into pictures.
type projectors struct {
	mu  sync.Mutex
	all map[*hub.Stream]*projector
}

// join counts a viewer of the stream, and starts its projector with the first.
func (ps *projectors) join(s *Server, stream *hub.Stream) (*projector, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.all[stream]
	if p == nil || p.over() {
		if p == nil && len(ps.all) >= maxProjectors {
			return nil, errBusy
		}
		if s.ctx.Err() != nil {
			return nil, s.ctx.Err()
		}
		p = &projector{stream: stream, done: make(chan struct{}), changed: make(chan struct{})}
		ctx, cancel := context.WithCancel(s.ctx)
		p.stop = cancel
		if ps.all == nil {
			ps.all = make(map[*hub.Stream]*projector)
		}
		ps.all[stream] = p
		go func() {
			defer close(p.done) // leave waits for it
			p.finish(p.run(ctx, s))
		}()
	}
	p.viewers++
	return p, nil
}

// leave uncounts a viewer. The last one waits until ffmpeg has ended.
func (ps *projectors) leave(p *projector) {
	ps.mu.Lock()
	p.viewers--
	last := p.viewers == 0
	if last && ps.all[p.stream] == p {
		delete(ps.all, p.stream)
	}
	ps.mu.Unlock()
	if last {
		p.stop()
		<-p.done
	}
}

// projector turns a stream into pictures. Viewers see the newest; whoever is
// slow misses some.
type projector struct {
	stream  *hub.Stream
	stop    context.CancelFunc
	done    chan struct{}
	viewers int // guarded by projectors.mu

	mu      sync.Mutex
	newest  shownPicture
	err     error         // why there are no more
	changed chan struct{} // closed and replaced at each picture and the end
}

type shownPicture struct {
	number uint64 // from 1
	data   []byte
}

// after waits for a picture newer than the one with that number.
func (p *projector) after(ctx context.Context, number uint64) (shownPicture, error) {
	for {
		p.mu.Lock()
		newest, err, changed := p.newest, p.err, p.changed
		p.mu.Unlock()
		if newest.number > number {
			return newest, nil
		}
		if err != nil {
			return newest, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return newest, errNoPicture
		}
	}
}

// over reports whether no more pictures come.
func (p *projector) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err != nil
}

func (p *projector) show(data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.newest = shownPicture{p.newest.number + 1, data}
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *projector) finish(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	close(p.changed)
	p.changed = make(chan struct{})
}

// run turns one epoch after the other into pictures until ctx is done, the
// stream ends or ffmpeg fails. It always returns an error.
func (p *projector) run(ctx context.Context, s *Server) error {
	for {
		if err := p.runEpoch(ctx, s); !errors.Is(err, errEnded) || isOver(p.stream) {
			return err
		}
	}
}

// runEpoch runs one ffmpeg. It returns errEnded when the stream changes its
// tracks.
func (p *projector) runEpoch(ctx context.Context, s *Server) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args := append(decodeArgs(), "-fps_mode", "passthrough", "-vf", pictureFilter, "-c:v", "mjpeg", "-q:v", "5",
		"-pix_fmt", "yuvj420p", "-strict", "unofficial", "-flush_packets", "1", "-f", "mpjpeg", "pipe:1")
	c, said := s.command(ctx, args...)
	in, err := c.StdinPipe()
	if err != nil {
		return err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return said.explain(err)
	}
	var fed error
	var feeder sync.WaitGroup
	feeder.Go(func() {
		fed = p.feed(ctx, in)
		_ = in.Close() // ffmpeg then shows what it holds and ends
	})
	shown := p.read(out)
	cancel()
	err = c.Wait()
	feeder.Wait()
	switch {
	case errors.Is(fed, errEnded):
		return errEnded
	case fed != nil && errors.Is(fed, context.Canceled) && said.Len() == 0:
		return fmt.Errorf("no more pictures: %w", errors.Join(shown, context.Canceled))
	default:
		return said.explain(errors.Join(shown, err))
	}
}

// feed writes the stream's pictures to ffmpeg, from the newest keyframe on.
func (p *projector) feed(ctx context.Context, w io.Writer) error {
	var track uint32
	f := openFeed(p.stream, func(packet *media.Packet) bool { return packet.TrackID == track })
	defer f.close()
	f.init = func(e *media.Epoch) []byte {
		init, id := videoInit(e)
		track = id
		return init
	}
	for {
		parts, err := f.next(ctx)
		if err != nil {
			return err
		}
		for _, part := range parts {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
	}
}

// read shows what ffmpeg makes, until it ends.
func (p *projector) read(r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	text := textproto.NewReader(in)
	for {
		line, err := text.ReadLine()
		if err != nil {
			return err
		}
		if line == "" {
			continue // between a picture and the next boundary
		}
		header, err := text.ReadMIMEHeader()
		if err != nil {
			return err
		}
		size, err := strconv.Atoi(header.Get("Content-Length"))
		if err != nil || size <= 0 || size > maxPicture {
			return fmt.Errorf("picture of %q bytes", header.Get("Content-Length"))
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(in, data); err != nil {
			return err
		}
		p.show(data)
	}
}
