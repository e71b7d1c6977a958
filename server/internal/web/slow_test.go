package web_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/web"
)

// staller is a client on a bare socket, which can stop reading. It reads what
// comes without the help of any library.
type staller struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

// stall opens a session that plays a stream, and reads nothing.
func (s *site) stall(t *testing.T, stream string) *staller {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// So that the server soon has nowhere to write to.
	if err := conn.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodGet, s.url("/ws?stream="+stream), nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "framewire.v1.proto",
	} {
		request.Header.Set(k, v)
	}
	if err := request.Write(conn); err != nil {
		t.Fatal(err)
	}
	st := &staller{t: t, conn: conn, r: bufio.NewReader(conn)}
	response, err := http.ReadResponse(st.r, request)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", response, err)
	}
	hello, err := proto.Marshal(&framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_Hello{Hello: &framewirev1.Hello{ProtocolVersion: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	st.write(0x2, hello)
	return st
}

// write sends one frame, masked with zeros.
func (s *staller) write(opcode byte, payload []byte) {
	s.t.Helper()
	if len(payload) > 125 {
		s.t.Fatal("the frame is too large for this client")
	}
	frame := append([]byte{0x80 | opcode, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	if _, err := s.conn.Write(frame); err != nil {
		s.t.Fatal(err)
	}
}

// read returns the next frame.
func (s *staller) read() (opcode byte, payload []byte, err error) {
	_ = s.conn.SetReadDeadline(time.Now().Add(patience))
	var h [2]byte
	if _, err := io.ReadFull(s.r, h[:]); err != nil {
		return 0, nil, err
	}
	size := uint64(h[1])
	switch size {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(s.r, b[:])
		size = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, err = io.ReadFull(s.r, b[:])
		size = binary.BigEndian.Uint64(b[:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(s.r, payload)
	return h[0] & 0xf, payload, err
}

// quick is a ladder that a test can wait for.
var quick = session.Ladder{
	Skip: 400 * time.Millisecond, Keyframes: 400 * time.Millisecond, Audio: 400 * time.Millisecond,
	Close: 600 * time.Millisecond, Recover: 300 * time.Millisecond,
}

func TestStalledViewerIsClosedAndTakesNothingFromOthers(t *testing.T) {
	s := serve(t, web.Options{Sessions: session.Options{Ladder: quick}})
	studio := s.offline("a")
	studio.size = 100 << 10 // 20 Mb/s
	studio.begin(h264, aac)
	studio.group(5)
	studio.live()
	stop := studio.run()
	defer stop()
	s.stall(t, "a")
	healthy := s.dial(client.Options{})
	healthy.must(healthy.Play(healthy.ctx, "a"))
	last := healthy.fragment().GetSequence()
	for began := time.Now(); len(s.Sessions().All()) > 1; {
		if time.Since(began) > patience {
			t.Fatalf("the stalled session lives on: %+v", s.Sessions().All()[0].Snapshot())
		}
		f := healthy.fragment()
		if f.GetSequence() != last+1 {
			t.Fatalf("the healthy viewer got %d after %d", f.GetSequence(), last)
		}
		last = f.GetSequence()
	}
}

func TestStalledViewerWhoReadsAgainIsToldOfGapsAndClimbsBack(t *testing.T) {
	ladder := quick
	ladder.Close = time.Hour
	s := serve(t, web.Options{Sessions: session.Options{Ladder: ladder}})
	studio := s.offline("a")
	studio.size = 100 << 10
	studio.begin(h264, aac)
	studio.group(5)
	studio.live()
	stop := studio.run()
	defer stop()
	st := s.stall(t, "a")
	eventually(t, "the session is open", func() bool { return len(s.Sessions().All()) == 1 })
	viewer := s.Sessions().All()[0]
	eventually(t, "the viewer is down to sound alone", func() bool {
		return viewer.Snapshot().State.Degradation == framewirev1.Degradation_DEGRADATION_AUDIO_ONLY
	})
	var told []string
	var gap *framewirev1.Gap
	for {
		opcode, payload, err := st.read()
		if err != nil {
			t.Fatalf("%v; told: %v", err, told)
		}
		if opcode == 0x9 {
			st.write(0xa, payload)
			continue
		}
		var m framewirev1.ServerMessage
		if err := proto.Unmarshal(payload, &m); err != nil {
			t.Fatal(err)
		}
		if m.GetGap() != nil {
			gap = m.GetGap()
		}
		if state := m.GetSessionState(); state != nil {
			told = append(told, state.GetDegradation().String())
			if strings.HasSuffix(told[len(told)-1], "_NONE") && gap != nil {
				break
			}
		}
	}
	if gap.GetReason() != framewirev1.GapReason_GAP_REASON_TOO_SLOW || gap.GetToSeconds() <= gap.GetFromSeconds() {
		t.Errorf("gap: %v", gap)
	}
	if got := strings.Join(told, " "); !strings.Contains(got, "KEYFRAMES_ONLY") || !strings.Contains(got, "AUDIO_ONLY") {
		t.Errorf("told: %v", told)
	}
}

func TestClientThatFloodsWithoutReadingIsBoundedAndClosed(t *testing.T) {
	s := serve(t, web.Options{Sessions: session.Options{Ladder: quick}})
	s.stream("a", 2)
	st := s.stall(t, "a")
	ping, err := proto.Marshal(&framewirev1.ClientMessage{Body: &framewirev1.ClientMessage_Ping{Ping: &framewirev1.Ping{ClientTimeUnixUs: 1 << 50}}})
	if err != nil {
		t.Fatal(err)
	}
	frame := append([]byte{0x82, 0x80 | byte(len(ping)), 0, 0, 0, 0}, ping...)
	flood := []byte(strings.Repeat(string(frame), 1000))
	_ = st.conn.SetWriteDeadline(time.Now().Add(patience))
	for { // until the server reads no more, and then closes
		if _, err := st.conn.Write(flood); err != nil {
			break
		}
	}
	eventually(t, "the session has ended", func() bool { return len(s.Sessions().All()) == 0 })
}
