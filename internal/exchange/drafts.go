package exchange

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

// Draft is a file while it arrives. Keep, Submit or Drop ends it. It is not safe for
// concurrent use.
type Draft struct {
	x       *Exchange
	ctx     context.Context //nolint:containedctx // io.Writer has no context, and each write checks the scope
	scope   tenant.Scope
	upload  Upload
	w       *vault.Writer // of the part that is arriving; nil before its first byte
	limit   int64
	release func()
}

// Draft begins to take a file, or goes on with an upload. What u says of a new one
// (its ID is empty) is what its upload will say if it is kept.
func (x *Exchange) Draft(ctx context.Context, scope tenant.Scope, u Upload) (*Draft, error) {
	if err := scope.Check(ctx, tenant.Write, tenant.Submissions); err != nil {
		return nil, err
	}
	if err := checkName(u.Name); err != nil {
		return nil, err
	}
	if u.Submission != "" {
		return nil, fault.New(fault.Conflict, "The upload %q is complete: it is submission %s.", u.ID, u.Submission)
	}
	limit, err := x.largest(ctx, u.Folder.Dataset)
	if err != nil {
		return nil, err
	}
	if u.Length > limit {
		return nil, tooLarge(u.Folder.Dataset, limit)
	}
	release, err := x.admit(scope.Tenant())
	if err != nil {
		return nil, err
	}
	if u.ID != "" { // it has a week again
		n, err := x.DB.For(scope.Tenant()).Exec(ctx, `UPDATE uploads SET changed_at = $1 WHERE id = $2 AND tenant = $3 AND submission = ''`, meta.Micros(x.Clock.Now()), u.ID, string(scope.Tenant()))
		if err == nil && n == 0 {
			err = noUpload(u.ID)
		}
		if err != nil {
			release()
			return nil, err
		}
	}
	return &Draft{x: x, ctx: ctx, scope: scope, upload: u, limit: limit, release: release}, nil
}

// largest is how many bytes a file of a dataset may have, or of any if it is not
// known yet what the file is for.
func (x *Exchange) largest(ctx context.Context, dataset string) (int64, error) {
	if dataset != "" {
		d, err := x.Dataset(ctx, dataset, 0)
		if err != nil {
			return 0, err
		}
		return d.Contract.Limits.Bytes, nil
	}
	all, err := x.every(ctx)
	if err != nil {
		return 0, err
	}
	largest := int64(0)
	for _, d := range all {
		largest = max(largest, d.Contract.Limits.Bytes)
	}
	return largest, nil
}

// Size returns how many bytes have arrived, with those of earlier parts.
func (d *Draft) Size() int64 {
	if d.w == nil {
		return d.upload.Size
	}
	return d.upload.Size + d.w.Size()
}

// Upload returns what the draft is of.
func (d *Draft) Upload() Upload { return d.upload }

// SetFileTime says when the sender's file was changed.
func (d *Draft) SetFileTime(at time.Time) { d.upload.FileTime = &at }

// Write seals p. The scope is checked each time, so a revoked credential stops an
// upload in the middle.
func (d *Draft) Write(p []byte) (int, error) {
	if d.Size()+int64(len(p)) > d.limit {
		return 0, tooLarge(d.upload.Folder.Dataset, d.limit)
	}
	if d.w == nil {
		if len(d.upload.parts) >= maxParts {
			return 0, fault.New(fault.TooLarge, "The file came in more than %d parts; send it anew, in larger ones.", maxParts)
		}
		w, err := d.x.Vault.Create(d.ctx, d.scope, vault.Input, vault.Part)
		if err != nil {
			return 0, err
		}
		d.w = w
	}
	return d.w.Write(p)
}

// Drop ends the draft; what arrived since it began is gone.
func (d *Draft) Drop() {
	if d.w != nil {
		d.w.Abort()
		d.w = nil
	}
	d.end()
}

func (d *Draft) end() {
	if d.release != nil {
		d.release()
		d.release = nil
	}
}

// Keep ends the draft and makes what arrived durable, as an upload that can go on.
func (d *Draft) Keep(ctx context.Context) (Upload, error) {
	defer d.Drop()
	return d.keep(ctx)
}

func (d *Draft) keep(ctx context.Context) (Upload, error) {
	x, u := d.x, d.upload
	var object *vault.Object
	if d.w != nil {
		w := d.w
		d.w = nil
		o, err := w.Finish(ctx)
		if err != nil {
			return u, err
		}
		object = &o
		u.parts = append(u.parts[:len(u.parts):len(u.parts)], part{o.ID, o.Size})
		u.Size += o.Size
	}
	u.ChangedAt = x.Clock.Now()
	known := u.ID != ""
	if !known {
		u.ID, u.Tenant, u.CreatedAt, u.CreatedBy = x.Clock.ID("upl"), d.scope.Tenant(), u.ChangedAt, d.scope.Actor()
	}
	err := x.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := d.scope.Check(ctx, tenant.Write, tenant.Submissions); err != nil {
			return err
		}
		if err := x.setUpload(ctx, tx, u, known); err != nil {
			return err
		}
		if object == nil {
			return nil
		}
		if err := x.Vault.Insert(ctx, tx, d.scope, *object); err != nil {
			return err
		}
		if err := x.Tenants.Claim(ctx, tx, u.Tenant); err != nil { // what is on its way is the tenant's data already
			return err
		}
		_, err := tx.For(u.Tenant).Exec(ctx, `INSERT INTO upload_parts (upload, tenant, ord, object, size) VALUES ($1, $2, $3, $4, $5)`,
			u.ID, string(u.Tenant), int64(len(u.parts)-1), object.ID, object.Size)
		return err
	})
	if err != nil {
		return d.upload, fmt.Errorf("keep upload: %w", err)
	}
	d.upload = u
	return u, nil
}

// Submit ends the draft and submits the file as Exchange.Submit does. If it is refused
// as it is (empty, too large, other than its checksum) what arrived since the draft
// began is gone; what was there before stays.
func (d *Draft) Submit(ctx context.Context, n NewSubmission) (Submission, error) {
	defer d.Drop()
	x := d.x
	ds, err := x.Dataset(ctx, n.Dataset, 0)
	if err != nil {
		return Submission{}, err
	}
	if err := checkNew(n); err != nil {
		return Submission{}, err
	}
	if len(d.upload.parts) > 0 {
		if _, err := d.keep(ctx); err != nil {
			return Submission{}, err
		}
		return x.submitUpload(ctx, d.scope, d.upload, n, ds)
	}
	if d.w == nil {
		return Submission{}, errEmpty
	}
	w := d.w
	if err := arrived(w, n, ds); err != nil {
		return Submission{}, err
	}
	d.w = nil
	w.As(vault.File)
	object, err := w.Finish(ctx)
	if err != nil {
		return Submission{}, err
	}
	return x.record(ctx, d.scope, n, ds, arrival{
		sum: w.SHA256(),
		file: func(ctx context.Context, tx *meta.DB) (vault.Object, error) {
			return object, x.Vault.Insert(ctx, tx, d.scope, object)
		},
		also: func(ctx context.Context, tx *meta.DB, s Submission) error {
			return x.closeUpload(ctx, tx, d.scope, d.upload, s, "")
		},
	})
}
