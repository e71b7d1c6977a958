package app_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/auth"
)

func TestViewersOfASubjectAreLimited(t *testing.T) {
	s := start(t, fmt.Sprintf("streams: {cam: {source: 'demo:'}}\nauth: {secret_file: %q, public: ['cam']}\nlimits: {viewers_per_subject: 1}\n", secretFile(t)))
	of := func(subject string) string {
		made, err := auth.Sign(auth.Claims{RegisteredClaims: jwt.RegisteredClaims{
			Subject: subject, ID: fmt.Sprint(time.Now().UnixNano()), ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
		}}, []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	refresh := func(v *client.Session, token string) error {
		_, err := v.Do(s.ctx, &framewirev1.Command{Body: &framewirev1.Command_RefreshToken{RefreshToken: &framewirev1.RefreshToken{Token: token}}})
		return err
	}
	ann := s.must(client.Options{Token: of("ann")}, "?stream=cam")
	bob := s.must(client.Options{Token: of("bob")}, "?stream=cam")
	for range 3 { // whom tokens do not name
		s.fragment(s.must(client.Options{Token: of("")}, "?stream=cam"))
		s.fragment(s.must(client.Options{}, "?stream=cam"))
	}
	if _, err := s.dial(client.Options{Token: of("ann")}, "?stream=cam"); goodbye(err) != framewirev1.GoodbyeReason_GOODBYE_REASON_OVERLOADED {
		t.Errorf("a second session: %v", err)
	}
	if err := refresh(ann, of("ann")); err != nil {
		t.Errorf("a new token of one's own: %v", err)
	}
	var refusal *client.CommandError
	if err := refresh(bob, of("ann")); !errors.As(err, &refusal) || refusal.Code != framewirev1.ErrorCode_ERROR_CODE_OVERLOADED {
		t.Errorf("a token of another who is there: %v", err)
	}
	if err := refresh(ann, of("carol")); err != nil {
		t.Errorf("a token of one who is not there: %v", err)
	}
	again := s.must(client.Options{Token: of("ann")}, "?stream=cam")
	_ = again.Close() // the server may be the first to go
	s.wait("the place is free again", func() bool {
		v, err := client.Dial(s.ctx, "ws://"+s.addr+"/ws?stream=cam", client.Options{Token: of("ann")})
		if err == nil {
			_ = v.Close()
		}
		return err == nil
	})
}

func TestHolderOfATokenIsHeldToItsHandshakesAndCommands(t *testing.T) {
	yaml := fmt.Sprintf("streams: {cam: {source: 'demo:'}}\nauth: {secret_file: %q}\n", secretFile(t))
	s := start(t, yaml+"limits: {subject_handshakes_per_second: 1, subject_handshake_burst: 3, subject_commands_per_second: 1, subject_command_burst: 4}\n")
	of := func(subject string, actions ...auth.Action) string {
		made, err := auth.Sign(auth.Claims{Actions: actions, RegisteredClaims: jwt.RegisteredClaims{
			Subject: subject, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
		}}, []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	ann := of("ann", auth.Watch)
	first, second := s.must(client.Options{Token: ann}, ""), s.must(client.Options{}, "?token="+ann)

	// Commands, whichever session they come from.
	var refused *client.CommandError
	for range 40 {
		for _, v := range []*client.Session{first, second} {
			if err := v.SetVolume(s.ctx, 0.5); err != nil && !errors.As(err, &refused) {
				t.Fatal(err)
			}
		}
		if refused != nil {
			break
		}
	}
	if refused == nil || refused.Code != framewirev1.ErrorCode_ERROR_CODE_TOO_MANY_COMMANDS || refused.RetryAfter < time.Second {
		t.Errorf("commands: %+v", refused)
	}
	bob := s.must(client.Options{Token: of("bob", auth.Watch)}, "")
	for range 4 {
		if err := bob.SetVolume(s.ctx, 0.5); err != nil {
			t.Errorf("another's commands: %v", err)
		}
	}

	// Handshakes, over WebSocket and HTTP together.
	refusedIn := func(protocol string, try func() bool) {
		for range 40 {
			if try() {
				return
			}
		}
		t.Errorf("%s: nobody is refused", protocol)
	}
	refusedIn("a session", func() bool {
		v, err := s.dial(client.Options{Token: ann}, "")
		if err == nil {
			_ = v.Close()
		}
		var end *client.GoodbyeError
		return errors.As(err, &end) && end.Reason == framewirev1.GoodbyeReason_GOODBYE_REASON_OVERLOADED && end.RetryAfter >= time.Second
	})
	for _, path := range []string{"/streams/cam.mp4?token=" + ann, "/streams/cam.mjpeg?token=" + ann} {
		refusedIn(path[:16], func() bool {
			r, err := s.http.Get(s.url + path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			return r.StatusCode == 429 && r.Header.Get("Retry-After") != ""
		})
	}

	_, metrics := s.get("/metrics", "Authorization", "Bearer "+of("", auth.Admin))
	for _, line := range []string{
		`framewire_refusals_total{reason="too_many_commands_of_subject",what="command"} `,
		`framewire_refusals_total{reason="too_many_handshakes_of_subject",what="watch"} `,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics have no %s", line)
		}
	}
	if n := strings.Count(s.log.String(), "a client is refused that asks too often"); n > 4 { // two, or more where the machine is slow
		t.Errorf("logged %d times", n)
	}

	s.write(yaml)
	s.wait("the limits are gone", func() bool {
		v, err := s.dial(client.Options{Token: ann}, "")
		if err != nil {
			return false
		}
		defer v.Close()
		return v.SetVolume(s.ctx, 0.5) == nil
	})
}
