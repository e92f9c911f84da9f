package analysis_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/vault"
)

const day = 24 * time.Hour

// released is the golden case, run, with something added to its definition.
func (b *bench) released(t *testing.T, also string) analysis.Run {
	t.Helper()
	b.golden(t)
	if also != "" {
		b.apply(t, read(t, "dataset.yaml"), read(t, "analysis.yaml")+also)
	}
	b.decide(t, analysis.Accepted, 0, 1)
	b.send(t, 0, read(t, "input-2022-09-23-000001-000001.csv"))
	b.send(t, 1, read(t, "input-2022-09-23-000002-000001.csv"))
	b.turn(t, b.idle(t))
	return b.run(t, analysis.RunSucceeded)
}

// result is a tenant's newest result.
func (b *bench) result(t *testing.T, n int) exchange.Result {
	t.Helper()
	list, _, err := b.exchange.Results(t.Context(), b.scope(t, n), exchange.ResultFilter{}, meta.Page{})
	check(t, err)
	if len(list) != 1 {
		t.Fatalf("%d results, want 1", len(list))
	}
	return list[0]
}

func (b *bench) open(t *testing.T, n int, id string) error {
	t.Helper()
	c, _, err := b.exchange.ResultContent(t.Context(), b.scope(t, n), id, exchange.CSV)
	if err == nil {
		c.Close()
	}
	return err
}

func (b *bench) entries(t *testing.T, verb, chain, subject string) int64 {
	t.Helper()
	var n int64
	check(t, b.DB.Unscoped().QueryRow(t.Context(), `SELECT count(*) FROM audit_entries WHERE verb = $1 AND tenant = $2 AND subject = $3`, verb, chain, subject).Scan(&n))
	return n
}

func TestARecalledReleaseIsNotHandedOut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		r := b.released(t, "")
		one, two := b.result(t, 0), b.result(t, 1)
		if one.State() != exchange.Available {
			t.Fatalf("state: %s", one.State())
		}
		// One recipient's first.
		_, err := b.exchange.UnscopedRecall(ctx, "usr_admin", one.ID, " ")
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("without a reason: %v", err)
		}
		got, err := b.exchange.UnscopedRecall(ctx, "usr_admin", one.ID, "the wrong month")
		if err != nil || got.State() != exchange.Recalled {
			t.Fatalf("recall: %+v, %v", got, err)
		}
		if err := b.open(t, 0, one.ID); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "the wrong month") {
			t.Errorf("open what was recalled: %v, want a conflict with the reason", err)
		}
		check(t, b.open(t, 1, two.ID))
		if r, err := b.UnscopedRun(ctx, r.ID); err != nil || r.RecalledAt != nil || r.Results != 2 || r.Recalled != 1 {
			t.Errorf("the run: %+v, %v, want one of two results recalled", r, err)
		}
		// Then all.
		r, err = b.UnscopedRecall(ctx, "usr_admin", r.ID, "a participant's file was doubled")
		if err != nil || r.RecalledAt == nil || r.Recalled != 2 || r.State != analysis.RunSucceeded {
			t.Fatalf("recall the run: %+v, %v", r, err)
		}
		for n, reason := range []string{"the wrong month", "a participant's file was doubled"} {
			x := b.result(t, n)
			if x.State() != exchange.Recalled || x.RecallReason != reason {
				t.Errorf("the result of tenant %d: %s because of %q, want %q", n, x.State(), x.RecallReason, reason)
			}
			if err := b.open(t, n, x.ID); !fault.Is(err, fault.Conflict) {
				t.Errorf("open: %v", err)
			}
			if got := b.entries(t, "result.recall", string(b.tenants[n].ID), x.ID); got != 1 {
				t.Errorf("entries in the chain of tenant %d: %d", n, got)
			}
			var sealed []byte
			check(t, b.DB.Unscoped().QueryRow(ctx, `SELECT recall_reason FROM results WHERE id = $1`, x.ID).Scan(&sealed))
			if strings.Contains(string(sealed), "month") || strings.Contains(string(sealed), "doubled") {
				t.Error("the reason is not sealed")
			}
		}
		if b.entries(t, "run.recall", "", r.ID) != 1 || b.entries(t, "result.recall", "", one.ID) != 1 {
			t.Error("the provider's chain does not have it")
		}
		for what, err := range map[string]error{
			"the run again":    func() error { _, err := b.UnscopedRecall(ctx, "usr_admin", r.ID, "again"); return err }(),
			"the result again": func() error { _, err := b.exchange.UnscopedRecall(ctx, "usr_admin", two.ID, "again"); return err }(),
		} {
			if !fault.Is(err, fault.Conflict) {
				t.Errorf("%s: %v, want a conflict", what, err)
			}
		}
		// What was released stays on record, and the same inputs bring nothing new.
		if _, _, err := b.UnscopedManifest(ctx, r.ID); err != nil {
			t.Errorf("manifest: %v", err)
		}
		again := b.run(t, analysis.RunSucceeded)
		if again.Release != r.Release || b.releases(t) != 1 || !strings.Contains(again.Reason, "recalled") || !strings.Contains(again.Reason, "doubled") || again.RecalledAt == nil {
			t.Errorf("the same once more: %+v", again)
		}
		list, _, err := b.UnscopedRuns(ctx, analysis.RunFilter{}, meta.Page{})
		if err != nil || len(list) != 2 || list[1].RecalledAt == nil {
			t.Errorf("list of runs: %+v, %v", list, err)
		}
		_, err = b.Control.UnscopedSuspend(ctx, "usr_admin", "tenant-2", "unpaid")
		check(t, err)
		skipped := b.run(t, analysis.RunSkipped)
		if _, err := b.UnscopedRecall(ctx, "usr_admin", skipped.ID, "why"); !fault.Is(err, fault.Conflict) {
			t.Errorf("recall a run without a release: %v", err)
		}
		if _, err := b.UnscopedRecall(ctx, "usr_admin", "run_0", "why"); !fault.Is(err, fault.NotFound) {
			t.Errorf("recall no run: %v", err)
		}
	})
}

// Keys of one recipient that cannot be used keep nobody else's result open.
func TestARecallNeedsNotEveryRecipientsKeys(t *testing.T) {
	t.Parallel()
	for _, purpose := range []string{"pool", "vault"} {
		t.Run(purpose, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, b *bench) {
				ctx := t.Context()
				r := b.released(t, "")
				one, two := b.result(t, 0), b.result(t, 1)
				id := b.tenants[0].ID
				var mac []byte
				check(t, b.DB.For(id).QueryRow(ctx, `SELECT mac FROM tenant_keys WHERE tenant = $1 AND purpose = $2`, string(id), purpose).Scan(&mac))
				set := func(mac []byte) {
					t.Helper()
					_, err := b.DB.For(id).Exec(ctx, `UPDATE tenant_keys SET mac = $1 WHERE tenant = $2 AND purpose = $3`, mac, string(id), purpose)
					check(t, err)
					b.Keys.Forget(id)
				}
				set([]byte("changed"))
				if _, err := b.UnscopedRecall(ctx, "usr_admin", r.ID, "the wrong month"); err != nil {
					t.Fatalf("recall: %v", err)
				}
				if err := b.open(t, 1, two.ID); !fault.Is(err, fault.Conflict) || b.entries(t, "result.recall", string(b.tenants[1].ID), two.ID) != 1 {
					t.Errorf("the other's: %v, want it recalled, and in its chain", err)
				}
				set(mac)
				if x := b.result(t, 0); x.State() != exchange.Recalled || x.RecallReason != "the wrong month" {
					t.Errorf("that whose keys could not be used: %s because of %q", x.State(), x.RecallReason)
				}
				// A row of a result that says otherwise does not open it.
				b.tamper(t, `UPDATE results SET recalled_at = NULL WHERE id = $1`, one.ID)
				if err := b.open(t, 0, one.ID); !fault.Is(err, fault.Conflict) {
					t.Errorf("open it: %v, want a conflict", err)
				}
			})
		})
	}
}

func TestResultsGoWhenTheirTimeIsOver(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.released(t, "retention: {days: 5}\n")
		one, two := b.result(t, 0), b.result(t, 1)
		if one.DeletesAt == nil || !one.DeletesAt.Equal(one.CreatedAt.Add(5*day)) {
			t.Errorf("goes at %v, want 5 days after %v", one.DeletesAt, one.CreatedAt)
		}
		words := strings.Join(func() []string { v, _ := b.Analysis(ctx, "cross-participant-mean", 0); return v.Words() }(), " ")
		if !strings.Contains(words, "kept for 5 days") {
			t.Errorf("in words: %s", words)
		}
		// Of the version that made it, and none after, whatever they say.
		b.apply(t, read(t, "dataset.yaml"), read(t, "analysis.yaml")+"retention: {days: 1}\n")
		h, err := b.Control.UnscopedSetHold(ctx, "usr_admin", "tenant-2", "tagged-values", "a case")
		check(t, err)
		if going, err := b.exchange.UnscopedGoing(ctx, 5); err != nil || len(going) != 1 || going[0].Analysis != "cross-participant-mean" || going[0].Count != 1 || going[0].Held != 1 {
			t.Errorf("going: %+v, %v, want one and one held", going, err)
		}
		b.late.Add(int64(4 * day))
		check(t, b.exchange.DeleteDue(ctx))
		check(t, b.open(t, 0, one.ID))
		b.late.Add(int64(day + time.Minute))
		check(t, b.exchange.DeleteDue(ctx))
		if err := b.open(t, 0, one.ID); !fault.Is(err, fault.NotFound) || !strings.Contains(fault.Message(err), "kept") {
			t.Errorf("open what is gone: %v", err)
		}
		if x := b.result(t, 0); x.State() != exchange.Deleted || x.DeletedAt == nil || x.DeletesAt != nil || x.Name != one.Name {
			t.Errorf("what is left: %+v", x)
		}
		if x := b.result(t, 1); !x.Held || x.State() != exchange.Available {
			t.Errorf("what is held: %+v", x)
		}
		check(t, b.open(t, 1, two.ID))
		check(t, b.Vault.RemoveDue(ctx))
		check(t, b.Vault.UnscopedVerify(ctx, true, func(f vault.Finding) { t.Errorf("the vault: %+v", f) }))
		if n := b.entries(t, "result.expire", string(b.tenants[0].ID), one.ID); n != 1 {
			t.Errorf("%d audit entries", n)
		}
		_, err = b.Control.UnscopedReleaseHold(ctx, "usr_admin", h.ID)
		check(t, err)
		check(t, b.exchange.DeleteDue(ctx))
		if x := b.result(t, 1); x.State() != exchange.Deleted {
			t.Errorf("after the release: %s", x.State())
		}
		// Recalling it still tells its recipient.
		if x, err := b.exchange.UnscopedRecall(ctx, "usr_admin", one.ID, "wrong"); err != nil || x.State() != exchange.Recalled || x.DeletedAt == nil {
			t.Errorf("recall what is gone: %+v, %v", x, err)
		}
	})
}

// A download that begins while the result is recalled either is before it, and in the
// audit log so, or gets nothing.
func TestRecallAndDownloadAreInOneOrder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.released(t, "")
		x := b.result(t, 0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			_, err := b.exchange.UnscopedRecall(ctx, "usr_admin", x.ID, "wrong")
			ended <- err
		}()
		reads := int64(0)
		for {
			err := b.open(t, 0, x.ID)
			if fault.Is(err, fault.Conflict) {
				break
			}
			check(t, err)
			reads++
		}
		check(t, <-ended)
		if n := b.entries(t, "result.read", string(b.tenants[0].ID), x.ID); n != reads {
			t.Errorf("%d readings are recorded, want %d", n, reads)
		}
	})
}
