package app_test

import (
	"errors"
	"fmt"
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
