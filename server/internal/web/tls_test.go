package web_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/web"
)

func TestSessionOverTLSGathersToo(t *testing.T) {
	s := serve(t, web.Options{})
	studio := s.stream("a", 3)
	secure := httptest.NewUnstartedServer(s.Server)
	secure.Listener = web.Listen(secure.Listener)
	secure.Config.ConnContext = web.ConnContext
	secure.StartTLS()
	defer secure.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	http := secure.Client()
	defer http.CloseIdleConnections()
	session, err := client.Dial(ctx, "wss"+secure.URL[len("https"):]+"/ws?stream=a", client.Options{HTTPClient: http})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	p := &player{Session: session, t: t, ctx: ctx}
	studio.size = 100 << 10
	studio.group(3)
	for want := range uint64(12) {
		if f := p.fragment(); f.GetSequence() != want {
			t.Fatalf("got %d, want %d", f.GetSequence(), want)
		}
	}
}
