package vault_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/vault"
)

func TestAnAbortedObjectLeavesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		w, err := b.Create(t.Context(), b.scope(t, b.a), vault.Input, vault.File)
		check(t, err)
		_, err = w.Write(content())
		check(t, err)
		w.Abort()
		if list := b.files(t, ""); len(list) > 0 {
			t.Errorf("left behind: %v", list)
		}
	})
}

func TestSweepTakesOldBytesWithoutARow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		kept := b.put(t, b.a, content())
		w, err := b.Create(t.Context(), b.scope(t, b.a), vault.Input, vault.File)
		check(t, err)
		orphan, err := w.Finish(t.Context()) // and a crash before Insert
		check(t, err)
		check(t, b.SweepDue(t.Context()))
		if len(b.files(t, orphan.ID)) != 1 {
			t.Fatal("bytes that may still get their row were swept")
		}
		b.ahead = 2 * time.Hour
		if got := b.verify(t, false); len(got) != 1 || !strings.HasSuffix(got[0].Object, orphan.ID) {
			t.Errorf("verify before the sweep: %v", got)
		}
		check(t, b.SweepDue(t.Context()))
		if len(b.files(t, orphan.ID)) != 0 || len(b.files(t, kept.ID)) != 1 {
			t.Errorf("after the sweep: %v", b.files(t, ""))
		}
		if got := b.verify(t, true); len(got) > 0 {
			t.Errorf("verify after the sweep: %v", got)
		}
	})
}

// A store in S3 may say of an object that it is as old as its upload's beginning, so
// its row may come after a round that found it old and without one.
func TestSweepLeavesOldBytesTimeForTheirRow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		w, err := b.Create(t.Context(), b.scope(t, b.a), vault.Input, vault.File)
		check(t, err)
		o, err := w.Finish(t.Context())
		check(t, err)
		for _, ahead := range []time.Duration{2 * time.Hour, 2*time.Hour + 59*time.Minute} {
			b.ahead = ahead
			check(t, b.SweepDue(t.Context()))
			if len(b.files(t, o.ID)) != 1 {
				t.Fatalf("%v from now bytes that may still get their row were swept", ahead)
			}
		}
		check(t, b.DB.Transact(t.Context(), func(tx *meta.DB) error { return b.Insert(t.Context(), tx, b.scope(t, b.a), o) }))
		b.ahead = 9 * time.Hour
		check(t, b.SweepDue(t.Context()))
		if _, err := b.get(t, b.scope(t, b.a), o.ID); err != nil {
			t.Errorf("after its row came: %v", err)
		}
	})
}

func TestRemoval(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		gone, kept := b.put(t, b.a, content()), b.put(t, b.a, content())
		check(t, b.DB.Transact(t.Context(), func(tx *meta.DB) error { return b.Remove(t.Context(), tx, b.scope(t, b.a), gone.ID) }))
		if _, err := b.get(t, b.scope(t, b.a), gone.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("open what was removed: %v", err)
		}
		b.ahead = 2 * time.Hour
		if got := b.verify(t, true); len(got) > 0 {
			t.Errorf("verify between row and bytes: %v", got)
		}
		for range 2 { // the second time there is nothing to do
			check(t, b.RemoveDue(t.Context()))
		}
		if len(b.files(t, gone.ID)) != 0 || len(b.files(t, kept.ID)) != 1 {
			t.Errorf("after the round: %v", b.files(t, ""))
		}
	})
}

func TestErasureTakesOneTenantsObjects(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		mine, theirs := b.put(t, b.a, content()), b.put(t, b.b, content())
		b.put(t, b.a, nil)
		_, n, err := b.EraseTenant(t.Context(), b.a)
		if err != nil || n != 2 {
			t.Fatalf("erased %d, %v; want 2", n, err)
		}
		if _, n, err = b.EraseTenant(t.Context(), b.a); err != nil || n != 0 {
			t.Fatalf("erased again %d, %v; want 0", n, err)
		}
		if len(b.files(t, mine.ID)) != 0 {
			t.Error("bytes are still there")
		}
		if _, err := b.get(t, b.scope(t, b.b), theirs.ID); err != nil {
			t.Errorf("the other tenant: %v", err)
		}
		if got := b.verify(t, true); len(got) > 0 {
			t.Errorf("verify: %v", got)
		}
		if _, _, err := b.EraseTenant(t.Context(), ""); err == nil {
			t.Error("erased nobody in particular")
		}
	})
}

func (b *bench) verify(t *testing.T, deep bool) []vault.Finding {
	t.Helper()
	var list []vault.Finding
	check(t, b.UnscopedVerify(t.Context(), deep, func(f vault.Finding) { list = append(list, f) }))
	return list
}

func TestVerifyFindsDamage(t *testing.T) {
	t.Parallel()
	edit := func(t *testing.T, path string, f func([]byte) []byte) {
		t.Helper()
		stored, err := os.ReadFile(path)
		check(t, err)
		check(t, os.Remove(path))
		check(t, os.WriteFile(path, f(stored), 0o600))
	}
	row := func(query string) func(*testing.T, *bench, []vault.Object) {
		return func(t *testing.T, b *bench, o []vault.Object) {
			n, err := b.DB.Unscoped().Exec(t.Context(), query, o[0].ID)
			if err != nil || n != 1 {
				t.Fatalf("%d rows, %v", n, err)
			}
		}
	}
	for _, c := range []struct {
		name   string
		deep   bool  // only the deep look sees it
		want   []int // objects with a finding
		unread []int // objects whose reading must fail
		damage func(*testing.T, *bench, []vault.Object)
	}{
		{"a flipped bit", true, []int{0}, []int{0}, func(t *testing.T, b *bench, o []vault.Object) {
			edit(t, b.path(t, o[0]), func(p []byte) []byte { p[len(p)/2] ^= 1; return p })
		}},
		{"cut off", false, []int{0}, []int{0}, func(t *testing.T, b *bench, o []vault.Object) {
			edit(t, b.path(t, o[0]), func(p []byte) []byte { return p[:len(p)-1] })
		}},
		{"grown", false, []int{0}, []int{0}, func(t *testing.T, b *bench, o []vault.Object) {
			edit(t, b.path(t, o[0]), func(p []byte) []byte { return append(p, 0) })
		}},
		{"missing", false, []int{0}, []int{0}, func(t *testing.T, b *bench, o []vault.Object) { check(t, os.Remove(b.path(t, o[0]))) }},
		{"swapped within a tenant", true, []int{0, 1}, []int{0, 1}, func(t *testing.T, b *bench, o []vault.Object) { swap(t, b.path(t, o[0]), b.path(t, o[1])) }},
		{"swapped between tenants", true, []int{0, 2}, []int{0, 2}, func(t *testing.T, b *bench, o []vault.Object) { swap(t, b.path(t, o[0]), b.path(t, o[2])) }},
		{"row's size", false, []int{0}, []int{0}, row(`UPDATE vault_objects SET size = size + 1 WHERE id = $1`)},
		{"row's sealed size", false, []int{0}, nil, row(`UPDATE vault_objects SET sealed_size = sealed_size + 1 WHERE id = $1`)},
		{"row's version", true, []int{0}, []int{0}, row(`UPDATE vault_objects SET version = version + 1 WHERE id = $1`)},
		{"row's commitment", false, []int{0}, nil, row(`UPDATE vault_objects SET commitment = digest WHERE id = $1`)},
		{"row's digest", false, []int{0}, nil, row(`UPDATE vault_objects SET digest = commitment WHERE id = $1`)},
		{"row's tenant", false, []int{0}, []int{0}, func(t *testing.T, b *bench, o []vault.Object) {
			_, err := b.DB.Unscoped().Exec(t.Context(), `UPDATE vault_objects SET tenant = $1 WHERE id = $2`, string(b.b), o[0].ID)
			check(t, err)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, b *bench) {
				o := []vault.Object{b.put(t, b.a, content()), b.put(t, b.a, slices.Concat([]byte("Y"), content()[1:])), b.put(t, b.b, content())}
				if got := b.verify(t, true); len(got) > 0 {
					t.Fatalf("before: %v", got)
				}
				c.damage(t, b, o)
				for _, deep := range []bool{false, true} {
					if !deep && c.deep {
						continue
					}
					var found []int
					for _, f := range b.verify(t, deep) {
						found = append(found, slices.IndexFunc(o, func(o vault.Object) bool { return o.ID == f.Object }))
					}
					slices.Sort(found)
					if !slices.Equal(found, c.want) {
						t.Errorf("deep %v: findings for %v, want %v", deep, found, c.want)
					}
				}
				for _, n := range c.unread {
					if _, err := b.get(t, b.scope(t, o[n].Tenant), o[n].ID); err == nil {
						t.Errorf("object %d reads as if nothing had happened", n)
					}
				}
			})
		})
	}
}

func swap(t *testing.T, a, b string) {
	t.Helper()
	check(t, os.Rename(a, a+".x"))
	check(t, os.Rename(b, a))
	check(t, os.Rename(a+".x", b))
}
