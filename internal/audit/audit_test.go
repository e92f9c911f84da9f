package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/keys/keystest"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/tenant"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

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

// bench is a log with what it needs and two tenants.
type bench struct {
	*audit.Log
	audit.Config
	db   *meta.DB
	ring *keys.Ring
	kept *wrapped
	a, b tenant.ID
}

func newBench(t testing.TB, db *meta.DB) *bench {
	t.Helper()
	now := epoch
	var mu sync.Mutex
	c := clock.Clock{NowFunc: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	}}
	kek, secrets := keystest.New(t, c)
	kept := &wrapped{keys: map[tenant.ID][]byte{}}
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: kept, Clock: c, Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	cfg := audit.Config{DB: db, Keys: ring, Clock: c}
	b := &bench{Log: audit.New(cfg), Config: cfg, db: db, ring: ring, kept: kept}
	b.a, b.b = b.newTenant(t), b.newTenant(t)
	return b
}

func (b *bench) newTenant(t testing.TB) tenant.ID {
	t.Helper()
	id := tenant.ID(clock.Clock{}.ID("ten"))
	key, err := b.ring.Generate(t.Context(), id, keys.Vault)
	if err != nil {
		t.Fatal(err)
	}
	b.kept.mu.Lock()
	b.kept.keys[id] = key
	b.kept.mu.Unlock()
	return id
}

func (b *bench) destroyKey(id tenant.ID) {
	b.kept.mu.Lock()
	delete(b.kept.keys, id)
	b.kept.mu.Unlock()
	b.ring.Forget(id)
}

// append adds n entries to a chain in one transaction.
func (b *bench) append(t testing.TB, id tenant.ID, n int) {
	t.Helper()
	if err := b.Config.DB.Transact(t.Context(), func(tx *meta.DB) error {
		for i := range n {
			if err := b.Append(t.Context(), tx, audit.Entry{
				Tenant: id, Actor: "usr_1", Verb: "submission.receive", Subject: fmt.Sprint("sub_", i), Outcome: "ok",
				Details: map[string]any{"name": fmt.Sprintf("canary %d.csv", i)},
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) checkpoint(t testing.TB) {
	t.Helper()
	if err := b.CheckpointDue(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) scope(id tenant.ID, resources ...tenant.Resource) tenant.Scope {
	terms := tenant.Terms{Tenant: id, Actor: "usr_1", Alive: func(context.Context) error { return nil }}
	for _, r := range resources {
		terms.Permissions = append(terms.Permissions, tenant.Permission{Verb: tenant.Read, Resource: r})
	}
	return tenant.Mint(terms)
}

func (b *bench) verify(t testing.TB, pins ...audit.Pin) []audit.Finding {
	t.Helper()
	var list []audit.Finding
	if err := b.Verify(t.Context(), func(f audit.Finding) { list = append(list, f) }, pins...); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestATenantReadsItsOwnChain(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(t, db)
		b.append(t, "", 3)
		b.append(t, b.a, 7)
		b.append(t, b.b, 2)
		scope := b.scope(b.a, tenant.AuditTrail)

		var got []string
		var page meta.Page
		for page.Limit = 3; ; {
			list, next, err := b.Entries(t.Context(), scope, audit.Filter{Tenant: &b.b}, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				if e.Tenant != b.a || e.Sealed || e.Damaged || e.Actor != "usr_1" || e.Verb != "submission.receive" || e.Outcome != "ok" {
					t.Errorf("got %+v", e)
				}
				got = append(got, fmt.Sprint(e.Seq, e.Subject, e.Details["name"]))
			}
			if next == page.After && next != "" {
				t.Fatal("a page leads to itself")
			}
			if page.After = next; next == "" {
				break
			}
		}
		want := "7sub_6canary 6.csv 6sub_5canary 5.csv 5sub_4canary 4.csv 4sub_3canary 3.csv 3sub_2canary 2.csv 2sub_1canary 1.csv 1sub_0canary 0.csv"
		if have := strings.Join(got, " "); have != want {
			t.Errorf("entries\n got %s\nwant %s", have, want)
		}
		raw, err := b.Raw(t.Context(), scope, 5, 0)
		if err != nil || len(raw) != 2 || raw[0].Seq != 6 || raw[1].Seq != 7 || raw[0].Tenant != b.a {
			t.Errorf("Raw after 5 = %+v, %v", raw, err)
		}
		for name, s := range map[string]tenant.Scope{"none": {}, "other resources": b.scope(b.a, tenant.Submissions, tenant.VaultInput)} {
			if _, _, err := b.Entries(t.Context(), s, audit.Filter{}, meta.Page{}); !fault.Is(err, fault.Denied) {
				t.Errorf("Entries under a scope of %s: %v", name, err)
			}
			if _, err := b.Raw(t.Context(), s, 0, 0); !fault.Is(err, fault.Denied) {
				t.Errorf("Raw under a scope of %s: %v", name, err)
			}
			if _, _, err := b.Checkpoints(t.Context(), s, meta.Page{}); !fault.Is(err, fault.Denied) {
				t.Errorf("Checkpoints under a scope of %s: %v", name, err)
			}
		}
	})
}

func TestTheProviderReadsSkeletons(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(t, db)
		for range 4 { // mixed
			b.append(t, "", 1)
			b.append(t, b.a, 2)
			b.append(t, b.b, 1)
		}
		seen := map[string]int{}
		var last time.Time
		var page meta.Page
		for page.Limit = 5; ; {
			list, next, err := b.UnscopedEntries(t.Context(), audit.Filter{}, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				seen[fmt.Sprint(e.Tenant, e.Seq)]++
				if open := e.Tenant == ""; open != (e.Details["name"] == "canary 0.csv") || e.Sealed == open {
					t.Errorf("details of an entry of %q: %v, sealed %v", e.Tenant, e.Details, e.Sealed)
				}
				if !last.IsZero() && e.At.After(last) {
					t.Errorf("an entry of %s comes after one of %s", e.At, last)
				}
				last = e.At
			}
			if next == page.After && next != "" {
				t.Fatal("a page leads to itself")
			}
			if page.After = next; next == "" {
				break
			}
		}
		if len(seen) != 16 {
			t.Errorf("%d entries were listed, want 16: %v", len(seen), seen)
		}
		none := tenant.ID("")
		for name, c := range map[string]struct {
			f    audit.Filter
			want int
		}{
			"provider": {audit.Filter{Tenant: &none}, 4},
			"tenant":   {audit.Filter{Tenant: &b.a}, 8},
			"subject":  {audit.Filter{Subject: "sub_1"}, 4},
			"actor":    {audit.Filter{Actor: "usr_2"}, 0},
			"verb":     {audit.Filter{Verb: "submission.receive"}, 16},
			"from":     {audit.Filter{From: last.Add(time.Microsecond)}, 15},
			"to":       {audit.Filter{To: last}, 0},
		} {
			if list, _, err := b.UnscopedEntries(t.Context(), c.f, meta.Page{}); err != nil || len(list) != c.want {
				t.Errorf("%s: %d entries, %v, want %d", name, len(list), err, c.want)
			}
		}
		raw, err := b.UnscopedRaw(t.Context(), b.a, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range raw {
			if strings.Contains(string(r.Details), "canary") {
				t.Errorf("the details of entry %d are not sealed", r.Seq)
			}
		}
		for _, after := range []string{"x", "e30", meta.Position{At: 1, ID: "no number"}.Cursor()} {
			if _, _, err := b.UnscopedEntries(t.Context(), audit.Filter{}, meta.Page{After: after}); err != nil && !fault.Is(err, fault.Invalid) {
				t.Errorf("cursor %q: %v", after, err)
			}
		}
	})
}

// The act and its entry happen both or not at all.
func TestAnEntrySharesItsActsFate(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(t, db)
		b.append(t, b.a, 1)
		gone := fault.New(fault.Conflict, "no")
		if err := db.Transact(t.Context(), func(tx *meta.DB) error {
			if err := b.Append(t.Context(), tx, audit.Entry{Tenant: b.a, Actor: "usr_1", Verb: "v", Outcome: "ok"}); err != nil {
				return err
			}
			return gone
		}); !fault.Is(err, fault.Conflict) {
			t.Fatal(err)
		}
		if err := b.Record(t.Context(), audit.Entry{Tenant: b.a, Actor: "usr_1", Verb: "v", Outcome: "ok"}); err != nil {
			t.Fatal(err)
		}
		if raw, err := b.UnscopedRaw(t.Context(), b.a, 0, 0); err != nil || len(raw) != 2 || raw[1].Seq != 2 {
			t.Errorf("records %+v, %v, want numbers 1 and 2", raw, err)
		}
		if f := b.verify(t); len(f) != 0 {
			t.Errorf("findings: %+v", f)
		}
	})
}

func TestEntriesThatAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, metatest.Open(t, metatest.SQLite(t)))
	whole := audit.Entry{Tenant: b.a, Actor: "usr_1", Verb: "v", Outcome: "ok"}
	for name, change := range map[string]func(*audit.Entry){
		"no actor":      func(e *audit.Entry) { e.Actor = "" },
		"no verb":       func(e *audit.Entry) { e.Verb = "" },
		"no outcome":    func(e *audit.Entry) { e.Outcome = "" },
		"no such chain": func(e *audit.Entry) { e.Tenant = "*" },
		"no JSON":       func(e *audit.Entry) { e.Details = map[string]any{"f": func() {}} },
		"too much":      func(e *audit.Entry) { e.Details = map[string]any{"f": strings.Repeat("x", 64<<10)} },
	} {
		e := whole
		change(&e)
		if err := b.Record(t.Context(), e); err == nil {
			t.Errorf("%s: was recorded", name)
		}
	}
	if err := b.Record(t.Context(), whole); err != nil {
		t.Error(err)
	}
}

// What people call things cannot end a line, forge a field or turn the text round.
func TestNamesCannotForgeLines(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(t, db)
		const evil = "x\n2026-01-01 usr_1 tenant.erase ok\r\x00\x1b[2J\u2028\u202e\u0085\u200b\U000e0001\\u000a\\x0a\xff é"
		const kept = "x\n2026-01-01 usr_1 tenant.erase ok\r\x00\x1b[2J\u2028\u202e\u0085\u200b\U000e0001\\u000a\\x0a\ufffd é"
		for _, id := range []tenant.ID{"", b.a} {
			if err := b.Record(t.Context(), audit.Entry{Tenant: id, Actor: evil, Verb: evil, Subject: strings.Repeat(evil, 9), Outcome: evil, Details: map[string]any{evil: evil}}); err != nil {
				t.Fatal(err)
			}
			raw, err := b.UnscopedRaw(t.Context(), id, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []string{raw[0].Actor, raw[0].Verb, raw[0].Subject, raw[0].Outcome} {
				for _, r := range s {
					if r < ' ' || r > '~' {
						t.Fatalf("a field has %U: %q", r, s)
					}
				}
				if len(s) > 200 {
					t.Errorf("a field is %d bytes long", len(s))
				}
			}
			if id == "" {
				for _, r := range string(raw[0].Details[1:]) {
					if r < ' ' || r > '~' && r != 'é' && r != '\ufffd' {
						t.Errorf("the details have %U: %q", r, raw[0].Details)
					}
				}
				if !json.Valid(raw[0].Details[1:]) {
					t.Errorf("the details are no JSON: %q", raw[0].Details)
				}
			}
		}
		own, _, err := b.Entries(t.Context(), b.scope(b.a, tenant.AuditTrail), audit.Filter{}, meta.Page{})
		if err != nil {
			t.Fatal(err)
		}
		if got := own[0].Details[kept]; got != kept {
			t.Errorf("the details say %q, want %q", got, kept)
		}
		if f := b.verify(t); len(f) != 0 {
			t.Errorf("findings: %+v", f)
		}
	})
}

// After a tenant's erasure its entries verify, and tell nothing that was sealed.
func TestEntriesOutliveTheKey(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(t, db)
		b.append(t, b.a, 5)
		b.append(t, b.b, 1)
		b.checkpoint(t)
		b.destroyKey(b.a)
		for range 2 { // it may be called again
			if _, n, err := b.EraseTenant(t.Context(), b.a); err != nil || n != 5 {
				t.Errorf("EraseTenant = %d, %v, want 5", n, err)
			}
		}
		b.append(t, b.a, 1)
		b.checkpoint(t)
		if f := b.verify(t); len(f) != 0 {
			t.Errorf("findings: %+v", f)
		}
		own, _, err := b.Entries(t.Context(), b.scope(b.a, tenant.AuditTrail), audit.Filter{}, meta.Page{})
		if err != nil || len(own) != 6 {
			t.Fatalf("%d entries, %v", len(own), err)
		}
		for _, e := range own {
			if !e.Sealed || e.Damaged || e.Details != nil {
				t.Errorf("entry %d: %+v", e.Seq, e)
			}
		}
	})
}

// Details are bound to their entry: those of another do not open there.
func TestDetailsStayWithTheirEntry(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(t, db)
		b.append(t, b.a, 2)
		b.append(t, "", 2)
		for _, id := range []tenant.ID{b.a, ""} {
			if _, err := db.Unscoped().Exec(t.Context(), `UPDATE audit_entries SET details = (SELECT details FROM audit_entries WHERE tenant = $1 AND seq = 1) WHERE tenant = $2 AND seq = 2`,
				string(b.a), string(id)); err != nil {
				t.Fatal(err)
			}
		}
		own, _, err := b.Entries(t.Context(), b.scope(b.a, tenant.AuditTrail), audit.Filter{}, meta.Page{})
		if err != nil || !own[0].Damaged || own[0].Details != nil || own[1].Damaged || own[1].Details == nil {
			t.Errorf("got %+v, %v; want entry 2 damaged and entry 1 not", own, err)
		}
		none := tenant.ID("")
		ours, _, err := b.UnscopedEntries(t.Context(), audit.Filter{Tenant: &none}, meta.Page{})
		if err != nil || !ours[0].Damaged || ours[1].Details == nil {
			t.Errorf("got %+v, %v; want entry 2 damaged and entry 1 not", ours, err)
		}
	})
}

// Acts of several at once come one after the other in their chain, and Verify
// can look at any time.
func TestChainsGrowWhileTheyAreRead(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(t, db)
		const writers, each = 4, 12
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					if err := b.Record(t.Context(), audit.Entry{Tenant: b.a, Actor: "usr_1", Verb: "v", Outcome: "ok", Details: map[string]any{"k": 1}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			b.checkpoint(t)
			if f := b.verify(t); len(f) != 0 {
				t.Fatalf("findings: %+v", f)
			}
		}
		if raw, err := b.UnscopedRaw(t.Context(), b.a, 0, 0); err != nil || len(raw) != writers*each {
			t.Errorf("%d entries, %v, want %d", len(raw), err, writers*each)
		}
	})
}
