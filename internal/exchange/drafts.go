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

// Draft is a file while it arrives. Keep, Submit or Drop ends it; but if Keep or Submit
// fails for a reason of ours that passes, Whole says whether all that arrived is still
// there, to be kept or submitted later. It is not safe for concurrent use.
type Draft struct {
	x       *Exchange
	ctx     context.Context //nolint:containedctx // io.Writer has no context, and each write checks the scope
	scope   tenant.Scope
	upload  Upload
	w       *vault.Writer // of the part that is arriving; nil before its first byte
	part    *vault.Object // that part once it is durable: no row says yet that it is there
	lost    error         // why that part could not be made durable
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
	if u.Channel == SFTP { // whatever length it had, now there comes more
		u.Length = -1
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
	if d.w != nil && d.part == nil { // bytes that are durable a round removes, if no row has come of them
		d.w.Abort()
	}
	d.w, d.part = nil, nil
	if d.release != nil {
		d.release()
		d.release = nil
	}
}

// Whole reports whether the draft goes on with all that arrived.
func (d *Draft) Whole() bool { return d.release != nil && d.lost == nil }

// Passes reports whether an error is nothing of the file's: what had arrived of it is
// worth keeping.
func Passes(err error) bool {
	switch fault.KindOf(err) {
	case fault.Internal, fault.Unavailable, fault.StorageFull, fault.TimedOut, fault.Cancelled, fault.Damaged, fault.Unauthenticated:
		return true
	}
	return false
}

// over ends the draft unless it is to be tried again.
func (d *Draft) over(err error) {
	if !Passes(err) || d.lost != nil {
		d.Drop()
	}
}

// Keep ends the draft and makes what arrived durable, as an upload that can go on. The
// scope's time may be over by then.
func (d *Draft) Keep(ctx context.Context) (Upload, error) {
	err := d.scope.CheckLately(ctx, tenant.Write, tenant.Submissions)
	u := d.upload
	if err == nil {
		u, err = d.keep(ctx)
	}
	if fault.Is(err, fault.Unauthenticated) { // for good
		d.Drop()
	}
	d.over(err)
	return u, err
}

// settle makes the part that is arriving durable.
func (d *Draft) settle(ctx context.Context) error {
	if d.w == nil || d.part != nil {
		return d.lost
	}
	if err := d.w.Ready(ctx); err != nil {
		return err
	}
	object, err := d.w.Finish(ctx)
	if err != nil {
		d.w, d.lost = nil, err
		return err
	}
	d.part = &object
	return nil
}

func (d *Draft) keep(ctx context.Context) (Upload, error) {
	if err := d.settle(ctx); err != nil {
		return d.upload, err
	}
	x, u := d.x, d.upload
	if d.part != nil {
		u.parts = append(u.parts[:len(u.parts):len(u.parts)], part{d.part.ID, d.part.Size})
		u.Size += d.part.Size
	}
	u.ChangedAt = x.Clock.Now()
	known := u.ID != ""
	if !known {
		u.ID, u.Tenant, u.CreatedAt, u.CreatedBy = x.Clock.ID("upl"), d.scope.Tenant(), u.ChangedAt, d.scope.Actor()
	}
	err := x.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := d.scope.CheckLately(ctx, tenant.Write, tenant.Submissions); err != nil {
			return err
		}
		if err := x.setUpload(ctx, tx, u, known); err != nil {
			return err
		}
		if d.part == nil {
			return nil
		}
		if err := x.Vault.Insert(ctx, tx, d.scope, *d.part); err != nil {
			return err
		}
		if err := x.Tenants.Claim(ctx, tx, u.Tenant); err != nil { // what is on its way is the tenant's data already
			return err
		}
		_, err := tx.For(u.Tenant).Exec(ctx, `INSERT INTO upload_parts (upload, tenant, ord, object, size) VALUES ($1, $2, $3, $4, $5)`,
			u.ID, string(u.Tenant), int64(len(u.parts)-1), d.part.ID, d.part.Size)
		return err
	})
	if err != nil {
		return d.upload, fmt.Errorf("keep upload: %w", err)
	}
	d.upload, d.w, d.part = u, nil, nil
	return u, nil
}

// Submit ends the draft and submits the file as Exchange.Submit does. If it is refused
// as it is (empty, too large, other than its checksum) what arrived since the draft
// began is gone; what was there before stays.
func (d *Draft) Submit(ctx context.Context, n NewSubmission) (Submission, error) {
	s, err := d.submit(ctx, n)
	if err == nil {
		d.Drop()
		return s, nil
	}
	if d.upload.Length < 0 { // all of it is here
		d.upload.Length = d.Size()
	}
	d.over(err)
	return s, err
}

func (d *Draft) submit(ctx context.Context, n NewSubmission) (Submission, error) {
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
		if d.lost != nil {
			return Submission{}, d.lost
		}
		return Submission{}, errEmpty
	}
	if err := arrived(d.w, n, ds); err != nil {
		return Submission{}, err
	}
	if err := d.settle(ctx); err != nil {
		return Submission{}, err
	}
	return x.record(ctx, d.scope, n, ds, arrival{
		sum: d.w.SHA256(),
		file: func(ctx context.Context, tx *meta.DB) (vault.Object, error) {
			whole := *d.part
			whole.Kind = vault.File
			return whole, x.Vault.Insert(ctx, tx, d.scope, whole)
		},
		also: func(ctx context.Context, tx *meta.DB, s Submission) error {
			return x.closeUpload(ctx, tx, d.scope, d.upload, s, "")
		},
	})
}
