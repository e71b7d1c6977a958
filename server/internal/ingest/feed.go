package ingest

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mp4"
	"github.com/framewire/framewire/server/internal/wire"
)

const (
	// maxTracks bounds what one source may announce.
	maxTracks = 16

	// maxSample bounds one access unit: above any keyframe of 8K video at the
	// bitrates that a browser decodes.
	maxSample = 32 << 20

	// gatherLimit is how long the first samples of a run wait for each track to
	// have one, so that the earliest of them becomes the origin.
	gatherLimit = 300 * time.Millisecond

	// gatherSamples bounds how many wait.
	gatherSamples = 256
)

var (
	// ErrTracks reports tracks that cannot be carried.
	ErrTracks = errors.New("unusable tracks")
	// ErrSample reports a sample that cannot be carried.
	ErrSample = errors.New("unusable sample")
)

// Feed fills one stream. It is used by one goroutine at a time.
type Feed struct {
	stream *hub.Stream
	log    *slog.Logger
	epoch  uint32
}

// New returns the feed of a stream that was just created. There must be one
// feed for a stream.
func New(stream *hub.Stream, log *slog.Logger) *Feed {
	return &Feed{stream: stream, log: log}
}

// Open begins a run: one life of a source or publisher. The run before it must
// be closed. A stream that lost its source stays Lost until media comes again.
func (f *Feed) Open() *Run {
	if s := f.stream.Status().State; s == hub.Offline || s == hub.Finished {
		f.stream.SetStatus(hub.Starting, "")
	}
	return &Run{feed: f}
}

// Run is the Sink of one life of a source. Close it at the end.
type Run struct {
	feed *Feed

	timeline timeline
	tracks   []*track // of the present epoch
	epoch    *media.Epoch
	next     []*track  // announced, of the epoch that the next keyframe opens; or nil
	since    time.Time // when it began to wait: the first sample since next was set

	gathering bool
	gathered  []media.Sample
	began     time.Time // when gathering began
	live      bool
}

// track is one track of the present epoch.
type track struct {
	media.Track
	source uint32 // the ID that the source gives it
	clock  clock
	group  group
	waits  bool // for its first keyframe
}

// Start implements media.Sink. It opens an epoch, unless the tracks are those of
// the present one. Where only the sound is another, pictures go on, and their next
// keyframe opens it.
func (r *Run) Start(tracks []media.Track) error {
	next, err := adopt(tracks)
	if err != nil {
		return err
	}
	if r.epoch != nil && same(r.tracks, next) {
		r.next, r.since = nil, time.Time{}
		return nil
	}
	if r.defers(next) {
		r.next = next
		r.feed.log.Info("other sound waits for the next keyframe, where it begins")
		_ = r.feed.stream.RequestKeyframe() // where one cannot be asked for, it comes in time
		return nil
	}
	return r.turn(next)
}

// turn leaves the present epoch for that of next.
func (r *Run) turn(next []*track) error {
	r.next, r.since = nil, time.Time{}
	if err := r.flush(); err != nil {
		return err
	}
	if err := r.begin(next); err != nil {
		return err
	}
	r.timeline = timeline{base: r.feed.stream.End()}
	r.gathering, r.began = true, time.Time{}
	return nil
}

// adopt checks tracks and gives them the IDs that they have in the stream: odd
// for video, even for audio, so that a track keeps its ID, and with it its init
// segment, when one of the other kind comes or goes.
func adopt(tracks []media.Track) ([]*track, error) {
	if len(tracks) == 0 || len(tracks) > maxTracks {
		return nil, fmt.Errorf("%w: %d, want 1 to %d", ErrTracks, len(tracks), maxTracks)
	}
	next := make([]*track, 0, len(tracks))
	ids := map[media.Kind]uint32{media.Video: 1, media.Audio: 2}
	for _, t := range tracks {
		if t.Kind() == 0 || t.Timescale == 0 {
			return nil, fmt.Errorf("%w: track %d is %v with timescale %d", ErrTracks, t.ID, t.Codec, t.Timescale)
		}
		if slices.ContainsFunc(next, func(o *track) bool { return o.source == t.ID }) {
			return nil, fmt.Errorf("%w: two tracks have ID %d", ErrTracks, t.ID)
		}
		a := &track{Track: t, source: t.ID, waits: t.Kind() == media.Video}
		a.ID = ids[t.Kind()]
		ids[t.Kind()] += 2
		a.clock = clock{scale: t.Timescale, nominal: nominalTicks(&t)}
		a.group = group{limit: media.Ticks(groupTarget, t.Timescale), video: t.Kind() == media.Video}
		next = append(next, a)
	}
	slices.SortFunc(next, func(a, b *track) int { return int(a.ID) - int(b.ID) })
	return next, nil
}

// begin opens the epoch of tracks.
func (r *Run) begin(tracks []*track) error {
	s := r.feed.stream
	epoch := &media.Epoch{ID: r.feed.epoch + 1, Start: s.End()}
	for _, t := range tracks {
		epoch.Tracks = append(epoch.Tracks, t.Track)
	}
	for i := range epoch.Tracks {
		init, err := mp4.InitSegment(epoch.Tracks[i : i+1])
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTracks, err)
		}
		epoch.Inits = append(epoch.Inits, init)
	}
	var err error
	if epoch.Init, err = mp4.InitSegment(epoch.Tracks); err != nil {
		return fmt.Errorf("%w: %w", ErrTracks, err)
	}
	if epoch.Message, err = proto.Marshal(wire.StreamStarted(s.Name(), s.Instance(), s.Window(), epoch)); err != nil {
		return fmt.Errorf("marshal epoch %d: %w", epoch.ID, err)
	}
	if err := s.Begin(epoch); err != nil {
		return err
	}
	r.feed.epoch, r.epoch, r.tracks = epoch.ID, epoch, tracks
	for _, t := range tracks {
		log := r.feed.log.With("epoch", epoch.ID, "track", t.ID, "codec", t.CodecString)
		if t.Kind() == media.Video {
			log.Info("track", "width", t.Width, "height", t.Height)
		} else {
			log.Info("track", "sample_rate", t.SampleRate, "channels", t.Channels)
		}
	}
	return nil
}

// Write implements media.Sink.
func (r *Run) Write(s media.Sample) error {
	announced := r.tracks
	if r.next != nil {
		announced = r.next
	}
	if find(announced, s.TrackID) == nil {
		return fmt.Errorf("%w: of track %d, which was not announced", ErrSample, s.TrackID)
	}
	if len(s.Data) > maxSample {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrSample, len(s.Data), maxSample)
	}
	if len(s.Data) == 0 {
		return nil
	}
	if s.CapturedAt.IsZero() {
		s.CapturedAt = time.Now()
	}
	if r.next != nil {
		if ok, err := r.deferred(&s); !ok || err != nil {
			return err
		}
	}
	if !r.gathering {
		return r.place(s)
	}
	return r.gather(s)
}

// gather holds samples back until every track has one, or it took too long.
func (r *Run) gather(s media.Sample) error {
	if r.began.IsZero() {
		r.began = s.CapturedAt
	}
	r.gathered = append(r.gathered, s)
	missing := slices.ContainsFunc(r.tracks, func(t *track) bool { return r.head(t) == nil })
	if missing && s.CapturedAt.Sub(r.began) < gatherLimit && len(r.gathered) < gatherSamples {
		return nil
	}
	return r.release()
}

// head is the first sample gathered of a track, or nil.
func (r *Run) head(t *track) *media.Sample {
	for i := range r.gathered {
		if r.gathered[i].TrackID == t.source {
			return &r.gathered[i]
		}
	}
	return nil
}

// release maps the earliest time gathered to the beginning of the run, and lets
// go of what was gathered.
func (r *Run) release() error {
	if !r.gathering {
		return nil
	}
	r.gathering = false
	var first *track
	var origin int64
	for _, t := range r.tracks {
		s := r.head(t)
		if s == nil {
			continue
		}
		at := min(s.DTS, s.PTS())
		if first == nil || media.Duration(at, t.Timescale) < media.Duration(origin, first.Timescale) {
			first, origin = t, at
		}
	}
	if first == nil {
		return nil
	}
	for _, t := range r.tracks {
		from, scale := origin, first.Timescale
		if s := r.head(t); s != nil && media.Duration(s.DTS, t.Timescale)-media.Duration(origin, scale) > originSpread {
			from, scale = s.DTS, t.Timescale
		}
		t.clock.start(&r.timeline, from, scale)
	}
	samples := r.gathered
	r.gathered = nil
	for _, s := range samples {
		if err := r.place(s); err != nil {
			return err
		}
	}
	return nil
}

// place puts a sample on the timeline and publishes what is complete.
func (r *Run) place(s media.Sample) error {
	t := find(r.tracks, s.TrackID)
	if t.waits && !s.Keyframe {
		return nil
	}
	if !t.clock.place(&r.timeline, &s) {
		return nil
	}
	t.waits = false
	if t.group.closesBefore(&s) {
		if err := r.publish(t); err != nil {
			return err
		}
	}
	t.group.add(s)
	if t.group.full() {
		return r.publish(t)
	}
	return nil
}

// publish sends the track's group as a fragment.
func (r *Run) publish(t *track) error {
	samples := t.group.take()
	if len(samples) == 0 {
		return nil
	}
	stream := r.feed.stream
	packet, err := pack(t, samples, r.epoch.ID, stream.NextSequence())
	if err != nil {
		return err
	}
	if err := stream.Publish(packet); err != nil {
		return err
	}
	if !r.live && (t.Kind() == media.Video || !r.epoch.HasVideo()) {
		r.live = true
		stream.SetStatus(hub.Live, "")
	}
	return nil
}

func (r *Run) flush() error {
	if err := r.release(); err != nil {
		return err
	}
	for _, t := range r.tracks {
		if err := r.publish(t); err != nil {
			return err
		}
	}
	return nil
}

// Close publishes what was held back, and sets the stream's status to state with
// a message for viewers. It returns the error that the hub gave, if any.
func (r *Run) Close(state hub.State, message string) error {
	err := r.flush()
	r.feed.stream.SetKeyframeRequester(nil)
	r.feed.stream.SetStatus(state, message)
	return err
}
