// Command clip renders the picture and the sound of the demo clip: raw RGB
// frames with "clip video", raw 16-bit stereo with "clip audio". make.sh encodes
// them. Everything that moves returns to where it began after one loop, so that
// the clip can be repeated without a seam.
package main

import (
	"bufio"
	"fmt"
	"os"
)

const (
	width, height = 1280, 720
	frameRate     = 30
	sampleRate    = 48000
	beats         = 16 // one a second; 16 s are 480 frames and exactly 750 AAC frames
	frames        = beats * frameRate
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "clip:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument: video or audio")
	}
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	switch args[0] {
	case "video":
		if err := writeFrames(out); err != nil {
			return err
		}
	case "audio":
		if err := writeSound(out); err != nil {
			return err
		}
	default:
		return fmt.Errorf("unknown argument %q: want video or audio", args[0])
	}
	return out.Flush()
}
