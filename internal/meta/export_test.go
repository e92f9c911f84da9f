package meta

import (
	"context"
	"database/sql/driver"
	"io/fs"
)

// WithMigrations lets tests bring their own tables.
func (c Config) WithMigrations(files fs.FS) Config {
	c.migrations = files
	return c
}

// Failing lets tests come between the migrations and the database's driver.
func (c Config) Failing(with func(driver.Connector) driver.Connector) Config {
	c.failing = with
	return c
}

// Migrations are the product's.
func Migrations() fs.FS { return migrations() }

// Parse shows what is found out about a query's text.
func Parse(query string, tenantTables ...string) (sqlite string, writes bool, tables []string, err error) {
	s, err := parse(query, tenantTables)
	if err != nil {
		return "", false, nil, err
	}
	return s.sqlite, s.writes, s.tables, nil
}

// Raw runs a statement on SQLite's writer, past everything.
func (db *DB) Raw(ctx context.Context, query string) error {
	_, err := db.engine.(*sqliteDB).writer.ExecContext(ctx, query)
	return err
}

// Break makes SQLite's side believe that an fsync failed.
func (db *DB) Break() { db.engine.(*sqliteDB).broken.Store(true) }

// LockKey is the advisory lock of a schema.
func LockKey(schema string) int64 { return lockKey(schema) }
