package elementary

import (
	"github.com/framewire/framewire/server/internal/codec/aac"
	"github.com/framewire/framewire/server/internal/codec/flac"
	"github.com/framewire/framewire/server/internal/codec/mp3"
	"github.com/framewire/framewire/server/internal/codec/opus"
	"github.com/framewire/framewire/server/internal/media"
)

// clock gives frames of sound their times in samples. Containers round them (FLV
// and Matroska to milliseconds), which would leave a hole or an overlap between
// most frames: a time that agrees with the count of samples is the count.
type clock struct {
	scale   uint32 // the container's
	rate    uint32 // samples a second, the track's timescale
	started bool
	next    int64
}

// place sets the count to a time of the container, unless that only repeats it,
// give or take its rounding or a fraction of a frame.
func (c *clock) place(p Packet, frame int) {
	if p.Untimed && c.started {
		return
	}
	at := media.Rescale(p.PTS, c.scale, c.rate)
	tolerance := max(int64(frame)/4, media.Rescale(2, c.scale, c.rate))
	if !c.started || at-c.next > tolerance || c.next-at > tolerance {
		c.started, c.next = true, at
	}
}

// take returns the sample of a frame and counts it.
func (c *clock) take(data []byte, samples int) media.Sample {
	s := media.Sample{DTS: c.next, Duration: uint32(samples), Keyframe: true, Data: data}
	c.next += int64(samples)
	return s
}

// setRate changes the timescale. The count goes on from the same moment.
func (c *clock) setRate(rate uint32) {
	if c.started && c.rate != rate {
		c.next = media.Rescale(c.next, c.rate, rate)
	}
	c.rate = rate
}

func adtsFramer() framer {
	return framer{short: aac.ErrShort, sizeOf: func(data []byte) (int, error) {
		h, err := aac.ParseHeader(data)
		return h.FrameSize, err
	}}
}

func mp3Framer() framer {
	return framer{short: mp3.ErrShort, sizeOf: func(data []byte) (int, error) {
		h, err := mp3.ParseHeader(data)
		return h.FrameSize, err
	}}
}

// aacParser reads raw frames once it is given a configuration, and ADTS without.
type aacParser struct {
	clock
	framer
	raw    bool // frames come without headers
	header aac.Header
	frame  int // samples of a frame
	track  media.Track
	known  bool
}

func (a *aacParser) configure(config []byte) error {
	c, err := aac.ParseConfig(config)
	if err != nil {
		return err
	}
	track, err := aac.NewTrack(config)
	if err != nil {
		return err
	}
	a.raw = true
	a.learn(track, c)
	return nil
}

func (a *aacParser) learn(track media.Track, c aac.Config) {
	a.setRate(uint32(track.SampleRate))
	track.Timescale = a.rate
	a.frame = c.FrameSamples()
	a.track, a.known = track, true
}

func (a *aacParser) split(p Packet) ([]media.Sample, error) {
	if a.raw {
		a.place(p, a.frame)
		return []media.Sample{a.take(p.Data, a.frame)}, nil
	}
	var samples []media.Sample
	err := a.frames(p, func(frame Packet) error {
		h, err := aac.ParseHeader(frame.Data)
		if err != nil {
			return err
		}
		if err := a.headerIs(h); err != nil {
			return err
		}
		a.place(frame, a.frame)
		samples = append(samples, a.take(frame.Data[h.Size:], a.frame*max(1, h.Blocks)))
		return nil
	})
	return samples, err
}

// headerIs follows a change of the parameters in the ADTS headers.
func (a *aacParser) headerIs(h aac.Header) error {
	if a.known && h.ObjectType == a.header.ObjectType && h.SampleRate == a.header.SampleRate &&
		h.ChannelConfiguration == a.header.ChannelConfiguration {
		return nil
	}
	track, err := h.Track()
	if err != nil {
		return err
	}
	a.header = h
	a.learn(track, h.Config())
	return nil
}

func (a *aacParser) describe() (media.Track, bool) { return a.track, a.known }

// mp3Parser reads frames of MPEG audio layer III.
type mp3Parser struct {
	clock
	framer
	track media.Track
	known bool
}

func (m *mp3Parser) configure([]byte) error { return nil }

func (m *mp3Parser) split(p Packet) ([]media.Sample, error) {
	var samples []media.Sample
	err := m.frames(p, func(frame Packet) error {
		h, err := mp3.ParseHeader(frame.Data)
		if err != nil {
			return err
		}
		if !m.known || h.SampleRate != m.track.SampleRate || h.Channels != m.track.Channels {
			m.setRate(uint32(h.SampleRate))
			m.track, m.known = h.Track(), true
			m.track.Timescale = m.rate
		}
		m.place(frame, h.Samples)
		samples = append(samples, m.take(frame.Data, h.Samples))
		return nil
	})
	return samples, err
}

func (m *mp3Parser) describe() (media.Track, bool) { return m.track, m.known }

// opusParser reads bare packets.
type opusParser struct {
	clock
	track media.Track
	known bool
}

// opusRate is the clock of Opus whatever it codes (RFC 7845 4).
const opusRate = 48000

func (o *opusParser) configure(head []byte) error {
	c, err := opus.ParseHead(head)
	if err != nil {
		return err
	}
	track, err := c.Track()
	if err != nil {
		return err
	}
	o.learn(track)
	return nil
}

func (o *opusParser) learn(track media.Track) {
	o.setRate(opusRate)
	track.Timescale = opusRate
	o.track, o.known = track, true
}

func (o *opusParser) split(p Packet) ([]media.Sample, error) {
	length, err := opus.PacketSamples(p.Data)
	if err != nil {
		return nil, err
	}
	if !o.known {
		track, err := opus.NewTrack(opus.PacketChannels(p.Data))
		if err != nil {
			return nil, err
		}
		o.learn(track)
	}
	o.place(p, length)
	return []media.Sample{o.take(p.Data, length)}, nil
}

func (o *opusParser) describe() (media.Track, bool) { return o.track, o.known }

// flacParser reads frames; the stream's parameters come out of band.
type flacParser struct {
	clock
	track media.Track
	known bool
}

func (f *flacParser) configure(metadata []byte) error {
	track, err := flac.NewTrack(metadata)
	if err != nil {
		return err
	}
	f.setRate(uint32(track.SampleRate))
	track.Timescale = f.rate
	f.track, f.known = track, true
	return nil
}

func (f *flacParser) split(p Packet) ([]media.Sample, error) {
	if !f.known {
		return nil, nil
	}
	length, err := flac.FrameSamples(p.Data)
	if err != nil {
		return nil, err
	}
	f.place(p, length)
	return []media.Sample{f.take(p.Data, length)}, nil
}

func (f *flacParser) describe() (media.Track, bool) { return f.track, f.known }
