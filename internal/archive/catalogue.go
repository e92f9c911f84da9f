package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

const objectColumns = `id, tenant, stream, day, parts, first_block, last_block, previous, digest, events, size, sealed_size, sha256, created_at, mac`

func (a *Archive) scanObject(s meta.Scanner) (o Object, err error) {
	var day, first, last, created int64
	var previous, digest, sum, mac []byte
	if err := s.Scan(&o.ID, &o.Tenant, &o.Stream, &day, &o.Parts, &first, &last, &previous, &digest, &o.Events, &o.Size, &o.SealedSize, &sum, &created, &mac); err != nil {
		return o, err
	}
	o.Day, o.First, o.Last, o.CreatedAt = Day{meta.Time(day)}, uint64(first), uint64(last), meta.Time(created)
	copy(o.Previous[:], previous)
	copy(o.Digest[:], digest)
	copy(o.SHA256[:], sum)
	if err := a.Keys.CheckMAC(mac, "archive object", o.fields()...); err != nil {
		o.Problem = fault.Message(err)
	}
	return o, nil
}

// fields are what the row's MAC covers: all of it.
func (o *Object) fields() []any {
	return []any{o.ID, string(o.Tenant), string(o.Stream), meta.Micros(o.Day.Time), o.Parts, int64(o.First), int64(o.Last), o.Previous[:], o.Digest[:], o.Events,
		o.Size, o.SealedSize, o.SHA256[:], meta.Micros(o.CreatedAt)}
}

// sound is Damaged if something is wrong with the object's row.
func (o *Object) sound() error {
	if o.Problem != "" {
		return fault.New(fault.Damaged, "%s", o.Problem)
	}
	return nil
}

func (a *Archive) insert(ctx context.Context, tx *meta.DB, o Object) error {
	_, err := tx.RowsOf(o.Tenant).Exec(ctx, `
		INSERT INTO archive_objects (id, tenant, stream, day, parts, first_block, last_block, previous, digest, events, blob_key, size, sealed_size, sha256, created_at, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		o.ID, string(o.Tenant), string(o.Stream), meta.Micros(o.Day.Time), o.Parts, int64(o.First), int64(o.Last), o.Previous[:], o.Digest[:], o.Events,
		string(o.blobKey()), o.Size, o.SealedSize, o.SHA256[:], meta.Micros(o.CreatedAt), a.Keys.MAC("archive object", o.fields()...))
	if err != nil {
		return fmt.Errorf("insert archive object %s: %w", o.ID, err)
	}
	return nil
}

// Filter says which objects are meant; empty fields mean all.
type Filter struct {
	Stream   stream.Name
	From, To Day // both days are meant too
}

func (f Filter) check() error {
	if f.Stream != "" && !f.Stream.Valid() {
		return fault.New(fault.NotFound, "There is no stream %q.", f.Stream)
	}
	return nil
}

// bounds are the first and the last day as rows have them.
func (f Filter) bounds() (from, to int64) {
	to = 1<<63 - 1
	if !f.To.IsZero() {
		to = meta.Micros(f.To.Time)
	}
	if !f.From.IsZero() {
		from = meta.Micros(f.From.Time)
	}
	return from, to
}

// Objects lists the objects of the scope's tenant, the newest day first.
func (a *Archive) Objects(ctx context.Context, scope tenant.Scope, f Filter, page meta.Page) ([]Object, string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Streams); err != nil {
		return nil, "", err
	}
	return a.list(ctx, a.DB.For(scope.Tenant()), `tenant = $6 AND `, []any{string(scope.Tenant())}, f, page)
}

// UnscopedObjects lists the objects of a tenant, or with "" those of all and of the
// provider, the newest day first.
func (a *Archive) UnscopedObjects(ctx context.Context, id tenant.ID, f Filter, page meta.Page) ([]Object, string, error) {
	if id == "" {
		return a.list(ctx, a.DB.Unscoped(), "", nil, f, page)
	}
	return a.list(ctx, a.DB.For(id), `tenant = $6 AND `, []any{string(id)}, f, page)
}

func (a *Archive) list(ctx context.Context, db *meta.DB, where string, args []any, f Filter, page meta.Page) ([]Object, string, error) {
	if err := f.check(); err != nil {
		return nil, "", err
	}
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	from, to := f.bounds()
	args = append([]any{from, min(to, pos.At), pos.At, pos.ID, int64(page.Size() + 1)}, args...)
	if f.Stream != "" {
		args = append(args, string(f.Stream))
		where += fmt.Sprintf(`stream = $%d AND `, len(args))
	}
	rows, err := db.Query(ctx, `SELECT `+objectColumns+` FROM archive_objects WHERE `+where+`day >= $1 AND day <= $2 AND (day < $3 OR id < $4) ORDER BY day DESC, id DESC LIMIT $5`, args...)
	if err != nil {
		return nil, "", fmt.Errorf("list the archive: %w", err)
	}
	list, err := a.scanAll(rows)
	if err != nil {
		return nil, "", err
	}
	list, next := meta.Cut(list, page, func(o Object) meta.Position { return meta.Position{At: meta.Micros(o.Day.Time), ID: o.ID} })
	return list, next, nil
}

func (a *Archive) scanAll(rows *meta.Rows) (list []Object, err error) {
	defer rows.Close()
	for rows.Next() {
		o, err := a.scanObject(rows)
		if err != nil {
			return nil, fmt.Errorf("list the archive: %w", err)
		}
		list = append(list, o)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list the archive: %w", err)
	}
	return list, nil
}

// Object finds one of the scope's tenant.
func (a *Archive) Object(ctx context.Context, scope tenant.Scope, id string) (Object, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Streams); err != nil {
		return Object{}, err
	}
	return a.find(a.DB.For(scope.Tenant()).QueryRow(ctx, `SELECT `+objectColumns+` FROM archive_objects WHERE tenant = $1 AND id = $2`, string(scope.Tenant()), id), id)
}

// UnscopedObject finds an object, whosever it is.
func (a *Archive) UnscopedObject(ctx context.Context, id string) (Object, error) {
	return a.find(a.DB.Unscoped().QueryRow(ctx, `SELECT `+objectColumns+` FROM archive_objects WHERE id = $1`, id), id)
}

func (a *Archive) find(row *meta.Row, id string) (Object, error) {
	o, err := a.scanObject(row)
	if errors.Is(err, sql.ErrNoRows) {
		return o, fault.New(fault.NotFound, "The archive has no object %q.", id)
	}
	if err != nil {
		return o, fmt.Errorf("find archive object: %w", err)
	}
	return o, nil
}

// end is how far a chain is in the archive. It is Damaged if a row says so that is not as it
// was written: what it says is archived may not be.
func (a *Archive) end(ctx context.Context, n stream.Name, id tenant.ID) (events.Place, error) {
	at, row, err := a.last(ctx, Object{Tenant: id, Stream: n, First: math.MaxInt64})
	if err == nil && row.Problem != "" {
		err = fault.New(fault.Damaged, "Of the archive's object %s: %s", row.ID, row.Problem)
	}
	return at, err
}

// last is where a chain is before an object: the end of the object before it, whose row it
// is, or where the chain begins in the archive.
func (a *Archive) last(ctx context.Context, o Object) (at events.Place, row Object, err error) {
	row, err = a.scanObject(a.DB.RowsOf(o.Tenant).QueryRow(ctx, `SELECT `+objectColumns+` FROM archive_objects WHERE stream = $1 AND tenant = $2 AND first_block < $3 ORDER BY first_block DESC LIMIT 1`,
		string(o.Stream), string(o.Tenant), int64(o.First)))
	if errors.Is(err, sql.ErrNoRows) {
		at, err = a.start(ctx, a.DB, o.Stream, o.Tenant)
		return at, Object{}, err
	}
	if err != nil {
		return at, row, fmt.Errorf("find how far a chain is archived: %w", err)
	}
	return events.Place{Sequence: row.Last, Digest: row.Digest}, row, nil
}

// start is where a chain begins in the archive: the last block that it keeps no longer. The
// fault is Damaged if that is not what was written.
func (a *Archive) start(ctx context.Context, db *meta.DB, n stream.Name, id tenant.ID) (p events.Place, err error) {
	var last int64
	var digest, mac []byte
	err = db.RowsOf(id).QueryRow(ctx, `SELECT last_block, digest, mac FROM archive_starts WHERE stream = $1 AND tenant = $2`, string(n), string(id)).Scan(&last, &digest, &mac)
	if errors.Is(err, sql.ErrNoRows) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("find where a chain begins: %w", err)
	}
	p.Sequence = uint64(last)
	copy(p.Digest[:], digest)
	return p, a.Keys.CheckMAC(mac, "archive start", string(n), string(id), last, digest)
}

// setStart notes that a chain begins after an object.
func (a *Archive) setStart(ctx context.Context, tx *meta.DB, o Object) error {
	now, err := a.start(ctx, tx, o.Stream, o.Tenant)
	if err != nil && !fault.Is(err, fault.Damaged) || err == nil && now.Sequence >= o.Last {
		return err
	}
	if _, err := tx.RowsOf(o.Tenant).Exec(ctx, `INSERT INTO archive_starts (tenant, stream, last_block, digest, mac) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant, stream) DO UPDATE SET last_block = excluded.last_block, digest = excluded.digest, mac = excluded.mac`,
		string(o.Tenant), string(o.Stream), int64(o.Last), o.Digest[:], a.Keys.MAC("archive start", string(o.Stream), string(o.Tenant), int64(o.Last), o.Digest[:])); err != nil {
		return fmt.Errorf("note where a chain begins: %w", err)
	}
	return nil
}

// position is how far a stream is in the archive, and what the stream is now.
func (a *Archive) position(ctx context.Context, n stream.Name) (at uint64, now stream.State, err error) {
	if now, err = a.Streams.State(ctx, n); err != nil {
		return 0, now, err
	}
	if at, err = a.Reached(ctx, n, now.Created); err != nil || at > now.Last { // which is an older copy
		return 0, now, err
	}
	return at, now, nil
}

// Reached is how far a stream that was made at a time is in the archive. Where that is not
// what was written it is not known, and looked at again from the beginning.
func (a *Archive) Reached(ctx context.Context, n stream.Name, created time.Time) (uint64, error) {
	at, err := a.reached(ctx, n, meta.Micros(created))
	if fault.Is(err, fault.Damaged) {
		a.Log.ErrorContext(ctx, "a stream is archived again, as far as it is not", "stream", string(n), "error", err)
		return 0, nil
	}
	return at, err
}

func (a *Archive) reached(ctx context.Context, n stream.Name, created int64) (uint64, error) {
	var sequence int64
	var mac []byte
	err := a.DB.QueryRow(ctx, `SELECT sequence, mac FROM archive_positions WHERE stream = $1 AND created = $2`, string(n), created).Scan(&sequence, &mac)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("find how far stream %s is archived: %w", n, err)
	}
	return uint64(sequence), a.Keys.CheckMAC(mac, "archive position", string(n), created, sequence)
}

// setPosition notes how far a stream is in the archive. What was noted of another stream
// of that name is void.
func (a *Archive) setPosition(ctx context.Context, tx *meta.DB, n stream.Name, s stream.State, at uint64) error {
	created := meta.Micros(s.Created)
	for _, q := range []struct {
		sql  string
		args []any
	}{
		{`DELETE FROM archive_expired WHERE stream = $1 AND EXISTS (SELECT 1 FROM archive_positions p WHERE p.stream = $1 AND p.created <> $2)`, []any{string(n), created}},
		{`INSERT INTO archive_positions (stream, created, sequence, mac) VALUES ($1, $2, $3, $4) ON CONFLICT (stream) DO UPDATE SET created = excluded.created, sequence = excluded.sequence, mac = excluded.mac`,
			[]any{string(n), created, int64(at), a.Keys.MAC("archive position", string(n), created, int64(at))}},
	} {
		if _, err := tx.Unscoped().Exec(ctx, q.sql, q.args...); err != nil {
			return fmt.Errorf("note how far stream %s is archived: %w", n, err)
		}
	}
	return nil
}
