package meta

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tributary/internal/fault"
)

// Image is a control database as it was at one moment, all tenants' rows
// included. It is read beside the server that uses the database, whose lock it
// does not need, and whose writing it does not hold up.
type Image struct {
	Engine string // "sqlite" or "postgres"
	Schema int64  // the number of the last migration
	Tables []Table
	each   func(ctx context.Context, query string, f func(row []any) error) error
}

// Table is a table of an Image or of a Loader.
type Table struct {
	Name    string
	Columns []string
}

// ReadImage shows read the database at one moment. An older schema than this
// program's is shown as it is, a newer one is Conflict; no database is NotFound.
func ReadImage(ctx context.Context, c Config, read func(*Image) error) error {
	if c.migrations == nil {
		c.migrations = migrations()
	}
	newest, err := newestMigration(c.migrations)
	if err != nil {
		return err
	}
	checked := func(i *Image) error {
		if i.Schema > newest {
			return errBeyond(i.Schema, newest)
		}
		return read(i)
	}
	scheme, rest, _ := strings.Cut(c.URL, ":")
	switch scheme {
	case "sqlite":
		return imageSQLite(ctx, rest, checked)
	case "postgres", "postgresql":
		return imagePostgres(ctx, c, checked)
	}
	return errScheme()
}

// Each shows f the rows of a table, in no order. Values are nil, int64, float64,
// string or []byte, and f may keep them.
func (i *Image) Each(ctx context.Context, t Table, f func(row []any) error) error {
	if err := i.each(ctx, "SELECT "+listed(t.Columns)+" FROM "+listed([]string{t.Name}), f); err != nil {
		return fmt.Errorf("read table %s: %w", t.Name, err)
	}
	return nil
}

// listed lists names as both databases read them.
func listed(list []string) string {
	parts := make([]string, len(list))
	for i, name := range list {
		parts[i] = pgx.Identifier{name}.Sanitize()
	}
	return strings.Join(parts, ", ")
}

// own reports whether a table is this package's, which is made anew wherever rows go.
func own(table string) bool {
	return strings.HasPrefix(table, "meta_") || strings.HasPrefix(table, "sqlite_")
}

// newestMigration returns the number of the last migration.
func newestMigration(files fs.FS) (int64, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return 0, err
	}
	var newest int64
	for _, name := range names {
		digits, _, _ := strings.Cut(name, "_")
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("the migration %s has no number: %w", name, err)
		}
		newest = max(newest, n)
	}
	return newest, nil
}

const schemaVersion = `SELECT max(version_id) FROM ` + versionTable + ` WHERE is_applied`

func imageSQLite(ctx context.Context, path string, read func(*Image) error) (err error) {
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return errNone("at " + path)
	}
	db := &sqliteDB{path: path}
	defer func() { err = errors.Join(db.classify(ctx, err), db.close()) }()
	if db.reader, err = db.pool(nil, 1, "deferred", "query_only(1)"); err != nil {
		return err
	}
	conn, err := db.reader.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") }() // it has only read
	i := &Image{Engine: db.name(), each: func(ctx context.Context, query string, f func([]any) error) error {
		return db.eachRow(ctx, conn, query, f)
	}}
	if err := sqliteUsable(ctx, db, conn, path); err != nil {
		return err
	}
	if err := conn.QueryRowContext(ctx, schemaVersion).Scan(&i.Schema); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if i.Tables, err = sqliteTables(ctx, db, conn); err != nil {
		return err
	}
	return read(i)
}

// sqliteUsable refuses a file without tables of ours, and one whose restore was
// cut off.
func sqliteUsable(ctx context.Context, db *sqliteDB, q querier, path string) error {
	r, err := db.query(ctx, q, `SELECT name FROM sqlite_schema WHERE name IN ('`+versionTable+`', '`+restoreTable+`') ORDER BY name`, nil)
	if err != nil {
		return err
	}
	switch found := firstColumn(r); {
	case len(found) > 0 && found[0] == restoreTable:
		return errUnfinished("at " + path)
	case len(found) == 0:
		return errNone("at " + path)
	}
	return nil
}

func sqliteTables(ctx context.Context, db *sqliteDB, q querier) ([]Table, error) {
	r, err := db.query(ctx, q, `
		SELECT m.name, c.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
		WHERE m.type = 'table' ORDER BY m.name, c.cid`, nil)
	if err != nil {
		return nil, err
	}
	return tablesOf(r.rows), nil
}

// tablesOf groups rows of a table's and a column's name.
func tablesOf(rows [][]any) []Table {
	var list []Table
	for _, row := range rows {
		table, _ := row[0].(string)
		column, _ := row[1].(string)
		if own(table) {
			continue
		}
		if len(list) == 0 || list[len(list)-1].Name != table {
			list = append(list, Table{Name: table})
		}
		last := &list[len(list)-1]
		last.Columns = append(last.Columns, column)
	}
	return list
}

// eachRow is query for more rows than fit in memory.
func (db *sqliteDB) eachRow(ctx context.Context, conn *sql.Conn, text string, f func([]any) error) (err error) {
	rows, err := conn.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	places := make([]any, len(columns))
	for rows.Next() {
		row := make([]any, len(columns))
		for i := range row {
			places[i] = &row[i]
		}
		if err := rows.Scan(places...); err != nil {
			return err
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok && b == nil {
				row[i] = []byte{} // as in query
			}
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// deferred waits for a moment at which no transaction under way could make what
// is read impossible in any order of transactions, and then never has to be repeated.
const beginImage = `BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE`

const columnsOfTables = `
	SELECT c.relname::text, a.attname::text FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
	WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
	ORDER BY c.relname COLLATE "C", a.attnum`

func imagePostgres(ctx context.Context, c Config, read func(*Image) error) (err error) {
	defer func() { err = classifyPostgres(ctx, err) }()
	cfg, schema, err := postgresConfig(c)
	if err != nil {
		return err
	}
	conn, err := connectAlone(ctx, cfg, "tributary backup")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := postgresUsable(ctx, conn, schema); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, beginImage); err != nil {
		return err
	}
	i := &Image{Engine: "postgres", each: func(ctx context.Context, query string, f func([]any) error) error {
		return eachPostgres(ctx, conn, query, f)
	}}
	if err := conn.QueryRow(ctx, schemaVersion).Scan(&i.Schema); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	var names [][]any
	if err := eachPostgres(ctx, conn, columnsOfTables, func(row []any) error { names = append(names, row); return nil }); err != nil {
		return err
	}
	i.Tables = tablesOf(names)
	return read(i)
}

// connectAlone makes a connection that sees all tenants' rows, for one thing
// besides or before a server's work.
func connectAlone(ctx context.Context, cfg *pgxpool.Config, name string) (*pgx.Conn, error) {
	one := cfg.ConnConfig.Copy()
	one.RuntimeParams["application_name"] = name
	one.RuntimeParams["tributary.tenant"] = everyone
	conn, err := pgx.ConnectConfig(ctx, one)
	if err != nil {
		return nil, refusal(err)
	}
	if err := checkRole(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// postgresUsable refuses a schema without tables of ours, and one whose restore
// was cut off.
func postgresUsable(ctx context.Context, conn *pgx.Conn, schema string) error {
	var made, unfinished bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL, to_regclass($2) IS NOT NULL`,
		schema+"."+versionTable, schema+"."+restoreTable).Scan(&made, &unfinished); err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	switch {
	case unfinished:
		return errUnfinished("in the schema " + schema)
	case !made:
		return errNone("in the schema " + schema)
	}
	return nil
}

func eachPostgres(ctx context.Context, conn *pgx.Conn, query string, f func([]any) error) error {
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row, err := rows.Values()
		if err != nil {
			return err
		}
		for i := range row {
			if row[i], err = plain(row[i]); err != nil {
				return err
			}
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

func errBeyond(current, known int64) error {
	return fault.New(fault.Conflict,
		"The control database was written by a newer Tributary (schema %d; this program knows %d). Start that version, or restore an older backup.",
		current, known)
}

func errUnfinished(where string) error {
	return fault.New(fault.Conflict, "A restore into the control database %s was cut off, so it is not whole. Run the restore again; it begins anew.", where)
}
