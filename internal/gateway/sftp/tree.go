package sftp

import (
	"os"
	"strings"
	"time"

	"tributary/internal/exchange"
)

// What the server says of a file stands beside it, under its name and one of these.
const (
	accepted = ".accepted.json"
	rejected = ".rejected.json"
	waiting  = ".waiting.json" // why a file that was sent is not submitted
)

// The two stores.
const (
	input  = "input"
	output = "output"
)

// maxPath bounds a path, in bytes.
const maxPath = 4096

// place is what a path names. There is one parser of paths, and what it makes is
// never a path again: files are found by folder and name in the database.
//
//	/                              both stores
//	/input/NAME                    a file of which the name says what it is for
//	/input/DATASET/YYYY-MM-DD/NAME a file for a dataset and business date
//	/output/ANALYSIS/NAME          a result
type place struct {
	store    string // input, output; empty: the root
	dataset  string // of input
	date     string
	analysis string // of output
	name     string // of a file; empty: a folder
}

// places lists what a path may name: one place, or for one part below /input
// two, a dataset's folder and a file, which only what is there can tell apart.
func places(path string) []place {
	path = strings.Trim(path, "/")
	if path == "" {
		return []place{{}}
	}
	if len(path) > maxPath {
		return nil
	}
	parts := strings.Split(path, "/")
	for _, p := range parts {
		if p == "" || p == "." || p == ".." || strings.ContainsRune(p, 0) {
			return nil
		}
	}
	switch {
	case parts[0] == output && len(parts) <= 3:
		p := place{store: output}
		if len(parts) > 1 {
			p.analysis = parts[1]
		}
		if len(parts) > 2 {
			p.name = parts[2]
		}
		return []place{p}
	case parts[0] != input:
		return nil
	case len(parts) == 1:
		return []place{{store: input}}
	case len(parts) == 2:
		return []place{{store: input, dataset: parts[1]}, {store: input, name: parts[1]}}
	case len(parts) <= 4 && exchange.ValidDate(parts[2]):
		p := place{store: input, dataset: parts[1], date: parts[2]}
		if len(parts) > 3 {
			p.name = parts[3]
		}
		return []place{p}
	}
	return nil
}

func (p place) folder() exchange.Folder {
	return exchange.Folder{Dataset: p.dataset, Date: p.date}
}

// verdict returns the name of the file that a place's file is said of, and which
// ending it has; empty if the place is none of what the server says.
func (p place) verdict() (of, ending string) {
	for _, e := range []string{accepted, rejected, waiting} {
		if of, ok := strings.CutSuffix(p.name, e); ok && of != "" {
			return of, e
		}
	}
	return "", ""
}

// info is an os.FileInfo of what is in no file system.
type info struct {
	name string
	size int64
	mode os.FileMode
	time time.Time
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() os.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.time }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
