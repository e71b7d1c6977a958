package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/framewire/framewire/server/internal/config"
	"github.com/framewire/framewire/server/internal/desk"
	"github.com/framewire/framewire/server/internal/origin"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/door"
	"github.com/framewire/framewire/server/internal/publish/httppush"
	"github.com/framewire/framewire/server/internal/publish/rtmp"
	"github.com/framewire/framewire/server/internal/publish/whip"
	"github.com/framewire/framewire/server/internal/source/ffmpeg"
)

// Ports that publishers expect.
const (
	rtmpPort   = 1935
	webRTCPort = 8189
)

// silenceOfTransports backs what the desk sees to: how long a publisher may send
// nothing is publish.silence, which may change while the server runs.
const silenceOfTransports = time.Hour

// publishing is where publishers come in.
type publishing struct {
	desk *desk.Desk
	rtmp []net.Listener // plain and TLS
	whip *whip.Handler  // nil: off
	push *httppush.Handler

	ports   map[string]net.Addr // where RTMP is taken, by scheme
	origins origin.List         // of pages that publish over HTTP
	brake   door.Brake          // on guessing keys, over all protocols
}

// openPublishing opens the ports for publishers, unless nobody may publish.
func (s *server) openPublishing() error {
	c := &s.opts.Config
	s.publishing.origins.Set(c.Origins, nil)
	s.publishing.brake.Shared = s.shared
	s.publishing.brake.Held = func(netip.Addr) { s.metrics.Refused("publish", publish.ErrTooManyAttempts) }
	s.publishing.desk = desk.New(s.hub, desk.Options{
		Rules:   rules(c, c.Listen),
		Tokens:  &s.tokens,
		Limits:  publisherLimits(&c.Publish),
		Gate:    s.gate,
		Silence: time.Duration(c.Publish.Silence),
		Grace:   time.Duration(c.Publish.Grace),
		Linger:  time.Duration(c.Publish.Linger),
		Hooks:   s.deskHooks(),
		Log:     s.log,
	})
	s.publishing.push = httppush.New(httppush.Options{
		Desk:    s.publishing.desk,
		Convert: httppush.Through(ffmpeg.Convert, s.log),
		Origins: pages{s},
		Gate:    s.gate,
		Brake:   &s.publishing.brake,
		Silence: silenceOfTransports,
		Log:     s.log,
	})
	if !c.Publishing() {
		s.log.Info("publishing is closed: the server listens beyond this machine, publish.rules is empty and no tokens are configured; --publish-key KEY opens it")
		return nil
	}
	if err := s.openRTMP(); err != nil {
		return err
	}
	return s.openWHIP()
}

// rules are those of the configuration, or everybody on loopback where no tokens
// are asked for.
func rules(c *config.Config, listen string) []desk.Rule {
	var list []desk.Rule
	for _, r := range c.Publish.Rules {
		list = append(list, desk.Rule{Streams: r.Streams, Key: r.Key, Takeover: r.Takeover})
	}
	if len(list) == 0 && !c.Auth.Configured() && config.IsLoopback(listen) {
		list = []desk.Rule{{Streams: "**"}}
	}
	return list
}

// address returns where to listen, and whether it matters when that fails: a
// default that another program has taken is done without.
func (s *server) address(configured string, port int) (address string, needed bool) {
	if configured != "" {
		return configured, true
	}
	return config.Beside(s.opts.Config.Listen, port), false
}

func (s *server) openRTMP() error {
	c := &s.opts.Config.Publish
	if c.RTMP != config.Off {
		address, needed := s.address(c.RTMP, rtmpPort)
		listener, err := net.Listen("tcp", address)
		switch {
		case err == nil:
			s.addRTMP("rtmp", s.proxies.Listen(listener, s.log))
		case needed:
			return fmt.Errorf("listen for RTMP: %w", err)
		default:
			s.log.Warn("no RTMP: its port is taken", "addr", address, "error", err)
		}
	}
	if c.RTMPS != "" && c.RTMPS != config.Off {
		listener, err := net.Listen("tcp", c.RTMPS)
		if err != nil {
			return fmt.Errorf("listen for RTMPS: %w", err)
		}
		s.addRTMP("rtmps", s.secure.listener(s.proxies.Listen(listener, s.log)))
	}
	return nil
}

func (s *server) addRTMP(scheme string, listener net.Listener) {
	s.publishing.rtmp = append(s.publishing.rtmp, listener)
	if s.publishing.ports == nil {
		s.publishing.ports = make(map[string]net.Addr)
	}
	s.publishing.ports[scheme] = listener.Addr()
	s.log.Info(scheme+" listening", "addr", listener.Addr().String())
}

func (s *server) openWHIP() error {
	c := &s.opts.Config
	if c.Publish.WebRTC == config.Off {
		return nil
	}
	var hosts []netip.Addr
	for _, host := range c.Publish.WebRTCHosts {
		if a, err := netip.ParseAddr(host); err == nil { // checked by config
			hosts = append(hosts, a)
		}
	}
	address, needed := s.address(c.Publish.WebRTC, webRTCPort)
	handler, err := whip.New(whip.Options{
		Desk:     s.publishing.desk,
		Address:  address,
		Hosts:    hosts,
		Loopback: true,
		Origins:  pages{s},
		Gate:     s.gate,
		Brake:    &s.publishing.brake,
		Silence:  silenceOfTransports,
		Log:      s.log,
	})
	switch {
	case err == nil:
		s.publishing.whip = handler
		s.log.Info("whip listening", "addr", handler.UDPAddr().String())
	case needed:
		return fmt.Errorf("listen for WebRTC: %w", err)
	default:
		s.log.Warn("no WHIP: its port is taken", "addr", address, "error", err)
	}
	return nil
}

// mount returns the HTTP endpoints of publishers.
func (p *publishing) mount() map[string]http.Handler {
	handlers := map[string]http.Handler{"/publish/{stream...}": p.push}
	if p.whip != nil {
		handlers["/whip/{stream...}"] = p.whip
	}
	return handlers
}

// run serves publishers until ctx is done.
func (p *publishing) run(ctx context.Context, group *errgroup.Group, s *server) {
	group.Go(func() error { return p.desk.Run(ctx) })
	group.Go(func() error {
		<-ctx.Done()
		p.push.Close()
		return nil
	})
	if len(p.rtmp) > 0 {
		server := rtmp.New(p.desk, rtmp.Options{
			Silence: silenceOfTransports,
			Gate:    s.gate,
			Brake:   &s.publishing.brake,
			Shared:  s.shared,
			Refused: func(_ netip.AddrPort, err error) { s.metrics.Refused("publish", err) },
			Log:     s.log,
		})
		for _, listener := range p.rtmp {
			group.Go(func() error { return server.Serve(ctx, listener) })
		}
	}
	if p.whip != nil {
		group.Go(func() error {
			<-ctx.Done()
			return p.whip.Close()
		})
	}
}

// close lets go of the ports of a server that did not get to run.
func (p *publishing) close() {
	for _, listener := range p.rtmp {
		_ = listener.Close()
	}
	if p.whip != nil {
		_ = p.whip.Close()
	}
}
