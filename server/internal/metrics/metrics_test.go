package metrics_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/desk"
	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/metrics"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/roster"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is what the figures are read from.
type world struct {
	hub        *hub.Hub
	sent       map[string]session.Sent
	publishers []desk.Publisher
	sources    []roster.Entry
	metrics    *metrics.Metrics
}

func (w *world) All() []*session.Viewer        { return nil }
func (w *world) Sent() map[string]session.Sent { return w.sent }
func (w *world) Publishers() []desk.Publisher  { return w.publishers }

type sources struct{ *world }

func (s sources) All() []roster.Entry { return s.sources }

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{hub: hub.New(hub.Options{})}
	t.Cleanup(w.hub.Close)
	w.metrics = metrics.New(metrics.Options{
		Hub: w.hub, Sessions: w, Publishers: w, Sources: sources{w}, Version: "1.2", Go: "go", Commit: "abc",
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	return w
}

// scrape returns the lines that are no comments.
func (w *world) scrape(t testing.TB) []string {
	t.Helper()
	r := httptest.NewRecorder()
	w.metrics.Handler().ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if r.Code != http.StatusOK {
		t.Fatalf("%d %s", r.Code, r.Body)
	}
	var lines []string
	for line := range strings.Lines(r.Body.String()) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func (w *world) want(t testing.TB, lines ...string) {
	t.Helper()
	got := w.scrape(t)
	for _, line := range lines {
		if !slices.Contains(got, line) {
			name, _, _ := strings.Cut(line, "{")
			name, _, _ = strings.Cut(name, " ")
			t.Errorf("no line %s among %q", line, slices.DeleteFunc(slices.Clone(got), func(s string) bool { return !strings.HasPrefix(s, name) }))
		}
	}
}

func TestWhatHappensIsCounted(t *testing.T) {
	w := newWorld(t)
	m := w.metrics
	m.SessionOpened()
	m.SessionClosed("s", wire.TooSlow)
	m.Gap(wire.GapSourceInterrupted)
	m.Moved(true)
	m.ConfigurationRead(false)
	m.Reported("s", &wire.Report{Latency: 180 * time.Millisecond}, 30*time.Millisecond)
	m.Reported("s", &wire.Report{}, 0) // one whose latency is not known yet
	for _, err := range []error{
		fmt.Errorf("wrapped: %w", auth.ErrExpired), publish.ErrStreamBusy, fmt.Errorf("%w: %w", publish.ErrBadKey, auth.ErrNoToken), errors.New("else"),
		fmt.Errorf("%w: the limit is 2", publish.ErrAddressFull), publish.ErrSubjectFull, publish.ErrTooManyPublishers, &gate.Refusal{},
		&gate.Refusal{Err: gate.ErrHandshakesOfSubject}, &gate.Refusal{Err: gate.ErrCommands}, &gate.Refusal{Err: gate.ErrCommandsOfAddress},
		&gate.Refusal{Err: gate.ErrCommandsOfSubject},
		session.ErrServerFull, session.ErrAddressFull, session.ErrSubjectFull, session.ErrStreamFull,
	} {
		m.Refused("publish", err)
	}
	w.want(t,
		`framewire_sessions_opened_total 1`,
		`framewire_sessions_closed_total{reason="too_slow"} 1`,
		`framewire_gaps_total{reason="source_interrupted"} 1`,
		`framewire_ladder_steps_total{direction="down"} 1`,
		`framewire_ladder_steps_total{direction="up"} 0`,
		`framewire_configuration_reads_total{result="refused"} 1`,
		`framewire_capture_to_glass_seconds_count 1`,
		`framewire_capture_to_glass_seconds_bucket{le="0.2"} 1`,
		`framewire_capture_to_glass_seconds_bucket{le="0.15"} 0`,
		`framewire_viewer_lag_seconds_count 2`,
		`framewire_refusals_total{reason="expired_token",what="publish"} 1`,
		`framewire_refusals_total{reason="stream_busy",what="publish"} 1`,
		`framewire_refusals_total{reason="no_token",what="publish"} 1`,
		`framewire_refusals_total{reason="other",what="publish"} 1`,
		`framewire_refusals_total{reason="too_many_publishers_of_address",what="publish"} 1`,
		`framewire_refusals_total{reason="too_many_publishers_of_subject",what="publish"} 1`,
		`framewire_refusals_total{reason="too_many_publishers",what="publish"} 1`,
		`framewire_refusals_total{reason="too_many_handshakes",what="publish"} 1`,
		`framewire_refusals_total{reason="too_many_handshakes_of_subject",what="publish"} 1`,
		`framewire_refusals_total{reason="too_many_commands",what="publish"} 1`,
		`framewire_refusals_total{reason="too_many_commands_of_address",what="publish"} 1`,
		`framewire_refusals_total{reason="too_many_commands_of_subject",what="publish"} 1`,
		`framewire_refusals_total{reason="too_many_viewers",what="publish"} 1`,
		`framewire_refusals_total{reason="too_many_viewers_of_address",what="publish"} 1`,
		`framewire_refusals_total{reason="too_many_viewers_of_subject",what="publish"} 1`,
		`framewire_refusals_total{reason="too_many_viewers_of_stream",what="publish"} 1`,
		`framewire_build_info{commit="abc",go="go",version="1.2"} 1`,
	)
}

func TestManyStreamsShareTheSeriesOfTheRest(t *testing.T) {
	w := newWorld(t)
	const streams = 230
	w.sent = map[string]session.Sent{"gone": {Bytes: 5, Fragments: 1}}
	for i := range streams {
		name := fmt.Sprintf("s%03d", i)
		s, err := w.hub.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		c := s.Subscribe()
		t.Cleanup(c.Close)
		w.sent[name] = session.Sent{Bytes: 10, Fragments: 2}
		w.sources = append(w.sources, roster.Entry{Name: name, Restarts: 3})
		w.publishers = append(w.publishers, desk.Publisher{Stream: name, Protocol: publish.RTMP, Bytes: 7})
	}
	w.want(t,
		`framewire_stream_viewers{stream="s000"} 1`,
		`framewire_stream_viewers{stream="(other)"} 30`,
		`framewire_sent_bytes_total{stream="s199"} 10`,
		`framewire_sent_bytes_total{stream="(other)"} 305`,
		`framewire_sent_fragments_total{stream="(other)"} 61`,
		`framewire_source_restarts_total{stream="s000"} 3`,
		`framewire_stream_publishers{protocol="rtmp",stream="(other)"} 30`,
		`framewire_received_bytes_total{protocol="rtmp"} 1610`,
	)
	series := 0
	for _, line := range w.scrape(t) {
		if strings.HasPrefix(line, "framewire_stream_viewers") {
			series++
		}
	}
	if series != 201 {
		t.Errorf("%d series of viewers", series)
	}
}

func TestReceivedBytesNeverGoBack(t *testing.T) {
	w := newWorld(t)
	p := desk.Publisher{Stream: "s", Protocol: publish.WHIP, Bytes: 100}
	w.publishers = []desk.Publisher{p}
	w.want(t, `framewire_received_bytes_total{protocol="whip"} 100`)
	w.publishers = nil // it has left, and that is not told yet
	w.want(t, `framewire_received_bytes_total{protocol="whip"} 100`)
	w.metrics.PublisherClosed(p)
	w.publishers = []desk.Publisher{{Stream: "s", Protocol: publish.WHIP, Bytes: 1}}
	w.want(t, `framewire_received_bytes_total{protocol="whip"} 101`)
}

// metricNames finds names of metrics in an expression.
var metricNames = regexp.MustCompile(`\b(?:framewire|go|process)_[a-z0-9_]+\b`)

func TestDashboardShowsMetricsThatExist(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "grafana", "framewire.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct{ List []struct{ Query string } }
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	known := everyMetric(t)
	shown := make(map[string]bool)
	check := func(where, expression string) {
		names := metricNames.FindAllString(expression, -1)
		if len(names) == 0 {
			t.Errorf("%s: %q names no metric", where, expression)
		}
		for _, name := range names {
			shown[name] = true
			if !known[name] {
				t.Errorf("%s: there is no metric %s", where, name)
			}
		}
	}
	ids := make(map[int]bool)
	for _, p := range dashboard.Panels {
		if ids[p.ID] || len(p.Targets) == 0 {
			t.Errorf("panel %q has an ID twice, or shows nothing", p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			check(p.Title, target.Expr)
		}
	}
	for _, v := range dashboard.Templating.List[1:] {
		check("a variable", v.Query)
	}
	for name := range known {
		if base := strings.TrimSuffix(name, "_bucket"); strings.HasPrefix(name, "framewire_") && !shown[name] && !shown[base+"_bucket"] &&
			!strings.HasSuffix(name, "_sum") && !strings.HasSuffix(name, "_count") {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// everyMetric returns the names of all series that can be.
func everyMetric(t testing.TB) map[string]bool {
	t.Helper()
	w := newWorld(t)
	s, err := w.hub.Create("s")
	if err != nil {
		t.Fatal(err)
	}
	// An epoch and a keyframe, for the series that a live stream has.
	live(t, s)
	w.sent = map[string]session.Sent{"s": {Bytes: 1}}
	w.sources = []roster.Entry{{Name: "s"}}
	w.publishers = []desk.Publisher{{Stream: "s", Protocol: publish.RTMP}}
	w.metrics.SessionClosed("s", wire.Idle)
	w.metrics.Gap(wire.GapTooSlow)
	w.metrics.Refused("watch", auth.ErrNoToken)
	names := make(map[string]bool)
	for _, line := range w.scrape(t) {
		names[line[:strings.IndexAny(line, "{ ")]] = true
	}
	return names
}
