package elementary

import (
	"errors"
	"fmt"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

const (
	// startWait is how much media is held back while a stream's parameters are
	// still missing. Parameter sets come with keyframes, commonly one in two
	// seconds; sound does not wait for them so long, and video that comes later
	// opens a new epoch.
	startWait = 2500 * time.Millisecond

	// soundWait is the same for sound alone, while there are pictures: its parameters
	// come with its first frame. ffmpeg gathers up to 350 ms of sound for a packet of
	// MPEG-TS. Some programs announce sound and have none.
	soundWait = 800 * time.Millisecond

	// maxHeld bounds the samples held back, whatever their times say.
	maxHeld = 1000
)

// ErrNoTrack reports a program that ended without a single usable stream.
var ErrNoTrack = errors.New("no video or audio that could be read")

// Program hands the samples of several streams to a Sink. It announces the tracks
// as soon as all are known, or some are and the others take too long, and anew
// whenever one joins or changes.
type Program struct {
	sink    media.Sink
	expect  int
	streams []*Stream
	held    []media.Sample
	first   time.Time // arrival of the first sample held
	live    bool
}

// NewProgram returns a program without streams.
func NewProgram(sink media.Sink) *Program { return &Program{sink: sink} }

// Expect says how many streams will be added, where that is known before they are.
func (p *Program) Expect(streams int) { p.expect = streams }

// Add adds a stream whose samples are expected.
func (p *Program) Add(s *Stream) { p.streams = append(p.streams, s) }

// Started reports whether the tracks have been announced.
func (p *Program) Started() bool { return p.live }

// Remove takes a stream out; the tracks that remain are announced anew.
func (p *Program) Remove(s *Stream) error {
	for i, own := range p.streams {
		if own != s {
			continue
		}
		p.streams = append(p.streams[:i:i], p.streams[i+1:]...)
		if _, known := s.Track(); known && p.live && len(p.streams) > 0 {
			return p.announce()
		}
		return nil
	}
	return nil
}

// Push hands over a packet of s, which was added, as having arrived now.
func (p *Program) Push(s *Stream, packet Packet) error {
	samples, changed, err := s.Push(packet)
	if err != nil {
		return err
	}
	if changed && p.live {
		if err := p.announce(); err != nil {
			return err
		}
	}
	now := time.Now()
	for _, sample := range samples {
		sample.CapturedAt = now
		if p.live {
			if err := p.sink.Write(sample); err != nil {
				return err
			}
			continue
		}
		if len(p.held) == 0 {
			p.first = now
		}
		p.held = append(p.held, sample)
	}
	if p.live || len(p.held) == 0 {
		return nil
	}
	if p.complete() || now.Sub(p.first) > p.wait() || len(p.held) >= maxHeld {
		return p.start()
	}
	return nil
}

// Finish hands over what is still held back at the end of the media. It reports
// ErrNoTrack when there never was any.
func (p *Program) Finish() error {
	if p.live {
		return nil
	}
	if len(p.held) == 0 {
		return fmt.Errorf("%w (%d streams)", ErrNoTrack, len(p.streams))
	}
	return p.start()
}

// complete reports whether the track of every stream is known.
func (p *Program) complete() bool {
	if len(p.streams) < p.expect {
		return false
	}
	for _, s := range p.streams {
		if _, known := s.Track(); !known {
			return false
		}
	}
	return true
}

// wait is how long to wait for the parameters that are missing.
func (p *Program) wait() time.Duration {
	picture := false
	for _, s := range p.streams {
		_, known := s.Track()
		if s.codec.Kind() == media.Video {
			if !known {
				return startWait
			}
			picture = true
		}
	}
	if !picture || len(p.streams) < p.expect {
		return startWait
	}
	return soundWait
}

func (p *Program) announce() error {
	var tracks []media.Track
	for _, s := range p.streams {
		if track, known := s.Track(); known {
			tracks = append(tracks, track)
		}
	}
	return p.sink.Start(tracks)
}

func (p *Program) start() error {
	p.live = true
	if err := p.announce(); err != nil {
		return err
	}
	held := p.held
	p.held = nil
	for _, s := range held {
		if err := p.sink.Write(s); err != nil {
			return err
		}
	}
	return nil
}
