package client_test

import (
	"context"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
)

// Frames is what an encoder of yours gives: TrackId, Data and Keyframe.
type Frames interface {
	Next() (*framewirev1.PublishSample, error)
}

func ExampleSession_Publish() {
	publish := func(ctx context.Context, url string, frames Frames) error {
		s, err := client.Dial(ctx, url, client.Options{Name: "my-camera"})
		if err != nil {
			return err
		}
		defer s.Close()
		p, err := s.Publish(ctx, &framewirev1.PublishStart{Stream: "cam", Key: "SECRET", Tracks: []*framewirev1.PublishTrack{
			{Id: 1, Codec: "avc1.42e01f", Timescale: 30}, // H.264 with start codes, 30 pictures a second
		}})
		for n := int64(0); err == nil; n++ {
			var sample *framewirev1.PublishSample
			if sample, err = frames.Next(); err == nil {
				sample.DecodeTimeTicks = n
				err = p.Write(ctx, sample)
			}
		}
		return err // a *client.PublishError tells why the server ended it
	}
	_ = publish
}
