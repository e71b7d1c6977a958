package app

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/framewire/framewire/server/internal/admin"
	"github.com/framewire/framewire/server/internal/desk"
	"github.com/framewire/framewire/server/internal/roster"
	"github.com/framewire/framewire/server/internal/session"
	"github.com/framewire/framewire/server/internal/source"
)

// openAdmin makes the operator's service. It is reached once openWeb has mounted
// it.
func (s *server) openAdmin() {
	s.admin = admin.New(admin.Options{
		Hub:        s.hub,
		Sources:    sources{s.roster, s},
		Sessions:   sessions{s},
		Publishers: publishers{s},
		Events:     s.events,
		Access:     s.access,
		Build:      s.program(),
		Refused:    func(remote string, err error) { s.refused("admin", "", "", remote, err) },
		Log:        s.log,
	})
}

func (s *server) program() admin.Build {
	b := admin.Build{Version: s.opts.Version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Go = info.GoVersion
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			b.Commit = setting.Value
		}
	}
	return b
}

// sessions are those of the web server, which is made after the service.
type sessions struct{ *server }

func (s sessions) All() []*session.Viewer           { return s.web.Sessions().All() }
func (s sessions) Lookup(id string) *session.Viewer { return s.web.Sessions().Lookup(id) }
func (s sessions) Sent() map[string]session.Sent    { return s.web.Sessions().Sent() }

// publishers are those of the desk, which is made after the service.
type publishers struct{ *server }

func (p publishers) Publishers() []desk.Publisher { return p.publishing.desk.Publishers() }
func (p publishers) Remove(stream string, reason error) bool {
	return p.publishing.desk.Remove(stream, reason)
}
func (p publishers) Discard(stream string, reason error) bool {
	return p.publishing.desk.Discard(stream, reason)
}

// sources adds to a roster what operators ask for.
type sources struct {
	*roster.Roster
	server *server
}

// Add implements admin.Sources.
func (s sources) Add(name, url string) error {
	kind := source.Scheme(url)
	allowed := s.server.config.Load().Admin.Sources
	if !slices.Contains(allowed, kind) && !slices.Contains(allowed, "*") {
		return fmt.Errorf("%w: %s is not among %s", roster.ErrForbidden, kind, strings.Join(allowed, ", "))
	}
	src, err := s.server.parseSource(name, url)
	if err != nil {
		return fmt.Errorf("%w: %w", roster.ErrSource, err)
	}
	return s.Roster.Add(name, src)
}

// parseSource makes the source that a URL names.
func (s *server) parseSource(name, url string) (roster.Source, error) {
	parsed, err := source.Parse(url, s.log.With("stream", name))
	if err != nil {
		return roster.Source{}, err
	}
	return roster.Source{Source: parsed.Source, URL: url, Display: parsed.Info.Display, File: parsed.Info.File}, nil
}
