package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"

	"tributary/internal/audit"
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
		const invented = tenant.ID("ten_0000000000000000000000000z")
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
			"edit the last and hash it again": {
				func(exec func(string, ...any)) {
					r := stored[n-1]
					r.Subject = "x"
					r.Hash = hash(r)
					put(exec, r)
				},
				audit.Finding{Chain: b.a, Seq: n, Problem: audit.WrongHead},
			},
			"invent a chain": {
				func(exec func(string, ...any)) {
					r := stored[0]
					r.Tenant = invented
					r.Hash = hash(r)
					put(exec, r)
				},
				audit.Finding{Chain: invented, Seq: 1, Problem: audit.WrongHead},
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
