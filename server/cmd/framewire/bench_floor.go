package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/framewire/framewire/server/internal/load"
)

// FloorPattern is a load.Pattern on the command line.
type FloorPattern struct {
	FPS        float64       `default:"30" help:"Pictures a second."`
	VideoBytes int           `default:"6000" help:"Size of a picture."`
	AudioRate  float64       `default:"46.875" help:"Fragments of sound a second; 0 for none."`
	AudioBytes int           `default:"480" help:"Size of a fragment of sound."`
	Keyframes  time.Duration `default:"1s" help:"Distance of keyframes."`
}

func (p FloorPattern) load() load.Pattern {
	return load.Pattern{VideoRate: p.FPS, VideoBytes: p.VideoBytes, AudioRate: p.AudioRate, AudioBytes: p.AudioBytes, Keyframes: p.Keyframes}
}

func (p FloorPattern) args() []string {
	return []string{
		fmt.Sprintf("--fps=%g", p.FPS), fmt.Sprintf("--video-bytes=%d", p.VideoBytes),
		fmt.Sprintf("--audio-rate=%g", p.AudioRate), fmt.Sprintf("--audio-bytes=%d", p.AudioBytes),
		fmt.Sprintf("--keyframes=%v", p.Keyframes),
	}
}

// floorServerCmd is the process that `bench floor` measures.
type floorServerCmd struct {
	FloorPattern `embed:""`
}

// Run serves until ctx is done.
func (c *floorServerCmd) Run(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(floorAddress + l.Addr().String())
	return load.Floor(ctx, l, c.load())
}

const floorAddress = "floor on "

type benchFloorCmd struct {
	FloorPattern `embed:""`
	Viewers      int           `short:"n" default:"500" help:"How many connections."`
	Duration     time.Duration `short:"d" default:"10s" help:"How long to measure."`
	JSON         bool          `name:"json" help:"Write the result as JSON."`
}

// Run measures the floor.
func (c *benchFloorCmd) Run(ctx context.Context) error {
	m, err := measureFloor(ctx, c.load(), load.Options{Viewers: c.Viewers, Duration: c.Duration})
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(m)
	}
	if err := m.Report.Print(os.Stdout); err != nil {
		return err
	}
	fmt.Printf("floor: %.2f CPU seconds per GB delivered (%.2f CPUs)\n", m.PerGB, m.CPU/m.Report.Seconds)
	return nil
}

// measured is a load on a process, with what the process took for it.
type measured struct {
	Report *load.Report `json:"report"`
	// CPU seconds of the process, and those for each 10^9 bytes of media.
	CPU   float64 `json:"cpu_seconds"`
	PerGB float64 `json:"cpu_seconds_per_gb"`
	// Idle is the process's memory without viewers, and Resident that at the end of
	// the measurement, in bytes. Idle is 0 where it was not looked at.
	Idle     int64 `json:"idle_bytes,omitempty"`
	Resident int64 `json:"resident_bytes"`
}

// each is what a viewer adds to the process's memory, in bytes.
func (m *measured) each() float64 {
	return float64(m.Resident-m.Idle) / float64(max(1, m.Report.Joined))
}

// measure puts load on c.
func (c *child) measure(ctx context.Context, o load.Options) (measured, error) {
	var m measured
	var begun, ended time.Duration
	var failed error
	o.Phase = func(measuring bool) {
		at, err := c.cpu()
		if err != nil {
			failed = err
			return
		}
		if measuring {
			begun = at
			return
		}
		ended = at
		m.Resident, failed = c.resident()
	}
	var err error
	if m.Report, err = load.Run(ctx, o); err != nil {
		return m, err
	}
	if failed != nil {
		return m, failed
	}
	m.CPU = (ended - begun).Seconds()
	if m.Report.Bytes > 0 {
		m.PerGB = m.CPU / (float64(m.Report.Bytes) / 1e9)
	}
	return m, nil
}

// measureFloor measures a floor of its own, with as many viewers as o says, for as
// long and joining as fast.
func measureFloor(ctx context.Context, p load.Pattern, o load.Options) (measured, error) {
	if err := p.Check(); err != nil {
		return measured{}, err
	}
	args := FloorPattern{p.VideoRate, p.VideoBytes, p.AudioRate, p.AudioBytes, p.Keyframes}.args()
	c, err := startChild(ctx, func(line string) string {
		address, _ := strings.CutPrefix(line, floorAddress)
		if address == line {
			return ""
		}
		return address
	}, append([]string{"bench", "floor-server"}, args...)...)
	if err != nil {
		return measured{}, err
	}
	idle, failed := c.resident()
	o.URL, o.SameClock = "ws://"+c.address+"/ws?stream=floor", true
	m, err := c.measure(ctx, o)
	m.Idle = idle
	return m, firstError(err, c.stop(), failed)
}
