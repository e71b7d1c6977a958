package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/framewire/framewire/server/internal/load"
	"github.com/framewire/framewire/server/internal/mediatest"
)

// decoded returns what a command has printed as JSON.
func decoded[T any](t *testing.T, out string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return v
}

func TestBenchViewersMeasuresAServer(t *testing.T) {
	addr, token := serving(t)
	env := []string{"FRAMEWIRE_TOKEN=" + token("--streams", "demo")}
	bench := func(t *testing.T, args ...string) (out, complaint string) {
		t.Helper()
		out, complaint, code := framewire(t, env, append([]string{"bench", "viewers", "ws://" + addr + "/ws?stream=demo", "-d", "1s"}, args...)...)
		if code != 0 {
			t.Fatalf("%d %s", code, complaint)
		}
		return out, complaint
	}
	t.Run("json", func(t *testing.T) {
		out, complaint := bench(t, "-n", "10", "--rate", "100", "--stall", "20", "--stall-for", "300ms", "--json", "--quiet")
		r := decoded[load.Report](t, out)
		if r.Viewers != 10 || r.Joined != 10 || r.Pictures != 10 || len(r.Failed) > 0 || r.Bytes == 0 || r.Seconds < 1 {
			t.Errorf("%+v", r)
		}
		if r.Steady == nil || r.Steady.Viewers != 8 || r.Stalled == nil || r.Stalled.Viewers != 2 || r.Throttled != nil {
			t.Errorf("%+v %+v %+v", r.Steady, r.Stalled, r.Throttled)
		}
		if r.FirstKeyframe.Max <= 0 || r.FirstKeyframe.Max < r.Join.P50 {
			t.Errorf("joined %v, first keyframe %v", r.Join, r.FirstKeyframe)
		}
		if complaint != "" {
			t.Errorf("--quiet says %q", complaint)
		}
	})
	t.Run("table", func(t *testing.T) {
		out, progress := bench(t, "-n", "4", "--throttle", "1MB", "--throttle-share", "50")
		for _, want := range []string{"4 joined of 4, 4 with a picture, 0 failed", "first keyframe", "steady viewers", "throttled viewers", "missing fragments", "ladder"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in %s", want, out)
			}
		}
		if !strings.Contains(progress, "measuring") || !strings.Contains(progress, "joined 4") {
			t.Errorf("progress %q", progress)
		}
	})
}

func TestBenchIsBounded(t *testing.T) {
	for _, args := range [][]string{
		{"viewers", "ws://127.0.0.1:1/ws?stream=a", "-n", "100001"}, {"viewers", "ws://127.0.0.1:1/ws?stream=a", "-n", "0"},
		{"viewers", "ws://127.0.0.1:1/ws?stream=a", "-d", "25h"}, {"viewers", "ws://127.0.0.1:1/ws?stream=a", "--rate", "1e6"},
		{"viewers", "ws://127.0.0.1:1/ws?stream=a", "--stall", "101"}, {"viewers", "http://127.0.0.1:1/"}, {"viewers", "ws://127.0.0.1:1/ws"},
		{"floor", "--fps", "0"}, {"floor", "-n", "100001"},
	} {
		if out, complaint, code := framewire(t, nil, append([]string{"bench"}, args...)...); code == 0 || complaint == "" {
			t.Errorf("%q succeeds: %s", args, out)
		}
	}
}

func TestBenchFloorTellsWhatSendingCosts(t *testing.T) {
	args := []string{"bench", "floor", "-n", "20", "-d", "1s", "--fps", "25", "--video-bytes", "20000", "--keyframes", "200ms"}
	out, complaint, code := framewire(t, nil, append(args, "--json")...)
	if code != 0 {
		t.Fatal(complaint)
	}
	m := decoded[measured](t, out)
	if m.Report.Joined != 20 || m.Report.Steady == nil || m.Report.Steady.Videos < 20*10 || m.Report.Bytes < 20*10*20000 || m.Idle <= 0 || m.Resident < m.Idle {
		t.Errorf("%s", out)
	}
	if want := m.CPU / (float64(m.Report.Bytes) / 1e9); m.PerGB != want {
		t.Errorf("%v CPU seconds a gigabyte, want %v", m.PerGB, want)
	}
	out, complaint, code = framewire(t, nil, args...)
	if code != 0 || !strings.Contains(out, "20 joined of 20") || !strings.Contains(out, "CPU seconds per GB delivered") {
		t.Errorf("%d %s %s", code, out, complaint)
	}
}

func TestBenchFanoutSetsTheServerBesideTheFloor(t *testing.T) {
	mediatest.RequireFFmpeg(t)
	out, complaint, code := framewire(t, nil, "bench", "fanout", "--only", "10,000", "--scale", "0.001", "-d", "1s", "--json")
	if code != 0 {
		t.Fatal(complaint)
	}
	rows := decoded[[]fanoutRow](t, out)
	if len(rows) != 1 || len(rows[0].Runs) != 2 || rows[0].Bar == "" || rows[0].Value == "" || rows[0].Floor == "" {
		t.Fatalf("%s", out)
	}
	for _, m := range rows[0].Runs {
		if m.Report.Joined != 10 || m.Report.Bytes == 0 || m.Resident == 0 {
			t.Errorf("%+v", m)
		}
	}
}

func TestProfilesAreOfThisMachineAlone(t *testing.T) {
	for given, want := range map[string]string{
		"6060": "127.0.0.1:6060", ":6060": "127.0.0.1:6060", "0.0.0.0:6060": "0.0.0.0:6060", "[::1]:6060": "[::1]:6060", "10.0.0.1:1": "10.0.0.1:1",
	} {
		if got := pprofAddress(given); got != want {
			t.Errorf("--pprof %s listens on %s, want %s", given, got, want)
		}
	}
	var said bytes.Buffer
	stop, err := servePprof("0", slog.New(slog.NewJSONHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	entry := decoded[struct{ Time, Level, Msg, Open string }](t, said.String())
	open, err := url.Parse(entry.Open)
	if err != nil {
		t.Fatal(err)
	}
	if ip := net.ParseIP(open.Hostname()); !ip.IsLoopback() {
		t.Errorf("profiles are at %s", entry.Open)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Get(entry.Open + "heap?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || !bytes.Contains(body, []byte("heap profile")) {
		t.Errorf("%s: %v", response.Status, err)
	}
}
