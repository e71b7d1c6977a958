package ffmpeg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/source/exec"
	"github.com/framewire/framewire/server/internal/source/ffmpeg"
	"github.com/framewire/framewire/server/internal/source/sourcetest"
)

// server sends to everyone who calls, with send, and keeps the call open. It returns
// the address.
func server(t testing.TB, send func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	calls.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			calls.Go(func() {
				defer c.Close()
				send(c)
				_, _ = io.Copy(io.Discard, c) // until the caller hangs up
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		calls.Wait()
	})
	return listener.Addr().String()
}

// Everything was sent, and the connection stays open: what does not come out waits
// for what follows.
func TestAtMostOneFrameIsHeldBack(t *testing.T) {
	for _, c := range []struct {
		name, container string
		input           string // what is said of it
		args            []string
		pictures        int           // held back
		sound           time.Duration // likewise
	}{
		{"copied from FLV", "flv", "-f flv", []string{"-c:v", "libx264", "-bf", "0", "-c:a", "aac"}, 0, 0},
		// An encoder of sound looks one of its frames ahead and gathers another from
		// what comes in.
		{"encoded from FLV", "flv", "-f flv", []string{"-c:v", "flv", "-c:a", "pcm_s16le", "-ar", "44100"}, 0, 70 * time.Millisecond},
		// ffmpeg would wait for the next packet and then for the next picture in it;
		// live MPEG-TS is therefore not read by it, see Transport.
		{"MPEG-TS", "mpegts", "", []string{"-c:v", "libx264", "-bf", "0", "-c:a", "aac", "-pes_payload_size", "0"}, 0, 0},
		{"MPEG-TS that is said to be it", "mpegts", "-f mpegts", []string{"-c:v", "libx264", "-bf", "0", "-c:a", "aac", "-pes_payload_size", "0"}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := mediatest.Make(t, "made", mediatest.Args(mediatest.Picture("160x90", 25, 4), mediatest.Tone(44100, 4),
				[]string{"-pix_fmt", "yuv420p", "-g", "25"}, c.args, []string{"-f", c.container})...)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			probed := mediatest.ProbePackets(t, path)
			address := server(t, func(c net.Conn) { _, _ = c.Write(data) })
			args := strings.Fields("-flags low_delay " + c.input + " -i tcp://" + address)
			s, err := ffmpeg.New(ffmpeg.Options{Args: args, Read: exec.Read, Log: testLog(t)})
			if err != nil {
				t.Fatal(err)
			}
			r := &sourcetest.Recorder{}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx, r) }()
			pictures := len(probed.PacketsOf(0)) - c.pictures
			sound := length(t, probed, 1) - c.sound
			sourcetest.Eventually(t, "everything", func() bool {
				frames := r.Samples(media.Audio)
				if len(frames) == 0 {
					return false
				}
				last := frames[len(frames)-1]
				heard := media.Duration(last.DTS+int64(last.Duration)-frames[0].DTS, r.Track(t, media.Audio).Timescale)
				return len(r.Samples(media.Video)) >= pictures && heard >= sound
			})
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

// length is how long a stream of the file is.
func length(t *testing.T, p mediatest.Probed, stream int) time.Duration {
	t.Helper()
	var num, den float64
	if _, err := fmt.Sscanf(p.Streams[stream].TimeBase, "%f/%f", &num, &den); err != nil {
		t.Fatal(err)
	}
	packets := p.PacketsOf(stream)
	first, last := packets[0], packets[len(packets)-1]
	return time.Duration(float64(*last.PTS+last.Duration-*first.PTS) * num / den * float64(time.Second))
}

// BenchmarkDelay measures how long a picture takes from the last byte of it that
// is given to ffmpeg until the sample is with the sink, for live FLV of 720p at 30
// frames a second with sound.
func BenchmarkDelay(b *testing.B) {
	for _, c := range []struct{ name, codec string }{{"copied", "libx264"}, {"encoded", "flv"}} {
		b.Run(c.name, func(b *testing.B) {
			path := mediatest.Make(b, "made.flv", mediatest.Args(mediatest.Picture("1280x720", 30, 12), mediatest.Tone(44100, 12),
				[]string{"-pix_fmt", "yuv420p", "-g", "30", "-c:v", c.codec, "-preset", "ultrafast", "-b:v", "2M", "-bf", "0", "-c:a", "aac", "-flvflags", "no_duration_filesize"})...)
			data, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			var delays []time.Duration
			for range b.N {
				delays = append(delays, delaysOf(b, data)...)
			}
			slices.Sort(delays)
			at := func(q float64) float64 { return float64(delays[int(q*float64(len(delays)-1))].Microseconds()) / 1000 }
			b.ReportMetric(at(0.5), "p50-ms")
			b.ReportMetric(at(0.95), "p95-ms")
			b.ReportMetric(at(1), "max-ms")
		})
	}
}

// delaysOf sends an FLV file tag by tag, each at its time, and returns the delays of
// its pictures but for those of the first seconds.
func delaysOf(b *testing.B, flv []byte) []time.Duration {
	var mu sync.Mutex
	sent := make(map[int64]time.Time) // by time stamp in milliseconds, on the last call
	address := server(b, func(c net.Conn) {
		mu.Lock()
		clear(sent)
		mu.Unlock()
		begin := time.Now()
		const header, tagHeader, trailer = 13, 11, 4
		_, _ = c.Write(flv[:header])
		for at := header; at+tagHeader < len(flv); {
			h := flv[at:]
			end := at + tagHeader + (int(h[1])<<16 | int(h[2])<<8 | int(h[3])) + trailer
			stamp := int64(h[7])<<24 | int64(h[4])<<16 | int64(h[5])<<8 | int64(h[6])
			time.Sleep(time.Until(begin.Add(time.Duration(stamp) * time.Millisecond)))
			if _, err := c.Write(flv[at:end]); err != nil {
				return
			}
			if h[0] == 9 { // video
				mu.Lock()
				sent[stamp] = time.Now()
				mu.Unlock()
			}
			at = end
		}
	})
	s, err := ffmpeg.New(ffmpeg.Options{Args: []string{"-flags", "low_delay", "-f", "flv", "-i", "tcp://" + address}})
	if err != nil {
		b.Fatal(err)
	}
	r := sourcetest.RunUntil(b, s, sourcetest.Count(300, 0))
	mu.Lock()
	defer mu.Unlock()
	scale := r.Track(b, media.Video).Timescale
	var delays []time.Duration
	for _, p := range r.Samples(media.Video)[150:] {
		stamp := media.Rescale(p.DTS, scale, 1000) - 10_000 // see outputOffset
		for near := stamp - 1; near <= stamp+1; near++ {
			if at, ok := sent[near]; ok {
				delays = append(delays, p.Arrived.Sub(at))
			}
		}
	}
	if len(delays) < 100 {
		b.Fatalf("%d pictures could be told", len(delays))
	}
	return delays
}
