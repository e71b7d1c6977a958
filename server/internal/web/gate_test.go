package web_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"testing"

	"github.com/coder/websocket"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/web"
)

func TestAddressThatConnectsTooOftenIsToldWhenToComeBack(t *testing.T) {
	const burst, tries = 3, 50
	for name, protocol := range map[string]string{"proto": client.Proto, "json": client.JSON} {
		t.Run(name, func(t *testing.T) {
			told := make(chan string, tries)
			s := serve(t, web.Options{Gate: gate.New(gate.Options{
				Limits:  gate.Limits{PerSecond: 1, Burst: burst},
				Refused: func(what string, from netip.Addr, _ *gate.Refusal) { told <- what + " " + from.String() },
			})})
			for range 2 * burst { // what opens no session does not count
				s.text("/ws")
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			opened, typed, curt := 0, 0, 0
			for range tries {
				var goodbye *client.GoodbyeError
				v, err := client.Dial(ctx, "ws://"+s.addr+"/ws", client.Options{Subprotocol: protocol})
				if err == nil {
					opened++
					defer v.Close()
					continue
				}
				if errors.As(err, &goodbye) {
					typed++
					if goodbye.Reason != framewirev1.GoodbyeReason_GOODBYE_REASON_OVERLOADED || goodbye.RetryAfter <= 0 {
						t.Errorf("%v, to come back after %v", goodbye, goodbye.RetryAfter)
					}
					continue
				}
				ws, r, err := websocket.Dial(ctx, "ws://"+s.addr+"/ws", &websocket.DialOptions{Subprotocols: []string{protocol}})
				if err != nil && r != nil && r.StatusCode == http.StatusTooManyRequests && r.Header.Get("Retry-After") != "" {
					curt++
					break
				}
				if ws != nil { // its time has come meanwhile
					_ = ws.CloseNow()
				}
			}
			if opened < burst || typed < burst || curt == 0 {
				t.Errorf("%d opened, %d told in the protocol, %d by HTTP", opened, typed, curt)
			}
			if got := <-told; got != "watch 127.0.0.1" {
				t.Errorf("told of %q", got)
			}
		})
	}
}

func TestCommandsOfAnAddressAreLimitedOverAllItsSessions(t *testing.T) {
	const burst = 6
	told := make(chan error, 1000)
	s := serve(t, web.Options{Sessions: session.Options{CommandBurst: 4, CommandsPerSecond: 1,
		Commands: gate.New(gate.Options{
			Kind: gate.Commands, Limits: gate.Limits{PerSecond: 1, Burst: burst},
			Refused: func(_ string, _ netip.Addr, r *gate.Refusal) { told <- r },
		}),
		Hooks: session.Hooks{Hurried: func(_, _ string, r *gate.Refusal) { told <- r }},
	}})
	first, second := s.dial(client.Options{}), s.dial(client.Options{})
	reasons := make(map[string]int)
	for range 50 { // until both limits were met, on however slow a machine
		for _, v := range []*player{first, second, second} {
			var refusal *client.CommandError
			switch err := v.SetVolume(v.ctx, 0.5); {
			case err == nil:
			case errors.As(err, &refusal) && refusal.Code == framewirev1.ErrorCode_ERROR_CODE_TOO_MANY_COMMANDS && refusal.RetryAfter > 0:
				reasons[errors.Unwrap(<-told).Error()]++
			default:
				t.Fatal(err)
			}
		}
		if len(reasons) == 2 {
			return
		}
	}
	t.Errorf("refused: %v", reasons)
}
