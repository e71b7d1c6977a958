package proxy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A proxy that sets one header and passes on the other as the client sent it has
// its requests refused, or worse, believed.
func TestExamplesTellTheClientInOneHeaderOnly(t *testing.T) {
	for file, wants := range map[string][]string{
		"nginx.conf": {"proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;", "proxy_set_header X-Forwarded-Proto $scheme;", `proxy_set_header Forwarded "";`,
			// A WebSocket lasts for hours, and an upload too.
			"proxy_set_header Upgrade $http_upgrade;", "proxy_buffering off;", "proxy_request_buffering off;", "client_max_body_size 0;", "proxy_read_timeout 1h;", "proxy_send_timeout 1h;"},
		"Caddyfile": {"header_up -Forwarded", "flush_interval -1"},
	} {
		data, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "deploy", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(wants, "trusted_proxies: [127.0.0.1]") {
			if !strings.Contains(string(data), want) {
				t.Errorf("%s lacks %q", file, want)
			}
		}
	}
}
