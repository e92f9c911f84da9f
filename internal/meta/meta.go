// Package meta is the control database: it opens and migrates it, runs
// statements and transactions, and keeps tenants' rows apart below the query.
// SQLite and PostgreSQL run the same SQL; what the rows mean is for the
// capabilities that own them.
//
// # The SQL that both speak
//
// TEXT, BIGINT, DOUBLE PRECISION and BYTEA; times are BIGINT microseconds in UTC
// and booleans BIGINT 0 and 1; $1 parameters, RETURNING, ON CONFLICT, CTEs and
// window functions. Text compares by its bytes. Not usable, because the two
// differ: the order of NULLs (say NULLS LAST), LIKE on other than ASCII, FOR
// UPDATE, and functions of dates and JSON. One statement per call, and only
// SELECT, VALUES, WITH, INSERT, UPDATE and DELETE. Migrations make tables and
// indexes, no views.
//
// # Tenants
//
// A table with a column "tenant" holds tenants' rows. A statement that names one
// must come through [DB.For], [DB.Provider] or [DB.Unscoped], or it is refused;
// through For it must also bind the tenant's id, or it is refused (through
// Provider the empty string, which may stand in the text). That holds on both engines. On PostgreSQL row-level security stands below it: even a wrong
// WHERE reads and writes nothing of another tenant.
package meta

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// Config says which control database to open.
type Config struct {
	// URL is "sqlite:/path/to/control.db" or "postgres://user@host/database".
	URL string
	// Schema is the PostgreSQL schema. Empty: the URL's search_path, else "tributary".
	Schema string
	// Wait makes Open wait while another server has the database, instead of failing.
	Wait bool
	// Existing makes Open refuse, and make nothing, where no database is yet.
	Existing bool
	// Version is the program's, which the database keeps to name it to older ones.
	Version string
	// Loading makes Open take a database that Load made and that is not Loaded yet.
	Loading bool
	// Beside makes Open take no lock and migrate nothing: a server may have the
	// database open, and this program adds a word to it. The database must be of
	// this program's schema; another is Conflict.
	Beside bool
	// Log gets what an operator should know. Nil: nothing is logged.
	Log *slog.Logger

	migrations fs.FS                                   // nil: the product's; tests bring their own
	failing    func(driver.Connector) driver.Connector // nil, unless a test stops the migrations
}

// DB is the control database, or a transaction of it, or the part of either that
// belongs to one tenant. It is safe for use by several goroutines; within a
// transaction they take turns.
type DB struct {
	*core
	tx    *transaction // nil: each statement is its own transaction
	scope scope
}

// core is what all handles of one open database share.
type core struct {
	engine     engine
	statements statements
	turn       chan struct{} // held by the transaction that retries under contention
	closing    sync.Once
	closed     error
}

// engine is one of the two databases. Its errors are classified already.
type engine interface {
	name() string
	// run runs one statement in a transaction of its own.
	run(ctx context.Context, setting string, s *statement, args []any) (result, error)
	begin(ctx context.Context) (session, error)
	compact(ctx context.Context) error
	verify(ctx context.Context) ([]string, error)
	lost() <-chan struct{}
	close() error
}

// session is one transaction of an engine. commit and rollback end it.
type session interface {
	run(ctx context.Context, setting string, s *statement, args []any) (result, error)
	commit(ctx context.Context) error
	rollback()
}

// result is what a statement gave, read whole.
type result struct {
	columns []string
	rows    [][]any
	changed int64
}

// maxResult is how many bytes of rows one statement may return. Whoever needs
// more pages through the table.
const maxResult = 256 << 20

// Open opens the database, takes the lock that makes this the one active server,
// and migrates. The fault is Conflict if another server has the lock (unless
// Wait is set) or a newer version wrote the database, Invalid if the URL or the
// PostgreSQL role will not do, NotFound if Existing is set and there is no
// database, and Unavailable if the database does not answer.
func Open(ctx context.Context, c Config) (*DB, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.migrations == nil {
		c.migrations = migrations()
	}
	var (
		e      engine
		tables []string
		err    error
	)
	scheme, rest, _ := strings.Cut(c.URL, ":")
	switch scheme {
	case "sqlite":
		e, tables, err = openSQLite(ctx, c, rest)
	case "postgres", "postgresql":
		e, tables, err = openPostgres(ctx, c)
	default:
		return nil, errScheme()
	}
	if err != nil {
		return nil, fmt.Errorf("open control database: %w", err)
	}
	return &DB{core: &core{
		engine: e, statements: statements{tenantTables: tables}, turn: make(chan struct{}, 1),
	}}, nil
}

func errScheme() error {
	return fault.New(fault.Invalid,
		"The control database's URL must begin with sqlite: or postgres://, as in sqlite:/var/lib/tributary/control.db.")
}

// Close ends all connections and gives up the lock. Transactions that still run fail.
// Closing again does nothing.
func (db *DB) Close() error {
	db.closing.Do(func() { db.closed = db.engine.close() })
	return db.closed
}

// Engine returns "sqlite" or "postgres", for manifests and fsck. No SQL may depend on it.
func (db *DB) Engine() string { return db.engine.name() }

// Lost returns a channel that is closed when the lock was lost, which can happen
// on PostgreSQL only: the connection that held it broke, and another server may
// be active. From then on every statement fails; the process should end.
func (db *DB) Lost() <-chan struct{} { return db.engine.lost() }

// TenantTables returns the names of the tables that hold tenants' rows, sorted.
func (db *DB) TenantTables() []string { return slices.Clone(db.statements.tenantTables) }

// Compact gives the space of deleted rows back and leaves nothing of them in the
// database's files: on SQLite VACUUM and a truncated log, on PostgreSQL VACUUM
// FULL of each table (its write-ahead log keeps older pages for as long as the
// server's configuration says). Writers wait meanwhile.
func (db *DB) Compact(ctx context.Context) error {
	if err := db.engine.compact(ctx); err != nil {
		return fmt.Errorf("compact control database: %w", err)
	}
	return nil
}

// Verify reads the whole database and returns what is wrong with it, a sentence
// each: damaged pages and indexes, rows that refer to nothing, tables whose
// tenants are not kept apart. The error is for when it could not look.
func (db *DB) Verify(ctx context.Context) ([]string, error) {
	problems, err := db.engine.verify(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify control database: %w", err)
	}
	return problems, nil
}

// Healthy returns nil if the database can be written to now: it writes a row and
// waits until that is durable.
func (db *DB) Healthy(ctx context.Context) error {
	if _, err := db.Exec(ctx, `UPDATE meta_health SET probes = probes + 1 WHERE id = 1`); err != nil {
		return fmt.Errorf("probe control database: %w", err)
	}
	return nil
}

// scope says whose rows a handle may touch. The zero scope touches none of any tenant.
type scope struct {
	setting string // what PostgreSQL's policies compare with
	bound   string // the argument that every statement on tenants' tables must have
	err     error
}

// For returns the handle for one tenant's rows. An empty or impossible id gives
// a handle whose every statement fails; the provider's own rows have Provider.
func (db *DB) For(id tenant.ID) *DB {
	s := scope{setting: string(id), bound: string(id)}
	switch id {
	case "":
		s = scope{err: fault.New(fault.Internal, "A statement for a tenant names no tenant.")}
	case everyone, provider:
		s = scope{err: fault.New(fault.Internal, "%q is no tenant.", string(id))}
	}
	return db.with(s)
}

// Provider returns the handle for the rows of the provider itself, those whose
// tenant is the empty string.
func (db *DB) Provider() *DB { return db.with(scope{setting: provider}) }

// RowsOf returns the handle for a tenant's rows, or the provider's for "".
func (db *DB) RowsOf(id tenant.ID) *DB {
	if id == "" {
		return db.Provider()
	}
	return db.For(id)
}

// Unscoped returns the handle that crosses tenants.
func (db *DB) Unscoped() *DB { return db.with(scope{setting: everyone}) }

// Settings of tributary.tenant that are no tenant's id.
const (
	everyone = "*"
	provider = "-"
)

func (db *DB) with(s scope) *DB { return &DB{core: db.core, tx: db.tx, scope: s} }
