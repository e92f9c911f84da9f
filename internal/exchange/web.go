package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tributary/internal/audit"
	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// A web upload is created before its first byte, with its length and with what it is
// for. Its bytes come in one piece or in several; with the last one it is submitted, and
// what cannot be taken as it is ends it. Its row stays for a week after, to tell what
// became of it a client that lost the last answer.

// ExpiresAt is when the upload ends if nobody goes on with it.
func (u Upload) ExpiresAt() time.Time { return u.ChangedAt.Add(uploadLife) }

// Arrived reports whether all of the file has arrived.
func (u Upload) Arrived() bool { return u.Submission != "" || u.Length >= 0 && u.Size == u.Length }

func (u Upload) submission() NewSubmission {
	return NewSubmission{Dataset: u.Folder.Dataset, Date: u.Folder.Date, Name: u.Name, Channel: u.Channel, SHA256: u.SHA256, Size: u.Length}
}

// CreateUpload begins a web upload. What u does not say of dataset and date is read
// from the name, and what could not be submitted is refused here, before it is sent.
func (x *Exchange) CreateUpload(ctx context.Context, scope tenant.Scope, u Upload) (Upload, error) {
	if err := scope.Check(ctx, tenant.Write, tenant.Submissions); err != nil {
		return Upload{}, err
	}
	if err := checkName(u.Name); err != nil {
		return Upload{}, err
	}
	var err error
	if u.Folder, err = x.meant(ctx, u.Folder, u.Name); err != nil {
		return Upload{}, err
	}
	d, err := x.Dataset(ctx, u.Folder.Dataset, 0)
	if err != nil {
		return Upload{}, err
	}
	u.Channel = Web
	if err := checkNew(u.submission()); err != nil {
		return Upload{}, err
	}
	switch limit := d.Contract.Limits.Bytes; {
	case u.Length < 0:
		return Upload{}, fault.New(fault.Invalid, "Say how many bytes the file has.")
	case u.Length == 0:
		return Upload{}, errEmpty
	case u.Length > limit:
		return Upload{}, tooLarge(d.Name, limit)
	}
	now := x.Clock.Now()
	u.ID, u.Tenant, u.CreatedAt, u.ChangedAt, u.CreatedBy = x.Clock.ID("upl"), scope.Tenant(), now, now, scope.Actor()
	err = x.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := scope.Check(ctx, tenant.Write, tenant.Submissions); err != nil {
			return err
		}
		if err := x.setUpload(ctx, tx, u, false); err != nil {
			return err
		}
		return x.Audit.Append(ctx, tx, audit.Entry{Tenant: u.Tenant, Actor: u.CreatedBy, Verb: "upload.create", Subject: u.ID, Outcome: "ok",
			Details: map[string]any{"dataset": u.Folder.Dataset, "date": u.Folder.Date, "name": u.Name, "bytes": u.Length, "channel": u.Channel}})
	})
	if err != nil {
		return Upload{}, fmt.Errorf("create upload: %w", err)
	}
	return u, nil
}

// meant completes what a file is for by its name.
func (x *Exchange) meant(ctx context.Context, f Folder, name string) (Folder, error) {
	if f.Dataset != "" && f.Date != "" {
		return f, nil
	}
	if f.Dataset != "" { // one that there is not is not found, rather than unlike the name
		if _, err := x.Dataset(ctx, f.Dataset, 0); err != nil {
			return f, err
		}
	}
	all, err := x.fitting(ctx, name)
	if err != nil {
		return f, err
	}
	var fits []Folder
	for _, one := range all {
		if (f.Dataset == "" || f.Dataset == one.Dataset) && (f.Date == "" || f.Date == one.Date) {
			fits = append(fits, one)
		}
	}
	switch len(fits) {
	case 1:
		return fits[0], nil
	case 0:
		return f, fault.New(fault.Invalid, "The name %q does not say which dataset and business date the file is for. Name both, or name the file as the dataset's contract says.", name)
	}
	return f, fault.New(fault.Invalid, "%q could be for dataset %q or %q. Name the dataset and the business date.", name, fits[0].Dataset, fits[1].Dataset)
}

// fitting lists what a file could be for by its name alone.
func (x *Exchange) fitting(ctx context.Context, name string) ([]Folder, error) {
	all, err := x.every(ctx)
	if err != nil {
		return nil, err
	}
	var fits []Folder
	for _, d := range all {
		if d.Contract.FileName == "" && d.Contract.FilePattern == "" {
			continue
		}
		if n, err := d.Contract.ParseFileName(name); err == nil && n.Date != nil {
			fits = append(fits, Folder{d.Name, n.Date.String()})
		}
	}
	return fits, nil
}

// WebUpload returns one of the scope's tenant's web uploads.
func (x *Exchange) WebUpload(ctx context.Context, scope tenant.Scope, id string) (Upload, error) {
	u, err := x.Upload(ctx, scope, id)
	if err == nil && (u.Channel != Web || !x.Clock.Now().Before(u.ExpiresAt())) {
		err = noUpload(id)
	}
	if err != nil {
		return Upload{}, err
	}
	return u, nil
}

// Complete ends the draft of a web upload: it is kept, and submitted if all of it has
// arrived. A file that is refused as it is ends its upload.
func (d *Draft) Complete(ctx context.Context) (Upload, error) {
	defer d.Drop()
	u := d.upload
	if d.Size() < u.Length {
		return d.keep(ctx)
	}
	s, err := d.Submit(ctx, u.submission())
	if err != nil && d.Whole() { // asking for the upload tries again
		_, keepErr := d.keep(ctx)
		return u, errors.Join(err, keepErr)
	}
	return d.x.became(ctx, d.scope, u, s, err)
}

// Rescue ends the draft of a web upload that an error stopped: if it was nothing of the
// file's, what arrived is kept.
func (d *Draft) Rescue(ctx context.Context, err error) error {
	defer d.Drop()
	if !Passes(err) {
		return err
	}
	_, keepErr := d.keep(ctx)
	return errors.Join(err, keepErr)
}

// FinishUpload submits a web upload of which all has arrived, and which was not because
// the server ended first. Others it returns as they are.
func (x *Exchange) FinishUpload(ctx context.Context, scope tenant.Scope, u Upload) (Upload, error) {
	if !u.Arrived() || u.Submission != "" {
		return u, nil
	}
	s, err := x.SubmitUpload(ctx, scope, u, u.submission())
	return x.became(ctx, scope, u, s, err)
}

// became is an upload after an attempt to submit it.
func (x *Exchange) became(ctx context.Context, scope tenant.Scope, u Upload, s Submission, err error) (Upload, error) {
	switch {
	case fault.Is(err, fault.Invalid) || fault.Is(err, fault.TooLarge): // and would be each time
		if dropErr := x.DropUpload(ctx, scope, u.ID); dropErr != nil && !fault.Is(dropErr, fault.NotFound) {
			return u, errors.Join(dropErr, err)
		}
		return u, err
	case err != nil:
		return u, err
	}
	u.Submission, u.Size, u.parts = s.ID, s.Size, nil
	return u, nil
}

// UploadFilter narrows a list; empty fields do not.
type UploadFilter struct{ Dataset, Date, Name string }

// WebUploads lists the scope's tenant's web uploads, the newest first: those on their
// way, and those of the last week that were submitted.
func (x *Exchange) WebUploads(ctx context.Context, scope tenant.Scope, f UploadFilter, page meta.Page) ([]Upload, string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Submissions); err != nil {
		return nil, "", err
	}
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	owner := scope.Tenant()
	rows, err := x.DB.For(owner).Query(ctx, `SELECT `+uploadColumns+` FROM uploads
		WHERE tenant = $1 AND channel = $2 AND ($3 = '' OR dataset = $3) AND ($4 = '' OR date = $4) AND ($5 = '' OR name_key = $6)
		AND changed_at > $7 AND (created_at < $8 OR (created_at = $8 AND id < $9))
		ORDER BY created_at DESC, id DESC LIMIT $10`,
		string(owner), Web, f.Dataset, f.Date, f.Name, x.nameKey(owner, f.Name), meta.Micros(x.Clock.Now().Add(-uploadLife)), pos.At, pos.ID, int64(page.Size()+1))
	if err != nil {
		return nil, "", fmt.Errorf("list uploads: %w", err)
	}
	var list []Upload
	for rows.Next() {
		u, err := x.scanUpload(ctx, owner, rows)
		if err != nil {
			return nil, "", err
		}
		list = append(list, u)
	}
	list, next := meta.Cut(list, page, func(u Upload) meta.Position { return meta.Position{At: meta.Micros(u.CreatedAt), ID: u.ID} })
	return list, next, nil
}

const uploadColumns = `id, channel, dataset, date, name, length, digest, file_time, submission, created_at, changed_at, created_by,
	CAST((SELECT COALESCE(SUM(p.size), 0) FROM upload_parts p WHERE p.upload = uploads.id AND p.tenant = uploads.tenant) AS BIGINT)`

// Upload returns one of the scope's tenant's uploads.
func (x *Exchange) Upload(ctx context.Context, scope tenant.Scope, id string) (Upload, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Submissions); err != nil {
		return Upload{}, err
	}
	owner := scope.Tenant()
	u, err := x.scanUpload(ctx, owner, x.DB.For(owner).QueryRow(ctx, `SELECT `+uploadColumns+` FROM uploads WHERE id = $1 AND tenant = $2`, id, string(owner)))
	if errors.Is(err, sql.ErrNoRows) {
		return u, noUpload(id)
	}
	if err != nil || u.Submission != "" {
		return u, err
	}
	if u.parts, err = x.partsOf(ctx, x.DB, owner, id); err != nil {
		return u, err
	}
	u.Size = 0 // of these parts: another may have come since the row was read
	for _, p := range u.parts {
		u.Size += p.size
	}
	return u, nil
}

func (x *Exchange) scanUpload(ctx context.Context, owner tenant.ID, row scanner) (Upload, error) {
	u := Upload{Tenant: owner, Length: -1}
	var name, digest []byte
	var created, changed int64
	var length, fileTime sql.NullInt64
	if err := row.Scan(&u.ID, &u.Channel, &u.Folder.Dataset, &u.Folder.Date, &name, &length, &digest, &fileTime, &u.Submission, &created, &changed, &u.CreatedBy, &u.Size); err != nil {
		return u, fmt.Errorf("read upload: %w", err)
	}
	u.CreatedAt, u.ChangedAt, u.FileTime = meta.Time(created), meta.Time(changed), meta.Moment(fileTime)
	if length.Valid {
		u.Length = length.Int64
	}
	plain, err := x.Keys.Decrypt(ctx, owner, keys.Pool, name, uploadContext(u.ID))
	if err != nil {
		return u, fmt.Errorf("open name of %s: %w", u.ID, err)
	}
	u.Name = string(plain)
	if digest != nil {
		if u.SHA256, err = x.Keys.Decrypt(ctx, owner, keys.Vault, digest, uploadContext(u.ID)); err != nil {
			return u, fmt.Errorf("open digest of %s: %w", u.ID, err)
		}
	}
	if u.Submission != "" {
		u.Size = max(u.Length, 0)
	}
	return u, nil
}

// MaxFile is the most bytes that any dataset may let a file have.
const MaxFile = contract.MaxBytes
