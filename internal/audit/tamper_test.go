package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/tenant"
)

var errUndo = errors.New("undo")

// within runs f on a log in a transaction that is then undone.
func (b *bench) within(t *testing.T, f func(b *bench, exec func(query string, args ...any))) {
	t.Helper()
	err := b.Config.DB.Transact(t.Context(), func(tx *meta.DB) error {
		inner := *b
		inner.Config.DB = tx
		inner.Log = audit.New(inner.Config)
		f(&inner, func(query string, args ...any) {
			t.Helper()
			if _, err := tx.Unscoped().Exec(t.Context(), query, args...); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		})
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		t.Fatal(err)
	}
}

// raw returns all records of a chain.
func (b *bench) raw(t *testing.T, id tenant.ID) []audit.Record {
	t.Helper()
	var list []audit.Record
	for {
		page, err := b.UnscopedRaw(t.Context(), id, int64(len(list)), 5000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return list
		}
		list = append(list, page...)
	}
}

// hash is the hash of a record written a second time, from docs/formats/audit.md.
func hash(r audit.Record) []byte {
	var b bytes.Buffer
	field := func(f []byte) {
		b.Write([]byte{byte(len(f) >> 24), byte(len(f) >> 16), byte(len(f) >> 8), byte(len(f))})
		b.Write(f)
	}
	number := func(n int64) {
		f := make([]byte, 8)
		for i := range f {
			f[i] = byte(uint64(n) >> (56 - 8*i))
		}
		field(f)
	}
	field([]byte("tributary audit entry v1"))
	field([]byte(r.Tenant))
	number(r.Seq)
	number(r.At)
	for _, s := range []string{r.Actor, r.Verb, r.Subject, r.Outcome} {
		field([]byte(s))
	}
	field(r.Details)
	field(r.Prev)
	sum := sha256.Sum256(b.Bytes())
	return sum[:]
}

func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	const n = 1000
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(t, db)
		b.append(t, "", 5)
		b.append(t, b.b, 5)
		b.append(t, b.a, n-100)
		b.checkpoint(t)
		b.append(t, b.a, 50)
		b.checkpoint(t)
		b.append(t, b.a, 50)
		a := string(b.a)
		stored := b.raw(t, b.a)

		const insert = `INSERT INTO audit_entries (tenant, seq, at, actor, verb, subject, outcome, details, prev, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
		put := func(exec func(string, ...any), r audit.Record) {
			exec(`DELETE FROM audit_entries WHERE tenant = $1 AND seq = $2`, string(r.Tenant), r.Seq)
			exec(insert, string(r.Tenant), r.Seq, r.At, r.Actor, r.Verb, r.Subject, r.Outcome, r.Details, r.Prev, r.Hash)
		}
		// remake rewrites the chain from a number on, as somebody who knows the format would.
		remake := func(exec func(string, ...any), from int64, change func(*audit.Record)) []byte {
			prev := stored[from-2].Hash
			for _, r := range stored[from-1:] {
				if r.Seq == from {
					change(&r)
				}
				r.Prev = prev
				r.Hash = hash(r)
				put(exec, r)
				prev = r.Hash
			}
			return prev
		}
		for name, c := range map[string]struct {
			tamper func(exec func(string, ...any))
			want   audit.Finding // its place and problem
		}{
			"edit the verb": {
				func(exec func(string, ...any)) {
					exec(`UPDATE audit_entries SET verb = 'x' WHERE tenant = $1 AND seq = 300`, a)
				},
				audit.Finding{Chain: b.a, Seq: 300, Problem: audit.Edited},
			},
			"edit the first": {
				func(exec func(string, ...any)) {
					exec(`UPDATE audit_entries SET at = at + 1 WHERE tenant = $1 AND seq = 1`, a)
				},
				audit.Finding{Chain: b.a, Seq: 1, Problem: audit.Edited},
			},
			"edit the last": {
				func(exec func(string, ...any)) {
					exec(`UPDATE audit_entries SET actor = 'x' WHERE tenant = $1 AND seq = $2`, a, n)
				},
				audit.Finding{Chain: b.a, Seq: n, Problem: audit.Edited},
			},
			"empty the details": {
				func(exec func(string, ...any)) {
					exec(`UPDATE audit_entries SET details = $2 WHERE tenant = $1 AND seq = 300`, a, []byte{})
				},
				audit.Finding{Chain: b.a, Seq: 300, Problem: audit.Edited},
			},
			"edit and hash again": {
				func(exec func(string, ...any)) {
					r := stored[299]
					r.Subject = "x"
					r.Hash = hash(r)
					put(exec, r)
				},
				audit.Finding{Chain: b.a, Seq: 301, Problem: audit.Unlinked},
			},
			"edit and hash all again": {
				func(exec func(string, ...any)) {
					last := remake(exec, 300, func(r *audit.Record) { r.Subject = "x" })
					exec(`UPDATE audit_heads SET hash = $2 WHERE tenant = $1`, a, last)
				},
				audit.Finding{Chain: b.a, Seq: n - 100, Problem: audit.Rewritten},
			},
			"edit after the last checkpoint and hash all again": {
				func(exec func(string, ...any)) {
					last := remake(exec, n-20, func(r *audit.Record) { r.Subject = "x" })
					exec(`UPDATE audit_heads SET hash = $2 WHERE tenant = $1`, a, last)
				},
				audit.Finding{Chain: b.a, Seq: n, Problem: audit.WrongHead},
			},
			"delete one": {
				func(exec func(string, ...any)) { exec(`DELETE FROM audit_entries WHERE tenant = $1 AND seq = 300`, a) },
				audit.Finding{Chain: b.a, Seq: 300, Problem: audit.Missing},
			},
			"delete the first": {
				func(exec func(string, ...any)) { exec(`DELETE FROM audit_entries WHERE tenant = $1 AND seq = 1`, a) },
				audit.Finding{Chain: b.a, Seq: 1, Problem: audit.Missing},
			},
			"delete some": {
				func(exec func(string, ...any)) {
					exec(`DELETE FROM audit_entries WHERE tenant = $1 AND seq >= 300 AND seq < 400`, a)
				},
				audit.Finding{Chain: b.a, Seq: 300, Problem: audit.Missing},
			},
			"delete one and move up": {
				func(exec func(string, ...any)) {
					exec(`DELETE FROM audit_entries WHERE tenant = $1 AND seq = 300`, a)
					for seq := 301; seq <= n; seq++ {
						exec(`UPDATE audit_entries SET seq = $3 WHERE tenant = $1 AND seq = $2`, a, seq, seq-1)
					}
				},
				audit.Finding{Chain: b.a, Seq: 300, Problem: audit.Unlinked},
			},
			"delete a chain": {
				func(exec func(string, ...any)) { exec(`DELETE FROM audit_entries WHERE tenant = $1`, a) },
				audit.Finding{Chain: b.a, Seq: 1, Problem: audit.Truncated},
			},
			"delete a chain and its head": {
				func(exec func(string, ...any)) {
					exec(`DELETE FROM audit_entries WHERE tenant = $1`, a)
					exec(`DELETE FROM audit_heads WHERE tenant = $1`, a)
				},
				audit.Finding{Chain: b.a, Seq: 1, Problem: audit.Truncated},
			},
			"insert": {
				func(exec func(string, ...any)) {
					for seq := n; seq >= 300; seq-- {
						exec(`UPDATE audit_entries SET seq = $3 WHERE tenant = $1 AND seq = $2`, a, seq, seq+1)
					}
					r := stored[299]
					r.Subject = "x"
					r.Hash = hash(r)
					put(exec, r)
				},
				audit.Finding{Chain: b.a, Seq: 301, Problem: audit.Unlinked},
			},
			"append": {
				func(exec func(string, ...any)) {
					r := stored[n-1]
					r.Seq, r.Prev = n+1, r.Hash
					r.Hash = hash(r)
					put(exec, r)
				},
				audit.Finding{Chain: b.a, Seq: n + 1, Problem: audit.WrongHead},
			},
			"append and move the head": {
				func(exec func(string, ...any)) {
					r := stored[n-1]
					r.Seq, r.Prev = n+1, r.Hash
					r.Hash = hash(r)
					put(exec, r)
					exec(`UPDATE audit_heads SET seq = $2, hash = $3 WHERE tenant = $1`, a, r.Seq, r.Hash)
				},
				audit.Finding{Chain: b.a, Seq: n + 1, Problem: audit.WrongHead},
			},
			"swap": {
				func(exec func(string, ...any)) {
					x, y := stored[299], stored[499]
					x.Seq, y.Seq = y.Seq, x.Seq
					put(exec, x)
					put(exec, y)
				},
				audit.Finding{Chain: b.a, Seq: 300, Problem: audit.Unlinked},
			},
			"swap neighbours": {
				func(exec func(string, ...any)) {
					x, y := stored[299], stored[300]
					x.Seq, y.Seq = y.Seq, x.Seq
					put(exec, x)
					put(exec, y)
				},
				audit.Finding{Chain: b.a, Seq: 300, Problem: audit.Unlinked},
			},
			"take another chain's entry": {
				func(exec func(string, ...any)) {
					r := b.raw(t, b.b)[2]
					r.Tenant = b.a
					put(exec, r)
				},
				audit.Finding{Chain: b.a, Seq: 3, Problem: audit.Unlinked},
			},
			"truncate": {
				func(exec func(string, ...any)) {
					exec(`DELETE FROM audit_entries WHERE tenant = $1 AND seq > $2`, a, n-10)
				},
				audit.Finding{Chain: b.a, Seq: n - 9, Problem: audit.Truncated},
			},
			"truncate and move the head": {
				func(exec func(string, ...any)) {
					exec(`DELETE FROM audit_entries WHERE tenant = $1 AND seq > $2`, a, n-10)
					exec(`UPDATE audit_heads SET seq = $2, hash = $3 WHERE tenant = $1`, a, n-10, stored[n-11].Hash)
				},
				audit.Finding{Chain: b.a, Seq: n - 10, Problem: audit.WrongHead},
			},
			"delete the head": {
				func(exec func(string, ...any)) { exec(`DELETE FROM audit_heads WHERE tenant = $1`, a) },
				audit.Finding{Chain: b.a, Seq: 1, Problem: audit.WrongHead},
			},
			"unmark the head": {
				func(exec func(string, ...any)) {
					exec(`UPDATE audit_heads SET mac = $2 WHERE tenant = $1`, a, make([]byte, 33))
				},
				audit.Finding{Chain: b.a, Seq: n, Problem: audit.WrongHead},
			},
			"give the head another's mark": {
				func(exec func(string, ...any)) {
					exec(`UPDATE audit_heads SET mac = (SELECT mac FROM audit_heads WHERE tenant = $2) WHERE tenant = $1`, a, string(b.b))
				},
				audit.Finding{Chain: b.a, Seq: n, Problem: audit.WrongHead},
			},
			"edit a checkpoint": {
				func(exec func(string, ...any)) { exec(`UPDATE audit_checkpoints SET at = at + 1 WHERE seq = 2`) },
				audit.Finding{Checkpoint: 2, Problem: audit.Forged},
			},
			"edit a checkpoint's head": {
				func(exec func(string, ...any)) {
					exec(`UPDATE audit_checkpoint_heads SET seq = seq - 1 WHERE checkpoint = 2`)
				},
				audit.Finding{Checkpoint: 2, Problem: audit.Forged},
			},
			"hide a chain from a checkpoint": {
				func(exec func(string, ...any)) {
					exec(`DELETE FROM audit_checkpoint_heads WHERE checkpoint = 1 AND tenant = $1`, a)
				},
				audit.Finding{Checkpoint: 1, Problem: audit.Forged},
			},
			"sign with another key": {
				func(exec func(string, ...any)) {
					list, _, err := b.UnscopedCheckpoints(t.Context(), "", meta.Page{Limit: 1})
					if err != nil {
						t.Fatal(err)
					}
					_, key, err := ed25519.GenerateKey(nil)
					if err != nil {
						t.Fatal(err)
					}
					exec(`UPDATE audit_checkpoints SET signature = $1 WHERE seq = 2`, ed25519.Sign(key, list[0].Body))
				},
				audit.Finding{Checkpoint: 2, Problem: audit.Forged},
			},
			"delete a checkpoint": {
				func(exec func(string, ...any)) {
					exec(`DELETE FROM audit_checkpoint_heads WHERE checkpoint = 1`)
					exec(`DELETE FROM audit_checkpoints WHERE seq = 1`)
				},
				audit.Finding{Checkpoint: 1, Problem: audit.Missing},
			},
		} {
			b.within(t, func(b *bench, exec func(string, ...any)) {
				c.tamper(exec)
				found := b.verify(t)
				if len(found) == 0 {
					t.Errorf("%s: nothing was found", name)
					return
				}
				first := found[0]
				if first.Message == "" {
					t.Errorf("%s: a finding says nothing", name)
				}
				if first.Message = ""; first != c.want {
					t.Errorf("%s: first found %+v, want %+v", name, first, c.want)
				}
				for _, f := range found {
					if c.want.Chain != "" && f.Chain != c.want.Chain {
						t.Errorf("%s: found in another chain: %+v", name, f)
					}
				}
				if len(found) > 21 {
					t.Errorf("%s: %d findings", name, len(found))
				}
			})
		}
		if f := b.verify(t); len(f) != 0 {
			t.Errorf("findings in what was not tampered with: %+v", f)
		}
	})
}

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
