// Package frontend carries the built pages and the player inside the server's
// binary.
//
// What is embedded is what `make build` left in dist. In a fresh clone dist
// holds nothing but a placeholder, so the package always compiles; Built tells
// the two apart.
package frontend

import (
	"embed"
	"fmt"
	"io/fs"
)

// all: is needed for the placeholder, whose name begins with a dot; without it
// the pattern would match nothing in a fresh clone and fail to compile.
//
//go:embed all:dist
var dist embed.FS

// Pages returns the built pages, rooted in dist: index.html, watch.html,
// embed.html and player.js at the top, and under assets/ files whose names hold
// a hash of their content, so that they may be cached for ever.
func Pages() fs.FS {
	pages, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(fmt.Sprintf("frontend: dist is embedded by this package: %v", err))
	}
	return pages
}

// Built reports whether the pages were built before the binary was.
func Built() bool {
	_, err := fs.Stat(dist, "dist/index.html")
	return err == nil
}
