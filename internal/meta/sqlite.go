package meta

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"tributary/internal/fault"
)

// sqliteDB is a database file with one connection that writes and several that
// only read. Writers queue in the process, so SQLite's own lock is always free.
type sqliteDB struct {
	path   string
	lock   *fileLock
	writer *sql.DB
	reader *sql.DB
	queue  chan struct{} // held by who writes; Go serves those who wait in order
	broken atomic.Bool   // an fsync failed
}

// maxWait is how long a writer waits for its turn. Longer means that someone
// inside Transact used a handle from outside, or a disk that stands still.
const maxWait = 30 * time.Second

func openSQLite(ctx context.Context, c Config, path string) (_ engine, tenantTables []string, err error) {
	if path == "" || path == ":memory:" {
		return nil, nil, fault.New(fault.Invalid, "The control database's URL names no file, as in sqlite:/var/lib/tributary/control.db.")
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, nil, err
	}
	db := &sqliteDB{path: path, queue: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			_ = db.close()
		}
	}()
	if c.Existing || c.Beside {
		if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
			return nil, nil, errNone("at " + path)
		}
	}
	if !c.Beside {
		if err := createFile(path); err != nil {
			return nil, nil, db.classify(ctx, err)
		}
		if db.lock, err = lockFile(ctx, c, path+".lock"); err != nil {
			return nil, nil, err
		}
	}
	if db.writer, err = db.pool(c.failing, 1, "immediate"); err != nil {
		return nil, nil, err
	}
	if db.reader, err = db.pool(nil, max(4, 2*runtime.NumCPU()), "deferred", "query_only(1)"); err != nil {
		return nil, nil, err
	}
	err = sqliteUsable(ctx, db, db.reader, path)
	if err != nil && !(c.Loading && fault.Is(err, fault.Conflict)) && (c.Existing || c.Beside || !fault.Is(err, fault.NotFound)) {
		return nil, nil, err
	}
	if err := migrate(ctx, c, goose.DialectSQLite3, db.writer); err != nil {
		return nil, nil, db.classify(ctx, err)
	}
	r, err := db.query(ctx, db.writer, `
		SELECT m.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
		WHERE m.type = 'table' AND c.name = 'tenant' ORDER BY m.name`, nil)
	if err != nil {
		return nil, nil, err
	}
	return db, firstColumn(r), nil
}

func firstColumn(r result) []string {
	var names []string
	for _, row := range r.rows {
		names = append(names, row[0].(string))
	}
	return names
}

// pool opens the file. Deleted rows are overwritten (offboarding), nothing goes
// to temporary files, and SQL that PostgreSQL would not take is refused.
func (db *sqliteDB) pool(failing func(driver.Connector) driver.Connector, connections int, lock string, pragmas ...string) (*sql.DB, error) {
	q := url.Values{
		"_txlock": {lock}, "_dqs": {"0"}, "_defensive": {"1"},
		"_pragma": append([]string{
			"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
			"secure_delete(1)", "temp_store(MEMORY)", "trusted_schema(0)", "case_sensitive_like(1)",
			"journal_size_limit(67108864)",
		}, pragmas...),
	}
	connector, err := sqlite.NewConnector((&url.URL{Scheme: "file", Path: db.path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	connector = preparing{connector}
	if failing != nil {
		connector = failing(connector)
	}
	p := sql.OpenDB(connector)
	p.SetMaxOpenConns(connections)
	p.SetMaxIdleConns(connections)
	return p, nil
}

func (db *sqliteDB) name() string { return "sqlite" }

func (db *sqliteDB) lost() <-chan struct{} { return nil }

func (db *sqliteDB) close() error {
	var errs []error
	if db.reader != nil {
		errs = append(errs, db.reader.Close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.Close())
	}
	if db.lock != nil {
		errs = append(errs, db.lock.release())
	}
	return errors.Join(errs...)
}

func (db *sqliteDB) run(ctx context.Context, _ string, s *statement, args []any) (result, error) {
	if !s.writes {
		return db.statement(ctx, db.reader, s, args)
	}
	if err := db.enter(ctx); err != nil {
		return result{}, err
	}
	defer db.leave()
	return db.statement(ctx, db.writer, s, args)
}

// enter waits for this writer's turn.
func (db *sqliteDB) enter(ctx context.Context) error {
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case db.queue <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fault.New(fault.Unavailable, "The control database was busy for %v. Try again.", maxWait)
	}
	if db.broken.Load() {
		db.leave()
		return errBroken
	}
	return nil
}

func (db *sqliteDB) leave() { <-db.queue }

func (db *sqliteDB) begin(ctx context.Context) (session, error) {
	if err := db.enter(ctx); err != nil {
		return nil, err
	}
	conn, err := db.writer.Conn(ctx)
	if err == nil {
		if _, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
			_ = conn.Close()
		}
	}
	if err != nil {
		db.leave()
		return nil, db.classify(ctx, err)
	}
	return &sqliteTx{db, conn}, nil
}

// sqliteTx is a transaction on the connection that writes.
type sqliteTx struct {
	db   *sqliteDB
	conn *sql.Conn
}

func (t *sqliteTx) run(ctx context.Context, _ string, s *statement, args []any) (result, error) {
	return t.db.statement(ctx, t.conn, s, args)
}

func (t *sqliteTx) commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		t.rollback()
		return err
	}
	// From here on the context no longer counts: a commit that is cut off halfway
	// would leave open whether it happened.
	if _, err := t.conn.ExecContext(context.WithoutCancel(ctx), "COMMIT"); err != nil {
		err = t.db.classify(ctx, err)
		t.rollback()
		return err
	}
	_ = t.conn.Close() // gives it back to the pool
	t.db.leave()
	return nil
}

func (t *sqliteTx) rollback() {
	if _, err := t.conn.ExecContext(context.Background(), "ROLLBACK"); err != nil && !isSQLite(err, lib.SQLITE_ERROR) {
		// SQLITE_ERROR: a full disk has rolled it back already. Otherwise nobody
		// knows what state the connection is in.
		_ = t.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = t.conn.Close()
	t.db.leave()
}

// querier is a pool or a connection.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// statement runs a statement to its end.
func (db *sqliteDB) statement(ctx context.Context, q querier, s *statement, args []any) (result, error) {
	if s.reads {
		r, err := db.query(ctx, q, s.sqlite, args)
		if s.writes {
			r.changed = int64(len(r.rows))
		}
		return r, err
	}
	done, err := q.ExecContext(ctx, s.sqlite, args...)
	if err != nil {
		return result{}, db.classify(ctx, err)
	}
	n, err := done.RowsAffected()
	return result{changed: n}, err
}

// query runs a statement that returns rows.
func (db *sqliteDB) query(ctx context.Context, q querier, text string, args []any) (r result, err error) {
	defer func() { err = db.classify(ctx, err) }()
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if r.columns, err = rows.Columns(); err != nil {
		return r, err
	}
	places := make([]any, len(r.columns))
	size := 0
	for rows.Next() {
		row := make([]any, len(r.columns))
		for i := range row {
			places[i] = &row[i]
		}
		if err := rows.Scan(places...); err != nil {
			return r, err
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok && b == nil {
				row[i] = []byte{} // the driver's for no bytes, which is not NULL
			}
		}
		if size += rowSize(row); size > maxResult {
			return r, errTooMuch(text)
		}
		r.rows = append(r.rows, row)
	}
	return r, rows.Err()
}

func errTooMuch(text string) error {
	return fmt.Errorf("meta: more than %d bytes of rows; page through them: %q", maxResult, text)
}

func rowSize(row []any) int {
	size := 0
	for _, v := range row {
		switch v := v.(type) {
		case string:
			size += len(v)
		case []byte:
			size += len(v)
		}
		size += 16
	}
	return size
}

func (db *sqliteDB) compact(ctx context.Context) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.leave()
	if _, err := db.writer.ExecContext(ctx, "VACUUM"); err != nil {
		return db.classify(ctx, err)
	}
	var busy, pages, moved int
	if err := db.writer.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
		return db.classify(ctx, err)
	}
	if busy != 0 {
		return fault.New(fault.Unavailable, "The control database is being read; its log still has deleted rows. Try again.")
	}
	return nil
}

func (db *sqliteDB) verify(ctx context.Context) ([]string, error) {
	var problems []string
	r, err := db.query(ctx, db.reader, "PRAGMA integrity_check", nil)
	if fault.Is(err, fault.Damaged) {
		return []string{"control database: " + err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	for _, p := range firstColumn(r) {
		if p != "ok" {
			problems = append(problems, "control database: "+p)
		}
	}
	r, err = db.query(ctx, db.reader, `
		SELECT "table", coalesce(rowid, 0), parent FROM pragma_foreign_key_check`, nil)
	if fault.Is(err, fault.Damaged) {
		return append(problems, "control database: "+err.Error()), nil
	}
	if err != nil {
		return nil, err
	}
	for _, row := range r.rows {
		problems = append(problems, fmt.Sprintf("control database: the row of %v with rowid %v refers to a row of %v that is not there", row[0], row[1], row[2]))
	}
	return problems, nil
}

// classify gives an error of SQLite its kind, and stops all writing after a
// failed fsync.
func (db *sqliteDB) classify(ctx context.Context, err error) error {
	if err == nil || fault.KindOf(err) != fault.Internal {
		return err
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		switch {
		case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
			return fault.Wrap(fault.StorageFull, err, wordsFull)
		case errors.Is(err, sql.ErrConnDone) && ctx.Err() != nil:
			return ctx.Err()
		}
		return err
	}
	if isSQLite(err, lib.SQLITE_IOERR_FSYNC, lib.SQLITE_IOERR_DIR_FSYNC) {
		db.broken.Store(true)
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_INTERRUPT:
		if ctx.Err() != nil {
			return ctx.Err()
		}
	case lib.SQLITE_FULL:
		return fault.Wrap(fault.StorageFull, err, wordsFull)
	case lib.SQLITE_IOERR:
		// Growing the log's index says only "I/O error" when the disk is full.
		if noSpace(filepath.Dir(db.path)) {
			return fault.Wrap(fault.StorageFull, err, wordsFull)
		}
		return fault.Wrap(fault.Unavailable, err, wordsUnavailable)
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY, lib.SQLITE_NOMEM:
		return fault.Wrap(fault.Unavailable, err, wordsUnavailable)
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		// A disk that gives only errors is told as damage too, but what is on it may be whole.
		if unreadable(db.path + "-wal") {
			return fault.Wrap(fault.Unavailable, err, wordsUnavailable)
		}
		return fault.Wrap(fault.Damaged, err, wordsDamaged)
	}
	return err
}

// unreadable reports whether reading a file's first byte is an I/O error. It must
// not be a file that SQLite locks: closing it here would end the lock.
func unreadable(path string) bool {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		_, err = f.ReadAt(make([]byte, 1), 0)
	}
	for _, e := range []error{syscall.EIO, syscall.ENXIO, syscall.ENODEV, syscall.ESTALE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func noSpace(dir string) bool {
	var s syscall.Statfs_t
	return syscall.Statfs(dir, &s) == nil && (s.Bavail == 0 || s.Files > 0 && s.Ffree == 0)
}
