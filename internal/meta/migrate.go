package meta

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"tributary/internal/fault"
)

//go:embed migrations/*.sql
var embedded embed.FS

func migrations() fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // the pattern above would not have compiled
	}
	return sub
}

// versionTable is where goose keeps which migrations were applied.
const versionTable = "meta_versions"

// migrate brings the database to this program's version. Each migration is one
// transaction together with the note that it was applied, so a crash leaves the
// database at one version or the next.
func migrate(ctx context.Context, c Config, dialect goose.Dialect, db *sql.DB) error {
	p, err := goose.NewProvider(dialect, db, c.migrations,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if current > target {
		return errNewer(ctx, c, db, current, target)
	}
	if c.Beside {
		if current < target {
			return fault.New(fault.Conflict, "The control database was written by an older Tributary (schema %d; this program's is %d). Use that version's program, or start this version's server once.", current, target)
		}
		return nil
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for _, m := range done {
		c.Log.InfoContext(ctx, "migrated control database", "version", m.Source.Version, "took", m.Duration)
	}
	for _, q := range []string{
		// What Healthy writes to.
		`CREATE TABLE IF NOT EXISTS meta_health (id BIGINT PRIMARY KEY, probes BIGINT NOT NULL)`,
		`INSERT INTO meta_health (id, probes) VALUES (1, 0) ON CONFLICT (id) DO NOTHING`,
		// Which program first brought the schema to which version.
		`CREATE TABLE IF NOT EXISTS meta_programs (schema BIGINT PRIMARY KEY, program TEXT NOT NULL)`,
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	if _, err := db.ExecContext(ctx, `INSERT INTO meta_programs (schema, program) VALUES ($1, $2) ON CONFLICT (schema) DO NOTHING`, target, c.Version); err != nil {
		return fmt.Errorf("note the program's version: %w", err)
	}
	return nil
}

// errNewer refuses a database that a newer program has migrated, and names that
// program if it left its version.
func errNewer(ctx context.Context, c Config, db *sql.DB, current, target int64) error {
	needs := "a newer Tributary"
	var program string
	err := db.QueryRowContext(ctx, `SELECT program FROM meta_programs WHERE schema = $1`, current).Scan(&program)
	if err == nil && program != "" {
		needs = "Tributary " + program + " or newer"
	}
	return fault.Wrap(fault.Conflict, err, "The control database needs %s: it has schema %d, and this program (%s) knows up to %d and changed nothing. "+
		"Start that version, or restore a backup from before the upgrade.", needs, current, cmp.Or(c.Version, "of no version"), target)
}

// migrateTo makes an empty database one of an earlier version.
func migrateTo(ctx context.Context, c Config, dialect goose.Dialect, db *sql.DB, version int64) error {
	p, err := goose.NewProvider(dialect, db, c.migrations,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := p.UpTo(ctx, version); err != nil {
		return fmt.Errorf("migrate to version %d: %w", version, err)
	}
	return nil
}
