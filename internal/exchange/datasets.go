package exchange

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"tributary/internal/audit"
	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/meta"
)

// Dataset is a version of a named contract. Applying a changed contract makes
// the next version; none is ever changed or removed.
type Dataset struct {
	Name      string
	Version   int64
	Source    string // the YAML as applied
	Hash      []byte
	Contract  *contract.Dataset
	CreatedAt time.Time
	CreatedBy string
}

// UnscopedApplyDataset makes the contract the dataset's current version, and
// reports whether that changed anything: the same contract again does not.
func (x *Exchange) UnscopedApplyDataset(ctx context.Context, by string, source []byte) (d Dataset, changed bool, err error) {
	c, err := contract.Parse(source)
	if err != nil {
		return d, false, err
	}
	hash, err := hex.DecodeString(c.Hash())
	if err != nil {
		return d, false, fmt.Errorf("hash of contract %s: %w", c.Name, err)
	}
	d = Dataset{Name: c.Name, Source: string(source), Hash: hash, Contract: c, CreatedAt: x.Clock.Now(), CreatedBy: by}
	err = x.DB.Transact(ctx, func(tx *meta.DB) error {
		changed = false
		current, err := x.DatasetIn(ctx, tx, c.Name, 0)
		switch {
		case err == nil && bytes.Equal(current.Hash, d.Hash):
			d = current
			return nil
		case err == nil:
			d.Version = current.Version + 1
		case fault.Is(err, fault.NotFound):
			d.Version = 1
		default:
			return err
		}
		changed = true
		if _, err := tx.Exec(ctx, `
			INSERT INTO datasets (id, version, created_at, created_by) VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET version = excluded.version`,
			d.Name, d.Version, meta.Micros(d.CreatedAt), by); err != nil {
			return fmt.Errorf("apply dataset %s: %w", d.Name, err)
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO dataset_versions (dataset, version, source, hash, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)`,
			d.Name, d.Version, d.Source, d.Hash, meta.Micros(d.CreatedAt), by); err != nil {
			return fmt.Errorf("apply dataset %s: %w", d.Name, err)
		}
		return x.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: "dataset.apply", Subject: d.Name, Outcome: "ok",
			Details: map[string]any{"version": d.Version, "hash": fmt.Sprintf("%x", d.Hash)}})
	})
	return d, changed, err
}

// Dataset returns a version of a dataset; version 0 is the current one.
func (x *Exchange) Dataset(ctx context.Context, name string, version int64) (Dataset, error) {
	return x.DatasetIn(ctx, x.DB, name, version)
}

// DatasetIn is Dataset inside a transaction.
func (x *Exchange) DatasetIn(ctx context.Context, db *meta.DB, name string, version int64) (Dataset, error) {
	d := Dataset{Name: name}
	var created int64
	err := db.QueryRow(ctx, `
		SELECT v.version, v.source, v.hash, v.created_at, v.created_by
		FROM datasets d JOIN dataset_versions v ON v.dataset = d.id
		WHERE d.id = $1 AND v.version = CASE WHEN $2 = 0 THEN d.version ELSE $2 END`, name, version).
		Scan(&d.Version, &d.Source, &d.Hash, &created, &d.CreatedBy)
	if errors.Is(err, sql.ErrNoRows) {
		if version > 0 {
			return d, fault.New(fault.NotFound, "There is no version %d of a dataset %q.", version, name)
		}
		return d, fault.New(fault.NotFound, "There is no dataset %q.", name)
	}
	if err != nil {
		return d, fmt.Errorf("find dataset %s: %w", name, err)
	}
	d.CreatedAt = meta.Time(created)
	d.Contract, err = x.contract(d)
	return d, err
}

func (x *Exchange) contract(d Dataset) (*contract.Dataset, error) {
	key := contractKey{d.Name, d.Version}
	x.mu.Lock()
	c := x.contracts[key]
	x.mu.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := stored(d)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	x.contracts[key] = c
	x.mu.Unlock()
	return c, nil
}

// stored parses a stored contract and sees that it is what was applied.
func stored(d Dataset) (*contract.Dataset, error) {
	c, err := contract.Parse([]byte(d.Source))
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "The stored version %d of the contract of %q is damaged.", d.Version, d.Name)
	}
	if c.Hash() != hex.EncodeToString(d.Hash) {
		return nil, fault.New(fault.Damaged, "The stored version %d of the contract of %q is not the one that was applied.", d.Version, d.Name)
	}
	return c, nil
}

// Datasets lists the current version of each dataset by name.
func (x *Exchange) Datasets(ctx context.Context, page meta.Page) ([]Dataset, string, error) {
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	rows, err := x.DB.Query(ctx, `
		SELECT d.id, v.version, v.source, v.hash, v.created_at, v.created_by
		FROM datasets d JOIN dataset_versions v ON v.dataset = d.id AND v.version = d.version
		WHERE d.id > $1 ORDER BY d.id LIMIT $2`, pos.ID, int64(page.Size()+1))
	if err != nil {
		return nil, "", fmt.Errorf("list datasets: %w", err)
	}
	var list []Dataset
	for rows.Next() {
		var d Dataset
		var created int64
		if err := rows.Scan(&d.Name, &d.Version, &d.Source, &d.Hash, &created, &d.CreatedBy); err != nil {
			return nil, "", fmt.Errorf("list datasets: %w", err)
		}
		d.CreatedAt = meta.Time(created)
		if d.Contract, err = x.contract(d); err != nil {
			return nil, "", err
		}
		list = append(list, d)
	}
	list, next := meta.Cut(list, page, func(d Dataset) meta.Position { return meta.Position{ID: d.Name} })
	return list, next, nil
}
