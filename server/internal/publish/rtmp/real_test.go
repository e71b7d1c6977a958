package rtmp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/publish"
)

var (
	picture  = mediatest.Picture("160x90", 25, 2)
	tone     = mediatest.Tone(44100, 2)
	x264     = []string{"-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "0"}
	bFrames  = []string{"-c:v", "libx264", "-preset", "medium", "-g", "25", "-bf", "2", "-b_strategy", "0"}
	aacSound = []string{"-c:a", "aac"}
	mp3Sound = []string{"-c:a", "libmp3lame"}
	toFLV    = []string{"-f", "flv"}
)

func TestFFmpegPublishes(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		codecs []media.Codec
	}{
		{"H.264 and AAC", mediatest.Args(picture, tone, x264, aacSound), []media.Codec{media.H264, media.AAC}},
		{"B-frames and MP3", mediatest.Args(picture, tone, bFrames, mp3Sound), []media.Codec{media.H264, media.MP3}},
		{"pictures only", mediatest.Args(picture, x264), []media.Codec{media.H264}},
		{"sound only", mediatest.Args(tone, aacSound), []media.Codec{media.AAC}},
		{"large keyframes", mediatest.Args(mediatest.Picture("1280x720", 25, 2), tone,
			// Less than the window in all, so that no acknowledgement is under way at the end.
			[]string{"-vf", "noise=alls=80:allf=t"}, x264, []string{"-b:v", "8M", "-maxrate", "8M", "-bufsize", "4M"}, aacSound), []media.Codec{media.H264, media.AAC}},
		{"long past the wrap of 24 bits", mediatest.Args(picture, tone, x264, aacSound,
			[]string{"-output_ts_offset", "16776.5"}), []media.Codec{media.H264, media.AAC}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mediatest.RequireFFmpeg(t)
			d := newDesk()
			address := serve(t, d, Options{})
			p, program := publishWith(t, d, mediatest.Args(c.args, toFLV, []string{location(address, "live/cam/1?key=s3cret")}))
			if p.err != nil || program.err != nil {
				t.Fatalf("ended with %v; ffmpeg %v\n%s", p.err, program.err, &program.output)
			}
			r := p.request
			if r.Stream != "cam/1" || r.Key != "s3cret" || r.Protocol != publish.RTMP || !r.Remote.Addr().IsLoopback() || r.Client == "" {
				t.Errorf("request %+v", r)
			}
			expectMedia(t, p, c.codecs)
		})
	}
}

// publishWith lets ffmpeg publish to its end. ffmpeg closes its socket without
// reading the last acknowledgement, and where that is under way its kernel resets
// the connection, which takes with it what the server has not read yet. Nothing
// the server does can bring that back, so ffmpeg publishes again then.
func publishWith(t *testing.T, d *desk, args []string) (*publication, *program) {
	t.Helper()
	for attempt := 1; ; attempt++ {
		program := ffmpeg(t, args...)
		p := d.next(t)
		p.wait(t)
		program.wait(t)
		if !errors.Is(p.err, syscall.ECONNRESET) || attempt == 3 {
			return p, program
		}
		t.Logf("attempt %d: %v", attempt, p.err)
	}
}

// expectMedia checks two seconds of 25 frames a second.
func expectMedia(t *testing.T, p *publication, codecs []media.Codec) {
	t.Helper()
	for _, codec := range codecs {
		track, samples := p.track(codec.Kind()), p.of(codec.Kind())
		if track == nil || track.Codec != codec {
			t.Fatalf("no %v among %v", codec, p.starts)
		}
		if codec.Kind() == media.Video {
			if len(samples) != 50 || !samples[0].Keyframe || track.FrameRate != 25 {
				t.Errorf("%d pictures at %g a second", len(samples), track.FrameRate)
			}
			continue
		}
		total := int64(0)
		for _, s := range samples {
			total += int64(s.Duration)
		}
		if length := media.Duration(total, track.Timescale); (length - 2*time.Second).Abs() > 200*time.Millisecond {
			t.Errorf("%v of sound", length)
		}
	}
	if len(p.starts[0]) != len(codecs) {
		t.Errorf("tracks %v, want %v", p.starts[0], codecs)
	}
	mediatest.RequireDecodes(t, p.remux(t))
}

func TestGStreamerPublishes(t *testing.T) {
	for _, c := range []struct {
		name     string
		pipeline string
		codecs   []media.Codec
	}{
		{"rtmp2sink", "videotestsrc num-buffers=50 ! video/x-raw,width=160,height=90,framerate=25/1 ! x264enc speed-preset=ultrafast key-int-max=25 bframes=2 ! " +
			"flvmux name=mux streamable=true ! rtmp2sink location=%s " +
			"audiotestsrc num-buffers=87 samplesperbuffer=1014 ! audio/x-raw,rate=44100 ! avenc_aac ! mux.",
			[]media.Codec{media.H264, media.AAC}},
		{"rtmpsink, of librtmp", "videotestsrc num-buffers=50 ! video/x-raw,width=160,height=90,framerate=25/1 ! x264enc speed-preset=ultrafast key-int-max=25 ! " +
			"flvmux name=mux streamable=true ! rtmpsink location=%s " +
			"audiotestsrc num-buffers=77 samplesperbuffer=1152 ! audio/x-raw,rate=44100 ! lamemp3enc ! mpegaudioparse ! mux.",
			[]media.Codec{media.H264, media.MP3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk()
			address := serve(t, d, Options{})
			to := location(address, "live/cam?key=s3cret")
			program := start(t, "gst-launch-1.0", strings.Fields("-q "+strings.Replace(c.pipeline, "%s", to, 1))...)
			select {
			case <-program.exited:
				if program.err != nil {
					t.Fatalf("gst-launch-1.0: %v\n%s", program.err, &program.output)
				}
			case <-time.After(patience):
				t.Fatal("gst-launch-1.0 does not end")
			}
			p := d.next(t)
			p.wait(t)
			if p.err != nil || p.request.Stream != "cam" || p.request.Key != "s3cret" {
				t.Errorf("request %+v, ended with %v", p.request, p.err)
			}
			expectMedia(t, p, c.codecs)
		})
	}
}

// TestRefusalsReachThePublisher: what the desk says, ffmpeg prints.
func TestRefusalsReachThePublisher(t *testing.T) {
	for _, c := range []struct {
		name, path string
		refuse     error
		says       string
	}{
		{"bad key", "live/cam?key=wrong", publish.ErrBadKey, publish.ErrBadKey.Error()},
		{"busy", "live/cam", publish.ErrStreamBusy, publish.ErrStreamBusy.Error()},
		{"other application", "stage/cam", nil, `no application "stage" here; publish to rtmp://HOST/live/STREAM`},
	} {
		t.Run(c.name, func(t *testing.T) {
			mediatest.RequireFFmpeg(t)
			d := newDesk()
			d.refuse = func(publish.Request) error { return c.refuse }
			address := serve(t, d, Options{})
			program := ffmpeg(t, mediatest.Args([]string{"-re"}, picture, x264, toFLV, []string{location(address, c.path)})...)
			program.wait(t)
			if program.err == nil || !strings.Contains(program.output.String(), c.says) {
				t.Errorf("ffmpeg: %v; it printed\n%s\nwant %q", program.err, &program.output, c.says)
			}
		})
	}
}

func TestDeskEndsAPublisher(t *testing.T) {
	mediatest.RequireFFmpeg(t)
	d := newDesk()
	address := serve(t, d, Options{})
	program := ffmpeg(t, mediatest.Args([]string{"-re"}, mediatest.Picture("160x90", 25, 600), x264, toFLV, []string{location(address, "live/cam")})...)
	p := d.next(t)
	await(t, p.first, "a sample")
	p.end(publish.ErrTakenOver)
	p.wait(t)
	program.wait(t)
	if !errors.Is(p.err, publish.ErrTakenOver) || program.err == nil {
		t.Errorf("ended with %v, ffmpeg with %v", p.err, program.err)
	}
	if !strings.Contains(program.output.String(), publish.ErrTakenOver.Error()) {
		t.Errorf("ffmpeg printed\n%s", &program.output)
	}
}

func TestKilledPublisherIsDisconnected(t *testing.T) {
	mediatest.RequireFFmpeg(t)
	d := newDesk()
	address := serve(t, d, Options{})
	program := ffmpeg(t, mediatest.Args([]string{"-re"}, mediatest.Picture("160x90", 25, 600), x264, toFLV, []string{location(address, "live/cam")})...)
	p := d.next(t)
	await(t, p.first, "a sample")
	_ = program.cmd.Process.Kill()
	p.wait(t)
	if !errors.Is(p.err, publish.ErrDisconnected) {
		t.Errorf("ended with %v", p.err)
	}
}

func TestRTMPS(t *testing.T) {
	mediatest.RequireFFmpeg(t)
	d := newDesk()
	address := serveOn(t, d, Options{}, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	program := ffmpeg(t, mediatest.Args(picture, tone, x264, aacSound, toFLV,
		[]string{strings.Replace(location(address, "live/cam"), "rtmp", "rtmps", 1)})...)
	p := d.next(t)
	p.wait(t)
	program.wait(t)
	if p.err != nil || program.err != nil {
		t.Fatalf("ended with %v, ffmpeg with %v\n%s", p.err, program.err, &program.output)
	}
	expectMedia(t, p, []media.Codec{media.H264, media.AAC})
}

func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
