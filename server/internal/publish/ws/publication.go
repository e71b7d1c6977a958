package ws

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/framewire/framewire/server/internal/codec/opus"
	"github.com/framewire/framewire/server/internal/elementary"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/wire"
)

// publication is one stream that the client publishes. The Publisher's mutex
// guards it.
type publication struct {
	id     uint32
	stream string
	keyed  bool // began with a key of its own, not with the session's token
	pub    publish.Publication
	stop   chan struct{} // closed when it ends
	flow   flow

	program *elementary.Program // nil before tracks
	tracks  map[uint32]*track
	present media.Sample // what is being handed on

	latency time.Duration // of the viewers; of the goroutine that watches
}

// track is one that the publisher announced.
type track struct {
	told   media.Track // by the publisher
	stream *elementary.Stream
}

func newPublication(m wire.PublishStart, pub publish.Publication, ackInterval time.Duration) *publication {
	return &publication{id: m.ID, stream: m.Stream, keyed: m.Key != "", pub: pub, stop: make(chan struct{}), flow: newFlow(ackInterval)}
}

// codecs by the part of their RFC 6381 string before the first dot.
var codecs = map[string]media.Codec{
	"avc1": media.H264, "avc3": media.H264,
	"hvc1": media.H265, "hev1": media.H265,
	"av01": media.AV1,
	"vp09": media.VP9, "vp9": media.VP9,
	"mp4a": media.AAC,
	"opus": media.Opus,
	"flac": media.FLAC,
	"mp3":  media.MP3,
}

// codecOf reads a codec string, as far as it names the format.
func codecOf(s string) (media.Codec, error) {
	family, _, _ := strings.Cut(s, ".")
	codec := codecs[strings.ToLower(family)]
	switch strings.ToLower(s) { // object types of MPEG-1 and MPEG-2 audio
	case "mp4a.6b", "mp4a.69", "mp4a.40.34":
		codec = media.MP3
	}
	if codec == 0 {
		return 0, fmt.Errorf("%w: codec %q", publish.ErrUnsupported, s)
	}
	return codec, nil
}

// setTracks takes the tracks of the samples that follow.
func (c *publication) setTracks(list []media.Track) error {
	if len(list) == 0 {
		return fmt.Errorf("%w: publish_tracks.tracks: none", publish.ErrMalformed)
	}
	if err := c.finish(); err != nil {
		return err
	}
	program := elementary.NewProgram(sink{c})
	program.Expect(len(list))
	tracks := make(map[uint32]*track, len(list))
	for i, told := range list {
		codec, err := codecOf(told.CodecString)
		if err != nil {
			return fmt.Errorf("tracks[%d]: %w", i, err)
		}
		stream, err := elementary.NewStream(told.ID, codec, told.Timescale)
		if err != nil {
			return fmt.Errorf("%w: tracks[%d]: %w", publish.ErrUnsupported, i, err)
		}
		if err := stream.Configure(configOf(codec, told.Config)); err != nil {
			return fmt.Errorf("%w: tracks[%d].decoder_config: %w", publish.ErrMalformed, i, err)
		}
		program.Add(stream)
		tracks[told.ID] = &track{told, stream}
	}
	c.program, c.tracks = program, tracks
	return nil
}

// configOf brings a decoder configuration into the form that streams carry: that
// of Opus may come as MP4 has it.
func configOf(codec media.Codec, config []byte) []byte {
	if codec != media.Opus || len(config) == 0 || strings.HasPrefix(string(config), "OpusHead") {
		return config
	}
	if c, err := opus.ParseConfig(config); err == nil {
		return c.Head()
	}
	return config
}

// finish hands over what is held back of a program whose tracks were not all
// known yet.
func (c *publication) finish() error {
	if c.program == nil || c.program.Started() {
		return nil
	}
	for _, t := range c.tracks {
		if _, known := t.stream.Track(); known {
			c.present = media.Sample{}
			if err := c.program.Finish(); err != nil && !errors.Is(err, elementary.ErrNoTrack) {
				return err
			}
			return nil
		}
	}
	return nil
}

// Bounds of what a publisher's word on the time of capture is worth: clocks are
// not told apart by less, and nothing older is live.
const (
	captureAhead = 100 * time.Millisecond
	captureOld   = 30 * time.Second
)

// sample hands one sample on, as having arrived now.
func (c *publication) sample(s media.Sample, now time.Time) error {
	t := c.tracks[s.TrackID]
	if t == nil {
		return fmt.Errorf("%w: publish_sample.track_id: %d was not announced", publish.ErrMalformed, s.TrackID)
	}
	told := s.CapturedAt
	switch late := now.Sub(told); {
	case told.IsZero(), late < -captureAhead, late > captureOld:
		s.CapturedAt, told = now, time.Time{}
	case late < 0:
		s.CapturedAt = now
	}
	c.flow.observe(now, told, len(s.Data))
	c.present = s
	err := c.program.Push(t.stream, elementary.Packet{Data: s.Data, PTS: s.PTS(), DTS: s.DTS, Keyframe: s.Keyframe})
	c.present = media.Sample{}
	if err != nil && !known(err) {
		return fmt.Errorf("%w: %w", publish.ErrMalformed, err)
	}
	return err
}

// sink puts back what elementary streams do not carry.
type sink struct{ c *publication }

// Start implements media.Sink.
func (s sink) Start(tracks []media.Track) error {
	for i := range tracks {
		told := &s.c.tracks[tracks[i].ID].told
		tracks[i].Language = told.Language
		if tracks[i].FrameRate == 0 {
			tracks[i].FrameRate = told.FrameRate
		}
	}
	return s.c.pub.Start(tracks)
}

// Write implements media.Sink.
func (s sink) Write(sample media.Sample) error {
	if p := &s.c.present; p.TrackID == sample.TrackID {
		sample.CapturedAt = p.CapturedAt
		if sample.Duration == 0 && sample.DTS == p.DTS { // a picture; sound is counted
			sample.Duration = p.Duration
		}
	}
	return s.c.pub.Write(sample)
}
