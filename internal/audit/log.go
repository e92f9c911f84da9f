// Package audit keeps the audit log: for the provider and for each tenant a chain
// of entries that is hashed entry by entry and signed from time to time, so that
// its owner finds whatever was changed. The bytes are described in
// docs/formats/audit.md. What is worth an entry, capabilities and gateways decide.
package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Entry is an act to record. Actor, verb, subject and outcome form the skeleton,
// which stays readable to the provider when the tenant has gone: opaque ids and
// fixed words. Whatever a person wrote belongs in the details.
type Entry struct {
	Tenant  tenant.ID      // whose chain; empty is the provider's
	Actor   string         // a user's, key's or run's id; "tributary" if it was the server
	Verb    string         // "submission.receive"
	Subject string         // the id of what it was done to; may be empty
	Outcome string         // "ok", or in a word or two why not
	Details map[string]any // sealed with the tenant's key; at most 64 KiB of JSON
}

// Config is what a Log needs.
type Config struct {
	DB    *meta.DB
	Keys  *keys.Ring
	Clock clock.Clock
	// Changes is told what the entries say has changed; nil: nobody is.
	Changes *live.Hub
}

// Log is the audit log. It is safe for use by several goroutines.
type Log struct{ cfg Config }

// New makes a log.
func New(cfg Config) *Log { return &Log{cfg} }

// Record is Append in a transaction of its own: when it returns nil the entry
// survives a power cut.
func (l *Log) Record(ctx context.Context, e Entry) error {
	return l.cfg.DB.Transact(ctx, func(tx *meta.DB) error { return l.Append(ctx, tx, e) })
}

// Append adds an entry to its chain in the caller's transaction: the act and its
// entry happen both or not at all. The fault is Damaged when the end of the chain
// is not what was written, and the act must not happen then either.
//
// Details that can no longer be sealed, since the tenant's key was destroyed, are
// left out, and the entry says so.
func (l *Log) Append(ctx context.Context, tx *meta.DB, e Entry) error {
	if e.Actor == "" || e.Verb == "" || e.Outcome == "" || e.Tenant != "" && !e.Tenant.Valid() {
		return fmt.Errorf("audit: an entry needs an actor, a verb, an outcome and a chain: %q by %q in %q", e.Verb, e.Actor, e.Tenant)
	}
	db := tx.RowsOf(e.Tenant)
	last, err := l.head(ctx, db, e.Tenant)
	if err != nil {
		return err
	}
	r := Record{
		Tenant: e.Tenant, Seq: last.Seq + 1, At: meta.Micros(l.cfg.Clock.Now()),
		Actor: word(e.Actor), Verb: word(e.Verb), Subject: word(e.Subject), Outcome: word(e.Outcome), Prev: last.Hash,
	}
	if r.Details, err = l.seal(ctx, &r, e.Details); err != nil {
		return fmt.Errorf("seal details of %s: %w", e.Verb, err)
	}
	hash, _ := r.digest(nil)
	r.Hash = hash[:]
	next := Head{Tenant: r.Tenant, Seq: r.Seq, Hash: r.Hash}
	// The head goes first: of two that append at once, one then waits for the other
	// and is run again, and does not find its entry's number taken.
	if _, err := db.Exec(ctx, `
		INSERT INTO audit_heads (tenant, seq, hash, mac) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, mac = excluded.mac`,
		string(next.Tenant), next.Seq, next.Hash, l.cfg.Keys.MAC(headLabel, next.fields()...)); err != nil {
		return fmt.Errorf("move the head of the audit log: %w", err)
	}
	if _, err := db.Exec(ctx, `
		INSERT INTO audit_entries (tenant, seq, at, actor, verb, subject, outcome, details, prev, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		string(r.Tenant), r.Seq, r.At, r.Actor, r.Verb, r.Subject, r.Outcome, r.Details, r.Prev, r.Hash); err != nil {
		return fmt.Errorf("append %s to the audit log: %w", e.Verb, err)
	}
	l.tell(tx, r)
	return nil
}

const headLabel = "audit head"

func (h Head) fields() []any { return []any{string(h.Tenant), h.Seq, h.Hash} }

// head returns the end of a chain; of one that is empty, number 0 and zeros.
func (l *Log) head(ctx context.Context, db *meta.DB, id tenant.ID) (Head, error) {
	h := Head{Tenant: id}
	var mac []byte
	err := db.QueryRow(ctx, `SELECT seq, hash, mac FROM audit_heads WHERE tenant = $1`, string(id)).Scan(&h.Seq, &h.Hash, &mac)
	if errors.Is(err, sql.ErrNoRows) {
		h.Hash = make([]byte, hashSize)
		return h, nil
	}
	if err != nil {
		return h, fmt.Errorf("read the head of the audit log: %w", err)
	}
	if err := l.checkHead(h, mac); err != nil {
		return h, err
	}
	return h, nil
}

func (l *Log) checkHead(h Head, mac []byte) error {
	if err := l.cfg.Keys.CheckMAC(mac, headLabel, h.fields()...); err != nil {
		return fault.Wrap(fault.Damaged, fmt.Errorf("head of chain %q: %w", h.Tenant, err),
			"The end of the audit log is not what was written. Run \"tributary audit verify\".")
	}
	return nil
}

func (l *Log) seal(ctx context.Context, r *Record, details map[string]any) ([]byte, error) {
	raw, err := encodeDetails(details)
	if err != nil || raw == nil {
		return []byte{}, err
	}
	if r.Tenant == "" {
		return append([]byte{detailsPlain}, raw...), nil
	}
	sealed, err := l.cfg.Keys.Encrypt(ctx, r.Tenant, keys.Vault, raw, r.associated())
	if fault.Is(err, fault.NotFound) {
		return []byte{detailsGone}, nil
	}
	if err != nil {
		return nil, err
	}
	return append([]byte{detailsSealed}, sealed...), nil
}

// EraseTenant is the log's part of a tenant's erasure, after its keys are gone:
// nothing is deleted, or the log would not verify any more, and what remains to
// be read is who, by an opaque id, did what and when.
func (l *Log) EraseTenant(ctx context.Context, id tenant.ID) (method string, count int64, err error) {
	if err := l.cfg.DB.For(id).QueryRow(ctx, `SELECT count(*) FROM audit_entries WHERE tenant = $1`, string(id)).Scan(&count); err != nil {
		return "", 0, fmt.Errorf("count audit entries: %w", err)
	}
	return "entries kept, so that the log can still be verified: opaque ids, verb and time; details are sealed with the destroyed key", count, nil
}
