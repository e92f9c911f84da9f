package control_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/keys/file"
)

// rotated returns the world as a process finds it after a new key was put in front.
func (w *world) rotated(t *testing.T, path string) *world {
	t.Helper()
	kek, err := file.Add(path, clock.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	n := *w
	n.kek = kek
	return n.restart(t)
}

// A rotation is cut off before each of its writes in turn. Whatever was wrapped
// opens at any moment, and the next call goes on where that one ended.
func TestARotationGoesOnWhereItWasCutOff(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		path := filepath.Join(t.TempDir(), "keys", "kek")
		var err error
		if w.kek, err = file.Open(path, clock.Clock{}); err != nil {
			t.Fatal(err)
		}
		secrets, err := keys.NewSecrets(t.Context(), w.kek, clock.Clock{})
		if err != nil {
			t.Fatal(err)
		}
		if w.secrets, err = keys.OpenSecrets(t.Context(), w.kek, secrets); err != nil {
			t.Fatal(err)
		}
		if _, err := w.db.Exec(t.Context(), `INSERT INTO settings (name, value) VALUES ('secrets', $1)`, secrets); err != nil {
			t.Fatal(err)
		}
		w = w.restart(t)
		ids := []string{"a-tenant", "b-tenant"}
		sealed := map[string][]byte{}
		for _, slug := range ids {
			made := w.onboard(t, slug)
			if sealed[slug], err = w.ring.Encrypt(t.Context(), made.ID, keys.Vault, []byte(slug), nil); err != nil {
				t.Fatal(err)
			}
		}
		opens := func(w *world, when string) {
			t.Helper()
			for _, slug := range ids {
				made, err := w.UnscopedTenant(t.Context(), slug)
				if err != nil {
					t.Fatal(err)
				}
				if plain, err := w.ring.Decrypt(t.Context(), made.ID, keys.Vault, sealed[slug], nil); err != nil || string(plain) != slug {
					t.Errorf("%s: value of %s: got %q, %v, want it open", when, slug, plain, err)
				}
			}
		}
		if due, err := w.RotationDue(t.Context()); err != nil || due {
			t.Fatalf("before: got due=%t, %v, want none", due, err)
		}
		w = w.rotated(t, path)
		broken := errors.New("cut off")
		cuts := 0
		for {
			w = w.restart(t)
			if due, err := w.RotationDue(t.Context()); err != nil || !due {
				t.Fatalf("after %d cuts: got due=%t, %v, want it due", cuts, due, err)
			}
			done := 0 // one more write each time
			w.SetFail(func(saga, step string) error {
				if done++; saga == "rotate" && done == 2 {
					return broken
				}
				return nil
			})
			r, err := w.Rewrap(t.Context(), func(int64, int64) {})
			w.SetFail(func(string, string) error { return nil })
			opens(w, "after a cut")
			if err == nil {
				if r.Rewrapped != 5 || r.KEK != w.kek.Name() || !r.Resumed {
					t.Errorf("end: got %+v, want 5 keys under %s, resumed", r, w.kek.Name())
				}
				break
			}
			if !errors.Is(err, broken) {
				t.Fatal(err)
			}
			cuts++
		}
		if cuts != 4 {
			t.Errorf("got %d cuts, want one before each write but the first", cuts)
		}
		if due, err := w.RotationDue(t.Context()); err != nil || due {
			t.Errorf("after: got due=%t, %v, want none", due, err)
		}
		old, err := file.Retire(path, clock.Clock{})
		if err != nil || len(old) != 1 {
			t.Fatalf("retire: got %v, %v, want one key", old, err)
		}
		if w.kek, err = file.Load(path, clock.Clock{}); err != nil {
			t.Fatal(err)
		}
		opens(w.restart(t), "without the old key")
		if err := w.db.QueryRow(t.Context(), `SELECT value FROM settings WHERE name = 'secrets'`).Scan(&secrets); err != nil {
			t.Fatal(err)
		}
		if got, err := keys.OpenSecrets(t.Context(), w.kek, secrets); err != nil || got != w.secrets {
			t.Errorf("secrets without the old key: got %v, want the same as before", err)
		}
	})
}

// A key that somebody changed is not wrapped anew, and the rotation says so. It keeps
// neither the others from a new key nor the rotation after it from beginning.
func TestARotationLeavesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		path := filepath.Join(t.TempDir(), "key")
		var err error
		if w.kek, err = file.Open(path, clock.Clock{}); err != nil {
			t.Fatal(err)
		}
		w = w.restart(t)
		secrets, err := keys.NewSecrets(t.Context(), w.kek, clock.Clock{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.db.Exec(t.Context(), `INSERT INTO settings (name, value) VALUES ('secrets', $1)`, secrets); err != nil {
			t.Fatal(err)
		}
		a, b := w.onboard(t, "a-tenant"), w.onboard(t, "b-tenant")
		if _, err := w.db.Unscoped().Exec(t.Context(), `UPDATE tenant_keys SET mac = $1 WHERE tenant = $2 AND purpose = 'vault'`, []byte("x"), string(a.ID)); err != nil {
			t.Fatal(err)
		}
		w = w.rotated(t, path)
		for n := range 2 {
			if n > 0 {
				w = w.rotated(t, path)
			}
			if due, err := w.RotationDue(t.Context()); err != nil || !due {
				t.Errorf("with a new key: got due=%t, %v, want it due", due, err)
			}
			if err := w.Retirable(t.Context()); !fault.Is(err, fault.Conflict) {
				t.Errorf("retire with a new key: got %v, want conflict", err)
			}
			r, err := w.Rewrap(t.Context(), func(int64, int64) {})
			if !fault.Is(err, fault.Damaged) || !strings.Contains(fault.Message(err), string(a.ID)) || r.Rewrapped != 4 {
				t.Errorf("got %+v, %v, want 4 keys, and that of %s damaged", r, err, a.ID)
			}
			if due, err := w.RotationDue(t.Context()); err != nil || due {
				t.Errorf("afterwards: got due=%t, %v, want none", due, err)
			}
			if err := w.Retirable(t.Context()); !fault.Is(err, fault.Damaged) {
				t.Errorf("retire: got %v, want damaged", err)
			}
		}
		if _, err := w.ring.Encrypt(t.Context(), b.ID, keys.Vault, nil, nil); err != nil {
			t.Errorf("the other tenant's key: %v", err)
		}
	})
}

func TestAnExportIsRecorded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		exported := func(want bool) {
			t.Helper()
			if got, err := w.KeyExported(t.Context()); err != nil || got != want {
				t.Errorf("exported: got %t, %v, want %t", got, err, want)
			}
		}
		exported(false)
		e, err := w.RecordKeyExport(t.Context(), w.kek.Name(), []string{"SHA256:x"})
		if err != nil || !slices.Equal(e.Recipients, []string{"SHA256:x"}) {
			t.Errorf("got %+v, %v, want it recorded", e, err)
		}
		exported(true)
		if _, err := w.RecordKeyExport(t.Context(), "file:other", nil); err != nil {
			t.Fatal(err)
		}
		if w.kek, err = file.Open(filepath.Join(t.TempDir(), "key"), clock.Clock{}); err != nil { // another one wraps now
			t.Fatal(err)
		}
		w = w.restart(t)
		exported(false)
	})
}
