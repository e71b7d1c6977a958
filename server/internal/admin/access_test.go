package admin_test

import (
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/golang-jwt/jwt/v5"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/internal/admin"
	"github.com/framewire/framewire/server/internal/auth"
)

func TestWithoutTokensOnlyThisMachineIsLetIn(t *testing.T) {
	s := serve(t)
	for name, c := range map[string]struct {
		header []string
		want   int
	}{
		"this machine":            {nil, http.StatusOK},
		"localhost":               {[]string{"Host", "localhost:8080"}, http.StatusOK},
		"IPv6":                    {[]string{"Host", "[::1]:8080"}, http.StatusOK},
		"its own page":            {[]string{"Origin", "http://" + s.addr, "Sec-Fetch-Site", "same-origin"}, http.StatusOK},
		"another page":            {[]string{"Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"another port's page":     {[]string{"Origin", "http://localhost:1", "Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		"a name that points here": {[]string{"Host", "evil.example"}, http.StatusForbidden},
		"through a proxy":         {[]string{"X-Forwarded-For", "192.0.2.1"}, http.StatusForbidden},
		"through another":         {[]string{"Forwarded", "for=192.0.2.1"}, http.StatusForbidden},
	} {
		if status, answer := s.call("ListStreams", "{}", c.header...); status != c.want {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	s.access.Store(&admin.Access{})
	if status, answer := s.call("ListStreams", "{}"); status != http.StatusForbidden || answer["code"] != "permission_denied" {
		t.Errorf("closed: %d %v", status, answer)
	}
}

func TestTokensSayWhoMayDoWhat(t *testing.T) {
	s := serve(t)
	p := s.play("demo", obey)
	idle := s.play("", obey)
	in := func(d time.Duration) jwt.RegisteredClaims {
		return jwt.RegisteredClaims{Subject: "ann", ExpiresAt: jwt.NewNumericDate(time.Now().Add(d))}
	}
	adminToken, verifier := signed(t, auth.Claims{RegisteredClaims: in(time.Hour), Actions: []auth.Action{auth.Admin}})
	control, _ := signed(t, auth.Claims{RegisteredClaims: in(time.Hour), Actions: []auth.Action{auth.Control}, Streams: []string{"de*"}})
	elsewhere, _ := signed(t, auth.Claims{RegisteredClaims: in(time.Hour), Actions: []auth.Action{auth.Control}, Streams: []string{"cam/*"}})
	watch, _ := signed(t, auth.Claims{RegisteredClaims: in(time.Hour)})
	expired, _ := signed(t, auth.Claims{RegisteredClaims: in(-time.Hour), Actions: []auth.Action{auth.Admin}})
	bound, _ := signed(t, auth.Claims{RegisteredClaims: in(time.Hour), Actions: []auth.Action{auth.Admin}, Address: "192.0.2.0/24"})
	s.access.Store(&admin.Access{Verifier: verifier})

	const (
		ok           = http.StatusOK
		unauthorized = http.StatusUnauthorized
		forbidden    = http.StatusForbidden
	)
	for name, c := range map[string]struct {
		token                 string
		list, keyframe, kickP int
		one, all              connect.Code // of SendDirective; 0: done
	}{
		"none":      {"", unauthorized, unauthorized, unauthorized, connect.CodeUnauthenticated, connect.CodeUnauthenticated},
		"nonsense":  {"abc", unauthorized, unauthorized, unauthorized, connect.CodeUnauthenticated, connect.CodeUnauthenticated},
		"expired":   {expired, unauthorized, unauthorized, unauthorized, connect.CodeUnauthenticated, connect.CodeUnauthenticated},
		"bound":     {bound, forbidden, forbidden, forbidden, connect.CodePermissionDenied, connect.CodePermissionDenied},
		"watch":     {watch, forbidden, forbidden, forbidden, connect.CodePermissionDenied, connect.CodePermissionDenied},
		"elsewhere": {elsewhere, forbidden, forbidden, forbidden, connect.CodePermissionDenied, connect.CodePermissionDenied},
		"control":   {control, forbidden, http.StatusBadRequest, http.StatusNotFound, 0, connect.CodePermissionDenied},
		"admin":     {adminToken, ok, http.StatusBadRequest, http.StatusNotFound, 0, 0},
	} {
		header := []string{}
		if c.token != "" {
			header = []string{"Authorization", "Bearer " + c.token}
		}
		for method, want := range map[string]int{"ListStreams": c.list, "RequestStreamKeyframe": c.keyframe, "KickPublisher": c.kickP} {
			body := `{"stream":"demo"}`
			if method == "ListStreams" {
				body = "{}"
			}
			if status, answer := s.call(method, body, header...); status != want {
				t.Errorf("%s, %s: %d %v, want %d", name, method, status, answer, want)
			}
		}
		direct := func(r *framewirev1.SendDirectiveRequest, want connect.Code) {
			r.Directive = notice("x")
			request := connect.NewRequest(r)
			if c.token != "" {
				request.Header().Set("Authorization", "Bearer "+c.token)
			}
			answers, err := s.client().SendDirective(s.ctx, request)
			if err != nil {
				t.Fatal(err)
			}
			defer answers.Close()
			for answers.Receive() {
			}
			if got := answers.Err(); want == 0 && got != nil || want != 0 && connect.CodeOf(got) != want {
				t.Errorf("%s, %v: %v, want %v", name, r.GetTarget(), got, want)
			}
		}
		direct(&framewirev1.SendDirectiveRequest{Target: &framewirev1.SendDirectiveRequest_SessionId{SessionId: p.id}}, c.one)
		direct(&framewirev1.SendDirectiveRequest{Target: &framewirev1.SendDirectiveRequest_SessionId{SessionId: idle.id}}, c.all)
		direct(&framewirev1.SendDirectiveRequest{Target: &framewirev1.SendDirectiveRequest_All{All: true}}, c.all)
	}
}

func TestWatchEndsWithItsToken(t *testing.T) {
	s := serve(t)
	// Tokens tell whole seconds, and clocks may differ a little: see auth.
	token, verifier := signed(t, auth.Claims{
		RegisteredClaims: jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(time.Now().Add(4 * time.Second))},
		Actions:          []auth.Action{auth.Admin},
	})
	s.access.Store(&admin.Access{Verifier: verifier})
	request := connect.NewRequest(&framewirev1.WatchEventsRequest{})
	request.Header().Set("Authorization", "Bearer "+token)
	watch, err := s.client().WatchEvents(s.ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	for watch.Receive() {
	}
	code(t, "the end", watch.Err(), connect.CodeUnauthenticated)
}
