package duckdb

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings"

	"tributary/internal/fault"
	"tributary/internal/query"
)

// settings of one instance.
type settings struct {
	memory  int64 // bytes
	threads int
	files   []string // the only paths that it can open
	path    string   // of its own file; empty: it is in memory
}

// mostLog is how much the write-ahead log of an instance's file has at most before it is
// put into the file. Each time the last row group, of 122,880 rows, is written again; and
// what is in the log is in memory too.
const mostLog = 128 << 20

// How long a statement waits that another thread works on.
const (
	shortestPause = 10 * time.Microsecond
	longestPause  = time.Millisecond
)

// instance is a DuckDB, locked: it opens its files and no other path, writes nothing
// but its own file, if it has one, loads nothing and takes no further settings. It is
// in memory, and fresh, or the one owner of its file.
type instance struct {
	memory int64
	db     bindings.Database
	conn   bindings.Connection
}

func open(ctx context.Context, s settings) (*instance, error) {
	var config bindings.Config
	if bindings.CreateConfig(&config) == bindings.StateError {
		return nil, fmt.Errorf("make settings of DuckDB")
	}
	defer bindings.DestroyConfig(&config)
	for _, option := range [][2]string{
		{"threads", strconv.Itoa(s.threads)},
		{"memory_limit", strconv.FormatInt(s.memory, 10) + "B"},
		{"temp_directory", ""}, // spilled rows would be plaintext on disk
		{"autoinstall_known_extensions", "false"},
		{"autoload_known_extensions", "false"},
		{"allow_community_extensions", "false"},
		{"allow_persistent_secrets", "false"},
		{"enable_external_file_cache", "false"}, // would copy files that are in memory
		{"preserve_insertion_order", strconv.FormatBool(s.threads == 1 || s.path != "")},
		{"checkpoint_threshold", strconv.FormatInt(min(mostLog, s.memory/8), 10) + "B"},
	} {
		if bindings.SetConfig(config, option[0], option[1]) == bindings.StateError {
			return nil, fmt.Errorf("set %s of DuckDB to %q", option[0], option[1])
		}
	}
	db := &instance{memory: s.memory}
	var message string
	path := ":memory:"
	if s.path != "" {
		path = s.path
	}
	if bindings.OpenExt(path, &db.db, config, &message) == bindings.StateError {
		return nil, fmt.Errorf("open DuckDB: %s", message)
	}
	if bindings.Connect(db.db, &db.conn) == bindings.StateError {
		bindings.Close(&db.db)
		return nil, fmt.Errorf("connect to DuckDB")
	}
	for _, statement := range []string{
		"SET TimeZone = 'UTC'",
		"SET parquet_metadata_cache = true",    // three statements read each footer
		"SET allowed_paths = " + list(s.files), // no longer possible after the next one
		"SET enable_external_access = false",
		"SET lock_configuration = true",
	} {
		r, err := db.query(ctx, statement)
		if err != nil {
			db.close()
			return nil, fmt.Errorf("%.40s: %w", statement, err)
		}
		r.close()
	}
	return db, nil
}

func (db *instance) close() {
	bindings.Disconnect(&db.conn)
	bindings.Close(&db.db)
}

// identifier quotes a name for SQL. Names have no NUL: Spec.Check.
func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// list is an SQL list of texts; only our own paths are written this way.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// result is a materialised result, read in chunks.
type result struct{ res bindings.Result }

func (r *result) close() { bindings.DestroyResult(&r.res) }

// query runs one statement to its end with the parameters, which it destroys.
func (db *instance) query(ctx context.Context, statement string, parameters ...bindings.Value) (*result, error) {
	defer func() {
		for i := range parameters {
			bindings.DestroyValue(&parameters[i])
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer db.interruptWhenDone(ctx)()
	var prepared bindings.PreparedStatement
	defer func() { bindings.DestroyPrepare(&prepared) }()
	if bindings.Prepare(db.conn, statement, &prepared) == bindings.StateError {
		text := bindings.PrepareError(prepared)
		return nil, db.failure(ctx, preparing(text), text)
	}
	for i, p := range parameters {
		if bindings.BindValue(prepared, bindings.IdxT(i+1), p) == bindings.StateError {
			return nil, fmt.Errorf("bind parameter %d: %s", i+1, bindings.PrepareError(prepared))
		}
	}
	r, text := execute(prepared)
	if text != "" {
		return nil, db.failure(ctx, preparing(text), text)
	}
	return r, nil
}

// execute runs what was prepared to its end, or returns the engine's words. While another
// thread does all that there is to do, the engine would ask for more without a pause, on a
// core that the others need: this waits.
func execute(prepared bindings.PreparedStatement) (*result, string) {
	var pending bindings.PendingResult
	defer func() { bindings.DestroyPending(&pending) }()
	if bindings.PendingPrepared(prepared, &pending) == bindings.StateError {
		return nil, bindings.PendingError(pending)
	}
	for pause := shortestPause; ; {
		switch bindings.PendingExecuteTask(pending) {
		case bindings.PendingStateResultNotReady:
			pause = shortestPause
			continue
		case bindings.PendingStateNoTasksAvailable:
			<-time.After(pause)
			pause = min(2*pause, longestPause)
			continue
		case bindings.PendingStateError:
			if text := bindings.PendingError(pending); text != "" {
				return nil, text
			}
		}
		r := &result{}
		if bindings.ExecutePending(pending, &r.res) == bindings.StateError {
			text := bindings.ResultError(&r.res)
			r.close()
			return nil, text
		}
		return r, ""
	}
}

// stream runs one statement with texts for its parameters, and hands over its result piece by
// piece while it is made, of columns of these types. explain makes an error of what the engine says.
func (db *instance) stream(ctx context.Context, s query.Statement, types []columnType, explain func(bindings.ErrorType, string) error, each func(rows int, columns []column) error) error {
	defer db.interruptWhenDone(ctx)()
	var prepared bindings.PreparedStatement
	defer func() { bindings.DestroyPrepare(&prepared) }()
	if bindings.Prepare(db.conn, s.SQL, &prepared) == bindings.StateError {
		text := bindings.PrepareError(prepared)
		return explain(preparing(text), text)
	}
	for i, text := range s.Arguments {
		v := bindings.CreateVarchar(text)
		state := bindings.BindValue(prepared, bindings.IdxT(i+1), v)
		bindings.DestroyValue(&v)
		if state == bindings.StateError {
			return refused("The SQL does not take as many arguments as there are.")
		}
	}
	r := &result{}
	defer r.close()
	if bindings.ExecutePreparedStreaming(prepared, &r.res) == bindings.StateError {
		return explain(bindings.ResultErrorType(&r.res), bindings.ResultError(&r.res))
	}
	if err := r.chunks(ctx, types, each); err != nil {
		return err
	}
	if text := bindings.ResultError(&r.res); text != "" { // it failed while it was fetched
		return explain(bindings.ResultErrorType(&r.res), text)
	}
	return nil
}

// interruptWhenDone stops the running statement once the context has ended,
// until the returned function is called, which waits for it.
func (db *instance) interruptWhenDone(ctx context.Context) (stop func()) {
	finished, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-finished:
			return
		case <-ctx.Done():
		}
		again := time.NewTicker(5 * time.Millisecond) // a statement that only begins clears the interrupt
		defer again.Stop()
		for {
			bindings.Interrupt(db.conn)
			select {
			case <-finished:
				return
			case <-again.C:
			}
		}
	}()
	return func() { close(finished); <-gone }
}

// failure gives DuckDB's error a kind. Its text may quote data, so it is a
// cause, for the operator only. Our statements are right, and inspect compared
// the files with them, so what remains at run time is a damaged file.
func (db *instance) failure(ctx context.Context, kind bindings.ErrorType, text string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cause := said(kind, text)
	switch kind {
	case bindings.ErrorTypeOutOfMemory:
		return fault.Wrap(fault.TooLarge, cause,
			"The analysis needs more than its %d MiB of memory. Group by fewer columns or filter, or ask for a higher limit.",
			db.memory>>20)
	case bindings.ErrorTypeParser, bindings.ErrorTypeSyntax, bindings.ErrorTypeBinder, bindings.ErrorTypeCatalog,
		bindings.ErrorTypePermission, bindings.ErrorTypeSettings, bindings.ErrorTypeInvalidConfiguration,
		bindings.ErrorTypeNotImplemented, bindings.ErrorTypeMissingExtension, bindings.ErrorTypeAutoload,
		bindings.ErrorTypeInternal, bindings.ErrorTypeFatal, bindings.ErrorTypeInterrupt:
		return cause
	}
	return &damage{cause}
}

// said is what the engine says of a failure. What a statement makes it say is of another
// kind than what it says when it gives up, which it does after an error of its own too.
func said(kind bindings.ErrorType, text string) error {
	err := fmt.Errorf("DuckDB: %s", text)
	if kind == bindings.ErrorTypeFatal || kind == bindings.ErrorTypeInternal {
		return &fatal{err}
	}
	return err
}

// fatal is an error after which the instance does nothing any more, and its process has
// to end: what is in its file and its log is there when another opens them.
type fatal struct{ cause error }

func (f *fatal) Error() string { return f.cause.Error() }
func (f *fatal) Unwrap() error { return f.cause }

// Fatal says so to package sandbox.
func (f *fatal) Fatal() bool { return true }

// preparing finds the kind of an error that has it in its text only.
func preparing(text string) bindings.ErrorType {
	for prefix, kind := range map[string]bindings.ErrorType{
		"Parser Error": bindings.ErrorTypeParser, "Binder Error": bindings.ErrorTypeBinder,
		"Catalog Error": bindings.ErrorTypeCatalog, "Permission Error": bindings.ErrorTypePermission,
		"Not implemented Error": bindings.ErrorTypeNotImplemented, "INTERNAL Error": bindings.ErrorTypeInternal,
		"Out of Memory Error": bindings.ErrorTypeOutOfMemory, "Missing Extension Error": bindings.ErrorTypeMissingExtension,
		"FATAL Error": bindings.ErrorTypeFatal, "INTERRUPT Error": bindings.ErrorTypeInterrupt, "Invalid Configuration Error": bindings.ErrorTypeInvalidConfiguration,
	} {
		if strings.HasPrefix(text, prefix) {
			return kind
		}
	}
	return bindings.ErrorTypeInvalid
}

// damage is an error that comes from the files; the caller knows which.
type damage struct{ cause error }

func (d *damage) Error() string { return d.cause.Error() }
func (d *damage) Unwrap() error { return d.cause }
