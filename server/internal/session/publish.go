package session

import (
	"errors"
	"slices"
	"time"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/wire"
)

// Publisher takes what the client of one session publishes, and tells the client
// through Outlet.Send. Its methods are called from one goroutine, with no lock of
// the session held.
type Publisher interface {
	// Take takes one message. It does not wait for the network.
	Take(m wire.PublishMessage, now time.Time)

	// Refuse refuses the publication that a PublishStart with this ID asked for.
	Refuse(id uint32, reason wire.PublishEndReason, message string)

	// Fail ends the publication, if there is one, as the client's fault.
	Fail(reason wire.PublishEndReason, message string)

	// Renew has the publication, if there is one that lives by the token of the
	// session, live by a new one from now on. After an error nothing has changed;
	// one that is a *wire.Error says how the client is answered.
	Renew(token string) error

	// MessageBytes is the size of the messages that the client may send, 0 for no
	// more than other clients.
	MessageBytes() int

	// Close ends the publication, if there is one, as broken off, and waits for
	// all goroutines. Nothing is called afterwards.
	Close()
}

// Outlet is what a Publisher knows of its session, and how it answers.
type Outlet struct {
	// SessionID, Address and Client are what is known of the client.
	SessionID, Address, Client string

	// Token returns the access token that the session lives by, for publishing
	// without a stream key: a secret, or nothing. It may be called while a method
	// of the Publisher is.
	Token func() string

	// Send sends a message to the client, in order. It does not wait, and may be
	// called from any goroutine, also from one that holds locks of its own.
	Send func(m wire.ServerMessage)

	// Latency is the median from capture to display at the viewers of a stream,
	// as they reported it, or 0. It may be called from any goroutine that holds no
	// lock that Send is called under.
	Latency func(stream string) time.Duration
}

// Widener is a Conn whose bound on messages can be raised.
type Widener interface {
	// Allow lets messages of this size through from the next one on. It is called
	// from the goroutine that receives.
	Allow(messageBytes int)
}

// publishes reports whether the client has been let in as a publisher.
func (v *Viewer) publishes() bool { return v.publisher != nil && v.publisher.MessageBytes() > 0 }

// publish hands a publisher's message on, or says why not. err is what is wrong
// with the message, id that of a PublishStart.
func (v *Viewer) publish(m wire.PublishMessage, id uint32, err *wire.Error, now time.Time) {
	if !v.readyToPublish() {
		v.refuse(0, &wire.Error{Code: wire.HelloRequired, Message: "the first message of a session is hello"})
		return
	}
	_, starts := m.(wire.PublishStart)
	_, samples := m.(wire.PublishSample)
	var hurry *gate.Refusal
	switch {
	case starts:
		hurry = v.hurries(now)
	case !samples: // what others do with the same address or token ends no publication
		hurry = v.hurriesAlone(now)
	}
	p := v.publisher
	switch {
	case p == nil && starts:
		v.tell(wire.PublishEnded{ID: id, Reason: wire.PublishClosed, Message: "This server takes no publishers in this way."})
	case p == nil: // the rest of what was refused
	case err != nil && starts:
		p.Refuse(id, wire.PublishMalformed, err.Error())
	case err != nil:
		p.Fail(wire.PublishMalformed, err.Error())
	case hurry != nil && starts:
		v.tell(wire.PublishEnded{ID: id, Reason: wire.PublishTooManyAttempts, RetryAfter: hurry.Wait, Message: hurry.Error()})
	case hurry != nil:
		p.Fail(wire.PublishLimit, hurry.Error())
	default:
		p.Take(m, now)
		if w, ok := v.conn.(Widener); ok && starts && v.publishes() {
			w.Allow(p.MessageBytes())
		}
	}
}

// readyToPublish reports whether the client may say something about publishing,
// and sees to it that there is somebody to hear it.
func (v *Viewer) readyToPublish() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.hello == nil {
		return false
	}
	if open := v.host.opts.Publisher; v.publisher == nil && open != nil {
		v.publisher = open(Outlet{
			SessionID: v.id,
			Address:   v.peer.Address,
			Client:    joinVersion(v.hello.ClientName, v.hello.ClientVersion),
			Token:     func() string { return v.token },
			Send:      v.tell,
			Latency:   v.host.latency,
		})
	}
	return true
}

// sample takes a binary message in a session whose messages are text.
func (v *Viewer) sample(data []byte, now time.Time) {
	s, err := wire.DecodeSample(data)
	var d *wire.DecodeError
	switch {
	case errors.As(err, &d) && d.Publish == nil:
		v.refuse(0, d.Err)
	case errors.As(err, &d):
		v.publish(d.Publish, 0, d.Err, now)
	default:
		v.publish(s, 0, nil, now)
	}
}

// tell queues one message, unless the session is to end.
func (v *Viewer) tell(m wire.ServerMessage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.goodbye == nil {
		v.send(m)
	}
}

const (
	// latencyViewers is how many viewers are asked for their latency: the median
	// of as many is near enough.
	latencyViewers = 64

	// reportFresh is how old a report may be to count.
	reportFresh = 10 * time.Second
)

// latency is the median latency that viewers of a stream reported.
func (s *Sessions) latency(stream string) time.Duration {
	var found []time.Duration
	for _, v := range s.All() {
		if d := v.latencyOf(stream); d > 0 {
			if found = append(found, d); len(found) == latencyViewers {
				break
			}
		}
	}
	if len(found) == 0 {
		return 0
	}
	slices.Sort(found)
	return found[len(found)/2]
}

func (v *Viewer) latencyOf(stream string) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.play.name != stream || time.Since(v.reportedAt) > reportFresh || v.report.Decoded == 0 {
		return 0
	}
	return v.report.Latency
}
