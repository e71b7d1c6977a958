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
		"nginx.conf": {"proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;", "proxy_set_header X-Forwarded-Proto $scheme;", `proxy_set_header Forwarded "";`},
		"Caddyfile":  {"header_up -Forwarded"},
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
