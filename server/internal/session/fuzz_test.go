package session

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/hub"
	"github.com/framewire/framewire/server/internal/wire"
)

func FuzzCommands(f *testing.F) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 0))
		script := make([]byte, 300)
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		f.Add(script)
	}
	f.Add([]byte{0, 0, 28, 9, 3, 0, 28, 9, 4, 1, 28, 9})
	f.Add([]byte{early, 0, 1, 0, 6, 7, 28, 9, 16, 1, 17, 0, 18, 3, 19, 5, 20, 2, 21, 0, 21, 1, 22, 1, 6, 1, 28, 9})
	f.Fuzz(runScript)
}

// early as the first byte of a script sends the first commands before hello.
const early, earlyCommands = 0xff, 3

// runScript lets a viewer's commands, the stream's fate and the link's rate
// follow each other as the script has it. Whatever happens, every command is
// answered once and in order, media comes only where it may, and the session
// works on.
func runScript(t *testing.T, script []byte) {
	if len(script) > 2000 {
		return
	}
	lab := newLaboratory(t, 5, 4000, 500)
	lab.viewer.host.commandLimits.Burst = 1 << 20
	lab.link.rate = fast
	check := &checker{t: t, lab: lab}
	lab.link.count = check.message
	lab.viewer.peer.Play = ""
	if len(script) > 2*earlyCommands && script[0] == early {
		check.early(script[1 : 1+2*earlyCommands])
	}
	lab.join()
	for i := 0; i+1 < len(script) && !lab.over; i += 2 {
		check.act(script[i], script[i+1])
	}
	if lab.over {
		if lab.viewer.goodbye == nil || lab.viewer.goodbye.Reason != wire.TooSlow {
			t.Fatalf("the session ended: %+v", lab.viewer.goodbye)
		}
		return
	}
	check.works()
}

// checker follows what the viewer is told.
type checker struct {
	t        *testing.T
	lab      *laboratory
	id       uint32 // of the last command
	answered uint32
	pings    int
	pongs    int
	outside  bool // hello was not said yet
	state    *framewirev1.SessionState
	epoch    uint32 // announced
}

// early sends commands before hello, which are refused one and all.
func (c *checker) early(script []byte) {
	c.outside = true
	for i := 0; i+1 < len(script); i += 2 {
		c.act(script[i]%commands, script[i+1])
	}
	c.lab.step()
	if c.lab.over || c.answered != c.id {
		c.t.Fatalf("%d of %d commands before hello were answered", c.answered, c.id)
	}
	c.outside = false
}

func (c *checker) message(m *framewirev1.ServerMessage) {
	switch body := m.GetBody().(type) {
	case *framewirev1.ServerMessage_CommandResult:
		if code := body.CommandResult.GetError().GetCode(); c.outside && code != wire.HelloRequired && code != wire.InvalidArgument {
			c.t.Fatalf("a command before hello is answered %v", body.CommandResult)
		}
		switch body.CommandResult.GetId() {
		case 0: // to what was not readable
		case c.answered + 1:
			c.answered++
		default:
			c.t.Fatalf("answer to %d after the one to %d", body.CommandResult.GetId(), c.answered)
		}
	case *framewirev1.ServerMessage_SessionState:
		c.state = body.SessionState
		if volume := c.state.GetVolume(); !(volume >= 0 && volume <= 1) {
			c.t.Fatalf("told %v", c.state)
		}
	case *framewirev1.ServerMessage_Pong:
		c.pongs++
	case *framewirev1.ServerMessage_StreamStarted:
		c.epoch = body.StreamStarted.GetEpoch()
	case *framewirev1.ServerMessage_StreamEnded:
		c.epoch = 0
	case *framewirev1.ServerMessage_Fragment:
		f := body.Fragment
		switch {
		case c.state.GetPlayback() != framewirev1.Playback_PLAYBACK_PLAYING:
			c.t.Fatalf("fragment %d while %v", f.GetSequence(), c.state)
		case f.GetEpoch() != c.epoch:
			c.t.Fatalf("fragment of epoch %d; announced is %d", f.GetEpoch(), c.epoch)
		case f.GetTrackId() == 2 && (c.state.GetMuted() || c.state.GetVolume() == 0 || c.state.GetAudioTrackId() != 2):
			c.t.Fatalf("sound is sent with %v", c.state)
		case f.GetTrackId() == 1 && (c.state.GetVideoTrackId() != 1 || c.state.GetDegradation() == wire.AudioOnly):
			c.t.Fatalf("pictures are sent with %v", c.state)
		}
	}
}

// commands are how many of the things of act are commands: the first.
const commands = 11

// act does one of the things that can happen.
func (c *checker) act(what, value byte) {
	lab := c.lab
	switch what % 32 {
	case 0:
		c.command(&framewirev1.Command{Body: &framewirev1.Command_Play{Play: play(value)}})
	case 1:
		c.command(&framewirev1.Command{Body: &framewirev1.Command_Pause{Pause: &framewirev1.Pause{}}})
	case 2:
		c.command(&framewirev1.Command{Body: &framewirev1.Command_Resume{Resume: &framewirev1.Resume{Live: value%2 == 0}}})
	case 3:
		c.command(&framewirev1.Command{Body: &framewirev1.Command_Stop{Stop: &framewirev1.Stop{}}})
	case 4:
		to := lab.clock.Seconds() * float64(value) / 200
		c.command(&framewirev1.Command{Body: &framewirev1.Command_Seek{Seek: &framewirev1.Seek{TimeSeconds: to}}})
	case 5:
		c.command(&framewirev1.Command{Body: &framewirev1.Command_GoLive{GoLive: &framewirev1.GoLive{}}})
	case 6:
		c.command(&framewirev1.Command{Body: &framewirev1.Command_SetVolume{SetVolume: &framewirev1.SetVolume{Volume: float64(value%8)/2 - 1}}})
	case 7:
		c.command(&framewirev1.Command{Body: &framewirev1.Command_SetMuted{SetMuted: &framewirev1.SetMuted{Muted: value%2 == 0}}})
	case 8:
		video, audio := uint32(value%4), uint32(value/4%4)
		c.command(&framewirev1.Command{Body: &framewirev1.Command_SelectTracks{
			SelectTracks: &framewirev1.SelectTracks{VideoTrackId: &video, AudioTrackId: &audio},
		}})
	case 9:
		c.command(&framewirev1.Command{Body: &framewirev1.Command_RequestKeyframe{RequestKeyframe: &framewirev1.RequestKeyframe{}}})
	case 10:
		c.command(&framewirev1.Command{Body: &framewirev1.Command_SubscribeStreams{
			SubscribeStreams: &framewirev1.SubscribeStreams{Enabled: value%2 == 0},
		}})
	case 11:
		if lab.stream.Status().State != hub.Closed {
			lab.stream.SetStatus(hub.State(value%4)+hub.Starting, "")
		}
	case 12:
		if lab.stream.Status().State != hub.Closed {
			lab.begin()
		}
	case 13:
		lab.link.rate = []float64{fast, fast, 20e3, 5e3, 0}[value%5]
	case 14:
		lab.now = lab.now.Add(time.Duration(value) * 10 * time.Millisecond)
	case 15:
		lab.viewer.handle([]byte{what, value}, lab.now) // may be anything
	case 16, 17, 18, 19, 20, 21, 22:
		c.beside(what%32-16, value)
	default:
		c.publish(int(value % 32))
	}
	if what >= 128 { // not always: several things may happen between two steps
		lab.step()
	}
}

// beside sends what changes no playback.
func (c *checker) beside(what, value byte) {
	lab := c.lab
	switch what {
	case 0:
		target := uint32(value) * 200 // some of them are out of bounds
		c.command(&framewirev1.Command{Body: &framewirev1.Command_SetLatencyTarget{
			SetLatencyTarget: &framewirev1.SetLatencyTarget{LatencyTargetMs: target},
		}})
	case 1:
		c.command(&framewirev1.Command{Body: &framewirev1.Command_ListStreams{ListStreams: &framewirev1.ListStreams{}}})
	case 2:
		c.command(&framewirev1.Command{Body: &framewirev1.Command_RefreshToken{
			RefreshToken: &framewirev1.RefreshToken{Token: strings.Repeat("t", int(value))},
		}})
	case 3:
		c.pings++
		lab.say(&framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_Ping{Ping: &framewirev1.Ping{ClientTimeUnixUs: int64(value) - 9}}})
	case 4:
		lab.say(&framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_PlaybackReport{PlaybackReport: &framewirev1.PlaybackReport{
			State: framewirev1.PlayerState(value % 9), LatencyMs: float64(value) - 9, BufferMs: math.Log(float64(value) - 9),
		}}})
	case 5:
		if value%2 == 0 {
			answer := make(chan *wire.Error, 1)
			_, _ = lab.viewer.direct(wire.SetMuted{Muted: true}, answer) // refused when too many wait
			return
		}
		lab.say(&framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_DirectiveResult{
			DirectiveResult: &framewirev1.DirectiveResult{Id: uint32(value / 2)},
		}})
	case 6: // once more
		lab.say(&framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_Hello{Hello: &framewirev1.Hello{ProtocolVersion: uint32(value % 3)}}})
	}
}

func (c *checker) publish(frames int) {
	for range frames {
		if c.lab.over {
			return
		}
		c.lab.publish()
		c.lab.now = c.lab.now.Add(labFrame)
		c.lab.step()
	}
}

func play(value byte) *framewirev1.Play {
	p := &framewirev1.Play{Stream: []string{"s", "s", "s", "other", "bad//name"}[value%5]}
	switch value / 5 % 5 {
	case 0:
		p.From = &framewirev1.Play_TimeSeconds{TimeSeconds: float64(value) / 40}
	case 1:
		p.From = &framewirev1.Play_Sequence{Sequence: uint64(value)}
	case 2:
		p.From = &framewirev1.Play_SecondsBehindLive{SecondsBehindLive: float64(value) / 40}
	}
	return p
}

func (c *checker) command(m *framewirev1.Command) {
	c.id++
	m.Id = c.id
	c.lab.say(&framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_Command{Command: m}})
}

// works holds that the session does what it is asked to after all that.
func (c *checker) works() {
	lab := c.lab
	lab.link.rate = fast
	lab.now = lab.now.Add(time.Second)
	lab.step() // what hung in the link leaves
	lab.step()
	if lab.over {
		return
	}
	if lab.stream.Status().State != hub.Live {
		lab.stream.SetStatus(hub.Live, "")
	}
	lab.begin()
	c.command(&framewirev1.Command{Body: &framewirev1.Command_SetVolume{SetVolume: &framewirev1.SetVolume{Volume: 1}}})
	c.command(&framewirev1.Command{Body: &framewirev1.Command_SetMuted{SetMuted: &framewirev1.SetMuted{}}})
	c.command(&framewirev1.Command{Body: &framewirev1.Command_Play{Play: &framewirev1.Play{Stream: "s"}}})
	pictures := 0
	follow := lab.link.count
	lab.link.count = func(m *framewirev1.ServerMessage) {
		follow(m)
		if m.GetFragment().GetEpoch() == lab.epoch && m.GetFragment().GetTrackId() == 1 {
			pictures++
		}
	}
	c.publish(10)
	if lab.over {
		return
	}
	if c.answered != c.id {
		c.t.Fatalf("%d of %d commands were answered", c.answered, c.id)
	}
	if c.pongs != c.pings {
		c.t.Fatalf("%d of %d pings were answered", c.pongs, c.pings)
	}
	if pictures < 1 {
		c.t.Fatalf("no picture comes: %v", c.state)
	}
}
