package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/framewire/framewire/server/internal/certs"
	"github.com/framewire/framewire/server/internal/config"
	"github.com/framewire/framewire/server/internal/source"
)

// Check finds what is wrong with a configuration beyond what config can tell:
// sources that mean nothing, and keys that cannot be read. c must be finished.
// It opens no port and starts nothing, but asks a key server for its keys.
func Check(c config.Config) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Streams)) {
		if _, err := source.Parse(c.Streams[name].Source, slog.New(slog.DiscardHandler)); err != nil {
			errs = append(errs, fmt.Errorf("%w: streams.%s: %w", config.ErrInvalid, name, err))
		}
	}
	if c.TLS.Cert != "" {
		if _, err := certs.Load(c.TLS.Cert, c.TLS.Key, slog.New(slog.DiscardHandler)); err != nil {
			errs = append(errs, fmt.Errorf("%w: tls: %w", config.ErrInvalid, err))
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if _, err := newVerifier(ctx, &c.Auth); err != nil {
		errs = append(errs, err)
	}
	return c.Locate(errors.Join(errs...))
}
