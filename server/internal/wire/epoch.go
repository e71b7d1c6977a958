package wire

import (
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/media"
)

// StreamStarted returns the message that announces an epoch.
func StreamStarted(stream, instance string, window time.Duration, e *media.Epoch) *framewirev1.ServerMessage {
	started := &framewirev1.StreamStarted{
		Stream:   stream,
		Instance: instance,
		Epoch:    e.ID,
		WindowMs: uint32(window.Milliseconds()),
	}
	for i := range e.Tracks {
		t := Track(&e.Tracks[i])
		t.InitSegment = e.Inits[i]
		started.Tracks = append(started.Tracks, t)
	}
	return &framewirev1.ServerMessage{
		Body: &framewirev1.ServerMessage_StreamStarted{StreamStarted: started},
	}
}

// Track describes a track, without its init segment.
func Track(t *media.Track) *framewirev1.Track {
	track := &framewirev1.Track{
		Id:        t.ID,
		Codec:     t.CodecString,
		MimeType:  t.MIMEType(),
		Timescale: t.Timescale,
		Language:  t.Language,
	}
	switch t.Kind() {
	case media.Video:
		track.Kind = framewirev1.TrackKind_TRACK_KIND_VIDEO
		track.Details = &framewirev1.Track_Video{Video: &framewirev1.VideoDetails{
			Width: uint32(t.Width), Height: uint32(t.Height), FrameRate: t.FrameRate,
		}}
	case media.Audio:
		track.Kind = framewirev1.TrackKind_TRACK_KIND_AUDIO
		track.Details = &framewirev1.Track_Audio{Audio: &framewirev1.AudioDetails{
			SampleRate: uint32(t.SampleRate), Channels: uint32(t.Channels),
		}}
	}
	return track
}
