package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/elementary"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/nut"
	"github.com/framewire/framewire/server/internal/source/process"
)

// stallLimit is how long ffmpeg may deliver nothing at all before it is taken to
// hang on a peer that is gone, and is started anew. Slow cameras send a frame in
// some seconds.
const stallLimit = 20 * time.Second

var (
	// errChanged reports that an input no longer holds what the plan is for.
	errChanged = errors.New("the input's codec changed")
	errStalled = fmt.Errorf("no media for %v", stallLimit)
)

// run starts ffmpeg and hands over what comes out of it. It reports whether there
// was anything.
func (p *plan) run(ctx context.Context, log *slog.Logger, stdin io.ReadCloser, sink media.Sink) (delivered bool, err error) {
	command := process.Command{
		Argv:    p.argv(),
		Outputs: len(p.tracks),
		Stdin:   stdin,
		Log:     log,
		Line:    parseLine,
	}
	err = process.Run(ctx, command, func(outputs []*os.File) error {
		m := merger{plan: p, program: elementary.NewProgram(sink)}
		err := m.run(outputs)
		delivered = m.delivered
		return err
	})
	return delivered, err
}

// merger brings the tracks' outputs together on one goroutine.
type merger struct {
	plan      *plan
	program   *elementary.Program
	delivered bool
}

// event is what the reader of one output has to tell: its header, a frame, or the
// end.
type event struct {
	track  int
	header *nut.Stream
	frame  nut.Timed
	err    error
}

func (m *merger) run(outputs []*os.File) error {
	events := make(chan event)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for i, output := range outputs {
		readers.Go(func() { readTrack(i, output, events, done) })
	}
	err := m.merge(len(outputs), events)
	close(done)
	for _, output := range outputs {
		_ = output.SetReadDeadline(time.Now())
	}
	readers.Wait()
	return err
}

func (m *merger) merge(open int, events <-chan event) error {
	m.program.Expect(open)
	streams := make([]*outputStream, open)
	stall := time.NewTimer(stallLimit)
	defer stall.Stop()
	for open > 0 {
		var e event
		select {
		case e = <-events:
			stall.Reset(stallLimit)
		case <-stall.C:
			return errStalled
		}
		switch {
		case errors.Is(e.err, io.EOF) || errors.Is(e.err, io.ErrUnexpectedEOF):
			open--
		case e.err != nil:
			return fmt.Errorf("ffmpeg's output: %w", e.err)
		case e.header != nil:
			s, err := newOutputStream(e.track, m.plan.tracks[e.track].output, e.header)
			if err != nil {
				return err
			}
			streams[e.track] = s
			m.program.Add(s.Stream)
		default:
			m.delivered = true
			if err := m.program.Push(streams[e.track].Stream, streams[e.track].packet(e.frame)); err != nil {
				return err
			}
		}
	}
	if !m.delivered {
		return io.EOF // the process tells why
	}
	return m.program.Finish()
}

// outputStream turns frames of NUT into packets.
type outputStream struct {
	*elementary.Stream
	num int64 // ticks of NUT are num of the stream's
}

func newOutputStream(track int, codec media.Codec, h *nut.Stream) (*outputStream, error) {
	if known, ok := fourCCs[h.FourCC]; ok && known != codec {
		return nil, fmt.Errorf("%w: %v where %v was", errChanged, known, codec)
	}
	s, err := elementary.NewStream(uint32(track)+1, codec, uint32(h.TimeDen))
	if err != nil {
		return nil, err
	}
	return &outputStream{Stream: s, num: h.TimeNum}, s.Configure(h.Extradata)
}

func (s *outputStream) packet(f nut.Timed) elementary.Packet {
	return elementary.Packet{Data: f.Data, PTS: f.PTS * s.num, DTS: f.DTS * s.num, Keyframe: f.Keyframe}
}

// fourCCs are the codes that ffmpeg writes.
var fourCCs = map[string]media.Codec{
	"H264": media.H264, "avc1": media.H264, "HEVC": media.H265, "hvc1": media.H265, "hev1": media.H265,
	"AV01": media.AV1, "av01": media.AV1, "VP90": media.VP9, "vp09": media.VP9, "VP80": media.VP8,
	"\xff\x00\x00\x00": media.AAC, "mp4a": media.AAC, "Opus": media.Opus,
	"\xac\xf1\x00\x00": media.FLAC, "\x55\x00\x00\x00": media.MP3,
}

// readTrack reads one output to its end, or until done is closed.
func readTrack(track int, output io.Reader, events chan<- event, done <-chan struct{}) {
	tell := func(e event) bool {
		e.track = track
		select {
		case events <- e:
			return true
		case <-done:
			return false
		}
	}
	reader := nut.NewReader(output)
	streams, err := reader.Streams()
	if err != nil {
		tell(event{err: err})
		return
	}
	if len(streams) != 1 {
		tell(event{err: fmt.Errorf("%w: %d streams, want 1", nut.ErrFormat, len(streams))})
		return
	}
	if !tell(event{header: &streams[0]}) {
		return
	}
	order := nut.NewOrder(streams[0])
	for {
		frame, err := reader.Next()
		if err != nil {
			tell(event{err: err})
			return
		}
		for _, timed := range order.Add(frame) {
			if !tell(event{frame: timed}) {
				return
			}
		}
	}
}
