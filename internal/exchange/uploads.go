package exchange

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

const (
	// uploadLife is how long an upload is kept after its last byte.
	uploadLife = 7 * 24 * time.Hour
	// maxUploads bounds the uploads that a tenant has on their way at once.
	maxUploads = 5_000
	// maxParts bounds the parts of one upload.
	maxParts = 10_000
)

// Upload is a file on its way: what has arrived is sealed and durable, in parts, and
// it is no submission yet. A Draft that is kept makes one or adds to it; it ends when
// it is submitted, dropped, or seven days after its last byte.
type Upload struct {
	ID         string
	Tenant     tenant.ID
	Channel    string
	Folder     Folder
	Name       string // as the sender calls it; never used as a path
	Size       int64  // bytes that have arrived
	Length     int64  // bytes that the file has, as the sender said; negative: not said
	SHA256     []byte // of the whole, as the sender said; empty: not said
	FileTime   *time.Time
	Submission string // what became of it
	CreatedAt  time.Time
	ChangedAt  time.Time
	CreatedBy  string

	parts []part
}

type part struct {
	object string
	size   int64
}

// setUpload inserts an upload, or notes that a known one has changed. One that was
// dropped or submitted meanwhile is NotFound.
func (x *Exchange) setUpload(ctx context.Context, tx *meta.DB, u Upload, known bool) error {
	db := tx.For(u.Tenant)
	length := sql.NullInt64{Int64: u.Length, Valid: u.Length >= 0}
	if known {
		n, err := db.Exec(ctx, `UPDATE uploads SET changed_at = $1, length = $2 WHERE id = $3 AND tenant = $4 AND submission = ''`, meta.Micros(u.ChangedAt), length, u.ID, string(u.Tenant))
		if err == nil && n == 0 {
			err = noUpload(u.ID)
		}
		return err
	}
	var n int64
	if err := db.QueryRow(ctx, `SELECT count(*) FROM uploads WHERE tenant = $1 AND submission = ''`, string(u.Tenant)).Scan(&n); err != nil {
		return err
	}
	if n >= maxUploads {
		return fault.New(fault.Throttled, "There are %d unfinished uploads already. Finish or remove some.", n)
	}
	name, err := x.Keys.Encrypt(ctx, u.Tenant, keys.Pool, []byte(u.Name), uploadContext(u.ID))
	if err != nil {
		return err
	}
	var digest []byte
	if u.SHA256 != nil {
		if digest, err = x.Keys.Encrypt(ctx, u.Tenant, keys.Vault, u.SHA256, uploadContext(u.ID)); err != nil {
			return err
		}
	}
	_, err = db.Exec(ctx, `
		INSERT INTO uploads (id, tenant, channel, dataset, date, name, name_key, length, digest, file_time, created_at, changed_at, created_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		u.ID, string(u.Tenant), u.Channel, u.Folder.Dataset, u.Folder.Date, name, x.nameKey(u.Tenant, u.Name), length, digest,
		u.FileTime, meta.Micros(u.CreatedAt), meta.Micros(u.ChangedAt), u.CreatedBy)
	return err
}

func uploadContext(id string) []byte { return []byte("upload " + id) }

// nameKey is what a file is found by without its name being read.
func (x *Exchange) nameKey(id tenant.ID, name string) []byte {
	return x.Keys.MAC("file name", string(id), name)
}

// flag is a truth as the database has it.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func noUpload(id string) error { return fault.New(fault.NotFound, "There is no upload %q.", id) }

// SubmitUpload submits an upload of which all has arrived.
func (x *Exchange) SubmitUpload(ctx context.Context, scope tenant.Scope, u Upload, n NewSubmission) (Submission, error) {
	if err := scope.Check(ctx, tenant.Write, tenant.Submissions); err != nil {
		return Submission{}, err
	}
	ds, err := x.Dataset(ctx, n.Dataset, 0)
	if err != nil {
		return Submission{}, err
	}
	if err := checkNew(n); err != nil {
		return Submission{}, err
	}
	return x.submitUpload(ctx, scope, u, n, ds)
}

// submitUpload makes the parts one file. A single part becomes the file as it is.
func (x *Exchange) submitUpload(ctx context.Context, scope tenant.Scope, u Upload, n NewSubmission, ds Dataset) (Submission, error) {
	if len(u.parts) == 0 {
		return Submission{}, errEmpty
	}
	var a arrival
	var err error
	adopted := ""
	if len(u.parts) == 1 {
		adopted = u.parts[0].object
		a.sum, err = x.checkPart(ctx, scope, u, n, ds)
		a.file = func(ctx context.Context, tx *meta.DB) (vault.Object, error) {
			return x.Vault.Adopt(ctx, tx, scope, adopted)
		}
	} else {
		var object vault.Object
		object, a.sum, err = x.join(ctx, scope, u, n, ds)
		a.file = func(ctx context.Context, tx *meta.DB) (vault.Object, error) {
			return object, x.Vault.Insert(ctx, tx, scope, object)
		}
	}
	if err != nil {
		return Submission{}, err
	}
	a.also = func(ctx context.Context, tx *meta.DB, s Submission) error {
		return x.closeUpload(ctx, tx, scope, u, s, adopted)
	}
	return x.record(ctx, scope, n, ds, a)
}

var errEmpty = fault.New(fault.Invalid, "The file is empty.")

func (x *Exchange) checkPart(ctx context.Context, scope tenant.Scope, u Upload, n NewSubmission, ds Dataset) ([]byte, error) {
	limit := ds.Contract.Limits.Bytes
	switch {
	case u.Size > limit:
		return nil, tooLarge(n.Dataset, limit)
	case n.Size >= 0 && u.Size != n.Size:
		return nil, fault.New(fault.Invalid, "%d bytes arrived of %d.", u.Size, n.Size)
	}
	sum, _, err := x.Vault.Digest(ctx, scope, u.parts[0].object)
	if err == nil && n.SHA256 != nil && subtle.ConstantTimeCompare(sum, n.SHA256) != 1 {
		err = fault.New(fault.Invalid, "What arrived does not match its checksum. Remove it and send the file again.")
	}
	return sum, err
}

// join seals the parts again as one file.
func (x *Exchange) join(ctx context.Context, scope tenant.Scope, u Upload, n NewSubmission, ds Dataset) (vault.Object, []byte, error) {
	w, err := x.Vault.Create(ctx, scope, vault.Input, vault.File)
	if err != nil {
		return vault.Object{}, nil, err
	}
	finished := false
	defer func() {
		if !finished {
			w.Abort()
		}
	}()
	for _, p := range u.parts {
		r, _, err := x.Vault.Open(ctx, scope, p.object)
		if err != nil {
			return vault.Object{}, nil, err
		}
		_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, 256<<10))
		if err = errors.Join(err, r.Close()); err != nil {
			return vault.Object{}, nil, fmt.Errorf("join upload %s: %w", u.ID, err)
		}
	}
	if err := arrived(w, n, ds); err != nil {
		return vault.Object{}, nil, err
	}
	finished = true
	o, err := w.Finish(ctx)
	return o, w.SHA256(), err
}

// closeUpload ends an upload that became a submission: its parts go, but one that
// was adopted. A web upload stays for a while to say what became of it.
func (x *Exchange) closeUpload(ctx context.Context, tx *meta.DB, scope tenant.Scope, u Upload, s Submission, adopted string) error {
	if u.FileTime != nil {
		if _, err := tx.For(s.Tenant).Exec(ctx, `UPDATE submissions SET file_time = $1 WHERE id = $2 AND tenant = $3`, u.FileTime, s.ID, string(s.Tenant)); err != nil {
			return err
		}
	}
	if u.Channel == SFTP { // an upload of the same name would hide the submission
		if err := x.dropNamesakes(ctx, tx, scope, u.ID, u.Folder, u.Name); err != nil {
			return err
		}
	}
	if u.ID == "" {
		return nil
	}
	now, err := x.partsOf(ctx, tx, u.Tenant, u.ID)
	if err != nil {
		return err
	}
	if !slices.Equal(now, u.parts) {
		return fault.New(fault.Conflict, "More of the file arrived while it was being submitted. Submit it again.")
	}
	if err := x.dropParts(ctx, tx, scope, u.ID, adopted); err != nil {
		return err
	}
	query := `DELETE FROM uploads WHERE id = $1 AND tenant = $2 AND submission = '' AND $3 <> ''`
	if u.Channel == Web {
		query = `UPDATE uploads SET submission = $3 WHERE id = $1 AND tenant = $2 AND submission = ''`
	}
	n, err := tx.For(u.Tenant).Exec(ctx, query, u.ID, string(u.Tenant), s.ID)
	if err == nil && n == 0 {
		err = noUpload(u.ID) // submitted or dropped meanwhile
	}
	return err
}

// dropNamesakes ends the uploads over SFTP, but one, that have a name in a folder.
func (x *Exchange) dropNamesakes(ctx context.Context, tx *meta.DB, scope tenant.Scope, but string, f Folder, name string) error {
	owner := scope.Tenant()
	ids, err := texts(ctx, tx.For(owner), `SELECT id FROM uploads WHERE tenant = $1 AND channel = 'sftp' AND dataset = $2 AND date = $3 AND name_key = $4 AND id <> $5 AND submission = ''`,
		string(owner), f.Dataset, f.Date, x.nameKey(owner, name), but)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := x.dropParts(ctx, tx, scope, id, ""); err != nil {
			return err
		}
		if _, err := tx.For(owner).Exec(ctx, `DELETE FROM uploads WHERE id = $1 AND tenant = $2`, id, string(owner)); err != nil {
			return fmt.Errorf("end upload %s: %w", id, err)
		}
	}
	return nil
}

// dropParts removes an upload's parts, but one that is something else now.
func (x *Exchange) dropParts(ctx context.Context, tx *meta.DB, scope tenant.Scope, id, but string) error {
	owner := scope.Tenant()
	parts, err := x.partsOf(ctx, tx, owner, id)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.object == but {
			continue
		}
		if err := x.Vault.Remove(ctx, tx, scope, p.object); err != nil {
			return err
		}
	}
	_, err = tx.For(owner).Exec(ctx, `DELETE FROM upload_parts WHERE upload = $1 AND tenant = $2`, id, string(owner))
	return err
}

func (x *Exchange) partsOf(ctx context.Context, db *meta.DB, owner tenant.ID, id string) ([]part, error) {
	rows, err := db.For(owner).Query(ctx, `SELECT object, size FROM upload_parts WHERE upload = $1 AND tenant = $2 ORDER BY ord`, id, string(owner))
	if err != nil {
		return nil, fmt.Errorf("list parts of %s: %w", id, err)
	}
	var list []part
	for rows.Next() {
		var p part
		if err := rows.Scan(&p.object, &p.size); err != nil {
			return nil, fmt.Errorf("list parts of %s: %w", id, err)
		}
		list = append(list, p)
	}
	return list, nil
}

// RenameUpload gives an upload another place; one that is there ends.
func (x *Exchange) RenameUpload(ctx context.Context, scope tenant.Scope, id string, to Folder, name string) error {
	if err := scope.Check(ctx, tenant.Write, tenant.Submissions); err != nil {
		return err
	}
	if err := checkName(name); err != nil {
		return err
	}
	owner := scope.Tenant()
	sealed, err := x.Keys.Encrypt(ctx, owner, keys.Pool, []byte(name), uploadContext(id))
	if err != nil {
		return fmt.Errorf("seal name of %s: %w", id, err)
	}
	return x.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := x.dropNamesakes(ctx, tx, scope, id, to, name); err != nil {
			return err
		}
		n, err := tx.For(owner).Exec(ctx, `UPDATE uploads SET dataset = $1, date = $2, name = $3, name_key = $4 WHERE id = $5 AND tenant = $6 AND submission = ''`,
			to.Dataset, to.Date, sealed, x.nameKey(owner, name), id, string(owner))
		if err == nil && n == 0 {
			return noUpload(id)
		}
		if err != nil {
			return fmt.Errorf("rename upload %s: %w", id, err)
		}
		return nil
	})
}
