package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
)

// manner is how a viewer behaves.
type manner int

const (
	steady   manner = iota // watches, and is owed every fragment or a word
	slow                   // the same, and reads slowly at times
	restless               // gives commands all the time
	rude                   // gives commands and goes without a word
	plain                  // takes media over HTTP
	manners
)

// watch is one viewer after the other, in the manner of number i.
func (w *world) watch(ctx context.Context, i int) {
	r := w.chance()
	m := manner(i % int(manners))
	for ctx.Err() == nil {
		if m == plain {
			w.fetch(ctx, r)
		} else {
			w.session(ctx, r, m)
		}
		if pause(ctx, between(r, 0, time.Second)) != nil {
			return
		}
	}
}

// route draws a way to the server, and tells whether it is a good one.
func (w *world) route(r *rand.Rand) (address string, good bool) {
	if r.IntN(2) == 0 {
		return w.server.addr, true
	}
	return w.web.Addr().String(), false
}

// anyStream draws the name of a stream, which need not exist.
func anyStream(r *rand.Rand) string {
	return pick(r, "demo", "clip", "picture", "demo", "clip", "pub/rtmp", "pub/put", "pub/ws", "pub/whip", "taken/a", "more", "nowhere")
}

// session opens a session, and watches for a while.
func (w *world) session(ctx context.Context, r *rand.Rand, m manner) {
	address, good := w.route(r)
	stream := anyStream(r)
	subprotocol := pick(r, client.Proto, client.JSON)
	var raw net.Conn
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		raw, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return raw, err
	}}
	dialing, cancel := context.WithTimeout(ctx, patience)
	s, err := client.Dial(dialing, "ws://"+address+"/ws?stream="+stream, client.Options{
		Subprotocol: subprotocol, Name: "soak", Buffer: 1 << 20, HTTPClient: &http.Client{Transport: transport},
	})
	cancel()
	if err != nil {
		var told *client.GoodbyeError
		if good && ctx.Err() == nil && !errors.As(err, &told) {
			w.found.add("no session on a good network: %w", err)
		}
		w.count("sessions refused or cut")
		return
	}
	w.count("sessions")
	watching, cancel := context.WithTimeout(ctx, between(r, 500*time.Millisecond, 40*time.Second))
	defer cancel()
	v := &viewer{world: w, session: s, manner: m, chance: r, stream: stream, good: good, live: time.Now()}
	v.run(watching)
	if tcp, ok := raw.(*net.TCPConn); ok && m == rude {
		_ = tcp.SetLinger(0) // a reset instead of an end
		_ = tcp.Close()
	}
	_ = s.Close() // the connection may be cut already
}

// viewer follows one session.
type viewer struct {
	world   *world
	session *client.Session
	manner  manner
	chance  *rand.Rand
	stream  string
	good    bool

	live     time.Time // when media came last
	instance string
	video    map[uint32]bool
	next     uint64 // sequence that should come next; 0 before the first
	missing  uint64 // fragments since the last picture
	excused  bool   // a word was said since the last picture
	thinned  bool
}

func (v *viewer) run(ctx context.Context) {
	commands, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if v.manner == restless || v.manner == rude {
			v.command(commands)
		}
	}()
	defer func() {
		stop()
		<-done
	}()
	for {
		waiting, cancel := context.WithTimeout(ctx, patience)
		m, err := v.session.Receive(waiting)
		late := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case late && v.good:
			v.world.found.add("a viewer of %s was told nothing for %v", v.stream, patience)
			return
		case err != nil:
			v.ended(ctx, err)
			return
		}
		v.take(m)
		if v.owed() && time.Since(v.live) > patience {
			v.world.found.add("a viewer of %s was without media for %v", v.stream, patience)
			return
		}
		if v.manner == slow && v.chance.IntN(40) == 0 {
			_ = pause(ctx, between(v.chance, 0, 4*time.Second)) // the loop sees the end
			v.live = time.Now()
		}
	}
}

// owed reports whether the viewer has to be sent media at all times.
func (v *viewer) owed() bool {
	return v.good && v.manner == steady && (v.stream == "demo" || v.stream == "clip" || v.stream == "picture")
}

// ended looks at why a session is over.
func (v *viewer) ended(ctx context.Context, err error) {
	var told *client.GoodbyeError
	switch {
	case ctx.Err() != nil:
	case errors.As(err, &told):
		v.world.count("sessions ended: " + strings.ToLower(strings.TrimPrefix(told.Reason.String(), "GOODBYE_REASON_")))
	case v.good && v.manner != slow:
		v.world.found.add("a session on a good network broke off without a word: %w", err)
	default:
		v.world.count("sessions cut")
	}
}

// take follows what is sent.
func (v *viewer) take(m *pb.ServerMessage) {
	switch body := m.GetBody().(type) {
	case *pb.ServerMessage_StreamStarted:
		v.started(body.StreamStarted)
	case *pb.ServerMessage_Fragment:
		v.live = time.Now()
		v.fragment(body.Fragment)
	case *pb.ServerMessage_Gap:
		v.excused = true
		v.world.count("gaps told: " + strings.ToLower(strings.TrimPrefix(body.Gap.GetReason().String(), "GAP_REASON_")))
	case *pb.ServerMessage_SessionState:
		v.thinned = body.SessionState.GetDegradation() > pb.Degradation_DEGRADATION_NONE
		v.excused = v.excused || v.thinned
	case *pb.ServerMessage_StreamEnded:
		v.next, v.instance = 0, ""
	case *pb.ServerMessage_Directive:
		answer := &pb.ClientMessage{Body: &pb.ClientMessage_DirectiveResult{DirectiveResult: &pb.DirectiveResult{
			Id: body.Directive.GetId(), Outcome: &pb.DirectiveResult_Done{Done: &pb.DirectiveDone{}},
		}}}
		sending, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = v.session.Send(sending, answer) // a session that is cut is seen by Receive
		cancel()
	}
}

func (v *viewer) started(s *pb.StreamStarted) {
	v.live = time.Now()
	if s.GetInstance() != v.instance {
		v.instance, v.next, v.missing = s.GetInstance(), 0, 0
	}
	v.video = make(map[uint32]bool)
	for _, t := range s.GetTracks() {
		v.video[t.GetId()] = t.GetKind() == pb.TrackKind_TRACK_KIND_VIDEO
	}
}

// fragment looks for media that is missing without a word, and for media that was
// sent before. Who gives commands is sent what they ask for.
func (v *viewer) fragment(f *pb.Fragment) {
	if v.manner == restless || v.manner == rude {
		return
	}
	if v.next != 0 && f.GetSequence() < v.next {
		v.world.found.add("a viewer of %s was sent fragment %d after %d", v.stream, f.GetSequence(), v.next-1)
	}
	if v.next != 0 && f.GetSequence() > v.next {
		v.missing += f.GetSequence() - v.next
	}
	v.next = f.GetSequence() + 1
	if !v.video[f.GetTrackId()] {
		return // pictures that are left out are told of before the next one
	}
	if v.missing > 0 && !v.excused && !v.thinned {
		v.world.found.add("a viewer of %s missed %d fragments before %d without a word", v.stream, v.missing, f.GetSequence())
	}
	v.missing, v.excused = 0, v.thinned
}

// command gives commands at random until ctx is done. Refusals are answers too.
func (v *viewer) command(ctx context.Context) {
	r := rand.New(rand.NewPCG(v.chance.Uint64(), 1))
	s := v.session
	for pause(ctx, between(r, 0, 1500*time.Millisecond)) == nil {
		asking, cancel := context.WithTimeout(ctx, patience)
		var err error
		switch r.IntN(12) {
		case 0, 1:
			err = s.Play(asking, anyStream(r))
		case 2:
			err = s.Pause(asking)
		case 3:
			err = s.Resume(asking, r.IntN(2) == 0)
		case 4:
			err = s.Stop(asking)
		case 5:
			err = s.Seek(asking, between(r, 0, 20*time.Second))
		case 6:
			err = s.GoLive(asking)
		case 7:
			err = s.SetMuted(asking, r.IntN(2) == 0)
		case 8:
			err = s.RequestKeyframe(asking)
		case 9:
			_, err = s.ListStreams(asking)
		case 10:
			_, err = s.SubscribeStreams(asking, r.IntN(2) == 0)
		case 11:
			none := uint32(0)
			err = s.SelectTracks(asking, &none, nil)
		}
		unanswered := asking.Err() != nil && ctx.Err() == nil
		cancel()
		v.world.count("commands")
		var refused *client.CommandError
		switch {
		case unanswered && v.good:
			v.world.found.add("a command was not answered within %v", patience)
		case err != nil && !errors.As(err, &refused):
			return // the session is over
		}
	}
}

// fetch takes media, or pages, over plain HTTP for a while.
func (w *world) fetch(ctx context.Context, r *rand.Rand) {
	address, good := w.route(r)
	path := pick(r, "/streams/demo.mp4", "/streams/clip.mp4", "/streams/picture.mjpeg", "/streams/demo.jpg", "/files/clip", "/files/demo",
		"/streams/pub/rtmp.mp4", "/streams/nowhere.mp4", "/", "/player.js", "/watch/demo", "/metrics", "/readyz", "/admin")
	reading, cancel := context.WithTimeout(ctx, between(r, 100*time.Millisecond, 15*time.Second))
	defer cancel()
	request, err := http.NewRequestWithContext(reading, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		w.found.add("%w", err)
		return
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		if good && reading.Err() == nil {
			w.found.add("%s on a good network: %w", path, err)
		}
		return
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusInternalServerError {
		w.found.add("%s: %s", path, response.Status)
	}
	w.count("answers over HTTP: " + response.Status[:3])
	if r.IntN(4) == 0 {
		_ = pause(reading, time.Hour) // takes nothing
		return
	}
	_, _ = io.Copy(io.Discard, response.Body) // until it ends or time is over
}
