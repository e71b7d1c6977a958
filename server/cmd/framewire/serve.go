package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/framewire/framewire/server/internal/app"
	"github.com/framewire/framewire/server/internal/config"
)

// serveCmd holds what was said on the command line or in the environment; nil
// leaves the file's word, or the default.
type serveCmd struct {
	Config         string           `help:"Read a YAML configuration." type:"existingfile" env:"FRAMEWIRE_CONFIG" placeholder:"FILE"`
	Set            []string         `help:"Put any setting in place of the file's: KEY.KEY=VALUE, such as limits.viewers=5000. Can be repeated." sep:"none" placeholder:"KEY=VALUE"`
	Listen         *string          `help:"Serve HTTP and WebSocket on this address (default :8080)." env:"FRAMEWIRE_LISTEN" placeholder:"ADDR"`
	Source         []string         `help:"Serve a stream: NAME=URL with URL one of demo:, a file's path, rtsp://, rtmp://, srt://, http(s)://, ffmpeg:INPUT-ARGUMENTS or exec:COMMAND, or once: before one to play it once. Can be repeated." env:"FRAMEWIRE_SOURCE" sep:"none" placeholder:"NAME=URL"`
	Window         *config.Duration `help:"Keep this much of each stream for seeking (default 30s)." env:"FRAMEWIRE_WINDOW" placeholder:"DURATION"`
	MaxStreamBytes *config.Bytes    `help:"Keep at most this much of each stream in memory (default 256MiB)." env:"FRAMEWIRE_MAX_STREAM_BYTES" placeholder:"BYTES"`
	Origin         []string         `help:"Let pages of this host play and embed, such as *.example.com, or * for all. Can be repeated." env:"FRAMEWIRE_ORIGINS" placeholder:"PATTERN"`
	FrameAncestor  []string         `help:"Let pages of this host show /embed in a frame, such as *.example.com, or * for all (default: as --origin). Can be repeated." env:"FRAMEWIRE_FRAME_ANCESTORS" placeholder:"HOST"`
	TrustedProxy   []string         `help:"Believe X-Forwarded-For, X-Forwarded-Proto and Forwarded of this address or network. Can be repeated." env:"FRAMEWIRE_TRUSTED_PROXIES" placeholder:"ADDR"`
	ProxyProtocol  []string         `help:"Expect connections from this address or network to begin with a header of the PROXY protocol. Can be repeated." env:"FRAMEWIRE_PROXY_PROTOCOL" placeholder:"ADDR"`
	TLSCert        *string          `name:"tls-cert" help:"Serve HTTPS with this certificate." env:"FRAMEWIRE_TLS_CERT" placeholder:"FILE"`
	TLSKey         *string          `name:"tls-key" help:"The certificate's key." env:"FRAMEWIRE_TLS_KEY" placeholder:"FILE"`
	TLSRedirect    *string          `name:"tls-redirect" help:"Answer plain HTTP on this address with the way to HTTPS." env:"FRAMEWIRE_TLS_REDIRECT" placeholder:"ADDR"`
	ACMEDomain     []string         `name:"tls-acme-domain" help:"Serve HTTPS under this name, with a certificate from an ACME authority. Can be repeated." env:"FRAMEWIRE_TLS_ACME_DOMAINS" placeholder:"NAME"`
	ACMEEmail      *string          `name:"tls-acme-email" help:"Where the authority writes to." env:"FRAMEWIRE_TLS_ACME_EMAIL" placeholder:"ADDRESS"`
	ACMEDirectory  *string          `name:"tls-acme-directory" help:"The authority's URL (default: Let's Encrypt)." env:"FRAMEWIRE_TLS_ACME_DIRECTORY" placeholder:"URL"`
	ACMERoots      *string          `name:"tls-acme-roots" help:"Know the authority's server by the roots in this file." env:"FRAMEWIRE_TLS_ACME_ROOTS" placeholder:"FILE"`
	ACMEStorage    *string          `name:"tls-acme-storage" help:"Keep certificates and keys in this folder." env:"FRAMEWIRE_TLS_ACME_STORAGE" placeholder:"FOLDER"`
	PublishKey     *string          `help:"Let everybody who has this key publish any stream." env:"FRAMEWIRE_PUBLISH_KEY" placeholder:"KEY"`
	RTMP           *string          `name:"rtmp" help:"Take RTMP publishers on this address, or off (default: port 1935)." env:"FRAMEWIRE_RTMP" placeholder:"ADDR"`
	WebRTC         *string          `name:"webrtc" help:"Take the media of WHIP publishers on this UDP address, or off (default: port 8189)." env:"FRAMEWIRE_WEBRTC" placeholder:"ADDR"`
	MetricsListen  *string          `help:"Serve /metrics on this address, to everybody there (default: on the server, to operators)." env:"FRAMEWIRE_METRICS_LISTEN" placeholder:"ADDR"`
	LogFormat      *string          `help:"Write the log as text or json (default text)." env:"FRAMEWIRE_LOG_FORMAT" placeholder:"FORMAT"`
	Pprof          string           `help:"Serve CPU and heap profiles on this address, of this machine alone if it names none: --pprof 6060." env:"FRAMEWIRE_PPROF" placeholder:"ADDR"`
	LogLevel       *string          `help:"Log debug, info, warn or error and above (default info)." env:"FRAMEWIRE_LOG_LEVEL" placeholder:"LEVEL"`
}

// Run serves until ctx is done.
func (s *serveCmd) Run(ctx context.Context) error {
	c, err := s.merge()
	if err != nil {
		return err
	}
	log := newLogger(c.Log)
	o := app.Options{Config: c, Version: version, Log: log}
	if s.Config != "" {
		o.Reload = &app.Reload{File: s.Config, Read: s.merge}
	}
	return withPprof(ctx, s.Pprof, log, func(ctx context.Context) error { return app.Serve(ctx, o) })
}

// merge lays flags and environment over the file.
func (s *serveCmd) merge() (config.Config, error) {
	c := config.Default()
	if s.Config != "" {
		var err error
		if c, err = config.Load(s.Config); err != nil {
			return c, err
		}
	}
	if err := c.SetFrom(os.LookupEnv); err != nil {
		return c, err
	}
	set(&c.Listen, s.Listen)
	set(&c.Window, s.Window)
	set(&c.MaxStreamBytes, s.MaxStreamBytes)
	set(&c.TLS.Cert, s.TLSCert)
	set(&c.TLS.Key, s.TLSKey)
	set(&c.TLS.Redirect, s.TLSRedirect)
	set(&c.TLS.ACME.Email, s.ACMEEmail)
	set(&c.TLS.ACME.Directory, s.ACMEDirectory)
	set(&c.TLS.ACME.Roots, s.ACMERoots)
	set(&c.TLS.ACME.Storage, s.ACMEStorage)
	if len(s.ACMEDomain) > 0 {
		c.TLS.ACME.Domains = s.ACMEDomain
	}
	set(&c.Publish.RTMP, s.RTMP)
	set(&c.Publish.WebRTC, s.WebRTC)
	if s.PublishKey != nil {
		c.Publish.Rules = append(c.Publish.Rules, config.PublishRule{Streams: "**", Key: *s.PublishKey})
	}
	set(&c.Metrics.Listen, s.MetricsListen)
	set(&c.Log.Format, s.LogFormat)
	set(&c.Log.Level, s.LogLevel)
	if len(s.Origin) > 0 {
		c.Origins = s.Origin
	}
	if len(s.FrameAncestor) > 0 {
		c.FrameAncestors = s.FrameAncestor
	}
	if len(s.TrustedProxy) > 0 {
		c.TrustedProxies = s.TrustedProxy
	}
	if len(s.ProxyProtocol) > 0 {
		c.ProxyProtocol = s.ProxyProtocol
	}
	for _, spec := range s.Set {
		if err := c.Set(spec); err != nil {
			return c, fmt.Errorf("--set %w", err)
		}
	}
	for _, spec := range s.Source {
		if err := c.AddSource(spec); err != nil {
			return c, err
		}
	}
	return c, c.Finish()
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// withUnits writes times as text does, such as 1.5s: a bare number says nothing of its
// unit.
func withUnits(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

func newLogger(c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // Finish has checked it
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		options.ReplaceAttr = withUnits
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}
