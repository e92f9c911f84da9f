package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/tenant"
)

// pin is the newest checkpoint, as somebody would write it down.
func (b *bench) pin(t *testing.T) audit.Pin {
	t.Helper()
	list, _, err := b.UnscopedCheckpoints(t.Context(), "", meta.Page{Limit: 1})
	if err != nil || len(list) != 1 {
		t.Fatalf("checkpoints %+v, %v", list, err)
	}
	return audit.Pin{Checkpoint: list[0].Seq, Hash: list[0].Hash}
}

// Log, heads and checkpoints are set back together, so that nothing in the
// database contradicts anything else.
func TestRollingBackIsFoundByAPin(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(t, db)
		b.append(t, b.a, 10)
		b.checkpoint(t)
		early := b.pin(t)
		var late audit.Pin
		b.within(t, func(b *bench, _ func(string, ...any)) {
			b.append(t, b.a, 10)
			b.checkpoint(t)
			late = b.pin(t)
			if f := b.verify(t, early, late); len(f) != 0 {
				t.Errorf("findings with good pins: %+v", f)
			}
		}) // as if the database had been restored from a copy
		if f := b.verify(t, early); len(f) != 0 {
			t.Errorf("findings: %+v", f)
		}
		for name, pin := range map[string]audit.Pin{"set back": late, "never there": {Checkpoint: 0, Hash: early.Hash}} {
			if f := b.verify(t, early, pin); len(f) != 1 || f[0].Problem != audit.RolledBack || f[0].Checkpoint != pin.Checkpoint {
				t.Errorf("%s: findings %+v, want checkpoint %d rolled back", name, f, pin.Checkpoint)
			}
		}
		// The log goes on otherwise: two readers were shown different things.
		b.append(t, b.a, 3)
		b.checkpoint(t)
		if f := b.verify(t, late, b.pin(t)); len(f) != 1 || f[0].Problem != audit.RolledBack || f[0].Checkpoint != 2 {
			t.Errorf("findings %+v, want checkpoint 2 rolled back", f)
		}
	})
}

// A chain whose end was changed takes no more entries, is not signed, and does
// not keep the others from being signed.
func TestADamagedHeadFailsClosed(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		for name, query := range map[string]string{
			"head changed":            `UPDATE audit_heads SET hash = $2 WHERE tenant = $1`,
			"another's entry at head": `UPDATE audit_heads SET seq = seq - 1 WHERE tenant = $1 AND hash <> $2`,
		} {
			b := newBench(t, db)
			b.append(t, b.a, 3)
			b.append(t, b.b, 3)
			if _, err := db.Unscoped().Exec(t.Context(), query, string(b.a), make([]byte, 32)); err != nil {
				t.Fatal(err)
			}
			if err := b.Record(t.Context(), audit.Entry{Tenant: b.a, Actor: "x", Verb: "v", Outcome: "ok"}); !fault.Is(err, fault.Damaged) {
				t.Errorf("%s: Record gives %v, want damaged", name, err)
			}
			if err := b.CheckpointDue(t.Context()); !fault.Is(err, fault.Damaged) {
				t.Errorf("%s: CheckpointDue gives %v, want damaged", name, err)
			}
			for id, want := range map[tenant.ID]int{b.a: 0, b.b: 1} {
				list, _, err := b.UnscopedCheckpoints(t.Context(), id, meta.Page{})
				own := 0
				for _, c := range list {
					if c.Own != nil {
						own++
					}
				}
				if err != nil || own != want {
					t.Errorf("%s: %d checkpoints are about %s, %v, want %d", name, own, id, err, want)
				}
			}
			if _, err := db.Unscoped().Exec(t.Context(), `DELETE FROM audit_heads WHERE tenant = $1`, string(b.a)); err != nil {
				t.Fatal(err) // so that the next round starts clean
			}
		}
	})
}

// Heads that were set back to before a checkpoint are named, not signed again.
func TestACheckpointDoesNotGoBack(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(t, db)
		b.append(t, b.a, 3)
		var seq int64
		var hash, mac []byte
		if err := db.For(b.a).QueryRow(t.Context(), `SELECT seq, hash, mac FROM audit_heads WHERE tenant = $1`, string(b.a)).Scan(&seq, &hash, &mac); err != nil {
			t.Fatal(err)
		}
		b.append(t, b.a, 2)
		b.checkpoint(t)
		for _, q := range []string{`DELETE FROM audit_entries WHERE tenant = $1 AND seq > $2 AND hash <> $3 AND prev <> $4`, `UPDATE audit_heads SET seq = $2, hash = $3, mac = $4 WHERE tenant = $1`} {
			if _, err := db.Unscoped().Exec(t.Context(), q, string(b.a), seq, hash, mac); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.CheckpointDue(t.Context()); !fault.Is(err, fault.Damaged) {
			t.Errorf("CheckpointDue gives %v, want damaged", err)
		}
		if f := b.verify(t); len(f) != 1 || f[0].Problem != audit.Truncated || f[0].Seq != 4 {
			t.Errorf("findings %+v, want the chain truncated at 4", f)
		}
	})
}

func TestCheckpointsProveWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(t, db)
		b.checkpoint(t) // nothing to sign
		chains := []tenant.ID{"", b.a, b.b}
		for range 110 { // more than one statement takes
			chains = append(chains, b.newTenant(t))
		}
		for i, id := range chains {
			b.append(t, id, 1+i%2)
		}
		b.checkpoint(t)
		b.checkpoint(t) // nothing grew
		b.append(t, b.a, 1)
		b.checkpoint(t)
		b.checkpoint(t)
		key := b.PublicKeys()[0]
		for _, id := range chains {
			list, next, err := b.UnscopedCheckpoints(t.Context(), id, meta.Page{})
			if id != "" {
				list, next, err = b.Checkpoints(t.Context(), b.scope(id, tenant.AuditTrail), meta.Page{})
			}
			if err != nil || next != "" || len(list) != 2 || list[0].Seq != 2 || list[1].Seq != 1 {
				t.Fatalf("checkpoints %+v, %q, %v", list, next, err)
			}
			if !bytes.Equal(list[0].Prev, list[1].Hash) {
				t.Error("the second checkpoint does not follow the first")
			}
			for _, c := range list {
				if sum := sha256.Sum256(c.Body); !bytes.Equal(sum[:], c.Hash) || c.Key != key.ID || !ed25519.Verify(key.Key, c.Body, c.Signature) {
					t.Errorf("checkpoint %d is not signed", c.Seq)
				}
				if want := c.Seq == 1 || id == b.a; (c.Own != nil) != want {
					t.Errorf("checkpoint %d is about %q: %v", c.Seq, id, c.Own)
				}
				if c.Own == nil {
					continue
				}
				at := b.raw(t, id)[c.Own.Seq-1]
				if c.Own.Tenant != id || !bytes.Equal(c.Own.Hash, at.Hash) {
					t.Errorf("checkpoint %d has the head %+v of %q", c.Seq, c.Own.Head, id)
				}
				if got := rootOf(c.Own); !bytes.Equal(got, c.Root) || !bytes.Contains(c.Body, c.Root) {
					t.Errorf("checkpoint %d: the path of %q leads to %x, want %x", c.Seq, id, got, c.Root)
				}
			}
		}
		if list, next, err := b.UnscopedCheckpoints(t.Context(), "", meta.Page{Limit: 1}); err != nil || next == "" || len(list) != 1 {
			t.Errorf("a page of one: %+v, %q, %v", list, next, err)
		} else if list, next, err = b.UnscopedCheckpoints(t.Context(), "", meta.Page{Limit: 1, After: next}); err != nil || next != "" || list[0].Seq != 1 {
			t.Errorf("the page after it: %+v, %q, %v", list, next, err)
		}
		if f := b.verify(t); len(f) != 0 {
			t.Errorf("findings: %+v", f)
		}
	})
}

// rootOf climbs a path as docs/formats/audit.md says.
func rootOf(own *audit.Inclusion) []byte {
	text := func(s string) []byte { return slices.Concat([]byte{0, 0, 0, byte(len(s))}, []byte(s)) }
	number := fmt.Sprintf("%016x", own.Seq)
	var eight []byte
	if _, err := fmt.Sscanf(number, "%x", &eight); err != nil {
		panic(err)
	}
	at := sha256.Sum256(slices.Concat([]byte{0}, text(string(own.Tenant)), text(string(eight)), text(string(own.Hash))))
	for _, s := range own.Path {
		if s.Left {
			at = sha256.Sum256(slices.Concat([]byte{1}, s.Hash, at[:]))
		} else {
			at = sha256.Sum256(slices.Concat([]byte{1}, at[:], s.Hash))
		}
	}
	return at[:]
}
