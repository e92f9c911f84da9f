package meta

import (
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
		return fault.New(fault.Conflict,
			"The control database was written by a newer Tributary (schema %d; this program knows %d). Start that version, or restore an older backup.",
			current, target)
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for _, m := range done {
		c.Log.InfoContext(ctx, "migrated control database", "version", m.Source.Version, "took", m.Duration)
	}
	// What Healthy writes to.
	for _, q := range []string{
		`CREATE TABLE IF NOT EXISTS meta_health (id BIGINT PRIMARY KEY, probes BIGINT NOT NULL)`,
		`INSERT INTO meta_health (id, probes) VALUES (1, 0) ON CONFLICT (id) DO NOTHING`,
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("prepare meta_health: %w", err)
		}
	}
	return nil
}
