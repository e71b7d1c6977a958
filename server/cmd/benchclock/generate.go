package main

import (
	"context"
	"io"
	"sync"
	"time"
)

// stamps remembers when pictures were made, for the report.
type stamps struct {
	start time.Time // of picture 0 and of the first sample

	mu   sync.Mutex
	made [stampsKept]time.Time // by number modulo stampsKept
}

// stampsKept pictures are far more than an encoder holds at a time.
const stampsKept = 256

func (s *stamps) set(number int64, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made[number%stampsKept] = at
}

func (s *stamps) get(number int64) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made[number%stampsKept]
}

// generate writes pictures and sound to w as they come due by the wall clock,
// until ctx is done or w fails. Picture n is due n/30 s after the start; a block
// of sound is due when its last sample has sounded. Pictures that w does not
// take in time are left out, as by a camera; sound is not.
func generate(ctx context.Context, w io.Writer, s *stamps, audio bool) error {
	m := matroska{w: w}
	if err := m.writeHeader(audio); err != nil {
		return err
	}
	p := newPainter()
	var sound []byte
	var picture, block int64
	for {
		pictureDue, blockEnd := pictureTime(picture), sampleTime((block+1)*blockSamples)
		if audio && blockEnd <= pictureDue {
			if err := wait(ctx, s.start.Add(blockEnd)); err != nil {
				return err
			}
			sound = appendSound(sound[:0], block*blockSamples)
			if err := m.writeBlock(audioTrack, sampleTime(block*blockSamples), sound); err != nil {
				return err
			}
			block++
			continue
		}
		if late := time.Since(s.start.Add(pictureDue)); late >= time.Second/frameRate {
			picture++
			continue
		}
		if err := wait(ctx, s.start.Add(pictureDue)); err != nil {
			return err
		}
		now := time.Now()
		s.set(picture, now)
		if err := m.writeBlock(videoTrack, pictureDue, p.draw(now, picture)); err != nil {
			return err
		}
		picture++
	}
}

// pictureTime and sampleTime are exact however long the source runs.
func pictureTime(number int64) time.Duration {
	return time.Duration(number/frameRate)*time.Second + time.Duration(number%frameRate)*time.Second/frameRate
}

func sampleTime(number int64) time.Duration {
	return time.Duration(number/sampleRate)*time.Second + time.Duration(number%sampleRate)*time.Second/sampleRate
}

func wait(ctx context.Context, until time.Time) error {
	d := time.Until(until)
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
