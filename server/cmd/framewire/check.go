package main

import (
	"fmt"
	"strings"

	"github.com/framewire/framewire/server/internal/app"
	"github.com/framewire/framewire/server/internal/config"
)

// checkCmd checks a configuration without serving it.
type checkCmd struct {
	File string `arg:"" help:"The YAML configuration." type:"existingfile"`
}

// Run tells what is wrong, or that nothing is.
func (c *checkCmd) Run() error {
	loaded, err := config.Load(c.File)
	if err != nil {
		return shown(err)
	}
	if err := loaded.Finish(); err != nil {
		return shown(fmt.Errorf("%s: %w", c.File, err))
	}
	if err := app.Check(loaded); err != nil {
		return shown(fmt.Errorf("%s: %w", c.File, err))
	}
	fmt.Printf("%s is fine: %d streams, listening on %s\n", c.File, len(loaded.Streams), loaded.Listen)
	return nil
}

// shown adds the lines that a mistake is in.
func shown(err error) error {
	if excerpt := config.Excerpt(err); excerpt != "" {
		return fmt.Errorf("%w\n%s", err, strings.TrimRight(excerpt, "\n"))
	}
	return err
}
