package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/mp4"
	"github.com/framewire/framewire/server/internal/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record runs the whole source for a while and returns what it wrote.
func record(t *testing.T, o options, d time.Duration) []byte {
	t.Helper()
	mediatest.RequireFFmpeg(t)
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var written bytes.Buffer
	if err := stream(ctx, &written, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("stream: %v", err)
	}
	return written.Bytes()
}

// decode returns what ffmpeg makes of a recording.
func decode(t *testing.T, recording []byte, args ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "recording.mp4")
	if err := os.WriteFile(path, recording, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("ffmpeg", append(append([]string{"-v", "error", "-i", path}, args...), "pipe:1")...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// codeIn reads the code from a picture of gray bytes, by the middles of its
// cells.
func codeIn(gray []byte, width, height int) uint64 {
	var code uint64
	for i := range codeColumns * codeRows {
		x := (codeLeft + i%codeColumns*codeCell + codeCell/2) * width / 640
		y := (codeTop + i/codeColumns*codeCell + codeCell/2) * height / 360
		code <<= 1
		if gray[y*width+x] > 128 {
			code |= 1
		}
	}
	return code
}

func TestCodeIsReadBackAndDamageIsNoticed(t *testing.T) {
	at := time.UnixMilli(1_700_000_123_456)
	for _, number := range []int64{0, 1, 65535, 65536, 1 << 40} {
		code := codeOf(at, number)
		ms, n, ok := readCode(code)
		if !ok || ms != uint32(at.UnixMilli()) || n != uint16(number) {
			t.Errorf("number %d came back as %d at %d, %v", number, n, ms, ok)
		}
		for bit := range 64 {
			if _, _, ok := readCode(code ^ 1<<bit); ok {
				t.Errorf("bit %d was flipped, and the code is still valid", bit)
			}
		}
	}
	if crc16(0x313233343536) != 0x2EF4 { // "123456"
		t.Errorf("CRC of 123456 is %#x", crc16(0x313233343536))
	}
}

func TestEveryPictureTellsWhenItWasMade(t *testing.T) {
	for _, c := range []struct {
		name          string
		o             options
		width, height int
	}{
		{"as it is", options{audio: true, videoCodec: "h264", gop: 60}, 640, 360},
		{"scaled down and starved", options{videoCodec: "h264", gop: 60, videoBitrate: "150k"}, 320, 180},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := time.Now()
			recording := record(t, c.o, 3*time.Second)
			gray := decode(t, recording, "-map", "0:v", "-vsync", "passthrough", "-vf", fmt.Sprintf("scale=%d:%d", c.width, c.height), "-f", "rawvideo", "-pix_fmt", "gray")
			picture := c.width * c.height
			if n := len(gray) / picture; n < 45 {
				t.Fatalf("only %d pictures in 3 s", n)
			}
			var lastNumber uint16
			var lastMade uint32
			for i := range len(gray) / picture {
				made, number, ok := readCode(codeIn(gray[i*picture:(i+1)*picture], c.width, c.height))
				switch {
				case !ok:
					t.Fatalf("picture %d has no readable code", i)
				case made-uint32(before.UnixMilli()) > 4000:
					t.Fatalf("picture %d was made at %d, the test began at %d", i, made, uint32(before.UnixMilli()))
				case i > 0 && (number <= lastNumber || made < lastMade):
					t.Fatalf("picture %d has number %d of time %d after %d of %d", i, number, made, lastNumber, lastMade)
				}
				lastNumber, lastMade = number, made
			}
		})
	}
}

// A second begins with a line in the picture and a tick in the sound.
func TestSoundAndPictureAreInStep(t *testing.T) {
	recording := record(t, options{audio: true, videoCodec: "h264", gop: 60}, 4*time.Second)
	r := new(sourcetest.Recorder)
	if err := mp4.Demux(bytes.NewReader(recording), r, mp4.Options{}); err != nil {
		t.Fatal(err)
	}
	video, audio := r.Track(t, media.Video), r.Track(t, media.Audio)
	pictures := r.Samples(media.Video)
	firstSound := media.Duration(r.Samples(media.Audio)[0].PTS(), audio.Timescale)

	gray := decode(t, recording, "-map", "0:v", "-f", "rawvideo", "-pix_fmt", "gray", "-vsync", "passthrough")
	line := time.Duration(-1)
	for i := 1; i < min(len(pictures), len(gray)/(width*height)) && line < 0; i++ {
		if gray[i*width*height+204*width+width/2] > 200 {
			line = media.Duration(pictures[i].PTS(), video.Timescale)
		}
	}
	sound := decode(t, recording, "-map", "0:a", "-f", "s16le")
	tick := time.Duration(-1)
	quiet := 0
	for i := 0; i+1 < len(sound) && tick < 0; i += 2 {
		v := math.Abs(float64(int16(binary.LittleEndian.Uint16(sound[i:]))))
		switch {
		case v < 4000:
			quiet++
		case quiet > sampleRate/2:
			tick = firstSound + sampleTime(int64(i/2))
		default:
			quiet = 0
		}
	}
	if line < 0 || tick < 0 {
		t.Fatalf("line at %v, tick at %v", line, tick)
	}
	apart := (line - tick) % time.Second
	if apart > 500*time.Millisecond {
		apart -= time.Second
	} else if apart < -500*time.Millisecond {
		apart += time.Second
	}
	if apart.Abs() > 10*time.Millisecond {
		t.Errorf("line and tick are %v apart", apart)
	}
}

func TestUnknownCodecIsRefused(t *testing.T) {
	for _, args := range [][]string{{"--video-codec", "mpeg2"}, {"--gop"}, {"surplus"}} {
		if err := run(t.Context(), args); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
