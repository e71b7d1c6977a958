package app_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
	"github.com/framewire/framewire/server/internal/auth"
)

// Whatever goes wrong with what is secret, nobody reads it in logs, events,
// metrics or what operators are shown.
func TestSecretsAreShownNowhere(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatal("ffmpeg is missing; install ffmpeg")
	}
	const (
		key      = "the-stream-key-4711"
		guess    = "a-guessed-key-4712"
		password = "camera-pass-4713"
	)
	s := start(t, fmt.Sprintf(`
streams:
  cam: {source: "rtsp://viewer:%[1]s@127.0.0.1:1/stream?auth=%[1]s"}
  demo: {source: "demo:"}
auth: {secret_file: %[2]q}
publish: {rtmp: "127.0.0.1:0", rules: [{streams: "pub/*", key: %[3]s}]}
`, password, secretFile(t), key))
	admin := token(t, time.Hour, nil, auth.Admin)
	watch := token(t, time.Hour, []string{"demo"})
	expired := token(t, -time.Hour, nil)
	secrets := map[string]string{
		"the signing secret": secret, "a stream key": key, "a guessed key": guess, "a camera's password": password,
		"an operator's token": admin, "a viewer's token": watch, "an expired token": expired, "a bad token": "not-a-token-4714",
	}

	// Viewers, in every way that a token can be given.
	s.fragment(s.must(client.Options{Token: watch}, "?stream=demo"))
	s.fragment(s.must(client.Options{}, "?stream=demo&token="+watch))
	for _, bad := range []string{expired, "not-a-token-4714", watch} {
		_, _ = s.dial(client.Options{Token: bad}, "?stream=cam")
		_, _ = s.dial(client.Options{}, "?stream=cam&token="+bad)
		s.get("/streams/cam.mp4?token=" + bad)
		s.get("/files/demo?token=" + bad)
		s.get("/metrics", "Authorization", "Bearer "+bad)
	}
	// Publishers.
	for _, k := range []string{key, guess, expired, admin} {
		r, err := http.NewRequestWithContext(s.ctx, http.MethodPut, s.url+"/publish/pub/put?key="+k, strings.NewReader("no media"))
		if err != nil {
			t.Fatal(err)
		}
		if response, err := s.http.Do(r); err == nil {
			_ = response.Body.Close()
		}
	}
	found := regexp.MustCompile(`rtmp listening" addr=(\S+)`).FindStringSubmatch(s.log.String())
	if found == nil {
		t.Fatal("no RTMP")
	}
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	for _, k := range []string{key, guess} {
		_ = exec.CommandContext(ctx, "ffmpeg", "-loglevel", "quiet", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=5:duration=1",
			"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-f", "flv", "rtmp://"+found[1]+"/live/pub/rtmp?key="+k).Run()
	}
	if c, err := net.Dial("tcp", found[1]); err == nil {
		_, _ = c.Write([]byte(key))
		_ = c.Close()
	}
	s.wait("the camera has failed", func() bool { return strings.Contains(s.log.String(), "source failed") })

	// What operators are shown.
	shown := map[string]string{"the log": s.log.String()}
	_, shown["the metrics"] = s.get("/metrics", "Authorization", "Bearer "+admin)
	if !strings.Contains(shown["the metrics"], "framewire_refusals_total") {
		t.Errorf("no metrics: %.200s", shown["the metrics"])
	}
	bearer := func(r connect.AnyRequest) { r.Header().Set("Authorization", "Bearer "+admin) }
	streams := connect.NewRequest(&framewirev1.ListStreamsRequest{})
	bearer(streams)
	list, err := s.admin().ListStreams(s.ctx, streams)
	if err != nil {
		t.Fatal(err)
	}
	shown["the list of streams"] = protojson.Format(list.Msg)
	if !strings.Contains(shown["the list of streams"], "127.0.0.1:1/stream") {
		t.Errorf("the camera is not shown: %s", shown["the list of streams"])
	}
	viewers := connect.NewRequest(&framewirev1.ListSessionsRequest{})
	bearer(viewers)
	sessions, err := s.admin().ListSessions(s.ctx, viewers)
	if err != nil {
		t.Fatal(err)
	}
	shown["the list of sessions"] = protojson.Format(sessions.Msg)
	request := connect.NewRequest(&framewirev1.WatchEventsRequest{Recent: 1000})
	bearer(request)
	events, err := s.admin().WatchEvents(s.ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	kick := connect.NewRequest(&framewirev1.RestartSourceRequest{Stream: "demo"})
	bearer(kick)
	if _, err := s.admin().RestartSource(s.ctx, kick); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for events.Receive() {
		e := events.Msg().GetEvent()
		shown["the events"] += protojson.Format(e)
		if e.GetRefused() != nil {
			refused++
		}
		if e.GetOperatorActed().GetMethod() == "RestartSource" {
			break
		}
	}
	if refused == 0 {
		t.Error("nobody was refused")
	}
	for where, text := range shown {
		for what, s := range secrets {
			if i := strings.Index(text, s); i >= 0 {
				t.Errorf("%s is in %s: ...%s", what, where, text[max(0, i-200):min(len(text), i+len(s)+20)])
			}
		}
	}
}
