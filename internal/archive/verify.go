package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
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

// Verified is what a Verify looked at.
type Verified struct {
	Objects, Events, Bytes int64
	Findings               []Finding
	Next                   string // where to go on; empty: that was all
}

// UnscopedVerify looks at some objects in the order of their chains, of a tenant, or with ""
// of all and of the provider: that each has the bytes that were written, that all of its
// rows can be read and are as many as the catalogue says, and that each chain of blocks
// goes on from object to object without a gap, from its beginning. after is the Next of
// the call before. Each call is in the audit log, and in that of each tenant concerned.
func (a *Archive) UnscopedVerify(ctx context.Context, by string, id tenant.ID, f Filter, after string) (v Verified, err error) {
	read, next, err := a.some(ctx, id, f, after, func(o Object, _ uint64) error {
		v.Events, v.Bytes = v.Events+o.Events, v.Bytes+o.SealedSize
		return a.verify(ctx, o, true, func(problem string) { v.Findings = append(v.Findings, Finding{o.Tenant, o.ID, problem}) })
	})
	if err != nil {
		return v, err
	}
	v.Objects, v.Next = int64(len(read)), next
	return v, a.record(ctx, by, "archive.verify", id, read, map[string]any{"objects": v.Objects, "bytes": v.Bytes, "findings": len(v.Findings)})
}

// record notes what somebody of the provider's did with some objects: in the provider's own
// chain, and in that of each tenant whose they are.
func (a *Archive) record(ctx context.Context, by, verb string, id tenant.ID, read []Object, details map[string]any) error {
	theirs := map[tenant.ID]int{}
	for _, o := range read {
		theirs[o.Tenant]++
	}
	delete(theirs, "")
	return a.DB.Transact(ctx, func(tx *meta.DB) error {
		for of, objects := range theirs {
			err := a.Audit.Append(ctx, tx, audit.Entry{Tenant: of, Actor: by, Verb: verb, Subject: "archive", Outcome: "ok", Details: map[string]any{"objects": objects}})
			if err != nil && !fault.Is(err, fault.NotFound) { // it is being erased
				return err
			}
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: verb, Subject: string(id), Outcome: "ok", Details: details})
	})
}

// verify looks at one object; deep reads it. An error is for when it could not look. What is
// of a tenant whose key is destroyed is not there any more, or will soon not be.
func (a *Archive) verify(ctx context.Context, o Object, deep bool, report func(problem string)) error {
	at, _, err := a.last(ctx, o) // the row of which is looked at by itself
	if err == nil {
		err = at.Follows(events.Header{Stream: string(o.Stream), Tenant: o.Tenant, Sequence: o.First, Previous: o.Previous})
	}
	if err != nil && !fault.Is(err, fault.Damaged) {
		return err
	}
	if err != nil && o.Problem == "" {
		report(fault.Message(err))
	}
	err = a.verifyBytes(ctx, o, deep)
	switch {
	case err == nil, fault.Is(err, fault.NotFound):
		return nil
	case ctx.Err() == nil && fault.Is(err, fault.Damaged):
		report(fault.Message(err))
		return nil
	}
	return err
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
	if err == nil && count != o.Events { // the last block may have had nobody but who was erased
		err = r.damaged(errors.New("it has other rows than it says"))
	}
	return err
}

// UnscopedCheck is all of the archive's part of fsck: the catalogue's rows, each object
// (deep reads them), that chains go on from object to object, and that no object lacks its
// row. An error means that it could not look.
func (a *Archive) UnscopedCheck(ctx context.Context, deep bool, report func(Finding)) error {
	known := map[blob.Key]bool{}
	if err := a.walk(ctx, "", Filter{}, func(o Object, _ uint64) error {
		known[o.blobKey()] = true
		return a.verify(ctx, o, deep, func(problem string) { report(Finding{o.Tenant, o.ID, problem}) })
	}); err != nil {
		return err
	}
	garbage, err := a.garbage(ctx)
	if err != nil {
		return err
	}
	for _, k := range garbage {
		known[k] = true
	}
	for _, n := range stream.Names {
		if err := a.checkPosition(ctx, n, report); err != nil {
			return err
		}
	}
	before := a.Clock.Now().Add(-orphanAge)
	return a.Blobs.List(ctx, Prefix, func(i blob.Info) error {
		if !known[i.Key] && i.Modified.Before(before) {
			report(Finding{Object: string(i.Key), Problem: "stored bytes belong to no object of the catalogue; tributary archive rebuild reads them"})
		}
		return nil
	})
}

// checkPosition looks at how far a stream is said to be archived.
func (a *Archive) checkPosition(ctx context.Context, n stream.Name, report func(Finding)) error {
	var created int64
	err := a.DB.QueryRow(ctx, `SELECT created FROM archive_positions WHERE stream = $1`, string(n)).Scan(&created)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		_, err = a.reached(ctx, n, created)
	}
	if fault.Is(err, fault.Damaged) {
		report(Finding{Object: "stream " + string(n), Problem: fault.Message(err)})
		return nil
	}
	return err
}

// UnscopedEnds is how far each chain of a stream is archived, or was and is kept no longer.
func (a *Archive) UnscopedEnds(ctx context.Context, n stream.Name) (map[tenant.ID]events.Place, error) {
	rows, err := a.DB.Unscoped().Query(ctx, `SELECT tenant, last_block, digest FROM archive_starts WHERE stream = $1
		UNION ALL SELECT tenant, last_block, digest FROM archive_objects o WHERE stream = $1
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
		if end := (events.Place{Sequence: uint64(last)}); end.Sequence >= ends[id].Sequence {
			copy(end.Digest[:], digest)
			ends[id] = end
		}
	}
	return ends, rows.Err()
}
