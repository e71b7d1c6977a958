package admin_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"connectrpc.com/connect"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/gen/go/framewire/v1/framewirev1connect"
)

// call posts JSON as curl does.
func (s *site) call(method, body string, header ...string) (int, map[string]any) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, "http://"+s.addr+"/framewire.v1.AdminService/"+method, bytes.NewBufferString(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	response, err := s.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(data, &answer); err != nil {
		s.t.Fatalf("%s answers %d %q: %v", method, response.StatusCode, data, err)
	}
	return response.StatusCode, answer
}

func TestServiceAnswersJSON(t *testing.T) {
	s := serve(t)
	status, answer := s.call("GetStream", `{"stream":"demo"}`)
	stream, _ := answer["stream"].(map[string]any)
	info, _ := stream["info"].(map[string]any)
	if status != http.StatusOK || info["name"] != "demo" || info["status"] != "STREAM_STATUS_LIVE" || stream["source"] != "demo:" {
		t.Errorf("%d %v", status, answer)
	}
	if status, answer := s.call("GetStream", `{"stream":"none"}`); status != http.StatusNotFound || answer["code"] != "not_found" {
		t.Errorf("an unknown stream: %d %v", status, answer)
	}
	if status, answer := s.call("GetStream", `{"stream":7}`); status != http.StatusBadRequest || answer["code"] != "invalid_argument" {
		t.Errorf("a number for a name: %d %v", status, answer)
	}
}

// protocols are those that the service speaks. gRPC needs HTTP/2, which without
// TLS has to be asked for.
func protocols(s *site) map[string]framewirev1connect.AdminServiceClient {
	two := new(http.Protocols)
	two.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: two}
	s.t.Cleanup(transport.CloseIdleConnections)
	return map[string]framewirev1connect.AdminServiceClient{
		"connect": s.client(),
		"get":     s.client(connect.WithHTTPGet()),
		"grpcweb": s.client(connect.WithGRPCWeb()),
		"grpc":    framewirev1connect.NewAdminServiceClient(&http.Client{Transport: transport}, "http://"+s.addr, connect.WithGRPC()),
	}
}

func TestServiceSpeaksEachProtocol(t *testing.T) {
	s := serve(t)
	p := s.play("demo", obey)
	for name, c := range protocols(s) {
		list, err := c.ListStreams(s.ctx, connect.NewRequest(&framewirev1.ListStreamsRequest{}))
		streams := must(t, list, err).GetStreams()
		if len(streams) != 1 || streams[0].GetEpoch() != 1 || streams[0].GetRingBytes() == 0 || len(streams[0].GetInfo().GetTracks()) != 2 {
			t.Errorf("%s: %v", name, streams)
		}
		_, err = c.GetSession(s.ctx, connect.NewRequest(&framewirev1.GetSessionRequest{SessionId: "none"}))
		code(t, name, err, connect.CodeNotFound)
		answers, err := c.SendDirective(s.ctx, connect.NewRequest(&framewirev1.SendDirectiveRequest{
			Target:    &framewirev1.SendDirectiveRequest_SessionId{SessionId: p.id},
			Directive: &framewirev1.Directive{Body: &framewirev1.Directive_Pause{Pause: &framewirev1.DirectivePause{}}},
		}))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n := 0
		for answers.Receive() {
			n++
			if answers.Msg().GetSessionId() != p.id || answers.Msg().GetDone() == nil {
				t.Errorf("%s: %v", name, answers.Msg())
			}
		}
		if err := answers.Err(); err != nil || n != 1 {
			t.Errorf("%s: %d answers, %v", name, n, err)
		}
		_ = answers.Close()
	}
}

func TestStreamsComeAndGo(t *testing.T) {
	s := serve(t)
	c := s.client()
	add := func(name, source string) error {
		_, err := c.AddStream(s.ctx, connect.NewRequest(&framewirev1.AddStreamRequest{Stream: name, Source: source}))
		return err
	}
	if err := add("cam/1", "demo2:"); err != nil {
		t.Fatal(err)
	}
	s.live("cam/1")
	code(t, "a name twice", add("cam/1", "demo:"), connect.CodeAlreadyExists)
	code(t, "a name that paths cannot carry", add("../x", "demo:"), connect.CodeInvalidArgument)
	code(t, "no source", add("x", ""), connect.CodeInvalidArgument)
	code(t, "a source that means nothing", add("x", "what:"), connect.CodeInvalidArgument)
	code(t, "a source that is not allowed", add("x", "exec:"), connect.CodeFailedPrecondition)

	viewer := s.play("cam/1", obey)
	_, err := c.RestartSource(s.ctx, connect.NewRequest(&framewirev1.RestartSourceRequest{Stream: "cam/1"}))
	if err != nil {
		t.Fatal(err)
	}
	s.wait("the source runs again", func() bool {
		got, err := c.GetStream(s.ctx, connect.NewRequest(&framewirev1.GetStreamRequest{Stream: "cam/1"}))
		stream := must(t, got, err).GetStream()
		return stream.GetEpoch() == 2 && stream.GetRestarts() == 1
	})
	_, err = c.RequestStreamKeyframe(s.ctx, connect.NewRequest(&framewirev1.RequestStreamKeyframeRequest{Stream: "cam/1"}))
	code(t, "a keyframe of a clip", err, connect.CodeFailedPrecondition)

	remove := func(name string) error {
		_, err := c.RemoveStream(s.ctx, connect.NewRequest(&framewirev1.RemoveStreamRequest{Stream: name}))
		return err
	}
	if err := remove("cam/1"); err != nil {
		t.Fatal(err)
	}
	code(t, "removed twice", remove("cam/1"), connect.CodeNotFound)
	s.wait("the viewer has no stream", func() bool { return s.Lookup(viewer.id).Snapshot().State.Stream == "" })
	_, err = c.RestartSource(s.ctx, connect.NewRequest(&framewirev1.RestartSourceRequest{Stream: "cam/1"}))
	code(t, "restart of none", err, connect.CodeNotFound)
}

func TestFailingSourceIsTold(t *testing.T) {
	s := serve(t)
	c := s.client()
	if _, err := c.AddStream(s.ctx, connect.NewRequest(&framewirev1.AddStreamRequest{Stream: "bad", Source: "fails:"})); err != nil {
		t.Fatal(err)
	}
	s.wait("it failed twice", func() bool {
		got, err := c.GetStream(s.ctx, connect.NewRequest(&framewirev1.GetStreamRequest{Stream: "bad"}))
		stream := must(t, got, err).GetStream()
		return stream.GetRestarts() >= 2 && stream.GetSourceError() == "no such camera \uFFFD"
	})
}

func TestGetServerTellsFigures(t *testing.T) {
	s := serve(t)
	s.play("demo", obey)
	var g *framewirev1.GetServerResponse
	s.wait("media was sent", func() bool {
		r, err := s.client().GetServer(s.ctx, connect.NewRequest(&framewirev1.GetServerRequest{}))
		g = must(t, r, err)
		return g.GetSentBytes() > 0
	})
	if g.GetVersion() != "test" || g.GetSessions() != 1 || g.GetStreams() != 1 || g.GetGoroutines() == 0 || g.GetMemoryBytes() == 0 ||
		g.GetStartedAtUnixUs() > g.GetNowUnixUs() {
		t.Errorf("%v", g)
	}
}
