// Package duckdb answers queries with DuckDB, in child processes: that of an
// analysis run, which reads accepted forms (Parquet) and nothing else, and writes
// one number per participant, measure and cell; the one that owns the warehouse's
// file; and that of a tenant's own SELECT. It is the only package with cgo. It
// leaves to others which files and rows it gets, combining participants, and every
// decision about what may be released. README.md has its steps.
package duckdb

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"tributary/internal/fault"
	"tributary/internal/query"
)

// threads of DuckDB for a query without floats. With floats it is one, because
// only then are they added in the same order every time.
const threads = 2

// Main is the sandbox's program query.ProgramName: args is the spec in JSON,
// inputs are the files that its sources count, out takes the answer. It looks at
// the inputs once filled has returned, and opens the engine before. The process
// has to end after it, since the engine is left open: to take it down in order
// would only cost time.
func Main(ctx context.Context, args []byte, inputs []*os.File, filled func() error, out io.Writer) error {
	var spec query.Spec
	decoder := json.NewDecoder(bytes.NewReader(args))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&spec); err != nil {
		return fmt.Errorf("decode spec: %w", err)
	}
	files := make([]string, len(inputs))
	for i, input := range inputs {
		files[i] = fmt.Sprintf("/proc/self/fd/%d", input.Fd())
	}
	_, err := aggregate(ctx, spec, files, filled, out)
	runtime.KeepAlive(inputs) // DuckDB opens them by path; collected, they would be closed
	return err
}

// Aggregate answers spec from files, which Source.Input counts, and writes the
// answer for query.Read to out. The files must not change meanwhile.
//
// DuckDB keeps to spec.Limits.Memory for what it accounts for; beside it the
// process needs some 100 MB and, for each row of the answer, up to 150 bytes
// and 70 for each measure. A row counts once for each source that has it here,
// also against spec.Limits.Rows.
//
// Errors: fault.Invalid for a wrong spec or a float that is not finite; fault.TooLarge for memory or rows over the limit;
// fault.Damaged for a file that is not the accepted form that spec describes;
// fault.Cancelled and fault.TimedOut when ctx ends. None shows a value.
func Aggregate(ctx context.Context, spec query.Spec, files []string, out io.Writer) error {
	db, err := aggregate(ctx, spec, files, func() error { return nil }, out)
	if db != nil {
		db.close()
	}
	return err
}

// aggregate returns the engine too, which may be nil, open.
func aggregate(ctx context.Context, spec query.Spec, files []string, filled func() error, out io.Writer) (*instance, error) {
	start := time.Now()
	if err := spec.Check(); err != nil {
		return nil, err
	}
	for i, source := range spec.Sources {
		if source.Input >= len(files) {
			return nil, fault.New(fault.Invalid, "Source %d names input %d; there are %d.", i, source.Input, len(files))
		}
	}
	for _, path := range files { // read_parquet takes these for patterns
		if strings.ContainsAny(path, "*?[]{}\x00") {
			return nil, fmt.Errorf("input path %q has a character of a pattern", path)
		}
	}
	writer, err := query.NewWriter(out, spec)
	if err != nil {
		return nil, err
	}
	db, err := open(ctx, settings{memory: spec.Limits.Memory, threads: threadsFor(spec), files: files})
	if err != nil {
		return nil, err
	}
	if err := filled(); err != nil {
		return db, err
	}
	g := newGather(spec)
	scanned := make([]int64, len(spec.Sources))
	for _, s := range scansOf(spec, files) {
		if err := s.inspect(ctx, db, scanned); err != nil {
			return db, err
		}
		if err := s.run(ctx, db, g, scanned); err != nil {
			return db, err
		}
	}
	if err := g.write(ctx, writer); err != nil {
		return db, err
	}
	return db, writer.End(scanned, time.Since(start).Microseconds())
}

func threadsFor(spec query.Spec) int {
	for _, m := range spec.Measures {
		if c, err := spec.Column(m.Dataset, m.Column); err == nil && c.Type == query.Float && m.Own != query.Count {
			return 1
		}
	}
	return threads
}
