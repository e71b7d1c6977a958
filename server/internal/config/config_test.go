package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "framewire.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		return c, err
	}
	return c, c.Finish()
}

func TestLoad(t *testing.T) {
	c, err := load(t, `
listen: 127.0.0.1:9000
window: 1m
max_stream_bytes: 64MiB
streams:
  cam/front:
    source: rtsp://192.0.2.1/stream
log:
  level: debug
`)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:9000" || time.Duration(c.Window) != time.Minute || c.MaxStreamBytes != 64<<20 ||
		c.Streams["cam/front"].Source != "rtsp://192.0.2.1/stream" || c.Log.Level != "debug" || c.Log.Format != "text" {
		t.Errorf("%+v", c)
	}
}

func TestNothingConfiguredServesTheDemo(t *testing.T) {
	c, err := load(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if c.Streams[DemoStream].Source != "demo:" {
		t.Errorf("streams %v", c.Streams)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"lisen: :80", "lisen"},
		{"lisen: :80", "did you mean listen?"},
		{"window: 1m\npublish: {max_publisher: 3}", "[2:"},
		{"publish: {max_publisher: 3}", "did you mean max_publishers?"},
		{"publish: {key: secret}", "\nkey belongs to tls, publish.rules[]"},
		{"viewers: 3", "\nviewers belongs to limits"},
		{"listen: [1", "[1:"},
		{"window: 30", "30"},
		{"window: 0s", "window"},
		{"max_stream_bytes: many", "many"},
		{"max_stream_bytes: 1kB", "max_stream_bytes"},
		{"streams: {\"a b\": {source: \"demo:\"}}", "a b"},
		{"streams: {\"../x\": {source: \"demo:\"}}", "../x"},
		{"streams: {a: {}}", "streams.a.source"},
		{"log: {level: loud}", "loud"},
		{"log: {format: xml}", "xml"},
		{"publish: {rules: [{streams: \"[\"}]}", "publish.rules[0]"},
		{"tls: {cert: a.pem}", "tls.key"},
		{"tls: {redirect: \":80\"}", "tls.redirect"},
		{"publish: {rtmp: 1935}", "publish.rtmp"},
		{"publish: {webrtc_hosts: [example.com]}", "example.com"},
		{"publish: {silence: 1ms}", "publish.silence"},
		{"publish: {max_publishers: 0}", "publish.max_publishers"},
		{"auth: {secret_file: a, key_file: b}", "auth"},
		{"auth: {jwks_url: \"file:///etc/passwd\"}", "auth.jwks_url"},
		{"auth: {callback_url: here}", "auth.callback_url"},
		{"auth: {issuer: me}", "auth"},
		{"auth: {secret_file: a, public: [\"[\"]}", "auth.public[0]"},
		{"auth: {callback_url: \"http://a/b\", audience: c}", "auth.audience"},
		{"tls: {acme: {domains: [\"*.example.com\"]}}", "tls.acme.domains[0]"},
		{"tls: {acme: {domains: [192.0.2.1]}}", "tls.acme.domains[0]"},
		{"tls: {acme: {domains: [a.example], directory: \"http://ca\"}}", "tls.acme.directory"},
		{"tls: {acme: {email: a@b.example}}", "tls.acme"},
		{"tls: {cert: a, key: b, acme: {domains: [a.example]}}", "tls"},
		{"origins: [\"[\"]", "origins[0]"},
		{"frame_ancestors: [\"a; script-src *\"]", "frame_ancestors[0]"},
		{"trusted_proxies: [here]", "trusted_proxies"},
		{"proxy_protocol: [10.0.0.0/40]", "proxy_protocol"},
		{"admin: {sources: [exe]}", "admin.sources[0]"},
		{"window: 1m\nlimits:\n  viewers: many", "[3:12] want a whole number"},
		{"window: 1m\nlimits:\n  viewers: -1\n  handshake_burst: 0", "[3:12] limits.viewers is -1"},
		{"window: 1m\nlimits:\n  viewers: -1\n  handshake_burst: 0", "[4:20] limits.handshake_burst is 0"},
		{"window: 1m\npublish: {silence: 5 parsecs}", "[2:20] \"5 parsecs\" is no duration"},
		{"origins: 3", "[1:10] want a list"},
		{"streams:\n  yard/gate.x: {}", "[2:3] streams.yard/gate.x.source"},
		{"publish: {rules: [{streams: a}, {streams: \"[\"}]}", "[1:43] publish.rules[1]"},
		{"origins:\n- a\n- \"[\"", "[3:3] origins[1]"},
	} {
		_, err := load(t, c.text)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives %v, want it to name %q", c.text, err, c.want)
		}
	}
}

// What is logged of a mistake shows no line of the file: the next one may hold a key.
func TestMistakesShowTheFileOnlyToWhoAsks(t *testing.T) {
	const secret = "stream-key-4711"
	for _, c := range []struct{ text, line string }{
		{"publish:\n  rules:\n  - {key: " + secret + ", streams: \"[\"}\n", "> 3 |"},
		{"publish: {rules: [{key: " + secret + ", stream: a}]}\n", "> 1 |"},
		{"publish: {rules: [{key: " + secret + "\n", "> 1 |"},
		{"streams: {a: {source: 'rtsp://u:" + secret + "@h/'}, 'b c': {source: 'demo:'}}\n", "> 1 |"},
	} {
		_, err := load(t, c.text)
		if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "[") {
			t.Errorf("%q gives %v", c.text, err)
		}
		if excerpt := strings.Join(strings.Fields(Excerpt(err)), " "); !strings.Contains(excerpt, c.line) {
			t.Errorf("%q shows %q", c.text, excerpt)
		}
	}
	c, err := load(t, "limits: {viewers: 3}\nlog: {level: info}\n")
	if err == nil {
		err = c.Set("limits.viewers=-2")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(); err == nil || strings.Contains(err.Error(), "[") || Excerpt(err) != "" {
		t.Errorf("what a flag has set is looked for in the file: %v", err)
	}
}

func TestAddSource(t *testing.T) {
	c := Default()
	if err := c.AddSource("cam=rtsp://host/a?b=c"); err != nil || c.Streams["cam"].Source != "rtsp://host/a?b=c" {
		t.Errorf("%v, %v", c.Streams, err)
	}
	for _, spec := range []string{"cam", "cam=", ""} {
		if err := c.AddSource(spec); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", spec, err)
		}
	}
}

func TestPublishingIsOpenOnLoopbackOnly(t *testing.T) {
	for listen, want := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:80": true, "localhost:80": true,
		":80": false, "0.0.0.0:80": false, "192.0.2.1:80": false, "example.com:80": false, "": false,
	} {
		c := Default()
		c.Listen = listen
		if got := c.Publishing(); got != want {
			t.Errorf("listening on %q: open %v, want %v", listen, got, want)
		}
		c.Publish.Rules = []PublishRule{{Streams: "**", Key: "k"}}
		if !c.Publishing() {
			t.Errorf("listening on %q: a rule does not open it", listen)
		}
		c.Publish.Rules, c.Auth.SecretFile = nil, "secret"
		if !c.Publishing() {
			t.Errorf("listening on %q: tokens do not open it", listen)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("listen: :80\nstreams: {a: {source: b}}"))
	f.Add([]byte("window: 1e999h"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := Default()
		if parse(data, &c) == nil {
			_ = c.Finish()
		}
	})
}
