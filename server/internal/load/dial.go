package load

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/wire"
)

const (
	// perAddress is how many connections leave from one loopback address. The
	// kernel hands out about 28,000 ports an address, and keeps each for a minute
	// after its connection has ended.
	perAddress = 4000

	// slowBuffer is what the kernel holds for a viewer who reads slowly or not at
	// all. Its default grows to megabytes, and would hide him from the server.
	slowBuffer = 64 << 10

	// maxRefusal bounds what is read of an answer that refuses a WebSocket.
	maxRefusal = 512
)

// dialer opens connections to one endpoint.
type dialer struct {
	url     *url.URL
	address string // of the endpoint, resolved
	tls     *tls.Config
	hello   []byte // the frame that opens a session
	spread  bool   // over the addresses of the loopback network
}

func newDialer(ctx context.Context, u *url.URL, token string) (*dialer, error) {
	d := &dialer{url: u}
	address := hostPort(u)
	// Resolve once, and try which of several addresses answers.
	probe, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	defer probe.Close()
	d.address = probe.RemoteAddr().String()
	if tcp, ok := probe.RemoteAddr().(*net.TCPAddr); ok {
		d.spread = tcp.IP.To4() != nil && tcp.IP.IsLoopback()
	}
	if u.Scheme == "wss" {
		d.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	hello, err := proto.Marshal(&pb.ClientMessage{Body: &pb.ClientMessage_Hello{Hello: &pb.Hello{
		ProtocolVersion: wire.ProtocolVersion,
		ClientName:      "framewire bench",
		Token:           token,
	}}})
	if err != nil {
		return nil, fmt.Errorf("make hello: %w", err)
	}
	d.hello = clientFrame(opBinary, hello)
	return d, nil
}

// dial opens the i-th connection, and with it a WebSocket on which Hello was
// sent. early is what the server has sent already.
func (d *dialer) dial(ctx context.Context, i int, slow bool) (conn net.Conn, early []byte, err error) {
	var nd net.Dialer
	if d.spread {
		nd.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i/perAddress%250))}
	}
	conn, err = nd.DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
			conn = nil
		}
	}()
	if tcp, ok := conn.(*net.TCPConn); ok && slow {
		if err := tcp.SetReadBuffer(slowBuffer); err != nil {
			return conn, nil, err
		}
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return conn, nil, err
		}
	}
	if d.tls != nil {
		secure := tls.Client(conn, d.tls)
		conn = secure
		if err := secure.HandshakeContext(ctx); err != nil {
			return conn, nil, err
		}
	}
	if early, err = d.upgrade(conn); err != nil {
		return conn, nil, err
	}
	if _, err = conn.Write(d.hello); err != nil {
		return conn, nil, err
	}
	return conn, early, conn.SetDeadline(time.Time{})
}

var errRefused = errors.New("refused")

// upgrade makes conn a WebSocket (RFC 6455 4.1). The key's echo is not checked:
// nothing depends on it here.
func (d *dialer) upgrade(conn net.Conn) ([]byte, error) {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	request := "GET " + d.url.RequestURI() + " HTTP/1.1\r\nHost: " + d.url.Host +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
		base64.StdEncoding.EncodeToString(key[:]) + "\r\nSec-WebSocket-Protocol: " + wire.SubprotocolProto + "\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(conn, 1<<10)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		defer response.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
		line, _, _ := strings.Cut(string(bytes.TrimSpace(said)), "\n")
		return nil, fmt.Errorf("%w with %s: %s", errRefused, response.Status, line)
	}
	if got := response.Header.Get("Sec-WebSocket-Protocol"); !strings.EqualFold(got, wire.SubprotocolProto) {
		return nil, fmt.Errorf("%w: the server chose subprotocol %q", errRefused, got)
	}
	early, err := r.Peek(r.Buffered())
	return bytes.Clone(early), err
}
