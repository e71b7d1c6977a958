//go:build unix

package app_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	framewirev1 "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/server/client"
)

func TestHangupReadsKeysAgain(t *testing.T) {
	path := secretFile(t)
	s := start(t, "streams: {cam: {source: 'demo:'}}\nauth: {secret_file: '"+path+"'}\n")
	old := token(t, patience*10, nil)
	s.fragment(s.must(client.Options{Token: old}, "?stream=cam"))
	if err := os.WriteFile(path, []byte("another secret of thirty-two bytes, or more"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.wait("it was read", func() bool { return strings.Contains(s.log.String(), "configuration was read again") })
	if _, err := s.dial(client.Options{Token: old}, ""); goodbye(err) != framewirev1.GoodbyeReason_GOODBYE_REASON_UNAUTHORIZED {
		t.Errorf("a token of the old key: %v", err)
	}
}
