package session

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/wire"
)

// Viewer is one session.
type Viewer struct {
	// Static.
	host   *Sessions
	conn   Conn
	frames FrameConn // conn, if it is one
	peer   Peer
	id     string
	opened time.Time
	wake   chan struct{} // capacity 1: a step has something to do

	seen     atomic.Int64 // when something last came from the client, Unix nanoseconds
	inFlight atomic.Int64 // time of media in the batch that is being sent, nanoseconds

	row    atomic.Pointer[row] // that steps it; nil while drive does
	called bool                // stands in row.due; guarded by row.mu
	driver sync.WaitGroup      // done with the last step

	// Of the goroutine that receives.
	commands  gate.Bucket
	publisher Publisher // nil before the first message about publishing
	token     string    // that the session lives by, where it may publish by it

	// Of whoever steps.
	out outbound

	mu sync.Mutex
	// Guarded by mu.
	hello      *wire.Hello // nil before the handshake
	subject    string      // that it is counted for; guarded by Sessions.mu
	grant      *auth.Grant // what the session may do; nil before the handshake; set by the goroutine that receives
	expiry     *time.Timer // ends the session with its grant; nil for one without end
	settings   wire.Settings
	play       playback
	climb      climber
	told       wire.State // as sent last
	report     wire.Report
	reportedAt time.Time
	queue      queue
	room       sync.Cond // the queue was drained, or the session ends
	subscribed bool      // to the list of streams
	listed     *list     // as sent last
	listedAt   time.Time
	directives map[uint32]chan<- *wire.Error
	directive  uint32        // ID of the last one
	farewell   *farewell     // set when the session is to end once its stream is delivered
	goodbye    *wire.Goodbye // set once, when the session is to end
	refused    bool          // it began with its end; guarded by Sessions.mu
	left       bool          // nothing more can be received
	shut       bool          // nor sent: a close frame was sent or received, or the connection lost
}

func newViewer(host *Sessions, conn Conn, peer Peer) *Viewer {
	v := &Viewer{
		host:   host,
		conn:   conn,
		peer:   peer,
		id:     newID(),
		opened: time.Now(),
		wake:   make(chan struct{}, 1),
	}
	v.room.L = &v.mu
	v.frames, _ = conn.(FrameConn)
	v.play.sent = &host.sent
	v.seen.Store(v.opened.UnixNano())
	return v
}

// ID identifies the session.
func (v *Viewer) ID() string { return v.id }

// run serves the session to its end and returns why it ended.
func (v *Viewer) run() Closed {
	v.driver.Add(1)
	go v.drive()
	v.receive()
	v.driver.Wait()
	v.host.latencies.forget(v.id)
	v.mu.Lock()
	defer v.mu.Unlock()
	stream := v.play.name
	v.play.drop()
	if v.expiry != nil {
		v.expiry.Stop()
	}
	for id, answer := range v.directives {
		delete(v.directives, id)
		close(answer)
	}
	reason := wire.ClientLeft
	if v.goodbye != nil {
		reason = v.goodbye.Reason
	}
	end := Closed{
		ID: v.id, Address: v.peer.Address, Stream: stream,
		Reason: reason, After: time.Since(v.opened), Welcomed: v.hello != nil,
	}
	v.host.opts.Hooks.Closed(end)
	return end
}

// Goodbye ends the session; of several, the first counts.
func (v *Viewer) Goodbye(g wire.Goodbye) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.endLocked(g)
}

// farewell is how a session ends that is first to have what its stream holds.
type farewell struct {
	goodbye wire.Goodbye
	next    uint64    // sequence that is not waited for any more
	by      time.Time // the session ends then, whatever is left
}

// depart ends the session once what its stream holds now has been sent, but no
// later than at by. Of several ends, the first counts.
func (v *Viewer) depart(g wire.Goodbye, by time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := &v.play
	if v.hello == nil || p.stream == nil || p.mode() != wire.Playing || v.climb.rung > rungProbation {
		v.endLocked(g)
		return
	}
	v.farewell = &farewell{g, p.stream.Tail().Next(), by}
	v.signal()
}

// departs ends a session whose farewell has come.
func (v *Viewer) departs(now time.Time, next *Next) {
	f, p := v.farewell, &v.play
	if f == nil || v.goodbye != nil {
		return
	}
	if p.mode() != wire.Playing || p.cursor == nil || p.cursor.Next() >= f.next || !now.Before(f.by) {
		v.endLocked(f.goodbye)
		return
	}
	next.sooner(now.Add(farewellStep))
}

// shutBy notes that nothing more comes because a close frame was sent or received, or
// the connection lost, and ends the session as g says, if anything.
func (v *Viewer) shutBy(g *wire.Goodbye) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shut = true
	if g != nil {
		v.endLocked(*g)
	}
}

func (v *Viewer) endLocked(g wire.Goodbye) {
	if v.goodbye == nil {
		v.goodbye = &g
	}
	v.room.Broadcast()
	v.signal()
}

// signal makes the driver step.
func (v *Viewer) signal() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
	if r := v.row.Load(); r != nil {
		r.call(v)
	}
}

// receive handles what the client sends until it leaves.
func (v *Viewer) receive() {
	defer func() {
		if v.publisher != nil {
			v.publisher.Close()
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.left = true
		v.signal()
	}()
	defer v.guard()
	for {
		data, text, err := v.conn.Receive()
		now := time.Now()
		v.seen.Store(now.UnixNano())
		switch {
		case errors.Is(err, ErrMessageTooLarge) && v.publishes():
			v.publisher.Fail(wire.PublishLimit, "a message is larger than PublishStarted.max_sample_bytes allows")
		case errors.Is(err, ErrMessageTooLarge):
			v.refuse(0, &wire.Error{
				Code:    wire.MessageTooLarge,
				Message: fmt.Sprintf("message of more than %d bytes", v.host.opts.MessageBytes),
			})
		case errors.Is(err, ErrMessageFlood):
			v.Goodbye(wire.Goodbye{Reason: wire.GoodbyeTooLarge, Message: "A message was far larger than Limits.max_message_bytes."})
			return
		case errors.Is(err, ErrProtocol):
			v.shutBy(&wire.Goodbye{Reason: wire.ProtocolError, Message: err.Error()})
			return
		case err != nil:
			v.shutBy(nil)
			return
		case !text && v.peer.Encoding.Text() && v.publishes():
			v.sample(data, now)
		case text != v.peer.Encoding.Text():
			v.refuse(0, wrongFrame(v.peer.Encoding))
		default:
			v.handle(data, now)
		}
		if !v.awaitRoom() {
			return
		}
	}
}

func wrongFrame(e wire.Encoding) *wire.Error {
	kind := "binary"
	if e.Text() {
		kind = "text"
	}
	return &wire.Error{
		Code:    wire.WrongFrameType,
		Message: fmt.Sprintf("in the subprotocol %v a client sends %s messages", e, kind),
	}
}

// awaitRoom keeps a client that does not read answers from asking for more.
func (v *Viewer) awaitRoom() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.queue.full() && v.goodbye == nil && !v.left {
		v.room.Wait()
	}
	return !v.left
}

// handle takes one message.
func (v *Viewer) handle(data []byte, now time.Time) {
	m, err := v.peer.Encoding.Decode(data)
	if err != nil {
		var d *wire.DecodeError
		if errors.As(err, &d) && d.Publish != nil {
			v.publish(d.Publish, d.ID, d.Err, now)
		} else if d != nil {
			v.refuse(d.ID, d.Err)
		}
		return
	}
	if p, ok := m.(wire.PublishMessage); ok {
		start, _ := m.(wire.PublishStart)
		v.publish(p, start.ID, nil, now)
		return
	}
	switch m := m.(type) { // what takes its time is done without the lock
	case wire.Hello:
		v.greet(m, now)
		return
	case wire.Command:
		if r, ok := m.Body.(wire.RefreshToken); ok {
			v.refreshToken(m.ID, r.Token, now)
			return
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.goodbye != nil {
		return
	}
	switch m := m.(type) {
	case nil: // of a newer client
	case wire.Command:
		v.command(m, now)
	case wire.Ping:
		v.send(wire.Pong{ClientTime: m.ClientTime, Received: now.UnixMicro(), Sent: time.Now().UnixMicro()})
	case wire.Report:
		v.report, v.reportedAt = m, now
		v.host.latencies.told(v.id, v.play.name, v.play.live, &v.report, now)
		v.host.opts.Hooks.Reported(v.id, v.play.name, &v.report, v.lag())
	case wire.DirectiveResult:
		if answer, ok := v.directives[m.ID]; ok {
			delete(v.directives, m.ID)
			answer <- m.Err
			close(answer)
		}
	}
}

// greet answers Hello.
func (v *Viewer) greet(h wire.Hello, now time.Time) {
	if v.hello != nil {
		v.refuse(0, &wire.Error{Code: wire.AlreadyWelcome, Field: "hello", Message: "hello opens a session once"})
		return
	}
	if h.Version != wire.ProtocolVersion {
		v.Goodbye(wire.Goodbye{
			Reason:  wire.UnsupportedVersion,
			Message: fmt.Sprintf("This server speaks version %d of the protocol, the client version %d.", wire.ProtocolVersion, h.Version),
		})
		return
	}
	if v.ends() {
		return // nobody needs to be asked about a token any more
	}
	grant, refusal := v.admit(&h)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.goodbye != nil:
	case refusal != nil:
		v.endLocked(*refusal)
	default:
		v.hold(grant)
		v.welcome(h, now)
	}
}

// ends reports whether the session has come to its end, or begins with it.
func (v *Viewer) ends() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.goodbye != nil
}

// welcome opens the session. The caller holds mu.
func (v *Viewer) welcome(h wire.Hello, now time.Time) {
	v.hello = &h
	v.settings = h.Settings
	opts := &v.host.opts
	opts.Hooks.Opened(v.id, v.peer.Address, joinVersion(h.ClientName, h.ClientVersion))
	v.send(wire.Welcome{
		SessionID: v.id,
		Server:    opts.Server,
		Time:      time.Now(),
		Limits: wire.Limits{
			MessageBytes:      opts.MessageBytes,
			CommandBurst:      opts.CommandBurst,
			CommandsPerSecond: opts.CommandsPerSecond,
			IdleTimeout:       opts.IdleTimeout,
		},
	})
	switch {
	case h.Resume != nil:
		v.play.choose(h.Resume.Stream, *h.Resume)
		v.play.paused = h.Resume.Paused
		v.open(now)
	case v.peer.Play != "":
		v.play.choose(v.peer.Play, wire.PositionLive{})
		v.open(now)
	default:
		v.sendState()
	}
}

// refuse answers a message that was not carried out.
func (v *Viewer) refuse(id uint32, err *wire.Error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.goodbye != nil {
		return
	}
	v.send(wire.Result{ID: id, Err: err})
}

// send queues a message for the next step. The caller holds mu.
func (v *Viewer) send(m wire.ServerMessage) {
	v.queue.push(Message{Data: v.peer.Encoding.Encode(m), Text: v.peer.Encoding.Text()})
	v.signal()
}

// sendState queues the state when it reads differently from what was sent last.
// The caller holds mu.
func (v *Viewer) sendState() {
	if s, changed := v.state(); changed {
		v.send(s)
	}
}

// tellState queues the state. The caller holds mu.
func (v *Viewer) tellState() {
	v.told = v.present()
	v.send(v.told)
}
