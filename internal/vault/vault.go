// Package vault is a tenant's sealed input and output stores: bytes go in and
// come out under a tenant.Scope only, and lie on disk only encrypted with the
// tenant's vault key. What the bytes mean is left to package exchange.
package vault

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"sync"
	"time"

	"tributary/internal/blob"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Store is one of a tenant's two stores.
type Store string

// The stores.
const (
	Input  Store = "input"
	Output Store = "output"
)

func (s Store) resource() tenant.Resource {
	if s == Output {
		return tenant.VaultOutput
	}
	return tenant.VaultInput
}

// Kind says what an object is.
type Kind string

// The kinds: a file as submitted, a part of one that is on its way, the accepted form
// that validation made of a file, and a result in all its forms.
const (
	File     Kind = "file"
	Part     Kind = "part"
	Accepted Kind = "accepted"
	Result   Kind = "result"
)

// Object is a sealed object. A Writer makes it, nothing changes it, and Remove
// or the tenant's erasure ends it.
type Object struct {
	ID         string
	Tenant     tenant.ID
	Store      Store
	Kind       Kind
	Version    int64
	Size       int64  // bytes before sealing
	SealedSize int64  // bytes in the object store
	Commitment []byte // SHA-256(salt | SHA-256 of the bytes)
	CreatedAt  time.Time
	CreatedBy  string

	key    blob.Key
	digest []byte // sealed: SHA-256 of the bytes, then the salt
}

// Config is what a Vault needs; all fields but Log, Removing and Elsewhere are required.
type Config struct {
	DB    *meta.DB
	Blobs blob.Store
	Keys  *keys.Ring
	Clock clock.Clock
	Log   *slog.Logger
	// Removing is asked before bytes are removed that a row named a moment ago, and
	// done called afterwards. It is Unavailable while a backup still needs them. Nil:
	// there are no backups.
	Removing func() (done func(), err error)
	// Elsewhere is what the keys of another store's objects begin with, which the vault
	// leaves alone; empty: all of Blobs is the vault's.
	Elsewhere string
}

// Vault keeps every tenant's stores.
type Vault struct {
	Config

	sweeping sync.Mutex
	rowless  map[blob.Key]time.Time // since when SweepDue has found no row of these bytes
}

// New makes a vault.
func New(cfg Config) *Vault {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Removing == nil {
		cfg.Removing = func() (func(), error) { return func() {}, nil }
	}
	return &Vault{Config: cfg}
}

// Writer seals what is written to it. Finish or Abort ends it.
type Writer struct {
	vault  *Vault
	ctx    context.Context //nolint:containedctx // io.Writer has no context, and each write checks the scope
	scope  tenant.Scope
	object Object
	blob   blob.Writer
	sealed *keys.Writer
	hash   hash.Hash
	count  countingWriter
	digest []byte // sealed, of all that was written
	salt   []byte
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// Create starts an object in a store. Nothing of it is visible until Insert.
func (v *Vault) Create(ctx context.Context, scope tenant.Scope, s Store, k Kind) (*Writer, error) {
	if err := scope.Check(ctx, tenant.Write, s.resource()); err != nil {
		return nil, err
	}
	o := Object{ID: v.Clock.ID("obj"), Tenant: scope.Tenant(), Store: s, Kind: k, Version: 1, CreatedBy: scope.Actor(), CreatedAt: v.Clock.Now()}
	o.key = blob.Key(fmt.Sprintf("%s/%s/%s", o.Tenant, s, o.ID))
	b, err := v.Blobs.Create(ctx, o.key)
	if err != nil {
		return nil, fmt.Errorf("create object %s: %w", o.ID, err)
	}
	w := &Writer{vault: v, ctx: ctx, scope: scope, object: o, blob: b, hash: sha256.New(), count: countingWriter{w: b}}
	w.sealed, err = v.Keys.NewWriter(ctx, o.Tenant, keys.Vault, keys.Object{ID: o.ID, Version: o.Version}, &w.count)
	if err != nil {
		b.Abort()
		return nil, fmt.Errorf("seal object %s: %w", o.ID, err)
	}
	return w, nil
}

// Write seals p. The scope is checked each time, so a revoked credential stops
// an upload in the middle.
func (w *Writer) Write(p []byte) (int, error) {
	if err := w.scope.Check(w.ctx, tenant.Write, w.object.Store.resource()); err != nil {
		return 0, err
	}
	n, err := w.sealed.Write(p)
	w.digest = nil
	w.hash.Write(p[:n])
	w.object.Size += int64(n)
	return n, err
}

// SHA256 returns the digest of what was written so far.
func (w *Writer) SHA256() []byte { return w.hash.Sum(nil) }

// Size returns how many bytes were written so far.
func (w *Writer) Size() int64 { return w.object.Size }

// Ready does what of Finish needs the keys. If it cannot, because they are away, nothing
// is lost: more can be written, and it can be called again.
func (w *Writer) Ready(ctx context.Context) error {
	if w.digest != nil {
		return nil
	}
	salt := w.vault.Clock.Bytes(16)
	digest, err := w.vault.Keys.Encrypt(ctx, w.object.Tenant, keys.Vault, append(w.hash.Sum(nil), salt...), digestContext(w.object.ID))
	if err != nil {
		return fmt.Errorf("seal digest of %s: %w", w.object.ID, err)
	}
	w.digest, w.salt = digest, salt
	return nil
}

// Finish makes the bytes durable: when it returns nil they survive a power cut.
// The object exists once Insert has committed; until then a round removes it. After
// an error they are gone.
func (w *Writer) Finish(ctx context.Context) (Object, error) {
	if err := w.Ready(ctx); err != nil {
		w.blob.Abort()
		return Object{}, err
	}
	if err := w.sealed.Close(); err != nil {
		w.blob.Abort()
		return Object{}, fmt.Errorf("seal object %s: %w", w.object.ID, err)
	}
	if err := w.blob.Commit(ctx); err != nil {
		return Object{}, fmt.Errorf("commit object %s: %w", w.object.ID, err)
	}
	w.object.digest = w.digest
	w.object.Commitment = commitment(w.salt, w.hash.Sum(nil))
	w.object.SealedSize = w.count.n
	return w.object, nil
}

// Abort drops what was written.
func (w *Writer) Abort() { w.blob.Abort() }

// Discard removes the bytes of a finished object that will never be inserted. What
// it cannot remove a round does, later.
func (v *Vault) Discard(ctx context.Context, o Object) {
	if err := v.Blobs.Delete(ctx, o.key); err != nil {
		v.Log.WarnContext(ctx, "bytes of an object that came to nothing stay for now", "object", o.ID, "error", err)
	}
}

func digestContext(id string) []byte { return []byte("vault digest " + id) }

func commitment(salt, sum []byte) []byte {
	h := sha256.New()
	h.Write(salt)
	h.Write(sum)
	return h.Sum(nil)
}

// Insert makes a finished object exist when tx commits.
func (v *Vault) Insert(ctx context.Context, tx *meta.DB, scope tenant.Scope, o Object) error {
	if o.Tenant != scope.Tenant() {
		return fault.New(fault.NotFound, "There is no object %q.", o.ID)
	}
	_, err := tx.For(o.Tenant).Exec(ctx, `
		INSERT INTO vault_objects (id, tenant, store, kind, version, blob_key, size, sealed_size, digest, commitment, created_at, created_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		o.ID, string(o.Tenant), string(o.Store), string(o.Kind), o.Version, string(o.key), o.Size, o.SealedSize,
		o.digest, o.Commitment, meta.Micros(o.CreatedAt), o.CreatedBy)
	if err != nil {
		return fmt.Errorf("insert object %s: %w", o.ID, err)
	}
	return nil
}

const objectColumns = `id, tenant, store, kind, version, blob_key, size, sealed_size, digest, commitment, created_at, created_by`

type scanner interface{ Scan(...any) error }

func scanObject(row scanner) (Object, error) {
	var o Object
	var created int64
	err := row.Scan(&o.ID, &o.Tenant, &o.Store, &o.Kind, &o.Version, &o.key, &o.Size, &o.SealedSize, &o.digest, &o.Commitment, &created, &o.CreatedBy)
	o.CreatedAt = meta.Time(created)
	return o, err
}

func (v *Vault) find(ctx context.Context, db *meta.DB, id tenant.ID, object string) (Object, error) {
	o, err := scanObject(db.For(id).QueryRow(ctx, `SELECT `+objectColumns+` FROM vault_objects WHERE id = $1 AND tenant = $2`, object, string(id)))
	if errors.Is(err, sql.ErrNoRows) {
		return o, fault.New(fault.NotFound, "There is no object %q.", object)
	}
	if err != nil {
		return o, fmt.Errorf("find object %s: %w", object, err)
	}
	return o, nil
}

// Reader reads an object, decrypting only what is asked for. Each read checks
// the scope. It is not safe for concurrent use, except ReadAt.
type Reader struct {
	ctx      context.Context //nolint:containedctx // io.Reader has no context, and each read checks the scope
	scope    tenant.Scope
	resource tenant.Resource
	blob     blob.Object
	sealed   *keys.Reader
}

// Open opens an object for reading. Another tenant's is NotFound; bytes that are
// not what was stored are Damaged, here or while reading.
func (v *Vault) Open(ctx context.Context, scope tenant.Scope, id string) (*Reader, Object, error) {
	o, err := v.find(ctx, v.DB, scope.Tenant(), id)
	if err != nil {
		return nil, o, err
	}
	r := &Reader{ctx: ctx, scope: scope, resource: o.Store.resource().One(id)}
	if err := scope.Check(ctx, tenant.Read, r.resource); err != nil {
		return nil, o, err
	}
	if r.blob, err = v.Blobs.Open(ctx, o.key); err != nil {
		if fault.Is(err, fault.NotFound) {
			err = fault.Wrap(fault.Damaged, err, "The stored bytes of %s are missing.", id)
		}
		return nil, o, fmt.Errorf("open object %s: %w", id, err)
	}
	r.sealed, err = v.Keys.NewReader(ctx, o.Tenant, keys.Vault, keys.Object{ID: o.ID, Version: o.Version}, r.blob, r.blob.Size())
	if err != nil {
		r.blob.Close()
		return nil, o, fmt.Errorf("unseal object %s: %w", id, err)
	}
	if r.sealed.Size() != o.Size {
		r.blob.Close()
		return nil, o, fault.New(fault.Damaged, "The stored bytes of %s have another length than was recorded.", id)
	}
	return r, o, nil
}

// Read reads the next bytes.
func (r *Reader) Read(p []byte) (int, error) {
	if err := r.scope.Check(r.ctx, tenant.Read, r.resource); err != nil {
		return 0, err
	}
	return r.sealed.Read(p)
}

// ReadAt reads bytes at an offset of the object before sealing.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if err := r.scope.Check(r.ctx, tenant.Read, r.resource); err != nil {
		return 0, err
	}
	return r.sealed.ReadAt(p, off)
}

// Size returns the length of the object before sealing, in bytes.
func (r *Reader) Size() int64 { return r.sealed.Size() }

// Seek sets where the next Read starts.
func (r *Reader) Seek(offset int64, whence int) (int64, error) { return r.sealed.Seek(offset, whence) }

// Close releases the object.
func (r *Reader) Close() error { return r.blob.Close() }

// Digest returns the SHA-256 of an object's bytes and the salt of its
// commitment, which together prove to its owner that a manifest names it.
func (v *Vault) Digest(ctx context.Context, scope tenant.Scope, id string) (sum, salt []byte, err error) {
	o, err := v.find(ctx, v.DB, scope.Tenant(), id)
	if err != nil {
		return nil, nil, err
	}
	if err := scope.Check(ctx, tenant.Read, o.Store.resource().One(id)); err != nil {
		return nil, nil, err
	}
	return v.digest(ctx, o)
}

func (v *Vault) digest(ctx context.Context, o Object) (sum, salt []byte, err error) {
	plain, err := v.Keys.Decrypt(ctx, o.Tenant, keys.Vault, o.digest, digestContext(o.ID))
	if err != nil {
		return nil, nil, fmt.Errorf("unseal digest of %s: %w", o.ID, err)
	}
	if len(plain) != sha256.Size+16 {
		return nil, nil, fault.New(fault.Damaged, "The recorded digest of %s is not one.", o.ID)
	}
	sum, salt = plain[:sha256.Size], plain[sha256.Size:]
	if subtle.ConstantTimeCompare(commitment(salt, sum), o.Commitment) != 1 {
		return nil, nil, fault.New(fault.Damaged, "The recorded digest of %s does not match its commitment.", o.ID)
	}
	return sum, salt, nil
}

// Adopt makes a part a file when tx commits: all of the file is in it.
func (v *Vault) Adopt(ctx context.Context, tx *meta.DB, scope tenant.Scope, id string) (Object, error) {
	o, err := v.find(ctx, tx, scope.Tenant(), id)
	if err != nil {
		return o, err
	}
	if err := scope.Check(ctx, tenant.Write, o.Store.resource()); err != nil {
		return o, err
	}
	n, err := tx.For(o.Tenant).Exec(ctx, `UPDATE vault_objects SET kind = $1 WHERE id = $2 AND tenant = $3 AND kind = $4`, string(File), id, string(o.Tenant), string(Part))
	if err == nil && n != 1 {
		err = errors.New("it is no part")
	}
	if err != nil {
		return o, fmt.Errorf("adopt object %s: %w", id, err)
	}
	o.Kind = File
	return o, nil
}

// Remove ends an object when tx commits; its bytes go in the next RemoveDue. Whoever
// may write may remove parts of what is on its way, and to remove anything else takes
// the right to delete.
func (v *Vault) Remove(ctx context.Context, tx *meta.DB, scope tenant.Scope, id string) error {
	o, err := v.find(ctx, tx, scope.Tenant(), id)
	if err != nil {
		return err
	}
	verb, resource := tenant.Delete, o.Store.resource().One(id)
	if o.Kind == Part {
		verb, resource = tenant.Write, o.Store.resource()
	}
	if err := scope.Check(ctx, verb, resource); err != nil {
		return err
	}
	if _, err := tx.For(o.Tenant).Exec(ctx, `DELETE FROM vault_objects WHERE id = $1 AND tenant = $2`, id, string(o.Tenant)); err != nil {
		return fmt.Errorf("remove object %s: %w", id, err)
	}
	_, err = tx.For(o.Tenant).Exec(ctx, `INSERT INTO vault_garbage (blob_key, tenant, since) VALUES ($1, $2, $3)`,
		string(o.key), string(o.Tenant), meta.Micros(v.Clock.Now()))
	if err != nil {
		return fmt.Errorf("remove object %s: %w", id, err)
	}
	return nil
}
