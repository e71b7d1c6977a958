package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/framewire/framewire/server/internal/load"
)

// The bars that a row is held against.
const (
	barFloorShare  = 0.72
	barResident    = 32e3 // bytes a viewer
	barDelayP99    = 50.0 // milliseconds
	barKeyframeMax = 2000.0
	barAddedFrames = 0.5 // of delay, in frames of video
)

// idleWait is how long a server without viewers is left alone before its memory
// is read.
const idleWait = 4 * time.Second

// floorMemoryTime is how long the floor is measured where only its memory counts.
const floorMemoryTime = 3 * time.Second

type benchFanoutCmd struct {
	Duration time.Duration `short:"d" default:"10s" help:"How long to measure each row."`
	Rounds   int           `default:"2" help:"Measure server and floor so often, in turn."`
	Only     string        `help:"Measure rows whose name holds this alone." placeholder:"WORD"`
	JSON     bool          `name:"json" help:"Write the result as JSON."`
	Scale    float64       `default:"1" help:"Take this share of the viewers, for a smaller machine."`
	Serve    []string      `help:"More arguments for the server." placeholder:"ARG" sep:"none"`
}

// fanout is one run of benchFanoutCmd.
type fanout struct {
	*benchFanoutCmd
	clips string
	rows  []fanoutRow
}

// fanoutRow is a line of the table.
type fanoutRow struct {
	Name  string     `json:"name"`
	Bar   string     `json:"bar"`
	Value string     `json:"value"`
	Floor string     `json:"floor,omitempty"`
	Met   bool       `json:"met"`
	Load  string     `json:"load_average"` // before it was measured
	Runs  []measured `json:"runs,omitempty"`
}

// Run measures all rows and prints them.
func (c *benchFanoutCmd) Run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "framewire-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	f := &fanout{benchFanoutCmd: c, clips: dir}
	for _, row := range []struct {
		name string
		run  func(context.Context, *fanoutRow) error
	}{
		{"CPU of 500 viewers of 1.6 Mb/s", f.cost},
		{"memory of 2,000 viewers", f.memory},
		{"10,000 viewers of 300 kb/s", f.crowd},
		{"1,000 joins in a second", f.rush},
	} {
		if !strings.Contains(row.name, c.Only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring: %s\n", row.name)
		r := fanoutRow{Name: row.name, Load: loadAverage()}
		if err := row.run(ctx, &r); err != nil {
			return fmt.Errorf("%s: %w", row.name, err)
		}
		f.rows = append(f.rows, r)
	}
	if c.JSON {
		return writeJSON(f.rows)
	}
	return f.print()
}

func (f *fanout) print() error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "measure\tbar\tmeasured\tfloor\tmet")
	for _, r := range f.rows {
		met := "yes"
		if !r.Met {
			met = "NO"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Name, r.Bar, r.Value, r.Floor, met)
	}
	return t.Flush()
}

// clips are what the server plays in a loop.
var clips = map[string]struct {
	size, video, audio, sampling string
	fps, gop                     int
}{
	"tv":   {"1280x720", "1450k", "128k", "48000", 30, 60},
	"thin": {"426x240", "262k", "32k", "24000", 10, 20},
}

// clip returns the file of a clip, which it encodes the first time.
func (f *fanout) clip(ctx context.Context, name string) (string, error) {
	path := filepath.Join(f.clips, name+".mp4")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	c := clips[name]
	args := []string{"-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("mandelbrot=size=%s:rate=%d", c.size, c.fps),
		"-f", "lavfi", "-i", "sine=sample_rate=" + c.sampling, "-t", "20",
		"-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
		"-g", fmt.Sprint(c.gop), "-keyint_min", fmt.Sprint(c.gop), "-sc_threshold", "0",
		"-b:v", c.video, "-minrate", c.video, "-maxrate", c.video, "-bufsize", c.video, "-x264-params", "nal-hrd=cbr",
		"-c:a", "aac", "-b:a", c.audio, path}
	if out, err := exec.CommandContext(ctx, "ffmpeg", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("make a clip with ffmpeg (install it if it is missing): %w: %s", err, strings.TrimSpace(string(out)))
	}
	return path, nil
}

// serve starts the server with a clip as its stream.
func (f *fanout) serve(ctx context.Context, clip string) (*child, load.Options, error) {
	path, err := f.clip(ctx, clip)
	if err != nil {
		return nil, load.Options{}, err
	}
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--rtmp", "off", "--webrtc", "off", "--source", "bench=" + path}, f.Serve...)
	c, err := startChild(ctx, func(line string) string {
		var entry struct{ Msg, Addr string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "listening" {
			return entry.Addr
		}
		return ""
	}, args...)
	if err != nil {
		return nil, load.Options{}, err
	}
	return c, load.Options{URL: "ws://" + c.address + "/ws?stream=bench", Duration: f.Duration, SameClock: true}, nil
}

// viewers scales a number of viewers.
func (f *fanout) viewers(n int) int { return max(1, int(float64(n)*f.Scale)) }

// on measures a server of its own under load.
func (f *fanout) on(ctx context.Context, clip string, viewers int) (m measured, err error) {
	c, o, err := f.serve(ctx, clip)
	if err != nil {
		return m, err
	}
	defer func() {
		if e := c.stop(); err == nil {
			err = e
		}
	}()
	o.Viewers = f.viewers(viewers)
	return c.measure(ctx, o)
}

// cost compares CPU time for each byte delivered.
func (f *fanout) cost(ctx context.Context, r *fanoutRow) error {
	var server, floor []float64
	var delay, floorDelay delays
	frame := 0.0 // milliseconds
	for range f.Rounds {
		m, err := f.on(ctx, "tv", 500)
		if err != nil {
			return err
		}
		p, err := load.PatternOf(m.Report)
		if err != nil {
			return err
		}
		n, err := measureFloor(ctx, p, load.Options{Viewers: f.viewers(500), Duration: f.Duration})
		if err != nil {
			return err
		}
		server, floor = append(server, m.PerGB), append(floor, n.PerGB)
		delay.add(m.Report.Steady.Delay)
		floorDelay.add(n.Report.Steady.Delay)
		frame = 1000 / p.VideoRate
		r.Runs = append(r.Runs, m, n)
	}
	share := median(server) / median(floor)
	// The tail tells of the machine more than of the program: the floor, which holds
	// nothing back, often has the longer one.
	added := max(median(delay.p50)-median(floorDelay.p50), median(delay.p95)-median(floorDelay.p95))
	r.Bar = fmt.Sprintf("<= %.2f x floor, at p50 and p95 <= %.1f ms of delay added", barFloorShare, barAddedFrames*frame)
	r.Value = fmt.Sprintf("%d viewers: %.2f CPU s/GB = %.2f x floor; delay %s, %+.1f ms", f.viewers(500), median(server), share, delay, added)
	r.Floor = fmt.Sprintf("%.2f CPU s/GB; delay %s", median(floor), floorDelay)
	r.Met = share <= barFloorShare && added <= barAddedFrames*frame
	return nil
}

// delays are those of several rounds, in milliseconds.
type delays struct{ p50, p95, p99 []float64 }

func (d *delays) add(s load.Spread) {
	d.p50, d.p95, d.p99 = append(d.p50, s.P50), append(d.p95, s.P95), append(d.p99, s.P99)
}

func (d delays) String() string {
	return fmt.Sprintf("p50 %.1f  p95 %.1f  p99 %.1f ms", median(d.p50), median(d.p95), median(d.p99))
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	if len(list) == 0 {
		return 0
	}
	return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
}

// memory is what a viewer adds to the server's resident memory.
func (f *fanout) memory(ctx context.Context, r *fanoutRow) (err error) {
	c, o, err := f.serve(ctx, "thin")
	if err != nil {
		return err
	}
	defer func() {
		if e := c.stop(); err == nil {
			err = e
		}
	}()
	select {
	case <-time.After(idleWait):
	case <-ctx.Done():
		return ctx.Err()
	}
	idle, err := c.resident()
	if err != nil {
		return err
	}
	o.Viewers = f.viewers(2000)
	m, err := c.measure(ctx, o)
	if err != nil {
		return err
	}
	m.Idle = idle
	p, err := load.PatternOf(m.Report)
	if err != nil {
		return err
	}
	n, err := measureFloor(ctx, p, load.Options{Viewers: f.viewers(2000), Duration: min(f.Duration, floorMemoryTime)})
	if err != nil {
		return err
	}
	tell := func(m *measured) string {
		return fmt.Sprintf("%.1f kB a viewer (%.1f MB idle, %.1f MB with %d)", m.each()/1e3, float64(m.Idle)/1e6, float64(m.Resident)/1e6, m.Report.Joined)
	}
	r.Bar = fmt.Sprintf("<= %.0f kB a viewer", barResident/1e3)
	r.Value = tell(&m)
	r.Floor = tell(&n) + ", who are not listened to"
	r.Met = m.each() <= barResident
	r.Runs = []measured{m, n}
	return nil
}

// crowd is as many viewers as one machine has to hold.
func (f *fanout) crowd(ctx context.Context, r *fanoutRow) error {
	m, err := f.on(ctx, "thin", 10_000)
	if err != nil {
		return err
	}
	p, err := load.PatternOf(m.Report)
	if err != nil {
		return err
	}
	n, err := measureFloor(ctx, p, load.Options{Viewers: f.viewers(10_000), Duration: f.Duration})
	if err != nil {
		return err
	}
	g, floor := m.Report.Steady, n.Report.Steady
	r.Bar = fmt.Sprintf("all served whole, delay p99 <= %.0f ms", barDelayP99)
	r.Value = fmt.Sprintf("%d joined, %d whole, %d with holes; delay %s; %.2f CPUs",
		m.Report.Joined, g.Whole, g.WithHoles, g.Delay, m.CPU/m.Report.Seconds)
	r.Floor = fmt.Sprintf("delay %s; %.2f CPUs", floor.Delay, n.CPU/n.Report.Seconds)
	r.Met = m.Report.Pictures == m.Report.Viewers && g.Whole == g.Viewers && g.Delay.P99 <= barDelayP99
	r.Runs = []measured{m, n}
	return nil
}

// rush lets many join at once while others watch.
func (f *fanout) rush(ctx context.Context, r *fanoutRow) (err error) {
	c, o, err := f.serve(ctx, "tv")
	if err != nil {
		return err
	}
	defer func() {
		if e := c.stop(); err == nil {
			err = e
		}
	}()
	type result struct {
		report *load.Report
		err    error
	}
	residents := make(chan result, 1)
	begun := make(chan struct{})
	settled := o
	settled.Viewers = f.viewers(200)
	settled.Phase = func(measuring bool) {
		if measuring {
			close(begun)
		}
	}
	go func() {
		report, err := load.Run(ctx, settled)
		residents <- result{report, err}
	}()
	var newcomers *load.Report
	var before result
	select {
	case <-begun:
		o.Viewers, o.Rate, o.Duration = f.viewers(1000), float64(f.viewers(1000)), 2*time.Second
		newcomers, err = load.Run(ctx, o)
		before = <-residents
	case before = <-residents:
	}
	if err = firstError(err, before.err); err != nil {
		return err
	}
	g := before.report.Steady
	r.Bar = fmt.Sprintf("first keyframe within %.0f ms, others undisturbed", barKeyframeMax)
	r.Value = fmt.Sprintf("%d of %d with a picture; first keyframe p50 %.0f p99 %.0f max %.0f ms; of %d others %d whole, %d with holes, delay %s",
		newcomers.Pictures, newcomers.Viewers, newcomers.FirstKeyframe.P50, newcomers.FirstKeyframe.P99, newcomers.FirstKeyframe.Max,
		g.Viewers, g.Whole, g.WithHoles, g.Delay)
	r.Met = newcomers.Pictures == newcomers.Viewers && newcomers.FirstKeyframe.Max <= barKeyframeMax && g.Whole == g.Viewers && g.WithHoles == 0
	p, err := load.PatternOf(before.report)
	if err != nil {
		return err
	}
	n, err := measureFloor(ctx, p, load.Options{Viewers: o.Viewers, Rate: o.Rate, Duration: o.Duration})
	if err != nil {
		return err
	}
	// It keeps nothing to begin with, so that its first keyframe is the next one.
	r.Floor = fmt.Sprintf("joined p50 %.0f p99 %.0f max %.0f ms; here p50 %.0f p99 %.0f max %.0f ms", n.Report.Join.P50, n.Report.Join.P99, n.Report.Join.Max,
		newcomers.Join.P50, newcomers.Join.P99, newcomers.Join.Max)
	r.Runs = []measured{{Report: newcomers}, {Report: before.report}, n}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(data))
	return fields[0]
}
