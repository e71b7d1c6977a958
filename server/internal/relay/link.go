package relay

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/media"
)

// link is one connection.
type link struct {
	*Sender
	session *client.Session
	pub     *client.Publication
	gone    chan error // takes why the session has ended

	mu     sync.Mutex
	offset time.Duration // guarded by mu: how far the server's clock is ahead
}

// connect publishes over one connection, until it ends or ctx is done.
func (s *Sender) connect(ctx context.Context) error {
	tracks, err := s.awaitTracks(ctx)
	if err != nil || tracks == nil {
		return err
	}
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	session, err := client.Dial(dialing, s.opts.URL, s.opts.Session)
	if err != nil {
		return err
	}
	defer session.Close()
	l := &link{Sender: s, session: session, gone: make(chan error, 1)}
	if clock, err := session.Ping(dialing); err == nil {
		l.offset = clock.Offset
	}
	l.pub, err = session.Publish(dialing, &framewirev1.PublishStart{
		Stream: s.opts.Stream, Key: s.opts.Key, Tracks: describe(tracks),
	})
	if err != nil {
		return err
	}
	s.connected(tracks)
	return l.run(ctx)
}

// awaitTracks waits until the source has told its tracks: a server counts the
// silence before as well. It returns none where the source has finished.
func (s *Sender) awaitTracks(ctx context.Context) ([]media.Track, error) {
	for {
		s.mu.Lock()
		tracks, finished := s.queue.tracks, s.queue.finished
		s.mu.Unlock()
		if finished {
			return nil, nil
		}
		if tracks != nil {
			return tracks, nil
		}
		select {
		case <-s.more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// connected opens the queue. The server knows the given tracks.
func (s *Sender) connected(tracks []media.Track) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connections > 0 {
		s.state.Reconnects++
	}
	s.connections++
	s.state.Since, s.state.Failure = time.Now(), nil
	s.queue.begin()
	if !slices.EqualFunc(tracks, s.queue.tracks, func(a, b media.Track) bool { return a.Equal(&b) }) {
		s.queue.items = append(s.queue.items, item{tracks: s.queue.tracks})
	}
	if s.opts.Keyframes != nil {
		s.opts.Keyframes.RequestKeyframe()
	}
}

// run sends until the connection ends, or in good order when ctx is done.
func (l *link) run(ctx context.Context) error {
	var beside sync.WaitGroup
	defer beside.Wait()
	sending, stop := context.WithCancel(ctx)
	defer stop()
	beside.Go(func() { l.attend(sending) })
	beside.Go(func() { l.receive(sending) })
	for {
		item, waits, finished := l.take()
		if finished {
			return l.part()
		}
		if !waits {
			select {
			case <-l.more:
				continue
			case <-l.pub.Done():
				return l.pub.Err()
			case err := <-l.gone:
				return err
			case <-ctx.Done():
				return l.part()
			}
		}
		if err := l.send(item); err != nil {
			if ended := l.pub.Err(); ended != nil {
				return ended
			}
			return err
		}
		select {
		case <-ctx.Done():
			return l.part()
		default:
		}
	}
}

func (l *link) take() (i item, waits, finished bool) {
	l.Sender.mu.Lock()
	defer l.Sender.mu.Unlock()
	l.state.Ack = l.pub.Ack()
	i, waits = l.queue.pop()
	return i, waits, !waits && l.queue.finished
}

func (l *link) send(i item) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if i.tracks != nil {
		return l.pub.SetTracks(ctx, describe(i.tracks)...)
	}
	l.mu.Lock()
	captured := i.sample.CapturedAt.Add(l.offset)
	l.mu.Unlock()
	if err := l.pub.Write(ctx, &framewirev1.PublishSample{
		TrackId:                i.sample.TrackID,
		DecodeTimeTicks:        i.sample.DTS,
		CompositionOffsetTicks: i.sample.Offset,
		DurationTicks:          i.sample.Duration,
		Keyframe:               i.sample.Keyframe,
		CapturedAtUnixUs:       captured.UnixMicro(),
		Data:                   i.sample.Data,
	}); err != nil {
		return err
	}
	l.Sender.mu.Lock()
	defer l.Sender.mu.Unlock()
	l.state.Sent++
	l.state.Bytes += uint64(len(i.sample.Data))
	if i.kind == media.Video {
		l.state.Pictures++
	}
	return nil
}

// part ends the stream in good order.
func (l *link) part() error {
	ctx, cancel := context.WithTimeout(context.Background(), partingTimeout)
	defer cancel()
	if err := l.pub.Close(ctx); err != nil {
		return fmt.Errorf("end the stream: %w", err)
	}
	return nil
}

// attend passes on what viewers ask for, and keeps the clocks in step.
func (l *link) attend(ctx context.Context) {
	ticker := time.NewTicker(pingPause)
	defer ticker.Stop()
	best := time.Duration(-1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.pub.Keyframes():
			if l.opts.Keyframes != nil {
				l.opts.Keyframes.RequestKeyframe()
			}
		case <-ticker.C:
			pinging, cancel := context.WithTimeout(ctx, writeTimeout)
			clock, err := l.session.Ping(pinging)
			cancel()
			if err != nil {
				_ = l.session.Close() // nothing comes through: whoever sends is told
				return
			}
			if best < 0 || clock.RoundTrip <= best {
				best = clock.RoundTrip
				l.mu.Lock()
				l.offset = clock.Offset
				l.mu.Unlock()
			}
			best += best / 20 // clocks drift: an old measurement does not count for ever
		}
	}
}

// receive takes what the server sends besides, and tells when the session ends.
func (l *link) receive(ctx context.Context) {
	for {
		if _, err := l.session.Receive(ctx); err != nil {
			l.gone <- err
			return
		}
	}
}

func describe(tracks []media.Track) []*framewirev1.PublishTrack {
	var list []*framewirev1.PublishTrack
	for i := range tracks {
		t := &tracks[i]
		p := &framewirev1.PublishTrack{
			Id: t.ID, Codec: t.CodecString, DecoderConfig: t.Config, Timescale: t.Timescale, Language: t.Language,
		}
		if t.Kind() == media.Video {
			p.Details = &framewirev1.PublishTrack_Video{Video: &framewirev1.VideoDetails{
				Width: uint32(t.Width), Height: uint32(t.Height), FrameRate: t.FrameRate,
			}}
		} else {
			p.Details = &framewirev1.PublishTrack_Audio{Audio: &framewirev1.AudioDetails{
				SampleRate: uint32(t.SampleRate), Channels: uint32(t.Channels),
			}}
		}
		list = append(list, p)
	}
	return list
}
