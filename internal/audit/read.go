package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Full is an entry for a reader.
type Full struct {
	Tenant  tenant.ID
	Seq     int64
	At      time.Time
	Actor   string
	Verb    string
	Subject string
	Outcome string
	Details map[string]any // nil if there are none, or if they stay sealed
	Sealed  bool           // there are details that this reader cannot open, or nobody since the key is gone
	Damaged bool           // the details are not what was written
}

// Filter selects entries; empty fields select all.
type Filter struct {
	Tenant  *tenant.ID // a chain, the empty one being the provider's; ignored where the scope decides
	Actor   string
	Verb    string
	Subject string
	From    time.Time // inclusive
	To      time.Time // exclusive
}

const recordColumns = `tenant, seq, at, actor, verb, subject, outcome, details, prev, hash`

func scanRecord(row meta.Scanner) (r Record, err error) {
	err = row.Scan(&r.Tenant, &r.Seq, &r.At, &r.Actor, &r.Verb, &r.Subject, &r.Outcome, &r.Details, &r.Prev, &r.Hash)
	return r, err
}

func scanRecords(rows *meta.Rows, err error) ([]Record, error) {
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	var list []Record
	for rows.Next() {
		r, err := scanRecord(rows)
		if err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Entries lists the tenant's own entries with their details, newest first.
func (l *Log) Entries(ctx context.Context, scope tenant.Scope, f Filter, page meta.Page) ([]Full, string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.AuditTrail); err != nil {
		return nil, "", err
	}
	id := scope.Tenant()
	f.Tenant = &id
	return l.list(ctx, l.cfg.DB.For(id), f, page, func(r *Record) Full { return l.open(ctx, r) })
}

// UnscopedEntries lists entries of all chains, newest first: tenants' without
// their details, which the provider does not read.
func (l *Log) UnscopedEntries(ctx context.Context, f Filter, page meta.Page) ([]Full, string, error) {
	return l.list(ctx, l.cfg.DB.Unscoped(), f, page, func(r *Record) Full {
		if r.Tenant == "" {
			return l.open(ctx, r)
		}
		return r.closed()
	})
}

// EntryList is how entries of all chains are searched, filtered and sorted. Details
// are sealed with the tenant's vault key, and not searched.
var EntryList = entryList("FROM audit_entries", "at", meta.Instant, []meta.Key{{SQL: "tenant", Kind: meta.Text}, {SQL: "seq", Kind: meta.Number}})

// chainList is EntryList for one chain, where the order of time is that of the
// numbers, which is right even where the clock was set back.
var chainList = entryList("FROM audit_entries", "seq", meta.Number, []meta.Key{{SQL: "seq", Kind: meta.Number}})

// ofTenant picks entries by their tenant, and so by what staff call it.
const ofTenant = "tenant IN (SELECT t.id FROM tenants AS t WHERE %s)"

func entryList(from, at string, kind meta.Kind, key []meta.Key) meta.List[Record] {
	return meta.List[Record]{
		Select: recordColumns, From: from, Order: "-at", Key: key,
		Columns: []meta.Column[Record]{
			{Name: "actor", Kind: meta.Text, SQL: "actor", Search: true},
			{Name: "verb", Kind: meta.Text, SQL: "verb", Search: true},
			{Name: "subject", Kind: meta.Text, SQL: "subject", Search: true},
			{Name: "outcome", Kind: meta.Text, SQL: "outcome"},
			{Name: "tenant", Kind: meta.Text, SQL: "t.slug", Within: ofTenant, Search: true},
			{Name: "tenant_name", Kind: meta.Text, SQL: "t.name", Within: ofTenant, Search: true},
			{Name: "at", Kind: kind, SQL: at, Sort: true},
		},
	}
}

func (l *Log) list(ctx context.Context, db *meta.DB, f Filter, page meta.Page, open func(*Record) Full) ([]Full, string, error) {
	var where meta.Where
	declared := &EntryList
	if f.Tenant != nil {
		declared = &chainList
		where.And("tenant = ?", string(*f.Tenant))
	}
	where.AndIs("actor", f.Actor)
	where.AndIs("verb", f.Verb)
	where.AndIs("subject", f.Subject)
	if !f.From.IsZero() {
		where.And("at >= ?", meta.Micros(f.From))
	}
	if !f.To.IsZero() {
		where.And("at < ?", meta.Micros(f.To))
	}
	records, next, err := declared.Read(ctx, db, &where, page, scanRecord)
	if err != nil {
		return nil, "", fmt.Errorf("read the audit log: %w", err)
	}
	list := make([]Full, len(records))
	for i := range records {
		list[i] = open(&records[i])
	}
	return list, next, nil
}

// closed is the record without its details.
func (r *Record) closed() Full {
	return Full{
		Tenant: r.Tenant, Seq: r.Seq, At: meta.Time(r.At), Actor: r.Actor, Verb: r.Verb,
		Subject: r.Subject, Outcome: r.Outcome, Sealed: len(r.Details) > 0,
	}
}

// Now is the name, in the details of the provider's chain, of what its subject was after the
// act. The outbox publishes that, and not what the subject is when it comes to it.
const Now = "now"

// Now returns what its subject was after the act, as far as the provider's chain says so.
func (r *Record) Now() map[string]any {
	if r.Tenant != "" || len(r.Details) == 0 || r.Details[0] != detailsPlain {
		return nil
	}
	var details struct {
		Now map[string]any `json:"now"`
	}
	if json.Unmarshal(r.Details[1:], &details) != nil { // a verifier says that it is damaged
		return nil
	}
	return details.Now
}

// open is the record with its details. One that was tampered with does not hide
// the others from their reader.
func (l *Log) open(ctx context.Context, r *Record) Full {
	e := r.closed()
	if !e.Sealed || r.Details[0] == detailsGone {
		return e
	}
	raw, err := r.Details[1:], error(nil)
	switch {
	case r.Tenant == "" && r.Details[0] == detailsPlain:
	case r.Tenant != "" && r.Details[0] == detailsSealed:
		raw, err = l.cfg.Keys.Decrypt(ctx, r.Tenant, keys.Vault, raw, r.associated())
	default:
		err = fault.New(fault.Damaged, "The details are of no known kind.")
	}
	if err == nil {
		err = json.Unmarshal(raw, &e.Details)
	}
	if err != nil {
		e.Details, e.Damaged = nil, !fault.Is(err, fault.NotFound)
	} else {
		e.Sealed = false
	}
	return e
}

// Raw returns the tenant's own records after a number, oldest first, as they are
// stored: what a verifier reads. A limit of 0 means 1,000, and never more than 5,000.
func (l *Log) Raw(ctx context.Context, scope tenant.Scope, after int64, limit int) ([]Record, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.AuditTrail); err != nil {
		return nil, err
	}
	return l.UnscopedRaw(ctx, scope.Tenant(), after, limit)
}

// UnscopedRaw is Raw for any chain; the empty id is the provider's.
func (l *Log) UnscopedRaw(ctx context.Context, id tenant.ID, after int64, limit int) ([]Record, error) {
	switch {
	case limit <= 0:
		limit = 1000
	case limit > maxRaw:
		limit = maxRaw
	}
	return scanRecords(l.cfg.DB.RowsOf(id).Query(ctx,
		`SELECT `+recordColumns+` FROM audit_entries WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3`, string(id), after, limit))
}

const maxRaw = 5000
