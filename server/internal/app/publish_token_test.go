package app_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/auth"
)

func publishEnd(err error) framewirev1.PublishEndReason {
	var ended *client.PublishError
	if errors.As(err, &ended) {
		return ended.Reason
	}
	return 0
}

func TestTokenForPublishingAloneOpensAPublication(t *testing.T) {
	s := start(t, fmt.Sprintf("auth: {secret_file: %q}\npublish: {rules: [{streams: 'keyed/*', key: s3cret}]}\n", secretFile(t)))
	cam := token(t, time.Hour, []string{"cam/*"}, auth.Publish)
	watch := token(t, time.Hour, []string{"cam/*"}, auth.Watch)
	const badKey = framewirev1.PublishEndReason_PUBLISH_END_REASON_BAD_KEY
	for name, c := range map[string]struct {
		session, key, stream string
		want                 framewirev1.PublishEndReason
	}{
		"token of the session":             {cam, "", "cam/a", 0},
		"token as the key":                 {"", cam, "cam/b", 0},
		"key beside a token for watching":  {watch, "s3cret", "keyed/a", 0},
		"token beside a token to watch by": {watch, cam, "cam/c", 0},
		"token for another stream":         {cam, "", "other", badKey},
		"token for watching":               {watch, "", "cam/d", badKey},
		"wrong key beside a good token":    {cam, "guess", "cam/e", badKey},
		"nothing":                          {"", "", "cam/f", badKey},
	} {
		t.Run(name, func(t *testing.T) {
			v := s.must(client.Options{Token: c.session}, "")
			p, err := v.Publish(s.ctx, &framewirev1.PublishStart{Stream: c.stream, Key: c.key})
			if got := publishEnd(err); got != c.want || c.want == 0 && err != nil {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err == nil {
				if err := p.Close(s.ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Run("and does not play", func(t *testing.T) {
		var refusal *client.CommandError
		err := s.must(client.Options{Token: cam}, "").Play(s.ctx, "cam/a")
		if !errors.As(err, &refusal) || refusal.Code != framewirev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED {
			t.Errorf("%v", err)
		}
	})
	if strings.Contains(s.log.String(), cam) {
		t.Error("the token is in the log")
	}
}

func TestPublicationByATokenOfTheSessionLivesByTheNewOne(t *testing.T) {
	s := start(t, fmt.Sprintf("auth: {secret_file: %q}\n", secretFile(t)))
	v := s.must(client.Options{Token: token(t, time.Hour, []string{"cam/*"}, auth.Watch)}, "")
	start := &framewirev1.PublishStart{Stream: "cam/a"}
	if _, err := v.Publish(s.ctx, start); publishEnd(err) != framewirev1.PublishEndReason_PUBLISH_END_REASON_BAD_KEY {
		t.Fatalf("with a token for watching: %v", err)
	}
	if err := v.RefreshToken(s.ctx, token(t, time.Hour, []string{"cam/*"}, auth.Publish)); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Publish(s.ctx, start); err != nil {
		t.Errorf("with the new one: %v", err)
	}
}

func TestPublicationEndsWithTheTokenThatWasItsKey(t *testing.T) {
	s := start(t, fmt.Sprintf("auth: {secret_file: %q}\n", secretFile(t)))
	v := s.must(client.Options{}, "")
	p, err := v.Publish(s.ctx, &framewirev1.PublishStart{Stream: "cam", Key: token(t, 2*time.Second, []string{"cam"}, auth.Publish)})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	case <-s.ctx.Done():
		t.Fatal("it does not end")
	}
	if got := publishEnd(p.Err()); got != framewirev1.PublishEndReason_PUBLISH_END_REASON_TOKEN_EXPIRED {
		t.Errorf("it ended with %v", p.Err())
	}
}
