// Package demo is a source that needs nothing: a clip carried in the binary,
// played for ever.
package demo

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mp4"
	"github.com/framewire/framewire/server/internal/source/playback"
)

// clip is made by make.sh: 16 s, both tracks exactly, so that it repeats without
// a seam.
//
//go:embed demo.mp4
var clip []byte

// Source plays the clip.
type Source struct{}

// New returns the source.
func New() *Source { return &Source{} }

// Run implements media.Source.
func (*Source) Run(ctx context.Context, sink media.Sink) error {
	file, err := mp4.Open(bytes.NewReader(clip), int64(len(clip)))
	if err != nil {
		return fmt.Errorf("demo clip: %w", err)
	}
	return playback.Loop(ctx, file, file.Tracks(), sink)
}

// Clip returns the MP4 file, which must not be changed.
func Clip() []byte { return clip }

var _ media.Source = (*Source)(nil)
