package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/framewire/framewire/server/internal/desk"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/wire"
)

// desc describes what figures collects.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("framewire_"+name, help, labels, nil)
}

var (
	sessionsDesc   = desc("sessions", "Open sessions, by how far the stream is thinned out for them.", "degradation")
	liveDesc       = desc("stream_live", "1 for a stream that is live, 0 for one that is not.", "stream")
	viewersDesc    = desc("stream_viewers", "Viewers of a stream, those over plain HTTP included.", "stream")
	publishersDesc = desc("stream_publishers", "Publishers of a stream, by protocol.", "stream", "protocol")
	bitrateDesc    = desc("stream_bitrate_bits_per_second", "Bitrate of a stream over the last seconds.", "stream")
	epochDesc      = desc("stream_epoch", "Epoch of a stream: grows with each restart of its source and each change of its tracks.", "stream")
	ringBytesDesc  = desc("stream_ring_bytes", "Memory that the media of a stream takes.", "stream")
	ringSpanDesc   = desc("stream_ring_seconds", "Span of media that is held of a stream.", "stream")
	restartsDesc   = desc("source_restarts_total", "Times that the source of a stream was started again.", "stream")
	sentBytesDesc  = desc("sent_bytes_total", "Bytes of media sent to the sessions that play a stream.", "stream")
	sentDesc       = desc("sent_fragments_total", "Fragments sent to the sessions that play a stream.", "stream")
	receivedDesc   = desc("received_bytes_total", "Bytes of media received from publishers.", "protocol")
)

var all = []*prometheus.Desc{
	sessionsDesc, liveDesc, viewersDesc, publishersDesc, bitrateDesc, epochDesc, ringBytesDesc, ringSpanDesc,
	restartsDesc, sentBytesDesc, sentDesc, receivedDesc,
}

// figures reads what streams, sessions and publishers have counted themselves.
type figures struct {
	Options
	received *received
}

// Describe implements prometheus.Collector.
func (*figures) Describe(to chan<- *prometheus.Desc) {
	for _, d := range all {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (f *figures) Collect(to chan<- prometheus.Metric) {
	c := collection{to}
	streams := f.Hub.Streams()
	own := make(map[string]bool, len(streams)) // streams with series of their own
	var rest rest
	for _, s := range streams {
		if len(own) < maxStreams {
			own[s.Name()] = true
			c.stream(s)
		} else {
			rest.add(s)
		}
	}
	rest.tell(c)
	c.restarts(f, own)
	c.sent(f.Sessions.Sent(), own)
	c.sessions(f.Sessions.All())
	c.publishers(f, own)
}

type collection struct{ to chan<- prometheus.Metric }

func (c collection) gauge(d *prometheus.Desc, value float64, labels ...string) {
	c.to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (c collection) counter(d *prometheus.Desc, value float64, labels ...string) {
	c.to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
}

func (c collection) stream(s *hub.Stream) {
	name, stats := s.Name(), s.Stats()
	live := 0.0
	if s.Status().State == hub.Live {
		live = 1
		c.gauge(bitrateDesc, stats.Bitrate, name)
	}
	c.gauge(liveDesc, live, name)
	c.gauge(viewersDesc, float64(s.Viewers()), name)
	c.gauge(ringBytesDesc, float64(stats.Bytes), name)
	if e := s.Epoch(); e != nil {
		c.gauge(epochDesc, float64(e.ID), name)
	}
	if from, to, ok := s.Range(); ok {
		c.gauge(ringSpanDesc, (to - from).Seconds(), name)
	}
}

// rest adds up the streams that have no series of their own.
type rest struct {
	streams, live, viewers int
	bytes                  int64
	bitrate                float64
}

func (r *rest) add(s *hub.Stream) {
	stats := s.Stats()
	r.streams++
	r.viewers += s.Viewers()
	r.bytes += stats.Bytes
	if s.Status().State == hub.Live {
		r.live++
		r.bitrate += stats.Bitrate
	}
}

func (r *rest) tell(c collection) {
	if r.streams == 0 {
		return
	}
	c.gauge(liveDesc, float64(r.live), otherStreams)
	c.gauge(viewersDesc, float64(r.viewers), otherStreams)
	c.gauge(bitrateDesc, r.bitrate, otherStreams)
	c.gauge(ringBytesDesc, float64(r.bytes), otherStreams)
}

func (c collection) restarts(f *figures, own map[string]bool) {
	for _, e := range f.Sources.All() {
		if own[e.Name] {
			c.counter(restartsDesc, float64(e.Restarts), e.Name)
		}
	}
}

// sent shows what was sent of streams that are there; what was sent of others is
// shown with the rest, so that the sum over all never goes back by itself.
func (c collection) sent(sent map[string]session.Sent, own map[string]bool) {
	var other session.Sent
	for name, n := range sent {
		if !own[name] {
			other.Bytes += n.Bytes
			other.Fragments += n.Fragments
			continue
		}
		c.counter(sentBytesDesc, float64(n.Bytes), name)
		c.counter(sentDesc, float64(n.Fragments), name)
	}
	c.counter(sentBytesDesc, float64(other.Bytes), otherStreams)
	c.counter(sentDesc, float64(other.Fragments), otherStreams)
}

// degradations are all that a session can have.
var degradations = []wire.Degradation{wire.DegradationNone, wire.KeyframesOnly, wire.AudioOnly}

func (c collection) sessions(all []*session.Viewer) {
	count := make(map[wire.Degradation]int)
	for _, v := range all {
		count[v.Degradation()]++
	}
	for _, d := range degradations {
		c.gauge(sessionsDesc, float64(count[d]), label(d.String(), "DEGRADATION_"))
	}
}

func (c collection) publishers(f *figures, own map[string]bool) {
	type key struct{ stream, protocol string }
	count := make(map[key]int)
	left := f.received.sum()
	bytes := make(map[string]uint64)
	for _, p := range f.Publishers.Publishers() {
		k := key{otherStreams, string(p.Protocol)}
		if own[p.Stream] {
			k.stream = p.Stream
		}
		count[k]++
		bytes[string(p.Protocol)] += p.Bytes
	}
	for k, n := range count {
		c.gauge(publishersDesc, float64(n), k.stream, k.protocol)
	}
	for protocol, n := range left {
		bytes[protocol] += n
	}
	for protocol, n := range f.received.grown(bytes) {
		c.counter(receivedDesc, float64(n), protocol)
	}
}

// received adds up what publishers sent, by protocol.
type received struct {
	mu    sync.Mutex
	left  map[string]uint64 // by publishers that have left
	shown map[string]uint64 // as told last
}

func (r *received) add(p desk.Publisher) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == nil {
		r.left = make(map[string]uint64)
	}
	r.left[string(p.Protocol)] += p.Bytes
}

func (r *received) sum() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := make(map[string]uint64, len(r.left))
	for protocol, n := range r.left {
		sum[protocol] = n
	}
	return sum
}

// grown returns now, with nothing less than it was before: a publisher that left
// while the figures were read is missing from both sums for once.
func (r *received) grown(now map[string]uint64) map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for protocol, n := range r.shown {
		now[protocol] = max(now[protocol], n)
	}
	r.shown = now
	return now
}
