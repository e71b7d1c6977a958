package admin_test

import (
	"context"
	"errors"
	"testing"

	"connectrpc.com/connect"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
)

func notice(text string) *framewirev1.Directive {
	return &framewirev1.Directive{Body: &framewirev1.Directive_ShowNotice{ShowNotice: &framewirev1.ShowNotice{Text: text}}}
}

func TestEachPlayersAnswerIsStreamedAsItComes(t *testing.T) {
	s := serve(t)
	done, refused, silent := s.play("demo", obey), s.play("demo", refuse), s.play("demo", ignore)
	other := s.play("", obey)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	answers, err := s.client().SendDirective(ctx, connect.NewRequest(&framewirev1.SendDirectiveRequest{
		Target: &framewirev1.SendDirectiveRequest_Stream{Stream: "demo"}, Directive: notice("Hello"), TimeoutMs: 60_000,
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Close()
	got := map[string]*framewirev1.SendDirectiveResponse{}
	for range 2 { // they come although one player does not answer
		if !answers.Receive() {
			t.Fatal(answers.Err())
		}
		got[answers.Msg().GetSessionId()] = answers.Msg()
	}
	if got[done.id].GetDone() == nil || got[refused.id].GetError().GetMessage() != "not this one" {
		t.Errorf("%v", got)
	}
	if d := <-done.got; d.GetShowNotice().GetText() != "Hello" || d.GetId() == 0 {
		t.Errorf("the player got %v", d)
	}
	// A player that leaves has not answered.
	_ = silent.Close()
	if !answers.Receive() || !answers.Msg().GetUnanswered() || answers.Msg().GetSessionId() != silent.id {
		t.Errorf("%v, %v", answers.Msg(), answers.Err())
	}
	if answers.Receive() || answers.Err() != nil {
		t.Errorf("after the last answer: %v, %v", answers.Msg(), answers.Err())
	}
	select {
	case d := <-other.got:
		t.Errorf("a viewer of nothing got %v", d)
	default:
	}
}

func TestSilentPlayerIsWaitedForNoLongerThanAsked(t *testing.T) {
	s := serve(t)
	p := s.play("demo", ignore)
	answers, err := s.client().SendDirective(s.ctx, connect.NewRequest(&framewirev1.SendDirectiveRequest{
		Target: &framewirev1.SendDirectiveRequest_All{All: true}, Directive: notice("x"), TimeoutMs: 50,
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Close()
	if !answers.Receive() || !answers.Msg().GetUnanswered() || answers.Msg().GetSessionId() != p.id {
		t.Errorf("%v, %v", answers.Msg(), answers.Err())
	}
}

func TestEveryDirectiveReachesThePlayer(t *testing.T) {
	s := serve(t)
	p := s.play("demo", obey)
	for _, d := range []*framewirev1.Directive{
		{Body: &framewirev1.Directive_Play{Play: &framewirev1.DirectivePlay{}}},
		{Body: &framewirev1.Directive_Pause{Pause: &framewirev1.DirectivePause{}}},
		{Body: &framewirev1.Directive_SetVolume{SetVolume: &framewirev1.SetVolume{Volume: 0.25}}},
		{Body: &framewirev1.Directive_SetMuted{SetMuted: &framewirev1.SetMuted{Muted: true}}},
		{Body: &framewirev1.Directive_SwitchStream{SwitchStream: &framewirev1.SwitchStream{Stream: "cam/2"}}},
		{Body: &framewirev1.Directive_GoLive{GoLive: &framewirev1.GoLive{}}},
		{Body: &framewirev1.Directive_ShowNotice{ShowNotice: &framewirev1.ShowNotice{Text: "t", DurationMs: 3000}}},
	} {
		answers, err := s.client().SendDirective(s.ctx, connect.NewRequest(&framewirev1.SendDirectiveRequest{
			Target: &framewirev1.SendDirectiveRequest_SessionId{SessionId: p.id}, Directive: d,
		}))
		if err != nil {
			t.Fatal(err)
		}
		if !answers.Receive() || answers.Msg().GetDone() == nil {
			t.Errorf("%v: %v, %v", d, answers.Msg(), answers.Err())
		}
		_ = answers.Close()
		got := <-p.got
		got.Id = 0
		if got.String() != d.String() {
			t.Errorf("the player got %v, want %v", got, d)
		}
	}
}

func TestBadDirectivesAreRefused(t *testing.T) {
	s := serve(t)
	p := s.play("demo", obey)
	one := &framewirev1.SendDirectiveRequest_SessionId{SessionId: p.id}
	for name, c := range map[string]struct {
		request *framewirev1.SendDirectiveRequest
		want    connect.Code
	}{
		"nobody":         {&framewirev1.SendDirectiveRequest{Directive: notice("x")}, connect.CodeInvalidArgument},
		"all but not":    {&framewirev1.SendDirectiveRequest{Target: &framewirev1.SendDirectiveRequest_All{}, Directive: notice("x")}, connect.CodeInvalidArgument},
		"nothing":        {&framewirev1.SendDirectiveRequest{Target: one}, connect.CodeInvalidArgument},
		"no text":        {&framewirev1.SendDirectiveRequest{Target: one, Directive: notice("")}, connect.CodeInvalidArgument},
		"long wait":      {&framewirev1.SendDirectiveRequest{Target: one, Directive: notice("x"), TimeoutMs: 60_001}, connect.CodeInvalidArgument},
		"gone session":   {&framewirev1.SendDirectiveRequest{Target: &framewirev1.SendDirectiveRequest_SessionId{SessionId: "none"}, Directive: notice("x")}, connect.CodeNotFound},
		"unknown stream": {&framewirev1.SendDirectiveRequest{Target: &framewirev1.SendDirectiveRequest_Stream{Stream: "none"}, Directive: notice("x")}, connect.CodeNotFound},
		"loud": {&framewirev1.SendDirectiveRequest{Target: one, Directive: &framewirev1.Directive{
			Body: &framewirev1.Directive_SetVolume{SetVolume: &framewirev1.SetVolume{Volume: 2}},
		}}, connect.CodeInvalidArgument},
	} {
		answers, err := s.client().SendDirective(s.ctx, connect.NewRequest(c.request))
		if err != nil {
			t.Fatal(err)
		}
		if answers.Receive() {
			t.Errorf("%s: %v", name, answers.Msg())
		}
		code(t, name, answers.Err(), c.want)
		_ = answers.Close()
	}
}

func TestWatchTellsOfSessions(t *testing.T) {
	s := serve(t)
	first := s.play("demo", obey)
	s.wait("the first is logged", func() bool { return s.Lookup(first.id) != nil })
	watch, err := s.client().WatchEvents(s.ctx, connect.NewRequest(&framewirev1.WatchEventsRequest{Recent: 100}))
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	next := func() *framewirev1.Event {
		t.Helper()
		if !watch.Receive() {
			t.Fatal(watch.Err())
		}
		return watch.Msg().GetEvent()
	}
	if next() != nil {
		t.Error("a watch begins with an event")
	}
	if e := next(); e.GetSessionId() != first.id || e.GetSessionOpened().GetClient() != "tester 2" {
		t.Errorf("%v", e)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if e := next(); e.GetSessionId() != first.id || e.GetStream() != "demo" ||
		e.GetSessionClosed().GetReason() != framewirev1.GoodbyeReason_GOODBYE_REASON_CLIENT_LEFT {
		t.Errorf("%v", e)
	}
	if _, err := s.client().RestartSource(s.ctx, connect.NewRequest(&framewirev1.RestartSourceRequest{Stream: "demo"})); err != nil {
		t.Fatal(err)
	}
	if e := next(); e.GetOperatorActed().GetMethod() != "RestartSource" || e.GetStream() != "demo" {
		t.Errorf("%v", e)
	}
	s.service.Close()
	if watch.Receive() {
		t.Errorf("after the end: %v", watch.Msg())
	}
	code(t, "the end", watch.Err(), connect.CodeUnavailable)
	var e *connect.Error
	if !errors.As(watch.Err(), &e) {
		t.Error(watch.Err())
	}
}
