package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"tributary/internal/blob/disk"
	"tributary/internal/clock"
	"tributary/internal/keys"
	"tributary/internal/keys/file"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

const (
	sealingFloor = 2.0 // times the same query on plain files, decryption included
	openers      = 2   // as a run has
)

// sealing asks DuckDB the same of 100 accepted forms as plain files and as sealed
// objects of 100 tenants' vaults, in turn.
func (b *bench) sealing(ctx context.Context) (err error) {
	each := rowsEach
	if b.quick {
		each /= 10
	}
	store, err := newVaults(ctx, filepath.Join(b.dir, "vaults"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.close()) }()
	files, size := make([]string, participants), int64(0)
	for n := range files {
		files[n] = filepath.Join(b.dir, fmt.Sprintf("plain-%03d.parquet", n))
		if err := acceptedForm(ctx, n, csvOf(n, each), files[n]); err != nil {
			return err
		}
		added, err := store.add(ctx, files[n])
		if err != nil {
			return err
		}
		size += added
	}
	db, err := openRaw(ctx, files)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it only read
	b.printf("%d accepted forms of %d rows, %.1f MB, in the page cache, plain and sealed; DuckDB %s open in this process, 2 threads; the query:\n\t%s\n",
		participants, each, mega(size), db.version, cellsStatement)
	b.printf("plain: the query on the plain files\n")
	b.printf("cold:  as a run opens its inputs (object's row, scope, wrapped key and data key of each tenant, nothing cached; %d at a time; decrypted into memory files, which are sealed), then the query on those\n", openers)
	b.printf("warm:  the query again on the memory files. Not in any: the sandbox's start and DuckDB's, which a run has at the same time\n")
	return b.tax(ctx, store, db, int64(participants*each))
}

// tax takes one unmeasured turn of each, then the rounds.
func (b *bench) tax(ctx context.Context, store *vaults, db *raw, rowCount int64) error {
	const cells = tags * tags / 10
	plain := db.files
	var cold, warm, work []float64
	var plains, opens, colds, warms []time.Duration
	for round := range b.rounds + 1 {
		db.files = plain
		before := ownCPU()
		alone, err := db.ask(ctx, cellsStatement, cells, rowCount)
		if err != nil {
			return err
		}
		between := ownCPU()
		began := time.Now()
		opened, err := store.open(ctx)
		if err != nil {
			return err
		}
		opening := time.Since(began)
		db.files = opened.list()
		asked, err := db.ask(ctx, cellsStatement, cells, rowCount)
		own := ownCPU()
		again := time.Duration(0)
		if err == nil {
			again, err = db.ask(ctx, cellsStatement, cells, rowCount)
		}
		if err = errors.Join(err, opened.close()); err != nil {
			return err
		}
		if round == 0 {
			continue
		}
		plains, opens, colds, warms = append(plains, alone), append(opens, opening), append(colds, opening+asked), append(warms, again)
		cold, warm = append(cold, (opening+asked).Seconds()/alone.Seconds()), append(warm, again.Seconds()/alone.Seconds())
		work = append(work, (own-between).Seconds()/(between-before).Seconds())
		b.printf("round %d: plain %s; opening %s and query %s; warm %s; ratio cold %.3f, warm %.3f; load %s\n",
			round, millis(alone), millis(opening), millis(asked), millis(again), cold[len(cold)-1], warm[len(warm)-1], loadAverage())
	}
	b.printf("plain %s; opening %s; cold %s; warm %s\n", spreadOf(plains), spreadOf(opens), spreadOf(colds), spreadOf(warms))
	b.printf("cold/plain by CPU-seconds, the check of the answer included in both: %s\n", spreadOf(work))
	b.printf("warm/plain over %d rounds %s\n", len(warm), spreadOf(warm))
	ratio := spreadOf(cold)
	b.floor(ratio.median <= sealingFloor, "cold/plain over %d rounds %s; at most %.1f", len(cold), ratio, sealingFloor)
	return nil
}

// vaults is a vault on disk, with an object of each of some tenants, put together
// as the server does it.
type vaults struct {
	*vault.Vault
	blobs   *disk.Store
	ring    *keys.Ring
	wrapped map[tenant.ID][]byte
	policy  *policy.Engine
	objects []vault.Object
}

// WrappedKey is for the ring.
func (v *vaults) WrappedKey(_ context.Context, id tenant.ID, _ keys.Purpose) ([]byte, error) {
	return v.wrapped[id], nil
}

func newVaults(ctx context.Context, dir string) (*vaults, error) {
	v := &vaults{wrapped: make(map[tenant.ID][]byte)}
	var c clock.Clock
	kek, err := file.Open(filepath.Join(dir, "keys", "kek"), c)
	if err != nil {
		return nil, err
	}
	sealed, err := keys.NewSecrets(ctx, kek, c)
	if err != nil {
		return nil, err
	}
	secrets, err := keys.OpenSecrets(ctx, kek, sealed)
	if err != nil {
		return nil, err
	}
	if v.ring, err = keys.NewRing(keys.Config{KEK: kek, Store: v, Clock: c, Secrets: secrets, CachedTenants: 1}); err != nil {
		return nil, err
	}
	if v.policy, err = policy.New(policy.Config{Clock: c}); err != nil {
		return nil, err
	}
	if v.blobs, err = disk.New(filepath.Join(dir, "objects"), c); err != nil {
		return nil, err
	}
	db, err := meta.Open(ctx, meta.Config{URL: "sqlite:" + filepath.Join(dir, "control.db")})
	if err != nil {
		return nil, errors.Join(err, v.blobs.Close())
	}
	v.Vault = vault.New(vault.Config{DB: db, Blobs: v.blobs, Keys: v.ring, Clock: c})
	return v, nil
}

func (v *vaults) close() error { return errors.Join(v.DB.Close(), v.blobs.Close()) }

// add makes a tenant, and a file an object of it.
func (v *vaults) add(ctx context.Context, name string) (size int64, err error) {
	id := tenant.ID(v.Clock.ID("ten"))
	if v.wrapped[id], err = v.ring.Generate(ctx, id, keys.Vault); err != nil {
		return 0, err
	}
	scope, err := v.policy.WorkScope(policy.Work{Template: policy.Validation, Tenant: id, Actor: v.Clock.ID("sub"), For: time.Hour,
		Permissions: []tenant.Permission{{Verb: tenant.Write, Resource: tenant.VaultInput}}})
	if err != nil {
		return 0, err
	}
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	w, err := v.Create(ctx, scope, vault.Input, vault.Accepted)
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(w, f); err != nil {
		w.Abort()
		return 0, err
	}
	o, err := w.Finish(ctx)
	if err != nil {
		return 0, err
	}
	v.objects = append(v.objects, o)
	return o.Size, v.DB.Transact(ctx, func(tx *meta.DB) error { return v.Insert(ctx, tx, scope, o) })
}

// memories are memory files with what was unsealed.
type memories []*os.File

func (m memories) list() string {
	var paths []string
	for _, f := range m {
		paths = append(paths, fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	}
	return "['" + strings.Join(paths, "', '") + "']"
}

func (m memories) close() (err error) {
	for _, f := range m {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// open unseals every object into a memory file of its own, as a run does.
func (v *vaults) open(ctx context.Context) (memories, error) {
	files := make(memories, len(v.objects))
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range openers {
		group.Go(func() (err error) {
			buffer := make([]byte, 1<<20)
			for n := int(next.Add(1)) - 1; n < len(files) && err == nil; n = int(next.Add(1)) - 1 {
				files[n], err = v.openOne(ctx, v.objects[n], buffer)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err, files.close())
	}
	return files, nil
}

func (v *vaults) openOne(ctx context.Context, o vault.Object, buffer []byte) (f *os.File, err error) {
	scope, err := v.policy.WorkScope(policy.Work{Template: policy.RunGrant, Tenant: o.Tenant, Actor: "run_bench", For: time.Hour,
		Permissions: []tenant.Permission{{Verb: tenant.Read, Resource: tenant.VaultInput.One(o.ID)}}})
	if err != nil {
		return nil, err
	}
	r, _, err := v.Open(ctx, scope, o.ID)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	fd, err := unix.MemfdCreate("input", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	f = os.NewFile(uintptr(fd), "input")
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{r}, buffer)
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
