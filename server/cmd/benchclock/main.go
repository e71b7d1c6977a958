// Command benchclock is the live source of the latency benchmark: it writes
// fragmented MP4 to standard output, whose pictures show, for machines, the
// wall clock at the moment each was made.
//
//	picture, sound ─▶ Matroska ─▶ ffmpeg: x264, AAC ─▶ NUT, NUT ─▶ fragmented MP4
//
// Whoever reads a picture's code from the screen and subtracts it from the
// clock has the whole way, encoding included. Picture and sound come from one
// clock, so that the end of the sound is as old as the end of the picture, but
// for what the encoder of sound holds back.
//
// With --report it says on standard error how much of the way lies before its
// own output.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && ctx.Err() == nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "benchclock:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("benchclock", flag.ContinueOnError)
	var o options
	noAudio := flags.Bool("no-audio", false, "write pictures only")
	flags.StringVar(&o.videoCodec, "video-codec", "h264", "codec of the pictures: h264, vp9 or av1")
	flags.StringVar(&o.videoBitrate, "video-bitrate", "", "bits per second as ffmpeg takes it, such as 800k; by default x264's constant quality")
	flags.IntVar(&o.gop, "gop", 60, "pictures from one keyframe to the next")
	flags.DurationVar(&o.report, "report", 0, "how often to report delays on standard error; 0 for never")
	duration := flags.Duration("duration", 0, "how long to run; 0 for ever")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	o.audio = !*noAudio
	if *duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, *duration, errDone)
		defer cancel()
	}
	err := stream(ctx, os.Stdout, o)
	if errors.Is(context.Cause(ctx), errDone) {
		return nil
	}
	return err
}

// errDone is the cause of a context whose --duration is over.
var errDone = errors.New("the duration is over")

// options are what the command line chooses.
type options struct {
	audio        bool
	videoCodec   string
	videoBitrate string
	gop          int
	report       time.Duration
}
