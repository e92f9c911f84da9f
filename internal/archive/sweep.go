package archive

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/blob"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// orphanAge is how old bytes without a row must be before they count as left behind.
const orphanAge = time.Hour

// RemoveDue removes the bytes of objects that the catalogue has no more. While a backup
// is made it leaves them to a later round.
func (a *Archive) RemoveDue(ctx context.Context) error {
	done, err := a.Removing()
	if fault.Is(err, fault.Unavailable) {
		return nil
	}
	if err != nil {
		return err
	}
	defer done()
	list, err := a.garbage(ctx)
	if err != nil {
		return err
	}
	for _, k := range list {
		o, ok := ofKey(k)
		if ok {
			_, err = a.UnscopedObject(ctx, o.ID)
		}
		if !ok || !fault.Is(err, fault.NotFound) { // which nobody here asked for
			a.Log.ErrorContext(ctx, "bytes are not removed: they are none of the archive's, or have a row", "key", string(k), "error", err)
			continue
		}
		if err := a.Blobs.Delete(ctx, k); err != nil && !fault.Is(err, fault.NotFound) {
			return fmt.Errorf("remove bytes of %s: %w", k, err)
		}
		if _, err := a.DB.Unscoped().Exec(ctx, `DELETE FROM archive_garbage WHERE blob_key = $1`, string(k)); err != nil {
			return fmt.Errorf("forget bytes of %s: %w", k, err)
		}
	}
	return nil
}

func (a *Archive) garbage(ctx context.Context) ([]blob.Key, error) {
	rows, err := a.DB.Unscoped().Query(ctx, `SELECT blob_key FROM archive_garbage ORDER BY since LIMIT 10000`)
	if err != nil {
		return nil, fmt.Errorf("list removed objects of the archive: %w", err)
	}
	defer rows.Close()
	var list []blob.Key
	for rows.Next() {
		var k blob.Key
		if err := rows.Scan(&k); err != nil {
			return nil, fmt.Errorf("list removed objects of the archive: %w", err)
		}
		list = append(list, k)
	}
	return list, rows.Err()
}

// remove takes an object out of the catalogue when tx commits; its bytes go in the next
// RemoveDue.
func (a *Archive) remove(ctx context.Context, tx *meta.DB, o Object) error {
	db := tx.RowsOf(o.Tenant)
	n, err := db.Exec(ctx, `DELETE FROM archive_objects WHERE tenant = $1 AND id = $2`, string(o.Tenant), o.ID)
	if err == nil && n != 1 {
		err = fault.Wrap(fault.Conflict, errMeanwhile, "The archive's object %s is there no more.", o.ID)
	}
	if err == nil {
		_, err = db.Exec(ctx, `INSERT INTO archive_garbage (blob_key, tenant, since) VALUES ($1, $2, $3)`, string(o.blobKey()), string(o.Tenant), meta.Micros(a.Clock.Now()))
	}
	if err != nil {
		return fmt.Errorf("remove archive object %s: %w", o.ID, err)
	}
	return nil
}

// EraseTenant removes a tenant's objects and rows. It is safe to repeat. The erasure saga
// calls it after the tenant's keys are destroyed. While a backup is made it is Unavailable,
// and the saga comes back to it.
func (a *Archive) EraseTenant(ctx context.Context, id tenant.ID) (method string, count int64, err error) {
	const did = "archived events deleted after their key was destroyed"
	if !id.Valid() {
		return did, 0, fmt.Errorf("erase archive: %q is no tenant", id)
	}
	a.writing.Lock()
	defer a.writing.Unlock()
	done, err := a.Removing()
	if err != nil {
		return did, 0, err
	}
	defer done()
	var list []blob.Key
	if err := a.Blobs.List(ctx, Prefix+string(id)+"/", func(i blob.Info) error {
		list = append(list, i.Key)
		return nil
	}); err != nil {
		return did, 0, fmt.Errorf("list the archive of %s: %w", id, err)
	}
	for _, k := range list {
		if err := a.Blobs.Delete(ctx, k); err != nil && !fault.Is(err, fault.NotFound) {
			return did, 0, fmt.Errorf("remove bytes of %s: %w", k, err)
		}
	}
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		for _, q := range []string{`DELETE FROM archive_objects WHERE tenant = $1`, `DELETE FROM archive_garbage WHERE tenant = $1`, `DELETE FROM archive_expired WHERE tenant = $1`, `DELETE FROM archive_starts WHERE tenant = $1`} {
			if _, err := tx.For(id).Exec(ctx, q, string(id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return did, 0, fmt.Errorf("erase the archive's rows of %s: %w", id, err)
	}
	return did, int64(len(list)), nil
}
