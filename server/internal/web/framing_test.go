package web_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/web"
)

const protocolError = framewirev1.GoodbyeReason_GOODBYE_REASON_PROTOCOL_ERROR

// Frames that a client may not send (RFC 6455 5.2, 5.4, 5.5) end its session with
// code 1002, and the operator is told that they did; ends that are a client's to
// choose stay its own.
func TestBrokenFramingEndsTheSessionAndTheOperatorLearnsIt(t *testing.T) {
	const clientLeft = framewirev1.GoodbyeReason_GOODBYE_REASON_CLIENT_LEFT
	for _, c := range []struct {
		name   string
		frame  []byte
		code   websocket.StatusCode // 0: the client hangs up
		reason framewirev1.GoodbyeReason
	}{
		{"reserved bit", []byte{0x80 | 0x40 | 0x2, 0x80, 0, 0, 0, 0}, websocket.StatusProtocolError, protocolError},
		{"unknown opcode", []byte{0x80 | 0x5, 0x80, 0, 0, 0, 0}, websocket.StatusProtocolError, protocolError},
		{"not masked", []byte{0x80 | 0x2, 0}, websocket.StatusProtocolError, protocolError},
		{"negative size", []byte{0x80 | 0x2, 0x80 | 127, 0xff, 0, 0, 0, 0, 0, 0, 0}, websocket.StatusProtocolError, protocolError},
		{"continuation of nothing", []byte{0x80, 0x80, 0, 0, 0, 0}, websocket.StatusProtocolError, protocolError},
		{"message within a message", []byte{0x2, 0x81, 0, 0, 0, 0, 'a', 0x82, 0x80, 0, 0, 0, 0}, websocket.StatusProtocolError, protocolError},
		{"ping in parts", []byte{0x9, 0x80, 0, 0, 0, 0}, websocket.StatusProtocolError, protocolError},
		{"close without a code", []byte{0x80 | 0x8, 0x81, 0, 0, 0, 0, 3}, websocket.StatusProtocolError, protocolError},
		{"close", []byte{0x80 | 0x8, 0x82, 0, 0, 0, 0, 3, 0xe8}, 0, clientLeft},
		{"half a frame", []byte{0x80 | 0x2, 0x85, 0, 0, 0, 0, 'a'}, 0, clientLeft},
		{"no frame at all", nil, 0, clientLeft},
	} {
		for name, plain := range map[string][]bool{"gathering": nil, "plain": {true}} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel() // the server waits a second for the client to close
				closed := make(chan session.Closed, 1)
				opts := web.Options{Sessions: session.Options{Hooks: session.Hooks{Closed: func(c session.Closed) { closed <- c }}}}
				st := serve(t, opts, plain...).stall(t, "a")
				st.answer()
				if _, err := st.conn.Write(c.frame); err != nil {
					t.Fatal(err)
				}
				if c.code != 0 {
					if got := st.closeCode(); got != c.code {
						t.Errorf("closed with %v, want %v", got, c.code)
					}
				}
				st.conn.Close()
				select {
				case end := <-closed:
					if end.Reason != c.reason || !end.Welcomed {
						t.Errorf("the operator is told %+v, want %v", end, c.reason)
					}
				case <-time.After(patience):
					t.Fatal("the session does not end")
				}
			})
		}
	}
}

// answer reads all that answers hello.
func (s *staller) answer() {
	s.t.Helper()
	var m framewirev1.ServerMessage
	for m.GetSessionState() == nil {
		_, data, err := s.read()
		if err != nil {
			s.t.Fatal(err)
		}
		if err := proto.Unmarshal(data, &m); err != nil {
			s.t.Fatal(err)
		}
	}
}

// closeCode reads up to the close frame, and returns its code. No message may
// follow it.
func (s *staller) closeCode() websocket.StatusCode {
	s.t.Helper()
	for {
		opcode, payload, err := s.read()
		if err != nil {
			s.t.Fatalf("no close frame: %v", err)
		}
		if opcode != 0x8 || len(payload) < 2 {
			continue
		}
		if next, _, err := s.read(); err == nil {
			s.t.Errorf("frame %d after the close frame", next)
		}
		return websocket.StatusCode(binary.BigEndian.Uint16(payload))
	}
}
