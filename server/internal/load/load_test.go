package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// frame is a server's frame with an opcode and the final bit as given.
func frame(op byte, final bool, payload []byte) []byte {
	f := serverHeader(nil, len(payload))
	f[0] = op
	if final {
		f[0] |= 0x80
	}
	return append(f, payload...)
}

type seen struct {
	op   byte
	size int
	head string
}

// conversation holds frames of every kind, a control frame amid a message too,
// and a fragment of the given size.
func conversation(size int) (data []byte, want []seen) {
	fragment := append(wire.AppendFragmentHeader(nil, wire.FragmentHeader{Sequence: 7}, size), make([]byte, size)...)
	list := bytes.Repeat([]byte("list"), 100)
	for _, f := range [][]byte{
		frame(opBinary, true, list), frame(opBinary, true, fragment), frame(opPing, true, []byte("p")),
		frame(opBinary, false, list[:100]), frame(opPing, true, []byte("q")), frame(opContinuation, true, list[100:]),
		frame(opBinary, false, fragment[:10]), frame(opContinuation, true, fragment[10:]),
		frame(opClose, true, nil),
	} {
		data = append(data, f...)
	}
	return data, []seen{
		{opBinary, 400, string(list)}, {opBinary, len(fragment), ""}, {opPing, 1, "p"},
		{opPing, 1, "q"}, {opBinary, 400, string(list)}, {opBinary, len(fragment), ""}, {opClose, 0, ""},
	}
}

func TestFramesAreCutWhereverTheBytesAre(t *testing.T) {
	data, want := conversation(70_000)
	for _, step := range []int{1, 2, 3, 7, 100, 1000, 65536, len(data)} {
		var p parser
		var got []seen
		for rest := data; len(rest) > 0; {
			n := min(step, len(rest))
			err := p.feed(rest[:n], func(op byte, head []byte, size int) error {
				s := seen{op, size, string(head)}
				if wire.IsFragment(head) {
					if h, _, ok := wire.ReadFragmentHeader(head); !ok || h.Sequence != 7 {
						t.Errorf("step %d: fragment %+v, %v", step, h, ok)
					}
					s.head = ""
				}
				got = append(got, s)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if len(got) != len(want) {
			t.Fatalf("step %d: %d messages, want %d", step, len(got), len(want))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("step %d: message %d is %d of %d bytes, want %d of %d", step, i, got[i].op, got[i].size, want[i].op, want[i].size)
			}
		}
	}
}

func TestBrokenFramesAreRefused(t *testing.T) {
	for name, data := range map[string][]byte{
		"masked": {0x82, 0x81, 0, 0, 0, 0, 1}, "reserved bits": {0xc2, 0}, "long control frame": frame(opPing, true, make([]byte, 200)),
		"endless control message": frame(opBinary, true, make([]byte, maxKept+1)),
	} {
		var p parser
		var err error
		for i := 0; i < len(data) && err == nil; i += 1000 {
			err = p.feed(data[i:min(i+1000, len(data))], func(byte, []byte, int) error { return nil })
		}
		if !errors.Is(err, errFraming) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzFrames(f *testing.F) {
	data, _ := conversation(200)
	f.Add(data, 10)
	s := &shard{}
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		step = max(1, step)
		v := &viewer{shard: s, dialed: time.Now(), send: func([]byte) error { return nil }}
		for len(data) > 0 {
			n := min(step, len(data))
			if v.shard.take(v, data[:n], time.Now()) != nil {
				return
			}
			data = data[n:]
		}
	})
}

func TestQuantilesAreNearTheTruth(t *testing.T) {
	var h histogram
	for i := range 100_000 {
		h.add(time.Duration(i) * 10 * time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.95: 950 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := h.quantile(q); got < want*98/100 || got > want*102/100 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	h.add(1000 * time.Hour) // beyond the last bucket
	h.add(-time.Second)
	if h.quantile(1) <= time.Second || h.most != 1000*time.Hour {
		t.Errorf("most %v, %v", h.quantile(1), h.most)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{URL: "ws://127.0.0.1:1/ws?stream=a", Viewers: 1}
	if _, _, err := good.check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Options){
		"http":            func(o *Options) { o.URL = "http://127.0.0.1/ws?stream=a" },
		"no stream":       func(o *Options) { o.URL = "ws://127.0.0.1/ws" },
		"nobody":          func(o *Options) { o.Viewers = 0 },
		"too many":        func(o *Options) { o.Viewers = MaxViewers + 1 },
		"too long":        func(o *Options) { o.Duration = MaxDuration + 1 },
		"too fast":        func(o *Options) { o.Rate = MaxRate + 1 },
		"share above one": func(o *Options) { o.Stall = 1.1 },
		"stall too long":  func(o *Options) { o.StallFor = time.Hour },
		"throttle":        func(o *Options) { o.Throttle = -1 },
	} {
		o := good
		spoil(&o)
		if _, err := Run(context.Background(), o); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// onFloor runs o against a floor.
func onFloor(t *testing.T, o Options) (*Report, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		p := Pattern{VideoRate: 50, VideoBytes: 2000, AudioRate: 50, AudioBytes: 200, Keyframes: 200 * time.Millisecond}
		if err := Floor(ctx, l, p); err != nil {
			t.Error(err)
		}
	})
	defer served.Wait()
	defer cancel()
	o.URL = "ws://" + l.Addr().String() + "/ws?stream=floor"
	o.SameClock = true
	return Run(context.Background(), o)
}

func TestEveryViewerIsMeasured(t *testing.T) {
	phases := 0
	told := make(chan Progress, 100)
	report, err := onFloor(t, Options{
		Viewers: 30, Duration: 2 * time.Second, Rate: 1000, Throttle: 50_000, ThrottleShare: 0.2, Stall: 0.1, StallFor: 500 * time.Millisecond,
		Phase:    func(bool) { phases++ },
		Progress: func(p Progress) { told <- p },
	})
	if err != nil {
		t.Fatal(err)
	}
	g := report.Steady
	if report.Joined != 30 || report.Pictures != 30 || g.Whole != g.Viewers || g.Holes != 0 || phases != 2 || len(told) == 0 {
		t.Errorf("%+v %+v, %d phases", report, g, phases)
	}
	if g.Throughput.Min < 600e3 || g.Throughput.Max > 1100e3 || g.Delay.P50 <= 0 { // 880 kb/s were sent
		t.Errorf("%+v", g)
	}
	if slow := report.Throttled; slow == nil || slow.Throughput.Max > 1.3*50_000*8 {
		t.Errorf("throttled: %+v", slow)
	}
	if report.Stalled == nil || report.Stalled.Viewers != 3 {
		t.Errorf("stalled: %+v", report.Stalled)
	}
	p, err := PatternOf(report)
	if err != nil || p.VideoRate < 40 || p.VideoRate > 60 || p.VideoBytes != 2000 || p.AudioBytes != 200 {
		t.Errorf("pattern %+v, %v", p, err)
	}
	var text strings.Builder
	if err := report.Print(&text); err != nil || !strings.Contains(text.String(), "30 joined of 30") {
		t.Errorf("%v: %s", err, text.String())
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		if err := Floor(ctx, l, Pattern{VideoRate: 50, VideoBytes: 1000, Keyframes: time.Second}); err != nil {
			t.Error(err)
		}
	})
	defer served.Wait()
	_, err = Run(ctx, Options{
		URL: "ws://" + l.Addr().String() + "/ws?stream=floor", Viewers: 3, Duration: time.Hour, SameClock: true,
		Phase: func(measuring bool) {
			if measuring {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRefusalsAreCountedByReason(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var answering sync.WaitGroup
	answering.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\nConnection: close\r\n\r\nfull\n"))
			_ = conn.(*net.TCPConn).CloseWrite()
			answering.Go(func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 1000))
			})
		}
	})
	report, err := Run(context.Background(), Options{
		URL: "ws://" + l.Addr().String() + "/ws?stream=a", Viewers: 5, Duration: time.Second, SameClock: true,
	})
	_ = l.Close()
	answering.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if n := report.Failed["refused with 503 Service Unavailable: full"]; n != 5 || report.Joined != 0 {
		t.Errorf("failed: %v", report.Failed)
	}
}
