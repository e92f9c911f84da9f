// Package web holds the portals: their sources, and the build of them that goes into
// the binary.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files is the built portals: index.html and what it loads, each also compressed as
// .br and .gz. Where `make ui` was not run it has no index.html.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is one
	}
	return files
}
