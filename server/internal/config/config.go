// Package config reads what the operator wants: a YAML file, environment
// variables and flags, the later ones stronger.
package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/origin"
	"github.com/framewire/framewire/server/internal/proxy"
)

// ErrInvalid is wrapped by all errors about what the operator wrote.
var ErrInvalid = errors.New("invalid configuration")

// Config is everything that can be set. Its zero value is not useful: begin
// with Default.
type Config struct {
	// Listen is the address that HTTP and WebSocket are served on.
	Listen string `yaml:"listen"`

	// Streams by name.
	Streams map[string]Stream `yaml:"streams"`

	// Window is how far back viewers of a stream can go. Media is kept to the
	// keyframe before that.
	Window Duration `yaml:"window"`

	// MaxStreamBytes bounds the memory of one stream's media, whatever the window.
	MaxStreamBytes Bytes `yaml:"max_stream_bytes"`

	// Origins may open the WebSocket and embed the player besides the server's
	// own: host patterns such as "*.example.com", or "*" for all.
	Origins []string `yaml:"origins"`

	// FrameAncestors may show /embed in a frame, besides the server's own pages:
	// "*", or hosts such as "example.com", "*.example.com" and
	// "https://example.com:8443". Nil: those of Origins.
	FrameAncestors []string `yaml:"frame_ancestors"`

	// TrustedProxies are addresses and networks of reverse proxies whose headers
	// Forwarded, X-Forwarded-For and X-Forwarded-Proto are believed.
	TrustedProxies []string `yaml:"trusted_proxies"`

	// ProxyProtocol are addresses and networks of proxies whose connections begin
	// with a header of the PROXY protocol, for HTTP and RTMP.
	ProxyProtocol []string `yaml:"proxy_protocol"`

	TLS TLS `yaml:"tls"`

	Limits Limits `yaml:"limits"`

	Publish Publish `yaml:"publish"`

	Auth Auth `yaml:"auth"`

	Metrics Metrics `yaml:"metrics"`

	Admin Admin `yaml:"admin"`

	Log Log `yaml:"log"`

	written written // for Locate
}

// Stream is where one stream comes from.
type Stream struct {
	// Source is a source URL: demo:, file:PATH or a path, rtsp://..., ffmpeg:ARGS,
	// exec:COMMAND.
	Source string `yaml:"source"`
}

// Log says how to write the log.
type Log struct {
	// Format is "text" or "json".
	Format string `yaml:"format"`
	// Level is "debug", "info", "warn" or "error".
	Level string `yaml:"level"`
}

// Default is the configuration without any file, variable or flag.
func Default() Config {
	return Config{
		Listen:         ":8080",
		Window:         Duration(30 * time.Second),
		MaxStreamBytes: 256 << 20,
		Limits:         defaultLimits(),
		Publish:        defaultPublish(),
		Admin:          defaultAdmin(),
		Log:            Log{Format: "text", Level: "info"},
	}
}

// DemoStream is served when no stream is configured.
const DemoStream = "demo"

// Load reads a YAML file over the defaults. Keys that it does not know are
// refused with line and column.
func Load(path string) (Config, error) {
	c := Default()
	data, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("read configuration: %w", err)
	}
	if err := parse(data, &c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	c.written = written{text: data}
	return c, nil
}

func parse(data []byte, c *Config) error {
	if len(strings.TrimSpace(string(data))) == 0 {
		return nil
	}
	err := yaml.UnmarshalWithOptions(data, c, yaml.Strict())
	var value *valueError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &value):
		if at := onlyValue(data, value.value); at != nil {
			return &located{ErrInvalid, fmt.Sprintf("%v: %s%v", ErrInvalid, at.head(), value), at.show(data)}
		}
		return fmt.Errorf("%w: %w", ErrInvalid, value)
	default:
		text := plain(strings.TrimSpace(yaml.FormatError(err, false, false)))
		_, excerpt, _ := strings.Cut(strings.TrimSpace(yaml.FormatError(err, false, true)), "\n")
		return &located{ErrInvalid, ErrInvalid.Error() + ": " + text + suggestion(err), excerpt + "\n"}
	}
}

// AddSource adds a stream given as NAME=URL. A stream of the same name is
// replaced.
func (c *Config) AddSource(spec string) error {
	name, url, found := strings.Cut(spec, "=")
	if !found || url == "" {
		return fmt.Errorf("%w: source %q: want NAME=URL, such as cam=rtsp://192.0.2.1/stream", ErrInvalid, spec)
	}
	streams := maps.Clone(c.Streams)
	if streams == nil {
		streams = make(map[string]Stream)
	}
	streams[name] = Stream{Source: url}
	c.Streams = streams
	return nil
}

// Finish fills in what depends on the rest, and checks everything.
func (c *Config) Finish() error {
	if len(c.Streams) == 0 {
		c.Streams = map[string]Stream{DemoStream: {Source: "demo:"}}
	}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Streams)) {
		if err := media.CheckStreamName(name); err != nil {
			errs = append(errs, fmt.Errorf("%w: streams.%s: %w", ErrInvalid, name, err))
		}
		if c.Streams[name].Source == "" {
			bad("streams.%s.source is empty", name)
		}
	}
	if c.Window < Duration(time.Second) || c.Window > Duration(time.Hour) {
		bad("window is %v, want 1s to 1h", time.Duration(c.Window))
	}
	if c.MaxStreamBytes < 1<<20 {
		bad("max_stream_bytes is %d, want at least 1MiB", c.MaxStreamBytes)
	}
	for i, pattern := range c.Origins {
		if _, err := path.Match(pattern, ""); err != nil {
			bad("origins[%d]: %q is no pattern", i, pattern)
		}
	}
	for i, pattern := range c.FrameAncestors {
		if !origin.FrameSource(pattern) {
			bad("frame_ancestors[%d] is %q, want a host such as example.com or *.example.com, with or without scheme and port, or *", i, pattern)
		}
	}
	for name, list := range map[string][]string{"trusted_proxies": c.TrustedProxies, "proxy_protocol": c.ProxyProtocol} {
		if _, err := proxy.ParseNetworks(list); err != nil {
			bad("%s: %w", name, err)
		}
	}
	c.TLS.check(bad)
	if c.Publish.RTMPS != "" && !c.TLS.Enabled() {
		bad("publish.rtmps needs tls.cert and tls.key, or tls.acme")
	}
	c.Limits.check(bad)
	c.Publish.check(bad)
	c.Auth.check(bad)
	c.Metrics.check(bad)
	c.Admin.check(bad)
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		bad("log.format is %q, want text or json", c.Log.Format)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		bad("log.level is %q, want debug, info, warn or error", c.Log.Level)
	}
	return c.Locate(errors.Join(errs...))
}
