package media

import "time"

// Epoch is a stretch of a stream during which its tracks stay the same. A value
// is immutable.
type Epoch struct {
	// ID counts from 1 within the stream.
	ID uint32

	// Tracks are ordered by ID.
	Tracks []Track

	// Inits holds each track's init segment, in the order of Tracks.
	Inits [][]byte

	// Init is the init segment of all tracks together, for a single file.
	Init []byte

	// Message is the epoch's StreamStarted in wire form.
	Message []byte

	// Start is where the epoch begins on the stream's timeline.
	Start time.Duration
}

// HasVideo reports whether any track of the epoch carries pictures.
func (e *Epoch) HasVideo() bool {
	for i := range e.Tracks {
		if e.Tracks[i].Kind() == Video {
			return true
		}
	}
	return false
}

// Track returns the track with the given ID, or nil.
func (e *Epoch) Track(id uint32) *Track {
	for i := range e.Tracks {
		if e.Tracks[i].ID == id {
			return &e.Tracks[i]
		}
	}
	return nil
}
