package wire

import (
	"fmt"
	"time"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/media"
)

// Bounds of what a publisher may send, as the schema states them.
const (
	maxPublishTracks  = 8
	maxPublishTrackID = 65535
	maxCodecString    = 64
	maxDecoderConfig  = 16384
	maxTimescale      = 1_000_000_000
	maxLanguage       = 35 // the longest tag that has to be taken (RFC 5646 4.4.1)

	// maxTicks bounds times so that they can be added to and rescaled: 292 years
	// of nanoseconds, halved.
	maxTicks = 1 << 62

	maxPublishEndedText = 500 // of PublishEnded.message, which may repeat what was sent
)

// PublishMessage is what a publisher sends: PublishStart, PublishTracks,
// PublishSample or PublishEnd.
type PublishMessage interface {
	ClientMessage
	publishMessage()
}

// The publishing messages of clients. Stream names are not checked: a refusal is
// the business of whoever admits publishers.
type (
	// PublishStart asks for a stream.
	PublishStart struct {
		ID          uint32 // never 0
		Stream, Key string
		Tracks      []media.Track // see PublishTracks; may be empty
	}
	// PublishTracks describes the samples that follow. Codec is left to whoever
	// takes them, as is all that is read from Config; CodecString and Config are
	// the publisher's word.
	PublishTracks struct{ Tracks []media.Track }
	// PublishSample is one sample, in ticks and framing of the publisher.
	PublishSample struct{ media.Sample }
	// PublishEnd ends the publication.
	PublishEnd struct{}
)

func (PublishStart) clientMessage()  {}
func (PublishTracks) clientMessage() {}
func (PublishSample) clientMessage() {}
func (PublishEnd) clientMessage()    {}

func (PublishStart) publishMessage()  {}
func (PublishTracks) publishMessage() {}
func (PublishSample) publishMessage() {}
func (PublishEnd) publishMessage()    {}

func (d *checker) publishStart(m *pb.PublishStart) PublishStart {
	if m.GetId() == 0 {
		d.fail(InvalidArgument, "publish_start.id", "0 is not allowed; number publications from 1")
	}
	if len(m.GetStream()) > media.MaxStreamName {
		d.fail(InvalidArgument, "publish_start.stream", "%d bytes; at most %d are allowed", len(m.GetStream()), media.MaxStreamName)
	}
	return PublishStart{
		ID:     m.GetId(),
		Stream: m.GetStream(),
		Key:    d.size("publish_start.key", m.GetKey(), maxToken),
		Tracks: d.publishTracks("publish_start.tracks", m.GetTracks()),
	}
}

func (d *checker) publishTracks(field string, list []*pb.PublishTrack) []media.Track {
	if len(list) > maxPublishTracks {
		d.fail(InvalidArgument, field, "%d tracks; at most %d are allowed", len(list), maxPublishTracks)
		return nil
	}
	seen := make(map[uint32]bool)
	var tracks []media.Track
	for i, m := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		if seen[m.GetId()] {
			d.fail(InvalidArgument, at+".id", "%d names another track as well", m.GetId())
		}
		seen[m.GetId()] = true
		tracks = append(tracks, d.publishTrack(at, m))
	}
	return tracks
}

func (d *checker) publishTrack(at string, m *pb.PublishTrack) media.Track {
	d.between(at+".id", float64(m.GetId()), 1, maxPublishTrackID)
	d.between(at+".timescale", float64(m.GetTimescale()), 1, maxTimescale)
	if n := len(m.GetDecoderConfig()); n > maxDecoderConfig {
		d.fail(InvalidArgument, at+".decoder_config", "%d bytes; at most %d are allowed", n, maxDecoderConfig)
	}
	return media.Track{
		ID:          m.GetId(),
		CodecString: d.size(at+".codec", m.GetCodec(), maxCodecString),
		Config:      m.GetDecoderConfig(),
		Timescale:   m.GetTimescale(),
		Width:       int(m.GetVideo().GetWidth()),
		Height:      int(m.GetVideo().GetHeight()),
		FrameRate:   m.GetVideo().GetFrameRate(),
		SampleRate:  int(m.GetAudio().GetSampleRate()),
		Channels:    int(m.GetAudio().GetChannels()),
		Language:    d.size(at+".language", m.GetLanguage(), maxLanguage),
	}
}

func (d *checker) publishSample(m *pb.PublishSample) PublishSample {
	if t := m.GetDecodeTimeTicks(); t > maxTicks || t < -maxTicks {
		d.fail(InvalidArgument, "publish_sample.decode_time_ticks", "%d is not between -2^62 and 2^62", t)
	}
	if len(m.GetData()) == 0 {
		d.fail(InvalidArgument, "publish_sample.data", "it is empty")
	}
	s := media.Sample{
		TrackID:  m.GetTrackId(),
		DTS:      m.GetDecodeTimeTicks(),
		Offset:   m.GetCompositionOffsetTicks(),
		Duration: m.GetDurationTicks(),
		Keyframe: m.GetKeyframe(),
		Data:     m.GetData(),
	}
	if at := m.GetCapturedAtUnixUs(); at != 0 {
		s.CapturedAt = time.UnixMicro(at)
	}
	return PublishSample{s}
}

// DecodeSample reads and checks a binary ClientMessage that has to be a
// PublishSample: what a publisher in the subprotocol JSON may send besides text.
func DecodeSample(data []byte) (PublishSample, error) {
	m, err := Proto.Decode(data)
	if err != nil {
		return PublishSample{}, err
	}
	s, ok := m.(PublishSample)
	if !ok {
		return s, &DecodeError{Err: &Error{Code: WrongFrameType, Message: "only publish_sample may be binary in the subprotocol " + SubprotocolJSON}}
	}
	return s, nil
}

// PublishEndReason says why a publication ended or was refused.
type PublishEndReason = pb.PublishEndReason

// The reasons of PublishEnded.
const (
	PublishFinished        = pb.PublishEndReason_PUBLISH_END_REASON_FINISHED
	PublishBadName         = pb.PublishEndReason_PUBLISH_END_REASON_BAD_NAME
	PublishUnknownStream   = pb.PublishEndReason_PUBLISH_END_REASON_UNKNOWN_STREAM
	PublishBadKey          = pb.PublishEndReason_PUBLISH_END_REASON_BAD_KEY
	PublishStreamBusy      = pb.PublishEndReason_PUBLISH_END_REASON_STREAM_BUSY
	PublishTooMany         = pb.PublishEndReason_PUBLISH_END_REASON_TOO_MANY_PUBLISHERS
	PublishShuttingDown    = pb.PublishEndReason_PUBLISH_END_REASON_SHUTTING_DOWN
	PublishTakenOver       = pb.PublishEndReason_PUBLISH_END_REASON_TAKEN_OVER
	PublishRemoved         = pb.PublishEndReason_PUBLISH_END_REASON_REMOVED
	PublishSilent          = pb.PublishEndReason_PUBLISH_END_REASON_SILENT
	PublishLimit           = pb.PublishEndReason_PUBLISH_END_REASON_LIMIT
	PublishUnsupported     = pb.PublishEndReason_PUBLISH_END_REASON_UNSUPPORTED
	PublishMalformed       = pb.PublishEndReason_PUBLISH_END_REASON_MALFORMED
	PublishAlready         = pb.PublishEndReason_PUBLISH_END_REASON_ALREADY_PUBLISHING
	PublishClosed          = pb.PublishEndReason_PUBLISH_END_REASON_CLOSED
	PublishTooManyAttempts = pb.PublishEndReason_PUBLISH_END_REASON_TOO_MANY_ATTEMPTS
	PublishInternal        = pb.PublishEndReason_PUBLISH_END_REASON_INTERNAL
	PublishTokenExpired    = pb.PublishEndReason_PUBLISH_END_REASON_TOKEN_EXPIRED
)

// The publishing messages of servers.
type (
	// PublishStarted: the publication is open.
	PublishStarted struct {
		ID          uint32
		Stream      string
		SampleBytes int
		AckInterval time.Duration
	}
	// PublishAck says how a publication goes.
	PublishAck struct {
		ID             uint32
		Samples, Bytes uint64
		Viewers        int
		Delay, Queue   time.Duration
		Bitrate        float64 // bits per second
		Wanted         float64 // bits per second, 0 for no wish
		ViewerLatency  time.Duration
	}
	// PublishKeyframeRequest asks for a keyframe.
	PublishKeyframeRequest struct{ ID uint32 }
	// PublishEnded: the publication has ended, or was refused.
	PublishEnded struct {
		ID         uint32
		Reason     PublishEndReason
		RetryAfter time.Duration
		Message    string
	}
)

func (m PublishStarted) message() *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_PublishStarted{PublishStarted: &pb.PublishStarted{
		Id:             m.ID,
		Stream:         m.Stream,
		MaxSampleBytes: uint32(m.SampleBytes),
		AckIntervalMs:  milliseconds(m.AckInterval),
	}}}
}

func (m PublishAck) message() *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_PublishAck{PublishAck: &pb.PublishAck{
		Id:               m.ID,
		Samples:          m.Samples,
		Bytes:            m.Bytes,
		Viewers:          uint32(max(0, m.Viewers)),
		DelayMs:          fractional(m.Delay),
		QueueMs:          fractional(m.Queue),
		BitrateBps:       m.Bitrate,
		WantedBitrateBps: m.Wanted,
		ViewerLatencyMs:  fractional(m.ViewerLatency),
	}}}
}

func (m PublishKeyframeRequest) message() *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_PublishKeyframeRequest{
		PublishKeyframeRequest: &pb.PublishKeyframeRequest{Id: m.ID},
	}}
}

func (m PublishEnded) message() *pb.ServerMessage {
	return &pb.ServerMessage{Body: &pb.ServerMessage_PublishEnded{PublishEnded: &pb.PublishEnded{
		Id:           m.ID,
		Reason:       m.Reason,
		RetryAfterMs: milliseconds(m.RetryAfter),
		Message:      cut(m.Message, maxPublishEndedText),
	}}}
}

// fractional is a measurement in milliseconds.
func fractional(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
