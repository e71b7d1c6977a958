package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestPageIsToldHowToPublish(t *testing.T) {
	for name, c := range map[string]struct {
		yaml, key string
		rtmp      bool
	}{
		"loopback":     {"publish: {rtmp: '127.0.0.1:0'}", "none", true},
		"without RTMP": {"", "none", false},
		"with a key":   {"publish: {rules: [{streams: '**', key: s3cret}]}", "needed", false},
		"with tokens":  {fmt.Sprintf("auth: {secret_file: %q}", secretFile(t)), "needed", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, c.yaml)
			status, body := s.get("/publish")
			var said struct {
				RTMP, RTMPS int
				WHIP        bool
				Key         string
			}
			if err := json.Unmarshal([]byte(body), &said); err != nil || status != http.StatusOK {
				t.Fatalf("%d %s: %v", status, body, err)
			}
			if said.Key != c.key || said.RTMP != 0 != c.rtmp || said.RTMPS != 0 || said.WHIP {
				t.Errorf("%+v", said)
			}
			if c.rtmp && !strings.Contains(s.log.String(), fmt.Sprintf("127.0.0.1:%d", said.RTMP)) {
				t.Errorf("port %d is not the one that listens", said.RTMP)
			}
		})
	}
}
