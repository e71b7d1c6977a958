package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAddressesArePrintedAndBothServeUntilTheEnd(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	line, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"--target", server.Addr().String(), "--profile", `{"refuse":true}`}, out)
	}()

	var printed struct{ Listen, Control string }
	if err := json.NewDecoder(line).Decode(&printed); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + printed.Control + "/profile")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if !strings.Contains(string(body), `"refuse":true`) {
		t.Errorf("the profile is %s", body)
	}
	if c, err := net.Dial("tcp", printed.Listen); err == nil {
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("a refused connection ended with %v", err)
		}
		c.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestWhatCannotWorkIsToldAtOnce(t *testing.T) {
	const target = "127.0.0.1:1"
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "--target is missing"},
		{[]string{"--target", target, "--profile", `{"down":{"dely_ms":20}}`}, `unknown field "dely_ms"`},
		{[]string{"--target", target, "--profile", `{"down":{"delay_ms":-1}}`}, "delay of -1ms"},
		{[]string{"--target", target, "--control", "0.0.0.0:0"}, "not on the loopback interface"},
		{[]string{"--target", target, "--listen", "127.0.0.1:-1"}, "listen for clients"},
	} {
		if err := run(t.Context(), c.args, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.args, err, c.want)
		}
	}
}

func TestEndsWhenNobodyReadsTheAddresses(t *testing.T) {
	closed, err := os.Open(os.DevNull) // not open for writing
	if err != nil {
		t.Fatal(err)
	}
	defer closed.Close()
	if err := run(t.Context(), []string{"--target", "127.0.0.1:1"}, closed); err == nil || !strings.Contains(err.Error(), "print addresses") {
		t.Errorf("run: %v", err)
	}
}
