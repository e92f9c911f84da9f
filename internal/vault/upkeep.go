package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"tributary/internal/blob"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// orphanAge is how old bytes without a row must be before they count as left
// behind: an upload may still be about to insert its row.
const orphanAge = time.Hour

// RemoveDue removes the bytes of objects that were removed. The order, row
// first and bytes after, leaves no row without bytes whatever happens between.
// While a backup is made it leaves them to a later round.
func (v *Vault) RemoveDue(ctx context.Context) error {
	done, err := v.Removing()
	if fault.Is(err, fault.Unavailable) {
		v.Log.DebugContext(ctx, "a backup is made; bytes of removed objects stay until it is done")
		return nil
	}
	if err != nil {
		return err
	}
	defer done()
	keysToGo, err := v.garbage(ctx)
	if err != nil {
		return err
	}
	for _, k := range keysToGo {
		if err := v.Blobs.Delete(ctx, k); err != nil && !fault.Is(err, fault.NotFound) {
			return fmt.Errorf("remove bytes of %s: %w", k, err)
		}
		if _, err := v.DB.Unscoped().Exec(ctx, `DELETE FROM vault_garbage WHERE blob_key = $1`, string(k)); err != nil {
			return fmt.Errorf("forget bytes of %s: %w", k, err)
		}
	}
	return nil
}

func (v *Vault) garbage(ctx context.Context) ([]blob.Key, error) {
	rows, err := v.DB.Unscoped().Query(ctx, `SELECT blob_key FROM vault_garbage ORDER BY since LIMIT 10000`)
	if err != nil {
		return nil, fmt.Errorf("list removed objects: %w", err)
	}
	defer rows.Close()
	var list []blob.Key
	for rows.Next() {
		var k blob.Key
		if err := rows.Scan(&k); err != nil {
			return nil, fmt.Errorf("list removed objects: %w", err)
		}
		list = append(list, k)
	}
	return list, rows.Err()
}

// SweepDue removes bytes that a crash left without a row: those of which an earlier
// call, orphanAge ago or more, found no row either. What the store says of their age
// does not count: S3 may give the moment at which an upload was begun.
func (v *Vault) SweepDue(ctx context.Context) error {
	v.sweeping.Lock()
	defer v.sweeping.Unlock()
	now := v.Clock.Now()
	known, err := v.blobKeys(ctx)
	if err != nil {
		return err
	}
	var orphans []blob.Key
	rowless := map[blob.Key]time.Time{}
	err = v.Blobs.List(ctx, "", func(i blob.Info) error {
		if _, ok := known[i.Key]; ok || v.elsewhere(i.Key) {
			return nil
		}
		since, ok := v.rowless[i.Key]
		if !ok {
			since = now
		}
		if rowless[i.Key] = since; now.Sub(since) >= orphanAge {
			orphans = append(orphans, i.Key)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list objects: %w", err)
	}
	v.rowless = rowless
	for _, k := range orphans {
		v.Log.InfoContext(ctx, "bytes without a row removed", "blob", string(k))
		if err := v.Blobs.Delete(ctx, k); err != nil && !fault.Is(err, fault.NotFound) {
			return fmt.Errorf("remove bytes of %s: %w", k, err)
		}
	}
	return nil
}

// elsewhere reports whether bytes are not the vault's to judge.
func (v *Vault) elsewhere(k blob.Key) bool {
	return v.Elsewhere != "" && strings.HasPrefix(string(k), v.Elsewhere)
}

func (v *Vault) blobKeys(ctx context.Context) (map[blob.Key]struct{}, error) {
	rows, err := v.DB.Unscoped().Query(ctx, `SELECT blob_key FROM vault_objects UNION ALL SELECT blob_key FROM vault_garbage`)
	if err != nil {
		return nil, fmt.Errorf("list object rows: %w", err)
	}
	defer rows.Close()
	known := map[blob.Key]struct{}{}
	for rows.Next() {
		var k blob.Key
		if err := rows.Scan(&k); err != nil {
			return nil, fmt.Errorf("list object rows: %w", err)
		}
		known[k] = struct{}{}
	}
	return known, rows.Err()
}

// EraseTenant removes a tenant's bytes and rows from both stores. It is safe to
// repeat. The erasure saga calls it after the tenant's keys are destroyed. While a
// backup is made it is Unavailable, and the saga comes back to it.
func (v *Vault) EraseTenant(ctx context.Context, id tenant.ID) (method string, count int64, err error) {
	if !id.Valid() {
		return "", 0, fmt.Errorf("erase vault: %q is no tenant", id)
	}
	done, err := v.Removing()
	if err != nil {
		return "", 0, err
	}
	defer done()
	var list []blob.Key
	if err := v.Blobs.List(ctx, string(id)+"/", func(i blob.Info) error {
		list = append(list, i.Key)
		return nil
	}); err != nil {
		return "", 0, fmt.Errorf("list objects of %s: %w", id, err)
	}
	for _, k := range list {
		if err := v.Blobs.Delete(ctx, k); err != nil && !fault.Is(err, fault.NotFound) {
			return "", 0, fmt.Errorf("remove bytes of %s: %w", k, err)
		}
	}
	err = v.DB.Transact(ctx, func(tx *meta.DB) error {
		for _, q := range []string{`DELETE FROM vault_objects WHERE tenant = $1`, `DELETE FROM vault_garbage WHERE tenant = $1`} {
			if _, err := tx.For(id).Exec(ctx, q, string(id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", 0, fmt.Errorf("erase object rows of %s: %w", id, err)
	}
	return "encrypted files deleted after their keys were destroyed", int64(len(list)), nil
}

// Finding is something that Verify found wrong.
type Finding struct {
	Tenant  tenant.ID
	Object  string
	Problem string
}

// Verify checks every object's row against its bytes, and every stored byte
// against a row; deep decrypts the bytes and compares their digest. Findings of
// erased tenants do not arise, since their rows are gone. UnscopedVerify sees
// plaintext only to hash it.
func (v *Vault) UnscopedVerify(ctx context.Context, deep bool, report func(Finding)) error {
	rows, err := v.DB.Unscoped().Query(ctx, `SELECT `+objectColumns+` FROM vault_objects ORDER BY tenant, id`)
	if err != nil {
		return fmt.Errorf("list object rows: %w", err)
	}
	var all []Object
	for rows.Next() {
		o, err := scanObject(rows)
		if err != nil {
			rows.Close()
			return fmt.Errorf("read object row: %w", err)
		}
		all = append(all, o)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list object rows: %w", err)
	}
	for _, o := range all {
		err := v.verify(ctx, o, deep)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			report(Finding{Tenant: o.Tenant, Object: o.ID, Problem: err.Error()})
		}
	}
	known, err := v.blobKeys(ctx)
	if err != nil {
		return err
	}
	before := v.Clock.Now().Add(-orphanAge)
	return v.Blobs.List(ctx, "", func(i blob.Info) error {
		if _, ok := known[i.Key]; !ok && !v.elsewhere(i.Key) && i.Modified.Before(before) {
			report(Finding{Object: string(i.Key), Problem: "stored bytes belong to no object"})
		}
		return nil
	})
}

func (v *Vault) verify(ctx context.Context, o Object, deep bool) error {
	b, err := v.Blobs.Open(ctx, o.key)
	if err != nil {
		return fmt.Errorf("open stored bytes: %w", err)
	}
	defer b.Close()
	if b.Size() != o.SealedSize {
		return fmt.Errorf("stored bytes are %d long, recorded were %d", b.Size(), o.SealedSize)
	}
	sum, _, err := v.digest(ctx, o)
	if err != nil {
		return err
	}
	r, err := v.Keys.NewReader(ctx, o.Tenant, keys.Vault, keys.Object{ID: o.ID, Version: o.Version}, b, b.Size())
	if err != nil {
		return err
	}
	if r.Size() != o.Size {
		return fmt.Errorf("object is %d bytes long, recorded were %d", r.Size(), o.Size)
	}
	if !deep {
		return nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return err
	}
	if !bytes.Equal(h.Sum(nil), sum) {
		return errors.New("object's bytes do not have the recorded digest")
	}
	return nil
}
