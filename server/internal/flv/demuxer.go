package flv

import (
	"slices"
	"time"

	"github.com/framewire/framewire/server/internal/flv/amf0"
	"github.com/framewire/framewire/server/internal/media"
)

// The IDs of the tracks that a Demuxer announces.
const (
	idVideo = 1
	idAudio = 2
)

// A stream without metadata does not tell whether sound or pictures are still to
// come. Samples of the track that is there are held until it is clear, but no
// longer than any of these. Afterwards nothing is ever held.
const (
	startMillis   = 1000    // of stream time
	startMessages = 60      // audio and video tags
	startBytes    = 8 << 20 // of samples, for publishers of a burst at a high rate
)

// maxFrameRate is the highest frame rate that metadata are believed.
const maxFrameRate = 1000

// Demuxer turns tags into tracks and samples: of each kind the default track.
// Other tracks of a multitrack publisher are left out. It is used by one
// goroutine.
//
// Samples are handed on before Video or Audio returns, except at the start: Sink
// is started when all tracks that metadata tell of have their configuration, or
// after a second at most with those that do. A track that comes later, or
// changes its configuration, starts the sink anew.
//
// Video samples have no duration; audio samples have theirs.
type Demuxer struct {
	// LeftOut, if set, is told of each track that is left out, once, by its number
	// within the multitrack tags of its kind.
	LeftOut func(kind media.Kind, track uint8, codec media.Codec)

	sink         media.Sink
	video, audio track
	expectVideo  expectation
	expectAudio  expectation
	frameRate    float64 // of the metadata, 0 when unknown

	clock    int64  // in milliseconds, without wrap
	lastTime uint32 // the timestamp that clock stands for
	hasClock bool

	started  bool
	messages int   // audio and video tags before the start
	first    int64 // clock at the first of them
	held     []media.Sample
	heldSize int

	leftOut map[other]struct{} // tracks that were told of

	packets []Packet // scratch
	scratch []unit   // scratch
}

// other is a track that is left out.
type other struct {
	kind  media.Kind
	track uint8
}

// leave notes a packet of a track that is left out.
func (d *Demuxer) leave(p *Packet) {
	o := other{p.Codec.Kind(), p.Track}
	if _, known := d.leftOut[o]; known || d.LeftOut == nil {
		return
	}
	if d.leftOut == nil {
		d.leftOut = make(map[other]struct{})
	}
	d.leftOut[o] = struct{}{}
	d.LeftOut(o.kind, o.track, p.Codec)
}

// expectation is what is known of a kind of track before its first tag.
type expectation uint8

const (
	unknown expectation = iota
	expected
	absent
)

// NewDemuxer returns a Demuxer that fills the sink.
func NewDemuxer(sink media.Sink) *Demuxer { return &Demuxer{sink: sink} }

// Video takes the body of a video tag or message, which it keeps, with its
// timestamp in milliseconds, and when it arrived. Errors wrap ErrMalformed or
// ErrUnsupported, or are the sink's own.
func (d *Demuxer) Video(timestamp uint32, body []byte, at time.Time) error {
	var err error
	d.packets, err = AppendVideo(d.packets[:0], body)
	return d.take(&d.video, timestamp, at, err)
}

// Audio is to audio tags what Video is to video tags.
func (d *Demuxer) Audio(timestamp uint32, body []byte, at time.Time) error {
	var err error
	d.packets, err = AppendAudio(d.packets[:0], body)
	return d.take(&d.audio, timestamp, at, err)
}

// Metadata takes the body of a script tag or data message. They are advice
// only: what cannot be read is passed over.
func (d *Demuxer) Metadata(body []byte) {
	values, _ := amf0.Decode(body)
	for i, v := range values {
		// "@setDataFrame" precedes the name in a message, but not in a tag.
		if name, ok := v.(string); !ok || name != "onMetaData" || i+1 == len(values) {
			continue
		}
		if fields, ok := values[i+1].(amf0.Object); ok {
			d.metadata(fields)
		}
		return
	}
}

func (d *Demuxer) metadata(fields amf0.Object) {
	if f, ok := fields.Number("framerate"); ok && f > 0 && f <= maxFrameRate {
		d.frameRate = f
	}
	// Numbers, but the first publishers of enhanced codecs wrote strings.
	video, audio := fields.Get("videocodecid") != nil, fields.Get("audiocodecid") != nil
	d.expect(video, audio)
}

// expect notes which tracks are said to come. Saying none says nothing.
func (d *Demuxer) expect(video, audio bool) {
	if !video && !audio {
		return
	}
	d.expectVideo, d.expectAudio = absent, absent
	if video {
		d.expectVideo = expected
	}
	if audio {
		d.expectAudio = expected
	}
}

// Flush hands on what is still held at the end of a stream too short to tell
// its tracks.
func (d *Demuxer) Flush() error {
	if d.started || !d.video.ready() && !d.audio.ready() {
		return nil
	}
	return d.start()
}

// take goes through d.packets, which came with parseError.
func (d *Demuxer) take(t *track, timestamp uint32, at time.Time, parseError error) error {
	now := d.time(timestamp)
	if !d.started {
		if d.messages == 0 {
			d.first = now
		}
		d.messages++
	}
	for i := range d.packets {
		p := &d.packets[i]
		if p.Track != 0 {
			d.leave(p)
			continue
		}
		if p.Type == End {
			continue
		}
		if err := d.packet(t, p, now, at); err != nil {
			return err
		}
	}
	if parseError != nil {
		return parseError
	}
	if !d.started && d.mayStart() {
		return d.start()
	}
	return nil
}

// time returns a timestamp in milliseconds without wrap-around. Both kinds share
// a clock, so that they wrap together.
func (d *Demuxer) time(timestamp uint32) int64 {
	if !d.hasClock {
		d.hasClock, d.clock, d.lastTime = true, int64(timestamp), timestamp
	}
	d.clock += int64(int32(timestamp - d.lastTime))
	d.lastTime = timestamp
	return d.clock
}

func (d *Demuxer) packet(t *track, p *Packet, now int64, at time.Time) error {
	t.use(p.Codec)
	if p.Type == Config {
		changed, err := t.configure(p.Data)
		if err != nil || !changed {
			return err
		}
		return d.changed(t)
	}
	units, changed, err := t.units(d.scratch[:0], p)
	d.scratch = units
	if err != nil {
		return err
	}
	if changed {
		if err := d.changed(t); err != nil {
			return err
		}
	}
	if !t.ready() { // nothing can be done with frames before their configuration
		return nil
	}
	return d.units(t, p, units, now, at)
}

// units hands the samples of a packet to the sink, or holds them.
func (d *Demuxer) units(t *track, p *Packet, units []unit, now int64, at time.Time) error {
	const millisecond = 1_000_000 // in nanoseconds
	timestamp := now*millisecond + int64(p.Nanos)
	pts := media.Rescale(timestamp+int64(p.Composition)*millisecond, nanosecondScale, t.info.Timescale)
	for i := range units {
		u := &units[i]
		s := media.Sample{
			TrackID: t.info.ID, DTS: t.time(timestamp), Duration: u.duration,
			Keyframe: u.keyframe, Data: u.data, CapturedAt: at,
		}
		if i > 0 { // the tag's timestamp is that of the first
			s.DTS = t.next
		}
		if t.info.Kind() == media.Video {
			s.Offset = int32(pts - s.DTS)
		}
		t.passed(s.DTS, s.Duration)
		if err := d.write(s); err != nil {
			return err
		}
	}
	clear(units) // they hold on to their data
	return nil
}

func (d *Demuxer) write(s media.Sample) error {
	if d.started {
		return d.sink.Write(s)
	}
	d.held = append(d.held, s)
	d.heldSize += len(s.Data)
	return nil
}

// mayStart reports whether there is no point in waiting for another track.
func (d *Demuxer) mayStart() bool {
	video, audio := d.video.ready(), d.audio.ready()
	switch {
	case !video && !audio:
		return false
	case video && audio,
		video && d.expectAudio == absent,
		audio && d.expectVideo == absent:
		return true
	default:
		return d.messages >= startMessages || d.clock-d.first >= startMillis || d.heldSize > startBytes
	}
}

// start announces the tracks, and hands on what was held.
func (d *Demuxer) start() error {
	if err := d.announce(); err != nil {
		return err
	}
	held := d.held
	d.started, d.held, d.heldSize = true, nil, 0
	for i := range held {
		if err := d.sink.Write(held[i]); err != nil {
			return err
		}
	}
	return nil
}

// changed announces the tracks anew when one was added or changed.
func (d *Demuxer) changed(t *track) error {
	if d.started {
		return d.announce()
	}
	// What is held of the track does not fit its new configuration.
	d.held = slices.DeleteFunc(d.held, func(s media.Sample) bool { return s.TrackID == t.info.ID })
	d.heldSize = 0
	for i := range d.held {
		d.heldSize += len(d.held[i].Data)
	}
	return nil
}

func (d *Demuxer) announce() error {
	var tracks []media.Track
	for _, t := range []*track{&d.video, &d.audio} {
		if !t.ready() {
			continue
		}
		info := t.info
		if info.Kind() == media.Video && d.frameRate != 0 {
			info.FrameRate = d.frameRate
		}
		tracks = append(tracks, info)
	}
	return d.sink.Start(tracks)
}
