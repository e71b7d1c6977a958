package rtmp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/codec/opus"
	"github.com/framewire/framewire/server/internal/flv"
	"github.com/framewire/framewire/server/internal/flv/amf0"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/mp4"
	"github.com/framewire/framewire/server/internal/publish/rtmp/chunk"
)

// enhanced writes a clip as the messages of an enhanced publisher: H.265 and
// Opus. No publisher among Debian's packages can.
func enhanced(t testing.TB, s *script) *script {
	t.Helper()
	path := mediatest.Make(t, "clip.mp4", mediatest.Args(picture, mediatest.Tone(48000, 2),
		[]string{"-c:v", "libx265", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-x265-params", "log-level=error", "-c:a", "libopus"})...)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	status, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	movie, err := mp4.Open(file, status.Size())
	if err != nil {
		t.Fatal(err)
	}
	s.publish("cam").message(flv.TagScript, 1, 0, encode(t, "@setDataFrame", "onMetaData", amf0.Object{
		{Name: "framerate", Value: 25}, {Name: "videocodecid", Value: 0x68766331}, {Name: "audiocodecid", Value: 0x4f707573},
	}))
	var video, audio media.Track
	for _, track := range movie.Tracks() {
		if track.Kind() == media.Video {
			video = track
			s.message(flv.TagVideo, 1, 0, "\x90hvc1"+string(track.Config))
			continue
		}
		audio = track
		config, err := opus.ParseConfig(track.Config)
		if err != nil {
			t.Fatal(err)
		}
		s.message(flv.TagAudio, 1, 0, "\x90Opus"+string(config.Head()))
	}
	const origin = 1000 // the edit list makes the first times negative
	for cursor := movie.Samples(); ; {
		sample, err := cursor.Next()
		if errors.Is(err, io.EOF) {
			return s
		}
		if err != nil {
			t.Fatal(err)
		}
		if sample.TrackID == audio.ID {
			ms := media.Rescale(sample.DTS, audio.Timescale, 1000) + origin
			s.message(flv.TagAudio, 1, uint32(ms), "\x91Opus"+string(sample.Data))
			continue
		}
		ms := media.Rescale(sample.DTS, video.Timescale, 1000) + origin
		offset := media.Rescale(int64(sample.Offset), video.Timescale, 1000)
		head := []byte("\xa1hvc1\x00\x00\x00")
		if sample.Keyframe {
			head[0] = 0x91
		}
		head[5], head[6], head[7] = byte(offset>>16), byte(offset>>8), byte(offset)
		s.message(flv.TagVideo, 1, uint32(ms), string(head)+string(sample.Data))
	}
}

func TestEnhancedPublisher(t *testing.T) {
	d := newDesk()
	if _, err := play(t, d, Options{}, enhanced(t, newScript(t)).call(1, "deleteStream", 0, nil, 1)); err != nil {
		t.Fatal(err)
	}
	expectMedia(t, d.published(t)[0], []media.Codec{media.H265, media.Opus})
}

// BenchmarkArrivalToSink measures what the server adds to a picture: from its
// first byte being written to the socket until the sink has it.
func BenchmarkArrivalToSink(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"4KiB", 4 << 10}, {"200KiB", 200 << 10}} {
		b.Run(c.name, func(b *testing.B) {
			arrived := make(chan time.Time, 1)
			d := newDesk()
			d.write = func(media.Sample) error {
				arrived <- time.Now()
				return nil
			}
			nc, err := net.Dial("tcp", serve(b, d, Options{}))
			if err != nil {
				b.Fatal(err)
			}
			defer nc.Close()
			s := newScript(b).publish("cam").message(flv.TagScript, 1, 0, soundOnly(b)).message(flv.TagAudio, 1, 0, soundConfig)
			if _, err := nc.Write(s.buf.Bytes()); err != nil {
				b.Fatal(err)
			}
			go func() { _, _ = io.Copy(io.Discard, nc) }()
			var message bytes.Buffer
			w := chunk.NewWriter(&message)
			w.SetSize(chunk.DefaultSize)
			err = w.Write(chunk.Message{ChunkStream: 4, Type: flv.TagAudio, Stream: 1, Data: append([]byte("\xaf\x01"), make([]byte, c.size)...)})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(c.size))
			var total, worst time.Duration
			for b.Loop() {
				began := time.Now()
				if _, err := nc.Write(message.Bytes()); err != nil {
					b.Fatal(err)
				}
				took := (<-arrived).Sub(began)
				total, worst = total+took, max(worst, took)
			}
			b.ReportMetric(float64(total.Microseconds())/float64(b.N), "µs/picture")
			b.ReportMetric(float64(worst.Microseconds()), "µs-worst")
		})
	}
}
