package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/framewire/framewire/server/internal/elementary"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/nut"
)

// outputOffset is added to all times of ffmpeg's output: the encoder of sound
// begins before zero, which NUT cannot say.
const outputOffset = 10 * time.Second

// output is one track as ffmpeg writes it.
type output struct {
	codec media.Codec
	pipe  *os.File
}

// encoders are ffmpeg's arguments for each codec of --video-codec, none of them
// holding pictures back.
var encoders = map[string]struct {
	codec media.Codec
	args  []string
}{
	"h264": {media.H264, []string{"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"}},
	"vp9": {media.VP9, []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "0",
		"-row-mt", "1", "-b:v", "1M"}},
	"av1": {media.AV1, []string{"-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "10", "-lag-in-frames", "0",
		"-row-mt", "1", "-b:v", "1M"}},
}

// stream runs generator, encoder and muxer until ctx is done or one of them
// fails.
func stream(ctx context.Context, w io.Writer, o options) error {
	encoder, ok := encoders[o.videoCodec]
	if !ok {
		return fmt.Errorf("--video-codec: %q is not one of h264, vp9, av1", o.videoCodec)
	}
	parent := ctx
	group, ctx := errgroup.WithContext(parent)
	command := exec.CommandContext(ctx, "ffmpeg", arguments(o, encoder.args)...)
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		return err
	}
	enlarge(input)
	outputs := []output{{codec: encoder.codec}}
	if o.audio {
		outputs = append(outputs, output{codec: media.AAC})
	}
	if err := start(command, outputs); err != nil {
		return err
	}
	s := &stamps{start: time.Now()}
	m := newMuxer(w, s, o.report)
	group.Go(func() error {
		defer input.Close()
		return generate(ctx, input, s, o.audio)
	})
	packets := make(chan packet)
	for i := range outputs {
		group.Go(func() error { return read(ctx, i, outputs[i], packets) })
	}
	group.Go(func() error { return m.run(ctx, len(outputs), packets) })
	err = group.Wait()
	for _, out := range outputs {
		out.pipe.Close()
	}
	ended := command.Wait()
	if parent.Err() != nil {
		return parent.Err() // what failed, failed because of it
	}
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("ffmpeg ended: %w", ended)
	}
	return err
}

// start starts ffmpeg with a pipe for each output, on descriptor 1 and then from
// 3 on.
func start(command *exec.Cmd, outputs []output) error {
	for i := range outputs {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer w.Close() // ffmpeg has its own
		outputs[i].pipe = r
		if i == 0 {
			command.Stdout = w
		} else {
			command.ExtraFiles = append(command.ExtraFiles, w)
		}
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start ffmpeg (apt-get install ffmpeg): %w", err)
	}
	return nil
}

func arguments(o options, encoder []string) []string {
	args := []string{
		"-hide_banner", "-nostats", "-loglevel", "error",
		"-fflags", "nobuffer", "-probesize", "32", "-analyzeduration", "0", "-fpsprobesize", "0",
		"-f", "matroska", "-i", "pipe:0",
	}
	common := []string{
		"-output_ts_offset", strconv.FormatFloat(outputOffset.Seconds(), 'f', -1, 64),
		"-avoid_negative_ts", "disabled", "-flush_packets", "1", "-write_index", "0", "-f", "nut",
	}
	args = append(args, "-map", "0:v")
	args = append(args, encoder...)
	args = append(args, "-g", strconv.Itoa(o.gop), "-pix_fmt", "yuv420p", "-vsync", "passthrough", "-enc_time_base", "1:90000")
	if o.videoBitrate != "" {
		args = append(args, "-b:v", o.videoBitrate, "-maxrate", o.videoBitrate, "-bufsize", o.videoBitrate)
	}
	args = append(append(args, common...), "pipe:1")
	if o.audio {
		args = append(args, "-map", "0:a", "-c:a", "aac", "-b:a", "96k")
		args = append(append(args, common...), "pipe:3")
	}
	return args
}

// packet is a frame of one output, or (header) what comes before them.
type packet struct {
	track  int
	codec  media.Codec
	header *nut.Stream
	frame  nut.Timed
}

// read hands on what one output brings. It does not return nil.
func read(ctx context.Context, track int, o output, packets chan<- packet) error {
	stop := context.AfterFunc(ctx, func() { o.pipe.SetReadDeadline(time.Now()) })
	defer stop()
	hand := func(p packet) error {
		p.track, p.codec = track, o.codec
		select {
		case packets <- p:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r := nut.NewReader(o.pipe)
	streams, err := r.Streams()
	if err != nil {
		return unexpected(err)
	}
	if err := hand(packet{header: &streams[0]}); err != nil {
		return err
	}
	order := nut.NewOrder(streams[0])
	for {
		frame, err := r.Next()
		if err != nil {
			return unexpected(err)
		}
		for _, timed := range order.Add(frame) {
			if err := hand(packet{frame: timed}); err != nil {
				return err
			}
		}
	}
}

// unexpected makes the end of a stream without end an error.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// elementaryOf returns the stream that takes a packet's track apart.
func elementaryOf(p packet) (*elementary.Stream, error) {
	s, err := elementary.NewStream(uint32(p.track)+1, p.codec, uint32(p.header.TimeDen))
	if err != nil {
		return nil, err
	}
	return s, s.Configure(p.header.Extradata)
}
