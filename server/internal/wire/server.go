package wire

import (
	"time"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/media"
)

// ProtocolVersion is the version of the protocol that this package speaks.
const ProtocolVersion = 1

// ServerMessage is what a server sends besides Fragment and StreamStarted.
type ServerMessage interface{ message() *pb.ServerMessage }

// Enumerations of server messages. Their values carry the schema's comments.
type (
	Playback        = pb.Playback
	Degradation     = pb.Degradation
	GapReason       = pb.GapReason
	WaitingReason   = pb.WaitingReason
	StreamEndReason = pb.StreamEndReason
	StreamStatus    = pb.StreamStatus
)

// Values of the enumerations.
const (
	Stopped = pb.Playback_PLAYBACK_STOPPED
	Waiting = pb.Playback_PLAYBACK_WAITING
	Playing = pb.Playback_PLAYBACK_PLAYING
	Paused  = pb.Playback_PLAYBACK_PAUSED

	DegradationNone = pb.Degradation_DEGRADATION_NONE
	KeyframesOnly   = pb.Degradation_DEGRADATION_KEYFRAMES_ONLY
	AudioOnly       = pb.Degradation_DEGRADATION_AUDIO_ONLY

	GapTooSlow           = pb.GapReason_GAP_REASON_TOO_SLOW
	GapLeftWindow        = pb.GapReason_GAP_REASON_LEFT_WINDOW
	GapSourceInterrupted = pb.GapReason_GAP_REASON_SOURCE_INTERRUPTED
	GapResumed           = pb.GapReason_GAP_REASON_RESUMED

	WaitingUnknownStream    = pb.WaitingReason_WAITING_REASON_UNKNOWN_STREAM
	WaitingStarting         = pb.WaitingReason_WAITING_REASON_STARTING
	WaitingSourceLost       = pb.WaitingReason_WAITING_REASON_SOURCE_LOST
	WaitingNoPublisher      = pb.WaitingReason_WAITING_REASON_NO_PUBLISHER
	WaitingNothingDecodable = pb.WaitingReason_WAITING_REASON_NOTHING_DECODABLE

	EndStopped  = pb.StreamEndReason_STREAM_END_REASON_STOPPED
	EndSwitched = pb.StreamEndReason_STREAM_END_REASON_SWITCHED
	EndFinished = pb.StreamEndReason_STREAM_END_REASON_FINISHED
	EndRemoved  = pb.StreamEndReason_STREAM_END_REASON_REMOVED

	StatusStarting = pb.StreamStatus_STREAM_STATUS_STARTING
	StatusLive     = pb.StreamStatus_STREAM_STATUS_LIVE
	StatusOffline  = pb.StreamStatus_STREAM_STATUS_OFFLINE
)

// Welcome answers Hello.
type Welcome struct {
	SessionID string
	Server    string // name and version of the program
	Time      time.Time
	Limits    Limits
}

// Limits are what a client has to keep to.
type Limits struct {
	MessageBytes      int
	CommandBurst      int
	CommandsPerSecond int
	IdleTimeout       time.Duration
}

// State is what the server holds of a session.
type State struct {
	Stream       string
	Playback     Playback
	Settings     Settings
	Video, Audio uint32 // tracks that are sent, 0 for none
	Degradation  Degradation
	Live         bool
	Undecodable  []uint32 // tracks withheld
	// Position, WindowStart and WindowEnd move all the time; they alone are no
	// reason to send a state.
	Position, WindowStart, WindowEnd time.Duration
}

// Result answers a command, or with ID 0 a message that could not be read.
type Result struct {
	ID      uint32
	Err     *Error      // nil when it was done
	Streams *StreamList // what was asked for, or nil
}

// Pong answers Ping. Times are in Unix microseconds.
type Pong struct{ ClientTime, Received, Sent int64 }

// Gap is media that a viewer does not get.
type Gap struct {
	Stream   string
	Reason   GapReason
	From, To time.Duration
}

// StreamWaiting says why there is nothing to see.
type StreamWaiting struct {
	Stream  string
	Reason  WaitingReason
	Since   time.Time
	Message string
}

// StreamEnded says that no more comes.
type StreamEnded struct {
	Stream  string
	Reason  StreamEndReason
	Message string
}

// StreamList holds the streams of a server, ordered by name.
type StreamList struct{ Streams []StreamInfo }

// StreamInfo is what the list says of a stream.
type StreamInfo struct {
	Name    string
	Status  StreamStatus
	Since   time.Time
	Epoch   *media.Epoch // nil while it is not live
	Viewers int
	Bitrate float64 // bits per second
	// Latency is between capture and display, as half of the viewers have it or
	// less; 0 when not known.
	Latency time.Duration
}

// Directive asks the player for Body.
type Directive struct {
	ID   uint32
	Body DirectiveBody
}

// DirectiveBody is one of DirectivePlay, DirectivePause, SetVolume, SetMuted,
// SwitchStream, GoLive and ShowNotice.
type DirectiveBody interface{ directive(*pb.Directive) }

// The directives that are not also commands.
type (
	// DirectivePlay asks the player to start or go on.
	DirectivePlay struct{}
	// DirectivePause asks the player to pause.
	DirectivePause struct{}
	// SwitchStream asks the player to play another stream.
	SwitchStream struct{ Stream string }
	// ShowNotice asks the player to show a plain text, at most 500 characters,
	// for a while, or with 0 until the viewer closes it.
	ShowNotice struct {
		Text string
		For  time.Duration
	}
)

// Goodbye ends a session.
type Goodbye struct {
	Reason     GoodbyeReason
	RetryAfter time.Duration
	Message    string
}
