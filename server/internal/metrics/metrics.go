// Package metrics shows how a server does to Prometheus.
//
// Nothing is counted while media is sent: what streams, viewers and publishers
// have counted for themselves is added up when it is asked for. Only what happens
// rarely, or comes as a player's report, is counted as it comes.
package metrics

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/framewire/framewire/server/internal/desk"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/roster"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/wire"
)

const (
	// maxStreams bounds the streams that have series of their own: a publisher can
	// make names without end. The others, in the order of their names, are shown
	// as one.
	maxStreams = 200

	// otherStreams is the label of the rest. No stream can have this name.
	otherStreams = "(other)"

	// maxScrapes bounds how many are answered at once.
	maxScrapes = 4
)

// Sessions are the viewers.
type Sessions interface {
	All() []*session.Viewer
	Sent() map[string]session.Sent
}

// Publishers are those who publish.
type Publishers interface{ Publishers() []desk.Publisher }

// Sources are the streams with a source.
type Sources interface{ All() []roster.Entry }

// Options are what Metrics are made from; all are required.
type Options struct {
	Hub        *hub.Hub
	Sessions   Sessions
	Publishers Publishers
	Sources    Sources
	// Version, Go and Commit tell the program.
	Version, Go, Commit string
	Log                 *slog.Logger
}

// Metrics count. Their methods may be called from any goroutine, and never block.
type Metrics struct {
	registry *prometheus.Registry
	log      *slog.Logger
	received received

	opened   prometheus.Counter
	closed   *prometheus.CounterVec
	gaps     *prometheus.CounterVec
	steps    *prometheus.CounterVec
	refusals *prometheus.CounterVec
	reads    *prometheus.CounterVec
	glass    prometheus.Histogram
	lag      prometheus.Histogram
	stalls   *stalls
}

// Buckets in seconds: fine where a live stream should be, coarse where it should
// not.
var (
	glassBuckets = []float64{0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30}
	lagBuckets   = []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 3, 6, 12}
)

// New returns metrics with a registry of their own.
func New(o Options) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		stalls:   newStalls(),
		log:      o.Log,
		opened: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "framewire_sessions_opened_total", Help: "Sessions that were welcomed.",
		}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framewire_sessions_closed_total", Help: "Sessions that ended, by the reason of their goodbye.",
		}, []string{"reason"}),
		gaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framewire_gaps_total", Help: "Stretches of media that a viewer did not get, by reason.",
		}, []string{"reason"}),
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framewire_ladder_steps_total", Help: "Moves of viewers along the ladder for slow ones: down or up.",
		}, []string{"direction"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framewire_refusals_total", Help: "Who was turned away, by what was asked for and why.",
		}, []string{"what", "reason"}),
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framewire_configuration_reads_total", Help: "Times that the configuration was read again, by result: taken or refused.",
		}, []string{"result"}),
		glass: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "framewire_capture_to_glass_seconds", Help: "Time from capture to display, as players report it.", Buckets: glassBuckets,
		}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "framewire_viewer_lag_seconds", Help: "Media that waited on the server for a viewer, at the time of each of its reports.", Buckets: lagBuckets,
		}),
	}
	// Series that are there from the start can be told from those that broke.
	for _, direction := range []string{"down", "up"} {
		m.steps.WithLabelValues(direction)
	}
	for _, result := range []string{"taken", "refused"} {
		m.reads.WithLabelValues(result)
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "framewire_build_info", Help: "What program this is; always 1.",
		ConstLabels: prometheus.Labels{"version": o.Version, "go": o.Go, "commit": o.Commit},
	})
	build.Set(1)
	m.registry.MustRegister(
		m.opened, m.closed, m.gaps, m.steps, m.refusals, m.reads, m.glass, m.lag, m.stalls.count, m.stalls.seconds, build,
		&figures{Options: o, received: &m.received},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes,
		ErrorLog:            slog.NewLogLogger(m.log.Handler(), slog.LevelWarn),
	})
}

// SessionOpened counts a welcome.
func (m *Metrics) SessionOpened() { m.opened.Inc() }

// SessionClosed counts the end of a session.
func (m *Metrics) SessionClosed(session string, reason wire.GoodbyeReason) {
	m.stalls.forget(session)
	m.closed.WithLabelValues(label(reason.String(), "GOODBYE_REASON_")).Inc()
}

// Gap counts media that a viewer did not get.
func (m *Metrics) Gap(reason wire.GapReason) {
	m.gaps.WithLabelValues(label(reason.String(), "GAP_REASON_")).Inc()
}

// Moved counts a step along the ladder.
func (m *Metrics) Moved(down bool) {
	direction := "up"
	if down {
		direction = "down"
	}
	m.steps.WithLabelValues(direction).Inc()
}

// Reported takes the report of a session's player, and the media that waits for it.
func (m *Metrics) Reported(session string, r *wire.Report, lag time.Duration) {
	m.stalls.report(session, r)
	if r.Latency > 0 { // 0 is not known
		m.glass.Observe(r.Latency.Seconds())
	}
	m.lag.Observe(lag.Seconds())
}

// Refused counts who was turned away: what was asked for ("watch", "publish",
// "command", "origin", "admin"), and why.
func (m *Metrics) Refused(what string, err error) {
	m.refusals.WithLabelValues(what, Reason(err)).Inc()
}

// ConfigurationRead counts a configuration that was read again.
func (m *Metrics) ConfigurationRead(taken bool) {
	result := "refused"
	if taken {
		result = "taken"
	}
	m.reads.WithLabelValues(result).Inc()
}

// PublisherClosed keeps what a publisher sent.
func (m *Metrics) PublisherClosed(p desk.Publisher) { m.received.add(p) }
