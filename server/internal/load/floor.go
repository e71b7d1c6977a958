package load

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/wire"
)

// Pattern is a stream as a server's network card sees it.
type Pattern struct {
	// VideoRate and AudioRate are fragments a second, VideoBytes and AudioBytes
	// the size of each fragment's message. AudioRate may be 0.
	VideoRate, AudioRate   float64
	VideoBytes, AudioBytes int
	// Keyframes are so far apart.
	Keyframes time.Duration
}

// Check returns an error that wraps ErrInvalid for what Floor does not serve.
func (p *Pattern) Check() error {
	if p.VideoRate <= 0 || p.VideoRate > 1000 || p.AudioRate < 0 || p.AudioRate > 1000 ||
		p.VideoBytes < 100 || p.VideoBytes > 16<<20 || p.AudioRate > 0 && (p.AudioBytes < 100 || p.AudioBytes > 1<<20) {
		return fmt.Errorf("%w: floor of %+v", ErrInvalid, *p)
	}
	return nil
}

// Tracks of the floor's stream.
const (
	floorVideo = 1
	floorAudio = 2
)

// floor answers how cheap fan-out can be at all: one goroutine that writes one
// ready-made WebSocket frame per fragment to each connection, without a library,
// a queue, a timeout or a thought for who is slow.
type floor struct {
	pattern Pattern
	buffer  []byte

	mu    sync.Mutex
	conns []net.Conn
}

// Floor serves the pattern to whoever connects, until ctx is done.
func Floor(ctx context.Context, l net.Listener, p Pattern) error {
	if err := p.Check(); err != nil {
		return err
	}
	f := &floor{pattern: p}
	var accepting sync.WaitGroup
	defer accepting.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer func() {
		stop() // it may not have begun, though ctx is done
		_ = l.Close()
	}()
	accepting.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepting.Go(func() {
				if err := f.welcome(conn); err != nil {
					_ = conn.Close()
				}
			})
		}
	})
	f.write(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range f.conns {
		_ = conn.Close()
	}
	f.conns = nil
	return nil
}

// welcome makes conn a WebSocket and a session.
func (f *floor) welcome(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(DefaultTimeout)); err != nil {
		return err
	}
	r := bufio.NewReaderSize(conn, 1<<10)
	request, err := http.ReadRequest(r)
	if err != nil {
		return err
	}
	key := sha1.Sum([]byte(request.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 1.3
	_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Protocol: "+wire.SubprotocolProto+"\r\nSec-WebSocket-Accept: "+
		base64.StdEncoding.EncodeToString(key[:])+"\r\n\r\n")
	if err != nil {
		return err
	}
	hello := wire.Proto.Encode(wire.Welcome{SessionID: "floor", Server: "floor", Time: time.Now()})
	started, err := proto.Marshal(&pb.ServerMessage{Body: &pb.ServerMessage_StreamStarted{StreamStarted: &pb.StreamStarted{
		Stream: "floor", Epoch: 1, Tracks: []*pb.Track{
			{Id: floorVideo, Kind: pb.TrackKind_TRACK_KIND_VIDEO}, {Id: floorAudio, Kind: pb.TrackKind_TRACK_KIND_AUDIO},
		},
	}}})
	if err != nil {
		return err
	}
	for _, m := range [][]byte{hello, started} {
		if _, err := conn.Write(append(serverHeader(nil, len(m)), m...)); err != nil {
			return err
		}
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, conn)
	return nil
}

// write is the floor.
func (f *floor) write(ctx context.Context) {
	p := &f.pattern
	step := func(rate float64) time.Duration { return time.Duration(float64(time.Second) / rate) }
	h := wire.FragmentHeader{Epoch: 1, Sequence: 1}
	video := time.Now()
	audio, key := video, video
	for ctx.Err() == nil {
		isVideo := p.AudioRate == 0 || !audio.Before(video)
		next := audio
		if isVideo {
			next = video
		}
		pause(ctx, time.Until(next))
		h.Sequence++
		h.CapturedAt = next.UnixMicro() // being late counts
		size := p.AudioBytes
		h.TrackID, h.Keyframe = floorAudio, true
		if isVideo {
			size = p.VideoBytes
			h.TrackID, h.Keyframe = floorVideo, !next.Before(key)
			if h.Keyframe {
				key = next.Add(p.Keyframes)
			}
			video = video.Add(step(p.VideoRate))
		} else {
			audio = audio.Add(step(p.AudioRate))
		}
		f.send(f.frame(h, size))
	}
}

// frame returns a WebSocket frame whose message has size bytes.
func (f *floor) frame(h wire.FragmentHeader, size int) []byte {
	envelope := wire.AppendFragmentHeader(nil, h, size)
	payload := max(0, size-len(envelope))
	envelope = wire.AppendFragmentHeader(envelope[:0], h, payload)
	f.buffer = append(serverHeader(f.buffer[:0], len(envelope)+payload), envelope...)
	return append(f.buffer, make([]byte, payload)...)
}

func (f *floor) send(frame []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := 0; i < len(f.conns); {
		if _, err := f.conns[i].Write(frame); err != nil {
			_ = f.conns[i].Close()
			f.conns[i] = f.conns[len(f.conns)-1]
			f.conns = f.conns[:len(f.conns)-1]
			continue
		}
		i++
	}
}

// serverHeader appends the header of a whole binary frame (RFC 6455 5.2).
func serverHeader(dst []byte, size int) []byte {
	dst = append(dst, 0x80|opBinary)
	switch {
	case size < 126:
		return append(dst, byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(size))
	default:
		return binary.BigEndian.AppendUint64(append(dst, 127), uint64(size))
	}
}

// ErrNoPattern is returned by PatternOf for a report of viewers who received
// too little to tell.
var ErrNoPattern = errors.New("nothing was received")

// PatternOf returns what a steady viewer has received on average.
func PatternOf(o *Report) (Pattern, error) {
	g := o.Steady
	if g == nil || g.Videos == 0 {
		return Pattern{}, ErrNoPattern
	}
	each := 1 / (o.Seconds * float64(g.Viewers))
	p := Pattern{
		VideoRate:  float64(g.Videos) * each,
		VideoBytes: int(g.VideoBytes / g.Videos),
		Keyframes:  time.Second,
	}
	if sounds := g.Fragments - g.Videos; sounds > 0 {
		p.AudioRate = float64(sounds) * each
		p.AudioBytes = max(100, int((g.Bytes-g.VideoBytes)/sounds))
	}
	return p, nil
}
