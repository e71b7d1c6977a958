package web_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/web"
	"github.com/framewire/framewire/server/internal/wire"
)

// What publishers have sent reaches those who watch before they are sent away.
func TestDrainDeliversWhatHasComeFirst(t *testing.T) {
	s := serve(t, web.Options{})
	studio := s.stream("a", 3)
	const viewers, pictures = 10, 60
	var players []*player
	for range viewers {
		p := s.dial(client.Options{}, "?stream=a")
		p.fragment()
		players = append(players, p)
	}
	for range pictures {
		studio.frame(false)
	}
	last := s.hub.Lookup("a").Tail().Next() - 1
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begun := time.Now()
	if err := s.Drain(ctx, wire.Restarting, time.Second); err != nil {
		t.Fatal(err)
	}
	for i, p := range players {
		var g *client.GoodbyeError
		var sequence uint64
		for g == nil {
			m, err := p.Receive(p.ctx)
			if f := m.GetFragment(); f != nil {
				sequence = f.GetSequence()
			}
			if err != nil && !errors.As(err, &g) {
				t.Fatal(err)
			}
		}
		if sequence != last {
			t.Errorf("viewer %d was sent away after fragment %d of %d", i, sequence, last)
		}
	}
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("took %v", took)
	}
}

func TestDrainSendsEverybodyAwaySpreadOut(t *testing.T) {
	s := serve(t, web.Options{})
	defer s.broadcast(2000)()
	const viewers = 20
	var players []*player
	for range viewers {
		p := s.dial(client.Options{}, "?stream=a")
		p.fragment()
		players = append(players, p)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	const spread = 10 * time.Second
	s.Refuse(wire.Restarting, spread)
	early, late := spread, time.Duration(0)
	turn := func(g *client.GoodbyeError) {
		if g.Reason != framewirev1.GoodbyeReason_GOODBYE_REASON_RESTARTING || g.RetryAfter <= 0 || g.RetryAfter > spread {
			t.Errorf("%v, to be back after %v", g.Reason, g.RetryAfter)
		}
		early, late = min(early, g.RetryAfter), max(late, g.RetryAfter)
	}
	// Whoever comes while the server goes is told the same, each another time.
	for range 3 * viewers {
		var g *client.GoodbyeError
		if _, err := client.Dial(ctx, "ws://"+s.addr+"/ws", client.Options{}); !errors.As(err, &g) {
			t.Fatalf("a new viewer: %v", err)
		}
		turn(g)
	}
	if late-early < spread/2 {
		t.Errorf("those who come are to be back between %v and %v", early, late)
	}
	if err := s.Drain(ctx, wire.Restarting, spread); err != nil {
		t.Fatal(err)
	}
	early, late = spread, 0
	times := make(map[time.Duration]bool)
	for _, p := range players {
		var g *client.GoodbyeError
		for err := error(nil); g == nil; {
			if _, err = p.Receive(p.ctx); err != nil && !errors.As(err, &g) {
				t.Fatalf("ended with %v", err)
			}
		}
		turn(g)
		times[g.RetryAfter] = true
	}
	if len(times) < viewers || late-early < spread*3/4 {
		t.Errorf("%d viewers come back at %d different times between %v and %v", viewers, len(times), early, late)
	}
	if late, err := client.Dial(ctx, "ws://"+s.addr+"/ws", client.Options{}); err == nil {
		_ = late.Close()
		t.Error("a new viewer was let in")
	}
}

// Clients that come back again and again while the server goes hold nobody up.
func TestDrainDoesNotWaitForThoseWhoComeBack(t *testing.T) {
	s := serve(t, web.Options{})
	s.demo("a")
	v := s.dial(client.Options{}, "?stream=a")
	v.fragment()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.Refuse(wire.Restarting, time.Second)
	coming, stop := context.WithCancel(ctx)
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			for coming.Err() == nil {
				ws, _, err := websocket.Dial(coming, "ws://"+s.addr+"/ws", &websocket.DialOptions{Subprotocols: wire.Subprotocols()})
				if err != nil {
					continue
				}
				time.Sleep(50 * time.Millisecond) // before it notices that it is refused
				_ = ws.CloseNow()
			}
		})
	}
	go func() {
		for _, err := v.Receive(v.ctx); err == nil; _, err = v.Receive(v.ctx) {
			continue
		}
	}()
	if err := s.Drain(ctx, wire.Restarting, time.Second); err != nil {
		t.Error(err)
	}
	stop()
	clients.Wait()
}
