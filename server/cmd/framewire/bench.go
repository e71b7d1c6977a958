package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/framewire/framewire/server/internal/config"
	"github.com/framewire/framewire/server/internal/load"
)

type benchCmd struct {
	Viewers     benchViewersCmd `cmd:"" help:"Let many viewers join a server and measure what they receive."`
	Floor       benchFloorCmd   `cmd:"" help:"Measure what sending alone costs on this machine: a write per fragment and viewer."`
	Fanout      benchFanoutCmd  `cmd:"" help:"Measure this server's fan-out beside the floor, on this machine (needs ffmpeg)."`
	FloorServer floorServerCmd  `cmd:"" hidden:"" help:"The process that bench floor measures."`
}

type benchViewersCmd struct {
	URL           string        `arg:"" help:"The server's endpoint and stream, such as ws://localhost:8080/ws?stream=demo."`
	Viewers       int           `short:"n" default:"100" help:"How many join, at most 100000."`
	Duration      time.Duration `short:"d" default:"30s" help:"How long to measure once all have joined."`
	Rate          float64       `default:"500" help:"Joins a second."`
	Timeout       time.Duration `default:"10s" help:"How long a viewer may take to join."`
	Stall         float64       `default:"0" help:"Per cent of the viewers who stop reading for a while." placeholder:"P"`
	StallFor      time.Duration `help:"How long they stop (default: a third of the duration)." placeholder:"DURATION"`
	Throttle      config.Bytes  `help:"Read at most so many bytes a second." placeholder:"BYTES"`
	ThrottleShare float64       `default:"100" help:"Per cent of the viewers whom --throttle slows down." placeholder:"P"`
	ReadEvery     time.Duration `help:"Read what has come so often instead of at once, which takes less of this machine." placeholder:"DURATION"`
	Token         string        `help:"Access token." env:"FRAMEWIRE_TOKEN" placeholder:"TOKEN"`
	JSON          bool          `name:"json" help:"Write the result as JSON."`
	Quiet         bool          `short:"q" help:"Show no progress."`
}

// Run measures the server at URL.
func (c *benchViewersCmd) Run(ctx context.Context) error {
	opts := load.Options{
		URL: c.URL, Viewers: c.Viewers, Duration: c.Duration, Rate: c.Rate, Timeout: c.Timeout,
		Stall: c.Stall / 100, StallFor: c.StallFor,
		Throttle: int(c.Throttle), ThrottleShare: c.ThrottleShare / 100, ReadEvery: c.ReadEvery, Token: c.Token,
	}
	if !c.Quiet {
		opts.Progress = showProgress
	}
	report, err := load.Run(ctx, opts)
	if !c.Quiet {
		fmt.Fprintln(os.Stderr)
	}
	if report == nil {
		return err
	}
	if c.JSON {
		if e := writeJSON(report); e != nil {
			return e
		}
	} else if e := report.Print(os.Stdout); e != nil {
		return e
	}
	return err
}

// showProgress keeps one line up to date.
func showProgress(p load.Progress) {
	phase := "joining"
	if p.Measuring {
		phase = "measuring"
	}
	fmt.Fprintf(os.Stderr, "\r%-9s %4.0f s  joined %d  playing %d  failed %d  ended %d  %.2f GB  delay p99 %.1f ms   ",
		phase, p.Elapsed.Seconds(), p.Joined, p.Playing, p.Failed, p.Ended, float64(p.Bytes)/1e9,
		float64(p.DelayP99.Microseconds())/1000)
}

func writeJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
