package rtmp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/framewire/framewire/server/internal/flv"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/rtmp/chunk"
)

// publish opens a publication.
func (c *conn) publish(ctx context.Context, cl *call) error {
	if cl.stream == 0 || cl.stream > c.streams {
		return fmt.Errorf("%w: publish on message stream %d, which was not created", publish.ErrMalformed, cl.stream)
	}
	if c.pub != nil {
		return c.refuse(cl, fmt.Errorf("%w: one at a time on a connection", publish.ErrStreamBusy))
	}
	stream, key, err := c.target.stream(cl.text(0))
	if err != nil {
		return c.refuse(cl, err)
	}
	pub, err := c.open(ctx, stream, key)
	if err != nil {
		return c.refuse(cl, err)
	}
	c.publishes()
	c.pub, c.pubID = pub, cl.stream
	c.demux = flv.NewDemuxer(&sink{pub, c})
	c.demux.LeftOut = func(kind media.Kind, track uint8, codec media.Codec) {
		c.log.Warn("a track of the publisher is left out: one of each kind is taken", "stream", stream,
			"kind", kind.String(), "track", track, "codec", codec.String())
	}
	c.watched <- pub.Done()
	c.setDeadline(time.Now().Add(c.opts.Silence))
	if err := c.send(userControl(eventStreamBegin, cl.stream)); err != nil {
		return err
	}
	return c.status(cl.stream, "status", codePublishing, "publishing "+stream)
}

// open asks the desk, unless this address has tried too many keys.
func (c *conn) open(ctx context.Context, stream, key string) (publish.Publication, error) {
	remote, brake := addressOf(c.nc), c.opts.Brake
	if wait := brake.Wait(remote.Addr(), time.Now()); wait > 0 {
		return nil, fmt.Errorf("%w; try again in %v", publish.ErrTooManyAttempts, wait.Round(time.Second))
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Setup)
	defer cancel()
	pub, err := c.server.desk.Open(ctx, publish.Request{
		Stream: stream, Key: key, Protocol: publish.RTMP, Remote: remote, Client: c.client,
	})
	brake.Refused(remote.Addr(), key != "", err, time.Now())
	c.logged = true
	return pub, err
}

// sink notes what the publication says, to tell its errors from those of the
// media.
type sink struct {
	to publish.Publication
	c  *conn
}

func (s *sink) Start(tracks []media.Track) error {
	s.c.sinkSays = s.to.Start(tracks)
	return s.c.sinkSays
}

func (s *sink) Write(sample media.Sample) error {
	s.c.sinkSays = s.to.Write(sample)
	return s.c.sinkSays
}

// refuse answers a publish command, and returns why.
func (c *conn) refuse(cl *call, why error) error {
	for _, code := range refusalCodes(why) {
		if err := c.status(cl.stream, "error", code, why.Error()); err != nil {
			return err
		}
	}
	c.told = true
	return why
}

// media hands an audio, video or aggregate message on.
func (c *conn) media(m *chunk.Message, now time.Time) error {
	if c.pub == nil {
		return nil // before publishing, or behind its end
	}
	c.setDeadline(now.Add(c.opts.Silence))
	if m.Type != typeAggregate {
		return c.demux.Tag(flv.Tag{Type: m.Type, Timestamp: m.Timestamp, Body: m.Data}, now)
	}
	// The tags' times are relative to that of the first (7.1.6).
	first, shift := true, uint32(0)
	for tag, err := range flv.Tags(m.Data) {
		if err != nil {
			return err
		}
		if first {
			first, shift = false, m.Timestamp-tag.Timestamp
		}
		tag.Timestamp += shift
		if err := c.demux.Tag(tag, now); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) metadata(data []byte) {
	if c.pub != nil {
		c.demux.Metadata(data)
	}
}

// endStream acts on the commands that end a publication.
func (c *conn) endStream(cl *call) error {
	if c.pub == nil {
		return c.result(cl, nil)
	}
	id := c.pubID
	c.unpublish(nil)
	c.setDeadline(time.Now().Add(c.opts.Setup))
	if err := c.result(cl, nil); err != nil {
		return fmt.Errorf("%w: %w", errEnded, err) // most have gone by now
	}
	if err := c.status(id, "status", codeUnpublished, "the stream ended"); err != nil {
		return fmt.Errorf("%w: %w", errEnded, err)
	}
	return nil
}

// unpublish closes the publication, if there is one.
func (c *conn) unpublish(why error) {
	if c.pub == nil {
		return
	}
	c.watched <- nil
	if c.sinkSays == nil {
		// A stream may end before all its tracks are known.
		_ = c.demux.Flush()
	}
	c.pub.Close(why)
	c.pub, c.demux, c.sinkSays = nil, nil, nil
}

// tell tells the client why the connection ends, where it was not told before
// and still listens. It reports whether the client was told, now or before.
func (c *conn) tell(why error) bool {
	if c.told {
		return true
	}
	if why == nil || !c.connected || errors.Is(why, publish.ErrDisconnected) {
		return false
	}
	stream := c.pubID
	if c.pub == nil {
		stream = 0
	}
	return c.status(stream, "error", codeFailed, why.Error()) == nil
}
