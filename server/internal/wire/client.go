package wire

import (
	"time"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
)

// ClientMessage is what a client sends: Hello, Command, Ping, Report,
// DirectiveResult or a PublishMessage.
type ClientMessage interface{ clientMessage() }

// Hello opens a session.
type Hello struct {
	Version                   uint32
	ClientName, ClientVersion string
	// Families are the codecs that the client decodes, by the part of the codec
	// string before the first dot. Nil: all.
	Families []string
	Token    string
	Resume   *ResumePosition // nil in a first session
	Settings Settings
}

// ResumePosition says where an earlier session stood.
type ResumePosition struct {
	Stream, Instance    string
	Next                uint64
	Paused, TimeShifted bool
}

// Settings of one viewer.
type Settings struct {
	Volume        float64 // 0 to 1
	Muted         bool
	LatencyTarget time.Duration // 0: automatic
}

// Audible reports whether sound is to be sent.
func (s Settings) Audible() bool { return !s.Muted && s.Volume > 0 }

// Command asks for Body to be done.
type Command struct {
	ID   uint32 // never 0
	Body CommandBody
}

// CommandBody is one of Play, Pause, Resume, Stop, Seek, GoLive, SetVolume,
// SetMuted, SelectTracks, SetLatencyTarget, RequestKeyframe, ListStreams,
// SubscribeStreams and RefreshToken.
type CommandBody interface{ commandBody() }

// The commands.
type (
	// Play starts a stream.
	Play struct {
		Stream string
		From   Position
	}
	// Pause stops media on the wire.
	Pause struct{}
	// Resume goes on after Pause, at the live edge or where it was paused.
	Resume struct{ Live bool }
	// Stop ends the stream in the session.
	Stop struct{}
	// Seek moves within the window.
	Seek struct{ Time time.Duration }
	// GoLive moves to the newest keyframe.
	GoLive struct{}
	// SetVolume sets the volume, from 0 to 1.
	SetVolume struct{ Volume float64 }
	// SetMuted switches sound off or on.
	SetMuted struct{ Muted bool }
	// SelectTracks chooses tracks. Nil leaves a kind as it is, 0 is none.
	SelectTracks struct{ Video, Audio *uint32 }
	// SetLatencyTarget sets the wanted latency, 0 for automatic.
	SetLatencyTarget struct{ Target time.Duration }
	// RequestKeyframe asks the source for a keyframe.
	RequestKeyframe struct{}
	// ListStreams asks for the list of streams.
	ListStreams struct{}
	// SubscribeStreams begins or ends being told of changes of the list.
	SubscribeStreams struct{ Enabled bool }
	// RefreshToken gives a new token. It is a secret.
	RefreshToken struct{ Token string }
)

// Position is a place in a stream: PositionLive, PositionTime, PositionSequence,
// PositionBehind or ResumePosition.
type Position interface{ position() }

// The positions.
type (
	// PositionLive is the live edge.
	PositionLive struct{}
	// PositionTime is the keyframe at or before a time of the timeline.
	PositionTime time.Duration
	// PositionSequence is the keyframe at or before a sequence number.
	PositionSequence uint64
	// PositionBehind is the keyframe nearest to a distance behind live.
	PositionBehind time.Duration
)

// Ping measures the clocks.
type Ping struct{ ClientTime int64 } // Unix microseconds

// Report says how playback goes at a client.
type Report struct {
	State                    PlayerState
	Latency, Buffer, Target  time.Duration
	Decoded, Dropped, Stalls uint32 // since the player was made
	Stalled                  time.Duration
	Rate                     float64
	Visible                  bool
	RoundTrip                time.Duration
	Reconnects               uint32
}

// PlayerState is what a player does.
type PlayerState = pb.PlayerState

// Of these the server has something to do with.
const (
	PlayerPlaying = pb.PlayerState_PLAYER_STATE_PLAYING
	PlayerPaused  = pb.PlayerState_PLAYER_STATE_PAUSED
)

// DirectiveResult answers a Directive. Err is nil when it was carried out.
type DirectiveResult struct {
	ID  uint32
	Err *Error
}

func (Hello) clientMessage()           {}
func (Command) clientMessage()         {}
func (Ping) clientMessage()            {}
func (Report) clientMessage()          {}
func (DirectiveResult) clientMessage() {}

func (Play) commandBody()             {}
func (Pause) commandBody()            {}
func (Resume) commandBody()           {}
func (Stop) commandBody()             {}
func (Seek) commandBody()             {}
func (GoLive) commandBody()           {}
func (SetVolume) commandBody()        {}
func (SetMuted) commandBody()         {}
func (SelectTracks) commandBody()     {}
func (SetLatencyTarget) commandBody() {}
func (RequestKeyframe) commandBody()  {}
func (ListStreams) commandBody()      {}
func (SubscribeStreams) commandBody() {}
func (RefreshToken) commandBody()     {}

func (PositionLive) position()     {}
func (PositionTime) position()     {}
func (PositionSequence) position() {}
func (PositionBehind) position()   {}
func (ResumePosition) position()   {}
