package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"time"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

// Result is what a run made for one recipient: a table, sealed in two forms. A run's release makes it. A system admin may recall it, and its bytes may go after a time; the row stays.
type Result struct {
	ID         string
	Tenant     tenant.ID
	Release    string
	Run        string
	Analysis   string
	Version    int64 // of its definition
	Date       string
	Name       string // without the ending
	Rows       int64
	Suppressed int64
	Marked     bool // made under a minimum below 3
	// Organisations took part in the run; of them Verified were verified by the
	// provider, with evidence.
	Organisations, Verified int64
	CreatedAt               time.Time
	DownloadedAt            *time.Time
	DeletesAt               *time.Time // when retention removes its bytes; nil: never, or not while it is held
	DeletedAt               *time.Time // when it did
	Held                    bool       // a legal hold keeps its bytes longer
	RecalledAt              *time.Time // since when it is not handed out any more
	RecallReason            string     // in words, for its recipient

	object  string // in the vault: the CSV, then the Parquet file
	csvSize int64
	size    int64 // of the object
}

// SizeOf returns how many bytes the result has in a form.
func (r Result) SizeOf(f Form) int64 {
	if f == Parquet {
		return max(r.size-r.csvSize, 0)
	}
	return r.csvSize
}

// ResultState says whether a result is handed out.
type ResultState string

// The states. What is recalled stays so when its bytes go.
const (
	Available ResultState = "available"
	Recalled  ResultState = "recalled"
	Deleted   ResultState = "deleted"
)

// State is the result's.
func (r Result) State() ResultState {
	switch {
	case r.RecalledAt != nil:
		return Recalled
	case r.DeletedAt != nil:
		return Deleted
	}
	return Available
}

// Form is one of the two forms of a result.
type Form string

// The forms.
const (
	CSV     Form = "csv"
	Parquet Form = "parquet"
	// Rows is the CSV, to be read in pages of rows.
	Rows Form = "rows"
)

// NewResult is a result about to be added: its bytes are in the vault already,
// the CSV and then the Parquet file in one object, which is made durable at once.
type NewResult struct {
	Release, Analysis, Date, Name string
	Object                        vault.Object
	CSVSize                       int64 // bytes of it that are the CSV
	Rows, Suppressed              int64
	Marked                        bool
	Days                          int // that it is kept; 0: as long as its recipient
}

// AddResult makes a result exist when tx commits.
func (x *Exchange) AddResult(ctx context.Context, tx *meta.DB, scope tenant.Scope, n NewResult) (Result, error) {
	r := Result{ID: x.Clock.ID("res"), Tenant: scope.Tenant(), Release: n.Release, Analysis: n.Analysis, Date: n.Date, Name: n.Name,
		Rows: n.Rows, Suppressed: n.Suppressed, Marked: n.Marked, CreatedAt: x.Clock.Now(), object: n.Object.ID, csvSize: n.CSVSize}
	if err := scope.Check(ctx, tenant.Write, tenant.VaultOutput); err != nil {
		return r, err
	}
	if err := x.Vault.Insert(ctx, tx, scope, n.Object); err != nil {
		return r, err
	}
	name, err := x.Keys.Encrypt(ctx, r.Tenant, keys.Pool, []byte(r.Name), resultContext(r.ID))
	if err != nil {
		return r, fmt.Errorf("seal name of %s: %w", r.ID, err)
	}
	marked := int64(0)
	if r.Marked {
		marked = 1
	}
	if n.Days > 0 {
		at := r.CreatedAt.Add(time.Duration(n.Days) * day)
		r.DeletesAt = &at
	}
	_, err = tx.For(r.Tenant).Exec(ctx, `
		INSERT INTO results (id, tenant, release_id, analysis, date, name, object, csv_size, row_count, suppressed, marked, created_at, deletes_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		r.ID, string(r.Tenant), r.Release, r.Analysis, r.Date, name, r.object, r.csvSize, r.Rows, r.Suppressed, marked, meta.Micros(r.CreatedAt), r.DeletesAt)
	if err != nil {
		return r, fmt.Errorf("insert result: %w", err)
	}
	return r, x.notice(ctx, tx, notify.Notice{Kind: notify.ResultReady, Tenant: r.Tenant, Subject: r.ID, Analysis: r.Analysis, Date: r.Date})
}

func resultContext(id string) []byte { return []byte("result name " + id) }

const resultColumns = `r.id, r.tenant, r.release_id, l.run, r.analysis, l.version, r.date, r.name, r.object, r.csv_size, r.row_count, r.suppressed, r.marked, l.organisations, l.verified, r.created_at, r.downloaded_at,
		COALESCE((SELECT o.size FROM vault_objects o WHERE o.id = r.object AND o.tenant = r.tenant), 0),
		r.deletes_at, r.deleted_at, COALESCE(r.recalled_at, l.recalled_at), r.recall_reason, l.recall_reason`

const resultTables = ` FROM results r JOIN releases l ON l.id = r.release_id `

const resultQuery = `SELECT ` + resultColumns + resultTables

func (x *Exchange) scanResult(ctx context.Context, row scanner) (Result, error) {
	var r Result
	var name, reason []byte
	var marked, created int64
	var downloaded, deletes, deleted, recalled sql.NullInt64
	if err := row.Scan(&r.ID, &r.Tenant, &r.Release, &r.Run, &r.Analysis, &r.Version, &r.Date, &name, &r.object, &r.csvSize, &r.Rows, &r.Suppressed, &marked, &r.Organisations, &r.Verified, &created, &downloaded, &r.size,
		&deletes, &deleted, &recalled, &reason, &r.RecallReason); err != nil {
		return r, err
	}
	r.Marked, r.CreatedAt, r.DownloadedAt = marked != 0, meta.Time(created), meta.Moment(downloaded)
	r.DeletesAt, r.DeletedAt, r.RecalledAt = meta.Moment(deletes), meta.Moment(deleted), meta.Moment(recalled)
	if reason != nil {
		plain, err := x.Keys.Decrypt(ctx, r.Tenant, keys.Pool, reason, recallContext(r.ID))
		if err != nil {
			return r, fmt.Errorf("open reason of %s: %w", r.ID, err)
		}
		r.RecallReason = string(plain)
	}
	plain, err := x.Keys.Decrypt(ctx, r.Tenant, keys.Pool, name, resultContext(r.ID))
	if err != nil {
		return r, fmt.Errorf("open name of %s: %w", r.ID, err)
	}
	r.Name = string(plain)
	return r, nil
}

// Result returns one of the scope's tenant's results.
func (x *Exchange) Result(ctx context.Context, scope tenant.Scope, id string) (Result, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Results.One(id)); err != nil {
		return Result{}, err
	}
	r, err := x.oneResult(ctx, x.DB.For(scope.Tenant()).QueryRow(ctx, resultQuery+`WHERE r.id = $1 AND r.tenant = $2`, id, string(scope.Tenant())), id)
	if err != nil {
		return r, err
	}
	return r, x.foreseeResults(ctx, &r)
}

// UnscopedResult returns a result's metadata.
func (x *Exchange) UnscopedResult(ctx context.Context, id string) (Result, error) {
	r, err := x.oneResult(ctx, x.DB.Unscoped().QueryRow(ctx, resultQuery+`WHERE r.id = $1`, id), id)
	if err != nil {
		return r, err
	}
	return r, x.foreseeResults(ctx, &r)
}

func (x *Exchange) oneResult(ctx context.Context, row scanner, id string) (Result, error) {
	r, err := x.scanResult(ctx, row)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fault.New(fault.NotFound, "There is no result %q.", id)
	}
	if err != nil {
		return r, fmt.Errorf("find result %s: %w", id, err)
	}
	return r, nil
}

// ResultFilter narrows a list; empty fields do not.
type ResultFilter struct{ Analysis, Date string }

// Results lists the scope's tenant's results, the newest first.
func (x *Exchange) Results(ctx context.Context, scope tenant.Scope, f ResultFilter, page meta.Page) ([]Result, string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Results); err != nil {
		return nil, "", err
	}
	return x.listResults(ctx, x.DB.For(scope.Tenant()), scope.Tenant(), f, page)
}

// UnscopedResults lists results of all tenants, or of one, as metadata.
func (x *Exchange) UnscopedResults(ctx context.Context, id tenant.ID, f ResultFilter, page meta.Page) ([]Result, string, error) {
	return x.listResults(ctx, x.DB.Unscoped(), id, f, page)
}

// ResultList is how results are searched, filtered and sorted.
var ResultList = meta.List[Result]{
	Select: resultColumns, From: resultTables, Order: "-created_at", Key: []meta.Key{{SQL: "r.id", Kind: meta.Text}},
	Columns: []meta.Column[Result]{
		{Name: "id", Kind: meta.Ident, SQL: "r.id", Search: true},
		{Name: "name", Kind: meta.Text, Opened: func(r Result) string { return r.Name }, Search: true},
		{Name: "analysis", Kind: meta.Text, SQL: "r.analysis", Search: true, Sort: true},
		{Name: "date", Kind: meta.Text, SQL: "r.date", Search: true, Sort: true},
		{Name: "run", Kind: meta.Ident, SQL: "l.run", Search: true},
		{Name: "release", Kind: meta.Ident, SQL: "r.release_id", Search: true},
		{Name: "state", Kind: meta.Choice, Values: []string{string(Available), string(Recalled), string(Deleted)},
			SQL: "CASE WHEN COALESCE(r.recalled_at, l.recalled_at) IS NOT NULL THEN 'recalled' WHEN r.deleted_at IS NOT NULL THEN 'deleted' ELSE 'available' END"},
		{Name: "tenant", Kind: meta.Text, SQL: "t.slug", Within: "r." + ofTenant, Search: true},
		{Name: "tenant_name", Kind: meta.Text, SQL: "t.name", Within: "r." + ofTenant, Search: true},
		{Name: "rows", Kind: meta.Number, SQL: "r.row_count"},
		{Name: "created_at", Kind: meta.Instant, SQL: "r.created_at", Sort: true},
	},
}

func (x *Exchange) listResults(ctx context.Context, db *meta.DB, id tenant.ID, f ResultFilter, page meta.Page) ([]Result, string, error) {
	var where meta.Where
	where.AndIs("r.tenant", string(id))
	where.AndIs("r.analysis", f.Analysis)
	where.AndIs("r.date", f.Date)
	list, next, err := ResultList.Read(ctx, db, &where, page, func(row meta.Scanner) (Result, error) { return x.scanResult(ctx, row) })
	if err != nil {
		return nil, "", fmt.Errorf("list results: %w", err)
	}
	all := make([]*Result, len(list))
	for i := range list {
		all[i] = &list[i]
	}
	return list, next, x.foreseeResults(ctx, all...)
}

// ResultFile is a result in one of its forms.
type ResultFile struct {
	*io.SectionReader
	object *vault.Reader
}

// Close releases it.
func (f *ResultFile) Close() error { return f.object.Close() }

// ResultContent opens a result in one of its forms. The reading is in the audit
// log before the first byte is out. One that was recalled is a Conflict with the
// reason, one whose bytes were deleted NotFound; who is reading then reads on.
func (x *Exchange) ResultContent(ctx context.Context, scope tenant.Scope, id string, form Form) (*ResultFile, Result, error) {
	res, err := x.Result(ctx, scope, id)
	if err == nil {
		err = res.withheld()
	}
	if err != nil {
		return nil, res, err
	}
	r, _, err := x.Vault.Open(ctx, scope, res.object)
	if err != nil {
		return nil, res, err
	}
	file := &ResultFile{io.NewSectionReader(r, 0, res.csvSize), r}
	if form == Parquet {
		file.SectionReader = io.NewSectionReader(r, res.csvSize, r.Size()-res.csvSize)
	}
	err = x.DB.Transact(ctx, func(tx *meta.DB) error {
		n, err := tx.For(res.Tenant).Exec(ctx, `UPDATE results SET downloaded_at = COALESCE(downloaded_at, $1) WHERE id = $2 AND tenant = $3 AND recalled_at IS NULL`,
			meta.Micros(x.Clock.Now()), id, string(res.Tenant))
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "The result %q was recalled just now and is not handed out any more.", id)
		}
		if res.DownloadedAt == nil {
			tx.AfterCommit(func() {
				x.Changes.Tell(live.Change{Kind: live.Result, ID: id, Tenant: res.Tenant, By: scope.Actor()})
			})
		}
		return x.Audit.Append(ctx, tx, audit.Entry{Tenant: res.Tenant, Actor: scope.Actor(), Verb: "result.read", Subject: id, Outcome: "ok",
			Details: map[string]any{"form": string(form)}})
	})
	if err != nil {
		r.Close()
		return nil, res, fmt.Errorf("record reading of %s: %w", id, err)
	}
	return file, res, nil
}
