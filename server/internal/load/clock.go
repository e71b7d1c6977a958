package load

import (
	"net"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/wire"
)

// clockPings is how many pings the clock offset is taken from.
const clockPings = 16

// ask pings the server over a connection that has just been opened.
func ask(conn net.Conn, early []byte) (offset, error) {
	best := offset{RoundTrip: time.Hour}
	answered := 0
	var p parser
	take := func(op byte, head []byte, _ int) error {
		if op != opBinary || wire.IsFragment(head) {
			return nil
		}
		var m pb.ServerMessage
		if err := proto.Unmarshal(head, &m); err != nil {
			return err
		}
		switch {
		case m.GetPong() != nil:
			answered++
			best.observe(m.GetPong(), time.Now())
		case m.GetWelcome() != nil:
		default:
			return nil
		}
		ping, err := proto.Marshal(&pb.ClientMessage{Body: &pb.ClientMessage_Ping{Ping: &pb.Ping{
			ClientTimeUnixUs: time.Now().UnixMicro(),
		}}})
		if err != nil {
			return err
		}
		_, err = conn.Write(clientFrame(opBinary, ping))
		return err
	}
	err := p.feed(early, take)
	buffer := make([]byte, pumpBuffer)
	for err == nil && answered < clockPings {
		var n int
		if n, err = conn.Read(buffer); n > 0 {
			if e := p.feed(buffer[:n], take); e != nil {
				err = e
			}
		}
	}
	if err != nil && answered == 0 {
		return offset{}, err
	}
	return best, nil
}

// observe takes a pong that came at t3.
func (o *offset) observe(p *pb.Pong, t3 time.Time) {
	t0, t1 := time.UnixMicro(p.GetClientTimeUnixUs()), time.UnixMicro(p.GetServerReceivedUnixUs())
	t2 := time.UnixMicro(p.GetServerSentUnixUs())
	if trip := t3.Sub(t0) - t2.Sub(t1); trip < o.RoundTrip {
		*o = offset{RoundTrip: trip, Ahead: -(t1.Sub(t0) + t2.Sub(t3)) / 2}
	}
}
