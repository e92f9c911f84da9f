package vault_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/internal/blob"
	"tributary/internal/blob/disk"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/keys/keystest"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

// wrapped is the store of tenants' wrapped keys.
type wrapped struct {
	mu   sync.Mutex
	keys map[tenant.ID][]byte
}

func (w *wrapped) WrappedKey(_ context.Context, id tenant.ID, _ keys.Purpose) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if k := w.keys[id]; k != nil {
		return k, nil
	}
	return nil, fault.New(fault.NotFound, "The key was destroyed.")
}

// bench is a vault on disk with two tenants.
type bench struct {
	*vault.Vault
	dir    string
	policy *policy.Engine
	ahead  time.Duration // of the system's clock
	a, b   tenant.ID
}

func newBench(t *testing.T, db *meta.DB) *bench {
	t.Helper()
	b := &bench{dir: filepath.Join(t.TempDir(), "objects")}
	c := clock.Clock{NowFunc: func() time.Time { return time.Now().Add(b.ahead) }}
	kek, secrets := keystest.New(t, c)
	kept := &wrapped{keys: map[tenant.ID][]byte{}}
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: kept, Clock: c, Secrets: secrets})
	check(t, err)
	blobs, err := disk.New(b.dir, c)
	check(t, err)
	t.Cleanup(func() { check(t, blobs.Close()) })
	b.policy, err = policy.New(policy.Config{Clock: c})
	check(t, err)
	for _, id := range []*tenant.ID{&b.a, &b.b} {
		*id = tenant.ID(c.ID("ten"))
		kept.keys[*id], err = ring.Generate(t.Context(), *id, keys.Vault)
		check(t, err)
	}
	b.Vault = vault.New(vault.Config{DB: db, Blobs: blobs, Keys: ring, Clock: c})
	return b
}

func each(t *testing.T, f func(t *testing.T, b *bench)) {
	t.Helper()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		f(t, newBench(t, db))
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// person is the scope of one of a tenant's people, with a credential of its own.
func (b *bench) person(t *testing.T, id tenant.ID) (tenant.Scope, string) {
	t.Helper()
	p := policy.Principal{Credential: b.Clock.ID("key"), Kind: policy.APIKey, Tenant: id, Role: policy.TenantAdmin, VerifiedAt: b.Clock.Now()}
	s, err := b.policy.Scope(t.Context(), p)
	check(t, err)
	return s, p.Credential
}

func (b *bench) scope(t *testing.T, id tenant.ID) tenant.Scope {
	t.Helper()
	s, _ := b.person(t, id)
	return s
}

func (b *bench) put(t *testing.T, id tenant.ID, content []byte) vault.Object {
	t.Helper()
	s := b.scope(t, id)
	w, err := b.Create(t.Context(), s, vault.Input, vault.File)
	check(t, err)
	_, err = w.Write(content)
	check(t, err)
	o, err := w.Finish(t.Context())
	check(t, err)
	check(t, b.DB.Transact(t.Context(), func(tx *meta.DB) error { return b.Insert(t.Context(), tx, s, o) }))
	return o
}

func (b *bench) get(t *testing.T, s tenant.Scope, id string) ([]byte, error) {
	t.Helper()
	r, _, err := b.Open(t.Context(), s, id)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// files are the keys of the stored bytes that end with suffix.
func (b *bench) files(t *testing.T, suffix string) []string {
	t.Helper()
	var list []string
	check(t, b.Blobs.List(t.Context(), "", func(i blob.Info) error {
		if strings.HasSuffix(string(i.Key), suffix) {
			list = append(list, string(i.Key))
		}
		return nil
	}))
	return list
}

// path is the file with an object's stored bytes.
func (b *bench) path(t *testing.T, o vault.Object) string {
	t.Helper()
	var list []string
	check(t, filepath.WalkDir(b.dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(filepath.Base(path), o.ID) {
			list = append(list, path)
		}
		return err
	}))
	if len(list) != 1 {
		t.Fatalf("object %s is stored %d times", o.ID, len(list))
	}
	return list[0]
}

// content is longer than one sealed segment and than one read.
func content() []byte { return bytes.Repeat([]byte("canary,1234567890\n"), 20_000) }

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		for _, want := range [][]byte{{}, []byte("x"), content()} {
			o := b.put(t, b.a, want)
			got, err := b.get(t, b.scope(t, b.a), o.ID)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("got %d bytes, %v; want %d", len(got), err, len(want))
			}
			sum, salt, err := b.Digest(t.Context(), b.scope(t, b.a), o.ID)
			check(t, err)
			if plain := sha256.Sum256(want); !bytes.Equal(sum, plain[:]) || o.Size != int64(len(want)) {
				t.Errorf("digest or size is not that of %d bytes", len(want))
			}
			if c := sha256.Sum256(append(salt, sum...)); !bytes.Equal(c[:], o.Commitment) {
				t.Error("the commitment does not open with salt and digest")
			}
			stored, err := os.ReadFile(b.path(t, o))
			check(t, err)
			if int64(len(stored)) != o.SealedSize || bytes.Contains(stored, []byte("canary")) {
				t.Errorf("%d bytes stored, recorded %d, or in plain", len(stored), o.SealedSize)
			}
		}
	})
}

func TestReadByRange(t *testing.T) {
	t.Parallel()
	b := newBench(t, metatest.Open(t, metatest.SQLite(t)))
	o := b.put(t, b.a, content())
	r, _, err := b.Open(t.Context(), b.scope(t, b.a), o.ID)
	check(t, err)
	defer r.Close()
	part := make([]byte, 100_000)
	if _, err := r.ReadAt(part, 70_001); err != nil || !bytes.Equal(part, content()[70_001:170_001]) {
		t.Errorf("read at an offset: %v, or other bytes", err)
	}
	if _, err := r.Seek(-5, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "7890\n" {
		t.Errorf("after a seek: %q, %v", rest, err)
	}
}

func TestAnotherTenantsObjectIsNotThere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		o := b.put(t, b.a, content())
		missing := strings.Repeat("0", len(o.ID))
		other := b.scope(t, b.b)
		for name, try := range map[string]func(id string) error{
			"open":   func(id string) error { _, err := b.get(t, other, id); return err },
			"digest": func(id string) error { _, _, err := b.Digest(t.Context(), other, id); return err },
			"remove": func(id string) error {
				return b.DB.Transact(t.Context(), func(tx *meta.DB) error { return b.Remove(t.Context(), tx, other, id) })
			},
		} {
			theirs, none := try(o.ID), try(missing)
			if !fault.Is(theirs, fault.NotFound) || !fault.Is(none, fault.NotFound) {
				t.Errorf("%s: another's %v, a missing one %v", name, theirs, none)
			} else if strings.ReplaceAll(theirs.Error(), o.ID, missing) != none.Error() {
				t.Errorf("%s tells another's from a missing one: %q, %q", name, theirs, none)
			}
		}
		err := b.DB.Transact(t.Context(), func(tx *meta.DB) error { return b.Insert(t.Context(), tx, other, o) })
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("insert another's object: %v", err)
		}
		if _, err := b.get(t, b.scope(t, b.a), o.ID); err != nil {
			t.Errorf("the owner: %v", err)
		}
	})
}

func TestTheZeroScopeReachesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		o := b.put(t, b.a, content())
		if _, err := b.Create(t.Context(), tenant.Scope{}, vault.Input, vault.File); !fault.Is(err, fault.Denied) {
			t.Errorf("create: %v", err)
		}
		if _, err := b.get(t, tenant.Scope{}, o.ID); err == nil {
			t.Error("opened")
		}
		if err := b.DB.Transact(t.Context(), func(tx *meta.DB) error { return b.Remove(t.Context(), tx, tenant.Scope{}, o.ID) }); err == nil {
			t.Error("removed")
		}
	})
}

func TestATenantDoesNotWriteResults(t *testing.T) {
	t.Parallel()
	b := newBench(t, metatest.Open(t, metatest.SQLite(t)))
	if _, err := b.Create(t.Context(), b.scope(t, b.a), vault.Output, vault.Result); !fault.Is(err, fault.Denied) {
		t.Fatalf("a tenant admin writes to the output store: %v", err)
	}
}

func TestRevocationStopsInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"credential", "tenant", "expiry", "context"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, metatest.Open(t, metatest.SQLite(t)))
			o := b.put(t, b.a, content())
			scope, credential := b.person(t, b.a)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w, err := b.Create(ctx, scope, vault.Input, vault.File)
			check(t, err)
			defer w.Abort()
			r, _, err := b.Open(ctx, scope, o.ID)
			check(t, err)
			defer r.Close()
			part := make([]byte, 1000)
			_, err = w.Write(part)
			check(t, err)
			_, err = io.ReadFull(r, part)
			check(t, err)
			switch how {
			case "credential":
				b.policy.RevokeCredential(credential)
			case "tenant":
				b.policy.BlockTenant(b.a)
			case "expiry":
				b.ahead = policy.Life + time.Second
			case "context":
				cancel()
			}
			if n, err := w.Write(part); err == nil || n != 0 {
				t.Errorf("write: %d bytes, %v", n, err)
			}
			if n, err := r.Read(part); err == nil || n != 0 || errors.Is(err, io.EOF) {
				t.Errorf("read: %d bytes, %v", n, err)
			}
			if n, err := r.ReadAt(part, 0); err == nil || n != 0 {
				t.Errorf("read at: %d bytes, %v", n, err)
			}
		})
	}
}
