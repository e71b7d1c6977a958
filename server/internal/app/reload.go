package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/framewire/framewire/server/internal/config"
	"github.com/framewire/framewire/server/internal/events"
	"github.com/framewire/framewire/server/internal/roster"
)

// Reload says how the configuration is read again while the server runs.
type Reload struct {
	// File is the file that is watched, with the key files that it names.
	File string
	// Read returns the whole configuration, flags included, finished.
	Read func() (config.Config, error)
}

// heedReloads notes from now on what asks for a reload, until the returned
// function is called: changed files, and signals, which before that end the
// process.
func (s *server) heedReloads() (stop func()) {
	s.reloads = make(chan os.Signal, 1)
	if s.opts.Reload == nil {
		return func() {}
	}
	if reloadSignal != nil {
		signal.Notify(s.reloads, reloadSignal)
	}
	watcher, err := config.Watch(s.configFiles, func(err error) {
		s.log.Warn("files that the configuration names are not watched: when they change, SIGHUP has them read", "error", err)
	})
	if err != nil {
		s.log.Warn("the configuration is read again on SIGHUP only", "error", err)
		return func() { signal.Stop(s.reloads) }
	}
	s.watcher = watcher
	return func() {
		signal.Stop(s.reloads)
		watcher.Close()
	}
}

// followConfig applies the configuration anew whenever its files change or a
// signal asks for it, until ctx is done.
func (s *server) followConfig(ctx context.Context) error {
	changed := make(chan chan bool) // each is told whether the files could be taken
	var watching sync.WaitGroup
	defer watching.Wait()
	if s.watcher != nil {
		watching.Go(func() {
			err := s.watcher.Run(ctx, func() bool {
				done := make(chan bool, 1)
				select {
				case changed <- done:
					return <-done
				case <-ctx.Done():
					return true
				}
			})
			if err != nil {
				s.log.Warn("the configuration is read again on SIGHUP only", "error", err)
			}
		})
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.reloads:
			s.reload()
		case done := <-changed:
			done <- s.reload()
		}
	}
}

// configFiles are the files on which the configuration depends, its own first, and the
// one that was read last, where that was refused: a file that it names may be missing still.
func (s *server) configFiles() []string {
	files := []string{s.opts.Reload.File}
	for _, c := range []*config.Config{s.config.Load(), s.wanted.Load()} {
		if c == nil {
			continue
		}
		for _, file := range []string{c.Auth.SecretFile, c.Auth.KeyFile, c.TLS.Cert, c.TLS.Key} {
			if file != "" && !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	return files
}

// reload reads the configuration and applies it, or goes on with what it has. It
// reports which.
func (s *server) reload() (taken bool) {
	next, err := s.opts.Reload.Read()
	if err == nil {
		s.wanted.Store(&next)
		err = next.Locate(s.apply(&next))
	}
	var static []string
	if err == nil {
		static = s.opts.Config.Static(&next)
	}
	s.metrics.ConfigurationRead(err == nil)
	read := events.ConfigurationRead{TakesRestart: static}
	if err != nil {
		read.Error = err.Error()
		s.log.Error("the configuration is refused; the server goes on with what it has", "error", err)
	} else {
		s.log.Info("the configuration was read again")
	}
	if len(static) > 0 {
		s.log.Warn("some settings take a restart to change", "settings", strings.Join(static, "; "))
	}
	s.events.Emit(events.Event{Body: read})
	return err == nil
}

// apply puts c in force as far as that goes without a restart. After an error
// nothing has changed.
func (s *server) apply(c *config.Config) error {
	before := s.config.Load()
	sources, err := s.parseSources(c)
	if err != nil {
		return err
	}
	useFiles, err := s.nextFiles(&before.TLS, &c.TLS)
	if err != nil {
		return err
	}
	if err := s.useTokens(&c.Auth); err != nil {
		return err
	}
	// From here on nothing fails but single streams: proxies were checked with c.
	if err := s.useProxies(c); err != nil {
		return err
	}
	useFiles()
	s.config.Store(c)
	s.publishing.desk.SetRules(rules(c, s.opts.Config.Listen))
	s.publishing.desk.SetLimits(publisherLimits(&c.Publish))
	s.publishing.desk.SetTimes(time.Duration(c.Publish.Silence), time.Duration(c.Publish.Grace), time.Duration(c.Publish.Linger))
	s.web.SetOrigins(c.Origins, c.FrameAncestors)
	s.publishing.origins.Set(c.Origins, nil)
	s.web.Sessions().SetLimits(limits(c))
	s.setGates(&c.Limits)
	s.applySources(before, c, sources)
	return nil
}

// parseSources makes the sources of all streams that c names.
func (s *server) parseSources(c *config.Config) (map[string]roster.Source, error) {
	sources := make(map[string]roster.Source, len(c.Streams))
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Streams)) {
		src, err := s.parseSource(name, c.Streams[name].Source)
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: streams.%s: %w", config.ErrInvalid, name, err))
			continue
		}
		src.Configured = true
		sources[name] = src
	}
	return sources, errors.Join(errs...)
}

// applySources adds, exchanges and removes streams. One whose source is the same
// as before is left alone, and so are those that operators added.
func (s *server) applySources(before, after *config.Config, sources map[string]roster.Source) {
	for name := range before.Streams {
		entry, there := s.roster.Get(name)
		if _, stays := after.Streams[name]; stays || !there || !entry.Configured {
			continue
		}
		if err := s.roster.Remove(name); err == nil {
			s.log.Info("stream removed", "stream", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		err := s.roster.Replace(name, sources[name])
		if errors.Is(err, roster.ErrUnknown) {
			err = s.roster.Add(name, sources[name])
		}
		if err != nil {
			s.log.Error("a stream of the configuration cannot be served", "stream", name, "error", err)
		}
	}
}
