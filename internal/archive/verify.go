package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"tributary/internal/audit"
	"tributary/internal/blob"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// Finding is something wrong with the archive.
type Finding struct {
	Tenant  tenant.ID // empty: the provider's own
	Object  string
	Problem string
}

// The bounds of one Verify.
const (
	verifyObjects = 100
	verifyBytes   = 256 << 20
)

// Verified is what a Verify looked at.
type Verified struct {
	Objects, Events, Bytes int64
	Findings               []Finding
	Next                   string // where to go on; empty: that was all
}

// UnscopedVerify looks at some objects in the order of their chains, of a tenant, or with ""
// of all and of the provider: that each has the bytes that were written, that all of its
// rows can be read and are as many as the catalogue says, and that each chain of blocks
// goes on from object to object without a gap. after is the Next of the call before. Each
// call is an entry of the audit log.
func (a *Archive) UnscopedVerify(ctx context.Context, by string, id tenant.ID, f Filter, after string) (v Verified, err error) {
	if err := f.check(); err != nil {
		return v, err
	}
	at, err := parseChained(after)
	if err != nil {
		return v, err
	}
	list, err := a.chained(ctx, id, f, at, verifyObjects+1)
	if err != nil {
		return v, err
	}
	for n, o := range list {
		if n == verifyObjects || v.Bytes >= verifyBytes {
			v.Next = at.String()
			break
		}
		if err := a.verify(ctx, o, true, func(problem string) { v.Findings = append(v.Findings, Finding{o.Tenant, o.ID, problem}) }); err != nil {
			return v, err
		}
		at = chainedOf(o)
		v.Objects, v.Events, v.Bytes = v.Objects+1, v.Events+o.Events, v.Bytes+o.SealedSize
	}
	return v, a.Audit.Record(ctx, audit.Entry{Actor: by, Verb: "archive.verify", Subject: string(id), Outcome: "ok",
		Details: map[string]any{"objects": v.Objects, "bytes": v.Bytes, "findings": len(v.Findings)}})
}

// chained is a place in the order of chains: the object that begins there.
type chained struct {
	Stream string `json:"s"`
	Tenant string `json:"t"`
	First  int64  `json:"f"`
}

func chainedOf(o Object) chained { return chained{string(o.Stream), string(o.Tenant), int64(o.First)} }

func (c chained) String() string {
	raw, err := json.Marshal(c)
	if err != nil {
		panic("archive: cursor: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func parseChained(s string) (c chained, err error) {
	if s == "" {
		return c, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return c, fault.Wrap(fault.Invalid, err, "The cursor %q is not one that was returned; start again without it.", s)
	}
	return c, nil
}

// chained lists objects after a place in the order of chains.
func (a *Archive) chained(ctx context.Context, id tenant.ID, f Filter, after chained, most int) ([]Object, error) {
	rows, err := a.chainedRows(ctx, id, f, after, most)
	if err != nil {
		return nil, err
	}
	return a.scanAll(rows)
}

func (a *Archive) chainedRows(ctx context.Context, id tenant.ID, f Filter, after chained, most int) (*meta.Rows, error) {
	from, to := f.bounds()
	where, args := "", []any{from, to, after.Stream, after.Tenant, after.First, int64(most)}
	db := a.DB.Unscoped()
	if id != "" {
		db, where, args = a.DB.For(id), where+`tenant = $7 AND `, append(args, string(id))
	}
	if f.Stream != "" {
		args = append(args, string(f.Stream))
		where += fmt.Sprintf(`stream = $%d AND `, len(args))
	}
	rows, err := db.Query(ctx, `SELECT `+objectColumns+` FROM archive_objects WHERE `+where+`day >= $1 AND day <= $2
		AND (stream > $3 OR stream = $3 AND (tenant > $4 OR tenant = $4 AND first_block > $5)) ORDER BY stream, tenant, first_block LIMIT $6`, args...)
	if err != nil {
		return nil, fmt.Errorf("list the archive: %w", err)
	}
	return rows, nil
}

// before is where the chain was before an object: the end of the object before it.
func (a *Archive) before(ctx context.Context, o Object) (p events.Place, known bool, err error) {
	var last int64
	var digest []byte
	err = a.DB.RowsOf(o.Tenant).QueryRow(ctx, `SELECT last_block, digest FROM archive_objects WHERE stream = $1 AND tenant = $2 AND first_block < $3 ORDER BY first_block DESC LIMIT 1`,
		string(o.Stream), string(o.Tenant), int64(o.First)).Scan(&last, &digest)
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("find the object before: %w", err)
	}
	p.Sequence = uint64(last)
	copy(p.Digest[:], digest)
	return p, true, nil
}

// verify looks at one object; deep reads it. An error is for when it could not look.
func (a *Archive) verify(ctx context.Context, o Object, deep bool, report func(problem string)) error {
	at, known, err := a.before(ctx, o)
	if err != nil {
		return err
	}
	if known {
		if err := at.Follows(events.Header{Stream: string(o.Stream), Tenant: o.Tenant, Sequence: o.First, Previous: o.Previous}); err != nil {
			report(fault.Message(err))
		}
	}
	if err := a.verifyBytes(ctx, o, deep); err != nil {
		if ctx.Err() == nil && (fault.Is(err, fault.Damaged) || fault.Is(err, fault.NotFound)) {
			report(fault.Message(err))
			return nil
		}
		return err
	}
	return nil
}

func (a *Archive) verifyBytes(ctx context.Context, o Object, deep bool) error {
	r, err := a.open(ctx, o)
	if err != nil {
		return err
	}
	defer r.close()
	if r.blob.Size() != o.SealedSize {
		return fault.New(fault.Damaged, "The archive's object %s has %d bytes; %d were written.", o.ID, r.blob.Size(), o.SealedSize)
	}
	if !deep {
		return nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r.blob, 0, o.SealedSize)); err != nil {
		return fmt.Errorf("read archive object: %w", err)
	}
	if !bytes.Equal(h.Sum(nil), o.SHA256[:]) {
		return fault.New(fault.Damaged, "The archive's object %s has other bytes than were written.", o.ID)
	}
	block := int64(o.First)
	count := int64(0)
	err = r.each(func(rows []row) error {
		for _, row := range rows {
			if row.Block < block || row.Block > int64(o.Last) {
				return r.damaged(fmt.Errorf("block %d comes after %d", row.Block, block))
			}
			if _, err := row.event(); err != nil {
				return r.damaged(err)
			}
			block = row.Block
			count++
		}
		return nil
	})
	if err == nil && (count != o.Events || block != int64(o.Last)) {
		err = r.damaged(errors.New("it has other rows than it says"))
	}
	return err
}

// UnscopedCheck is all of the archive's part of fsck: the catalogue's rows, each object
// (deep reads them), that chains go on from object to object, and that no object lacks its
// row. An error means that it could not look.
func (a *Archive) UnscopedCheck(ctx context.Context, deep bool, report func(Finding)) error {
	known := map[blob.Key]bool{}
	for at := (chained{}); ; {
		rows, err := a.chainedRows(ctx, "", Filter{}, at, verifyObjects)
		if err != nil {
			return err
		}
		var list []Object
		count := 0
		for rows.Next() {
			o, err := a.scanObject(rows)
			if err != nil && o.ID == "" {
				rows.Close()
				return fmt.Errorf("list the archive: %w", err)
			}
			count++
			at = chainedOf(o)
			known[o.blobKey()] = true
			if err != nil {
				report(Finding{o.Tenant, o.ID, fault.Message(err)})
				continue
			}
			list = append(list, o)
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("list the archive: %w", err)
		}
		for _, o := range list {
			if err := a.verify(ctx, o, deep, func(problem string) { report(Finding{o.Tenant, o.ID, problem}) }); err != nil {
				return err
			}
		}
		if count < verifyObjects {
			break
		}
	}
	garbage, err := a.garbage(ctx)
	if err != nil {
		return err
	}
	for _, k := range garbage {
		known[k] = true
	}
	before := a.Clock.Now().Add(-orphanAge)
	return a.Blobs.List(ctx, Prefix, func(i blob.Info) error {
		if !known[i.Key] && i.Modified.Before(before) {
			report(Finding{Object: string(i.Key), Problem: "stored bytes belong to no object of the catalogue; tributary archive rebuild reads them"})
		}
		return nil
	})
}

// UnscopedEnds is how far each chain of a stream is archived.
func (a *Archive) UnscopedEnds(ctx context.Context, n stream.Name) (map[tenant.ID]events.Place, error) {
	rows, err := a.DB.Unscoped().Query(ctx, `SELECT tenant, last_block, digest FROM archive_objects o WHERE stream = $1
		AND NOT EXISTS (SELECT 1 FROM archive_objects l WHERE l.stream = o.stream AND l.tenant = o.tenant AND l.first_block > o.first_block)`, string(n))
	if err != nil {
		return nil, fmt.Errorf("find how far chains are archived: %w", err)
	}
	defer rows.Close()
	ends := map[tenant.ID]events.Place{}
	for rows.Next() {
		var id tenant.ID
		var last int64
		var digest []byte
		if err := rows.Scan(&id, &last, &digest); err != nil {
			return nil, fmt.Errorf("find how far chains are archived: %w", err)
		}
		end := events.Place{Sequence: uint64(last)}
		copy(end.Digest[:], digest)
		ends[id] = end
	}
	return ends, rows.Err()
}
