package meta

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"tributary/internal/fault"
)

// restoreTable is there from the first step of Load until Loaded: what has it is
// not whole, and Open refuses it.
const restoreTable = "meta_restore"

const markRestore = `CREATE TABLE ` + restoreTable + ` (id BIGINT PRIMARY KEY)`

// Loader takes the rows of a database that is made.
type Loader interface {
	// Fill adds rows to a table, of which next returns one after the other and
	// io.EOF after the last. A table or column that there is not is Invalid.
	Fill(ctx context.Context, t Table, next func() ([]any, error)) error
}

// Load makes a database with the tables of a schema version and what fill puts
// into them, all or nothing. It takes only a place where nothing is (Conflict
// otherwise), or what an earlier Load left that never came to Loaded, of which
// nothing stays. A schema that is newer than this program's is Conflict.
//
// Open refuses the database until Loaded; with Config.Loading it migrates it and
// opens it.
func Load(ctx context.Context, c Config, schema int64, fill func(Loader) error) error {
	if c.migrations == nil {
		c.migrations = migrations()
	}
	newest, err := newestMigration(c.migrations)
	if err != nil {
		return err
	}
	if schema > newest {
		return errBeyond(schema, newest)
	}
	scheme, rest, _ := strings.Cut(c.URL, ":")
	switch scheme {
	case "sqlite":
		return loadSQLite(ctx, c, rest, schema, fill)
	case "postgres", "postgresql":
		return loadPostgres(ctx, c, schema, fill)
	}
	return errScheme()
}

// Loaded says that a database which Load made is whole.
func (db *DB) Loaded(ctx context.Context) error {
	const q = `DROP TABLE ` + restoreTable
	if _, err := db.engine.run(ctx, "", &statement{text: q, sqlite: q, writes: true}, nil); err != nil {
		return fmt.Errorf("finish the restored database: %w", err)
	}
	return nil
}

// Unload takes away what Load made and was not Loaded. Anything else it leaves, and
// reports that it is whole.
func Unload(ctx context.Context, c Config) (whole bool, err error) {
	scheme, rest, _ := strings.Cut(c.URL, ":")
	switch scheme {
	case "sqlite":
		return unloadSQLite(ctx, c, rest)
	case "postgres", "postgresql":
		return unloadPostgres(ctx, c)
	}
	return false, errScheme()
}

func errTaken(where string) error {
	return fault.New(fault.Conflict, "There is something in the control database %s already, and a restore goes to an empty place only. Name another, or empty it yourself.", where)
}

func errTable(t Table) error {
	return fault.New(fault.Invalid, "The table %s with the columns %s is not one of this schema.", t.Name, strings.Join(t.Columns, ", "))
}

// fits reports whether a table with these columns, or more, is among tables.
func fits(tables []Table, t Table) bool {
	for _, known := range tables {
		if known.Name != t.Name {
			continue
		}
		for _, c := range t.Columns {
			if !slices.Contains(known.Columns, c) {
				return false
			}
		}
		return len(t.Columns) > 0
	}
	return false
}

// lockSQLite opens the file for Load and Unload alone.
func lockSQLite(ctx context.Context, c Config, path string) (*sqliteDB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	db := &sqliteDB{path: path, queue: make(chan struct{}, 1)}
	if err := createFile(path); err != nil {
		return nil, db.classify(ctx, err)
	}
	if db.lock, err = lockFile(ctx, c, path+".lock"); err != nil {
		return nil, err
	}
	return db, nil
}

// vacate makes sure that the file is empty, and takes away what a Load left.
func (db *sqliteDB) vacate(ctx context.Context) error {
	var err error
	if db.writer, err = db.pool(nil, 1, "immediate"); err != nil {
		return err
	}
	r, err := db.query(ctx, db.writer, `SELECT name FROM sqlite_schema ORDER BY name`, nil)
	if err != nil {
		return err
	}
	found := firstColumn(r)
	if len(found) == 0 {
		return nil
	}
	if !slices.Contains(found, restoreTable) {
		return errTaken("at " + db.path)
	}
	if err := db.writer.Close(); err != nil {
		return err
	}
	if err := removeSQLite(db.path); err != nil {
		return err
	}
	db.writer, err = db.pool(nil, 1, "immediate")
	return err
}

// removeSQLite takes away the files of a database, but its lock. The database goes
// last: what is left with it is found again.
func removeSQLite(path string) error {
	for _, end := range []string{"-shm", "-wal", ""} {
		if err := os.Remove(path + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove unfinished database: %w", err)
		}
	}
	return nil
}

func unloadSQLite(ctx context.Context, c Config, path string) (whole bool, err error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	db, err := lockSQLite(ctx, c, path)
	if err != nil {
		return false, err
	}
	defer func() { _ = db.close() }()
	err = db.vacate(ctx)
	if fault.Is(err, fault.Conflict) {
		return true, nil
	}
	if err != nil {
		return false, db.classify(ctx, err)
	}
	return false, removeSQLite(db.path) // also one that has no table yet
}

func loadSQLite(ctx context.Context, c Config, path string, schema int64, fill func(Loader) error) (err error) {
	db, err := lockSQLite(ctx, c, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(db.classify(ctx, err), db.close()) }()
	if err := db.vacate(ctx); err != nil {
		return err
	}
	if _, err := db.writer.ExecContext(ctx, markRestore); err != nil {
		return err
	}
	if err := migrateTo(ctx, c, goose.DialectSQLite3, db.writer, schema); err != nil {
		return err
	}
	conn, err := db.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	l := &sqliteLoader{db: db, conn: conn}
	if l.tables, err = sqliteTables(ctx, db, conn); err != nil {
		return err
	}
	// References are looked at when it commits, since rows come in any order.
	for _, q := range []string{"BEGIN IMMEDIATE", "PRAGMA defer_foreign_keys=ON"} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	for _, t := range l.tables { // what migrations put there
		if _, err := conn.ExecContext(ctx, "DELETE FROM "+listed([]string{t.Name})); err != nil { //nolint:gosec // a name from the catalog, quoted
			return err
		}
	}
	if err := fill(l); err != nil {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return err
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

type sqliteLoader struct {
	db     *sqliteDB
	conn   *sql.Conn
	tables []Table
}

// Fill implements Loader.
func (l *sqliteLoader) Fill(ctx context.Context, t Table, next func() ([]any, error)) error {
	if !fits(l.tables, t) {
		return errTable(t)
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(t.Columns)), ", ")
	query := "INSERT INTO " + listed([]string{t.Name}) + " (" + listed(t.Columns) + ") VALUES (" + marks + ")" //nolint:gosec // names that are in the catalog, quoted
	for {
		row, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := l.conn.ExecContext(ctx, query, row...); err != nil {
			return fmt.Errorf("fill table %s: %w", t.Name, err)
		}
	}
}

// lockPostgres connects for Load and Unload alone, and takes the schema's lock.
func lockPostgres(ctx context.Context, c Config) (db *postgresDB, schema string, err error) {
	cfg, schema, err := postgresConfig(c)
	if err != nil {
		return nil, "", err
	}
	db = &postgresDB{gone: make(chan struct{})}
	if db.holder, err = connectAlone(ctx, cfg, "tributary restore"); err != nil {
		return nil, "", err
	}
	err = createSchema(ctx, db.holder, schema)
	if err == nil {
		err = db.hold(ctx, c, schema)
	}
	if err != nil {
		return nil, "", errors.Join(err, db.close())
	}
	return db, schema, nil
}

// vacate makes sure that the schema has no tables, and takes away those that a
// Load left.
func (db *postgresDB) vacate(ctx context.Context, schema string) error {
	tables, err := allTables(ctx, db.holder)
	if err != nil || len(tables) == 0 {
		return err
	}
	if !slices.Contains(tables, restoreTable) {
		return errTaken(fmt.Sprintf("in schema %q", schema))
	}
	_, err = db.holder.Exec(ctx, "DROP TABLE "+listed(tables)+" CASCADE")
	return err
}

func unloadPostgres(ctx context.Context, c Config) (whole bool, err error) {
	defer func() { err = classifyPostgres(ctx, err) }()
	db, schema, err := lockPostgres(ctx, c)
	if err != nil {
		return false, err
	}
	defer func() { _ = db.close() }()
	if err = db.vacate(ctx, schema); fault.Is(err, fault.Conflict) {
		return true, nil
	}
	return false, err
}

func loadPostgres(ctx context.Context, c Config, schema int64, fill func(Loader) error) (err error) {
	defer func() { err = classifyPostgres(ctx, err) }()
	db, name, err := lockPostgres(ctx, c)
	if err != nil {
		return err
	}
	defer func() { _ = db.close() }()
	if err := db.vacate(ctx, name); err != nil {
		return err
	}
	if _, err := db.holder.Exec(ctx, markRestore); err != nil {
		return err
	}
	mdb := stdlib.OpenDB(*db.holder.Config())
	err = migrateTo(ctx, c, goose.DialectPostgres, mdb, schema)
	_ = mdb.Close()
	if err != nil {
		return err
	}
	tx, err := db.holder.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // nothing, once it has committed
	if err := fillPostgres(ctx, tx, fill); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// fillPostgres fills the tables without their references, since rows come in any
// order, and puts those back, which checks them.
func fillPostgres(ctx context.Context, tx pgx.Tx, fill func(Loader) error) error {
	l := &postgresLoader{tx: tx}
	var names [][]any
	if err := eachPostgres(ctx, tx.Conn(), columnsOfTables, func(row []any) error { names = append(names, row); return nil }); err != nil {
		return err
	}
	l.tables = tablesOf(names)
	var drop, add []string
	err := eachPostgres(ctx, tx.Conn(), `
		SELECT format('ALTER TABLE %I DROP CONSTRAINT %I', r.relname, c.conname),
			format('ALTER TABLE %I ADD CONSTRAINT %I %s', r.relname, c.conname, pg_get_constraintdef(c.oid))
		FROM pg_constraint AS c JOIN pg_class AS r ON r.oid = c.conrelid
		WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace`, func(row []any) error {
		drop, add = append(drop, row[0].(string)), append(add, row[1].(string))
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range l.tables { // what migrations put there
		drop = append(drop, "DELETE FROM "+listed([]string{t.Name}))
	}
	for _, q := range drop {
		if _, err := tx.Exec(ctx, q); err != nil {
			return err
		}
	}
	if err := fill(l); err != nil {
		return err
	}
	for _, q := range add {
		if _, err := tx.Exec(ctx, q); err != nil {
			return fmt.Errorf("check references: %w", err)
		}
	}
	return nil
}

type postgresLoader struct {
	tx     pgx.Tx
	tables []Table
}

// Fill implements Loader.
func (l *postgresLoader) Fill(ctx context.Context, t Table, next func() ([]any, error)) error {
	if !fits(l.tables, t) {
		return errTable(t)
	}
	var broken error // PostgreSQL's answer to it would only repeat its words
	_, err := l.tx.CopyFrom(ctx, pgx.Identifier{t.Name}, t.Columns, pgx.CopyFromFunc(func() ([]any, error) {
		row, err := next()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		broken = err
		return row, err
	}))
	if broken != nil {
		err = broken
	}
	if err != nil {
		return fmt.Errorf("fill table %s: %w", t.Name, err)
	}
	return nil
}
