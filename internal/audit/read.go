package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
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

func scanRecords(rows *meta.Rows, err error) ([]Record, error) {
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	var list []Record
	for rows.Next() {
		var r Record
		if err := rows.Scan(&r.Tenant, &r.Seq, &r.At, &r.Actor, &r.Verb, &r.Subject, &r.Outcome, &r.Details, &r.Prev, &r.Hash); err != nil {
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

// list pages by time, and by chain and number among entries of one moment. Within
// one chain it pages by number alone, which is right even where the clock was set back.
func (l *Log) list(ctx context.Context, db *meta.DB, f Filter, page meta.Page, open func(*Record) Full) ([]Full, string, error) {
	at, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !f.From.IsZero() {
		from = meta.Micros(f.From)
	}
	if !f.To.IsZero() {
		to = meta.Micros(f.To)
	}
	query := `SELECT ` + recordColumns + ` FROM audit_entries
		WHERE ($1 = '' OR actor = $1) AND ($2 = '' OR verb = $2) AND ($3 = '' OR subject = $3) AND at >= $4 AND at < $5 `
	args := []any{f.Actor, f.Verb, f.Subject, from, to}
	position := func(e Full) meta.Position { return meta.Position{At: e.Seq} }
	if f.Tenant != nil {
		query += `AND tenant = $6 AND seq < $7 ORDER BY seq DESC LIMIT $8`
		args = append(args, string(*f.Tenant), at.At)
	} else {
		id, number, _ := strings.Cut(at.ID, " ")
		seq, err := strconv.ParseInt(number, 10, 64)
		if err != nil && at.ID != "" {
			return nil, "", fault.Wrap(fault.Invalid, err, "The cursor %q is not one that this list returned; start again without it.", page.After)
		}
		query += `AND (at < $6 OR at = $6 AND (tenant > $7 OR tenant = $7 AND seq < $8)) ORDER BY at DESC, tenant, seq DESC LIMIT $9`
		args = append(args, at.At, id, seq)
		position = func(e Full) meta.Position {
			return meta.Position{At: meta.Micros(e.At), ID: string(e.Tenant) + " " + strconv.FormatInt(e.Seq, 10)}
		}
	}
	records, err := scanRecords(db.Query(ctx, query, append(args, page.Size()+1)...))
	if err != nil {
		return nil, "", err
	}
	list := make([]Full, len(records))
	for i := range records {
		list[i] = open(&records[i])
	}
	list, next := meta.Cut(list, page, position)
	return list, next, nil
}

// closed is the record without its details.
func (r *Record) closed() Full {
	return Full{
		Tenant: r.Tenant, Seq: r.Seq, At: meta.Time(r.At), Actor: r.Actor, Verb: r.Verb,
		Subject: r.Subject, Outcome: r.Outcome, Sealed: len(r.Details) > 0,
	}
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
	return scanRecords(chain(l.cfg.DB, id).Query(ctx,
		`SELECT `+recordColumns+` FROM audit_entries WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3`, string(id), after, limit))
}

const maxRaw = 5000
