package warehouse

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/query"
)

// UnscopedSave saves a named query, and reports whether that changed anything: the same
// text again does not, another one is the next version. The SQL is looked at as if it
// were asked.
func (w *Warehouse) UnscopedSave(ctx context.Context, by, name, source string) (n Named, changed bool, err error) {
	if n, err = ParseNamed(name, source); err != nil {
		return n, false, err
	}
	if w.builtInNamed(name) != nil {
		return n, false, fault.New(fault.Conflict, "The query %s is built in. Choose another name.", name)
	}
	look := query.Select{Statement: query.Statement{SQL: n.sql}, Tables: Tables, Rows: 1, Bytes: 1, Describe: true}
	if n.Tenants {
		look.Tables, look.Instead = bound(anyTenant, true)
	}
	if _, err := w.do(ctx, query.Request{Select: &look}, Into{}); err != nil {
		return n, false, err
	}
	hash := sha256.Sum256([]byte(source))
	err = w.cfg.DB.Transact(ctx, func(tx *meta.DB) error {
		changed = false
		var last int64
		if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(version), 0) FROM named_queries WHERE name = $1`, name).Scan(&last); err != nil {
			return fmt.Errorf("find version: %w", err)
		}
		current, err := savedIn(ctx, tx, name, 0)
		switch {
		case err == nil && current.Source == source:
			n = current
			return nil
		case err != nil && !fault.Is(err, fault.NotFound):
			return err
		}
		changed = true
		n.Version, n.CreatedAt, n.CreatedBy = last+1, w.cfg.Clock.Now(), by
		if _, err := tx.Exec(ctx, `INSERT INTO named_queries (name, version, source, hash, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)`,
			name, n.Version, source, hash[:], meta.Micros(n.CreatedAt), by); err != nil {
			return fmt.Errorf("save query: %w", err)
		}
		return w.cfg.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: "query.save", Subject: name, Outcome: "ok",
			Details: map[string]any{"version": n.Version, "sha256": fmt.Sprintf("%x", hash), "tenants": n.Tenants}})
	})
	return n, changed, err
}

// UnscopedDelete deletes a saved query. Its versions stay known; one that is saved by its name
// later has the next number.
func (w *Warehouse) UnscopedDelete(ctx context.Context, by, name string) error {
	if w.builtInNamed(name) != nil {
		return fault.New(fault.Conflict, "The query %s is built in, and stays.", name)
	}
	return w.cfg.DB.Transact(ctx, func(tx *meta.DB) error {
		gone, err := tx.Exec(ctx, `UPDATE named_queries SET deleted_at = $1 WHERE name = $2 AND deleted_at IS NULL`, meta.Micros(w.cfg.Clock.Now()), name)
		if err != nil {
			return fmt.Errorf("delete query: %w", err)
		}
		if gone == 0 {
			return noQuery(name)
		}
		return w.cfg.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: "query.delete", Subject: name, Outcome: "ok"})
	})
}

// Named returns a version of a named query; version 0 is the newest.
func (w *Warehouse) Named(ctx context.Context, name string, version int64) (Named, error) {
	if n := w.builtInNamed(name); n != nil && version == 0 {
		return *n, nil
	}
	return savedIn(ctx, w.cfg.DB, name, version)
}

// NamedForTenants is Named of the queries that are for tenants; there are no others.
func (w *Warehouse) NamedForTenants(ctx context.Context, name string, version int64) (Named, error) {
	n, err := w.Named(ctx, name, version)
	if err == nil && !n.Tenants {
		err = noQuery(name)
	}
	return n, err
}

func (w *Warehouse) builtInNamed(name string) *Named {
	if i := slices.IndexFunc(w.builtIn, func(n Named) bool { return n.Name == name }); i >= 0 {
		return &w.builtIn[i]
	}
	return nil
}

const namedColumns = `name, version, source, hash, created_at, created_by`

func savedIn(ctx context.Context, db *meta.DB, name string, version int64) (Named, error) {
	n, err := scanNamed(db.QueryRow(ctx, `SELECT `+namedColumns+` FROM named_queries WHERE name = $1 AND deleted_at IS NULL
		AND version = CASE WHEN $2 = 0 THEN (SELECT MAX(version) FROM named_queries WHERE name = $1) ELSE $2 END`, name, version))
	if errors.Is(err, sql.ErrNoRows) {
		if version > 0 {
			return n, fault.New(fault.NotFound, "There is no version %d of a query called %q.", version, name)
		}
		return n, noQuery(name)
	}
	return n, err
}

// scanNamed reads a saved query and sees that it is what was saved.
func scanNamed(row meta.Scanner) (Named, error) {
	var name, source, by string
	var version, created int64
	var stored []byte
	if err := row.Scan(&name, &version, &source, &stored, &created, &by); err != nil {
		return Named{}, err
	}
	hash := sha256.Sum256([]byte(source))
	n, err := ParseNamed(name, source)
	if err != nil || !bytes.Equal(hash[:], stored) {
		return n, fault.Wrap(fault.Damaged, err, "The stored version %d of the query %s is not the one that was saved.", version, name)
	}
	n.Version, n.CreatedAt, n.CreatedBy = version, meta.Time(created), by
	return n, nil
}

// Queries lists the named queries by name, saved and built in, each in its newest version;
// or only those that are for tenants.
func (w *Warehouse) Queries(ctx context.Context, forTenants bool) ([]Named, error) {
	saved, err := w.list(ctx, `SELECT `+namedColumns+` FROM named_queries q WHERE deleted_at IS NULL
		AND version = (SELECT MAX(version) FROM named_queries n WHERE n.name = q.name)`)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(w.builtIn, saved)
	if forTenants {
		all = slices.DeleteFunc(all, func(n Named) bool { return !n.Tenants })
	}
	slices.SortFunc(all, func(a, b Named) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Versions lists the versions of a saved query, the newest first.
func (w *Warehouse) Versions(ctx context.Context, name string) ([]Named, error) {
	if n := w.builtInNamed(name); n != nil {
		return []Named{*n}, nil
	}
	list, err := w.list(ctx, `SELECT `+namedColumns+` FROM named_queries WHERE name = $1 AND deleted_at IS NULL ORDER BY version DESC`, name)
	if err == nil && len(list) == 0 {
		err = noQuery(name)
	}
	return list, err
}

func (w *Warehouse) list(ctx context.Context, statement string, arguments ...any) ([]Named, error) {
	rows, err := w.cfg.DB.Query(ctx, statement, arguments...)
	if err != nil {
		return nil, fmt.Errorf("list queries: %w", err)
	}
	var list []Named
	for rows.Next() {
		n, err := scanNamed(rows)
		if err != nil {
			return nil, fmt.Errorf("list queries: %w", err)
		}
		list = append(list, n)
	}
	return list, nil
}
