package session

import (
	"math/rand/v2"
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
	f.Add([]byte{0, 0, 20, 9, 3, 0, 20, 9, 4, 1, 20, 9})
	f.Fuzz(runScript)
}

// runScript lets a viewer's commands, the stream's fate and the link's rate
// follow each other as the script has it. Whatever happens, every command is
// answered once and in order, media comes only where it may, and the session
// works on.
func runScript(t *testing.T, script []byte) {
	if len(script) > 2000 {
		return
	}
	lab := newLaboratory(t, 5, 4000, 500)
	lab.viewer.host.opts.CommandBurst = 1 << 20
	lab.viewer.commands.burst = 1 << 20
	lab.link.rate = fast
	check := &checker{t: t, lab: lab}
	lab.link.count = check.message
	lab.viewer.peer.Play = ""
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
	state    *framewirev1.SessionState
	epoch    uint32 // announced
}

func (c *checker) message(m *framewirev1.ServerMessage) {
	switch body := m.GetBody().(type) {
	case *framewirev1.ServerMessage_CommandResult:
		switch body.CommandResult.GetId() {
		case 0: // to what was not readable
		case c.answered + 1:
			c.answered++
		default:
			c.t.Fatalf("answer to %d after the one to %d", body.CommandResult.GetId(), c.answered)
		}
	case *framewirev1.ServerMessage_SessionState:
		c.state = body.SessionState
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

// act does one of the things that can happen.
func (c *checker) act(what, value byte) {
	lab := c.lab
	switch what % 24 {
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
		c.command(&framewirev1.Command{Body: &framewirev1.Command_SetVolume{SetVolume: &framewirev1.SetVolume{Volume: float64(value%4) / 2}}})
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
	default:
		c.publish(int(value % 32))
	}
	if what >= 128 { // not always: several things may happen between two steps
		lab.step()
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
	if pictures < 1 {
		c.t.Fatalf("no picture comes: %v", c.state)
	}
}
