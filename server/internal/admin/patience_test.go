package admin_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/gen/go/framewire/v1/framewirev1connect"
	"github.com/framewire/framewire/server/internal/events"
)

// small makes connections that take little before their reader has to read.
func small(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if tcp, ok := c.(*net.TCPConn); ok {
		err = tcp.SetReadBuffer(4 << 10)
	}
	return c, err
}

func TestStalledOperatorsAreLetGo(t *testing.T) {
	for name, protocols := range map[string]func(*http.Protocols){
		"HTTP/1": func(p *http.Protocols) { p.SetHTTP1(true) },
		"HTTP/2": func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			transport := &http.Transport{DialContext: small, Protocols: new(http.Protocols)}
			protocols(transport.Protocols)
			defer transport.CloseIdleConnections()
			api := framewirev1connect.NewAdminServiceClient(&http.Client{Transport: transport}, "http://"+s.addr,
				connect.WithAcceptCompression("gzip", nil, nil)) // as it is, there is more of it
			watch, err := api.WatchEvents(s.ctx, connect.NewRequest(&framewirev1.WatchEventsRequest{}))
			if err != nil || !watch.Receive() {
				t.Fatal(err, watch.Err())
			}
			defer watch.Close()
			if n := s.watching.Load(); n != 1 {
				t.Fatalf("%d calls", n)
			}
			// From here on nobody reads.
			text := strings.Repeat("x", 4<<10)
			ticker := time.NewTicker(time.Millisecond)
			defer ticker.Stop()
			for s.watching.Load() > 0 {
				s.events.Emit(events.Event{Stream: "demo", Body: events.StreamStatus{Message: text}})
				select {
				case <-ticker.C:
				case <-s.ctx.Done():
					t.Fatal("the call goes on")
				}
			}
		})
	}
}

func TestWatchOutlivesTheTimeoutWhileNothingHappens(t *testing.T) {
	s := serve(t)
	watch, err := framewirev1connect.NewAdminServiceClient(s.http, "http://"+s.addr).WatchEvents(s.ctx, connect.NewRequest(&framewirev1.WatchEventsRequest{}))
	if err != nil || !watch.Receive() {
		t.Fatal(err, watch.Err())
	}
	defer watch.Close()
	<-time.After(2 * stall)
	s.events.Emit(events.Event{Stream: "late", Body: events.StreamStatus{}})
	for watch.Receive() {
		if watch.Msg().GetEvent().GetStream() == "late" {
			return
		}
	}
	t.Error(watch.Err())
}
