package exchange_test

import (
	"strings"
	"testing"
	"time"

	"tributary/internal/blob"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/vault"
)

const (
	day     = 24 * time.Hour
	keeping = dataset + "retention: {days: 10}\n"
)

// pass lets time go by, and does the round.
func (b *bench) pass(t *testing.T, d time.Duration) {
	t.Helper()
	b.late.Add(int64(d))
	check(t, b.DeleteDue(t.Context()))
}

// stored counts the stored bytes.
func (b *bench) stored(t *testing.T) int {
	t.Helper()
	n := 0
	check(t, b.Vault.Blobs.List(t.Context(), "", func(blob.Info) error { n++; return nil }))
	return n
}

// sound wants the vault's rows and bytes to agree.
func (b *bench) sound(t *testing.T) {
	t.Helper()
	check(t, b.Vault.UnscopedVerify(t.Context(), true, func(f vault.Finding) { t.Errorf("the vault: %+v", f) }))
}

func TestFilesGoWhenTheirTimeIsOver(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		old := b.send(t, 0, body("000001", "x,1"))
		bad := b.send(t, 1, body("000001", "x,1"))
		b.turn(t, b.idle(t))
		if s := b.want(t, 0, old.ID, exchange.Accepted); s.DeletesAt != nil {
			t.Errorf("without retention it goes at %v", s.DeletesAt)
		}
		b.pass(t, 1000*day)
		b.want(t, 0, old.ID, exchange.Accepted)
		// The version that is current decides for old files too, after a day to think.
		d, _ := b.apply(t, keeping)
		b.pass(t, 0)
		if s := b.want(t, 0, old.ID, exchange.Accepted); s.DeletesAt == nil || !s.DeletesAt.Equal(d.CreatedAt.Add(day)) || s.DeletedAt != nil {
			t.Errorf("with retention: goes at %v, gone at %v, want a day after %v", s.DeletesAt, s.DeletedAt, d.CreatedAt)
		}
		fresh := b.send(t, 0, strings.ReplaceAll(body("000001", "y,2"), "x", "y"))
		b.turn(t, b.idle(t))
		if fresh = b.want(t, 0, fresh.ID, exchange.Accepted); !fresh.DeletesAt.Equal(fresh.ReceivedAt.Add(10 * day)) {
			t.Errorf("a fresh file goes at %v, want 10 days after %v", fresh.DeletesAt, fresh.ReceivedAt)
		}
		going, err := b.UnscopedGoing(ctx, 2)
		check(t, err)
		if len(going) != 1 || going[0].Dataset != "tagged-values" || going[0].Count != 2 || going[0].Held != 0 || going[0].Days != 10 {
			t.Errorf("going within 2 days: %+v, want the two old files", going)
		}
		if going, err = b.UnscopedGoing(ctx, 11); err != nil || going[0].Count != 3 {
			t.Errorf("going within 11 days: %+v, %v, want three", going, err)
		}

		before := b.stored(t)
		b.pass(t, day+time.Minute)
		// The rows are done; a crash before the bytes leaves the vault's garbage to go.
		if b.stored(t) != before {
			t.Error("bytes went before the vault's round")
		}
		b.sound(t)
		check(t, b.Vault.RemoveDue(ctx))
		if got := b.stored(t); got != before-3 {
			t.Errorf("%d stored objects, want %d: two files and one accepted form fewer", got, before-3)
		}
		b.sound(t)
		for n, id := range map[int]string{0: old.ID, 1: bad.ID} {
			s, err := b.Submission(ctx, b.scope(t, n), id)
			check(t, err)
			if s.DeletedAt == nil || s.DeletedFor != "retention" || s.DeletesAt != nil || s.Name != "in.csv" || s.SHA256 != nil {
				t.Errorf("what is left of a file: %+v", s)
			}
			_, _, err = b.Content(ctx, b.scope(t, n), id)
			if !fault.Is(err, fault.NotFound) || !strings.Contains(fault.Message(err), "kept") {
				t.Errorf("its content: %v", err)
			}
			if n := b.count(t, "audit_entries WHERE verb = 'submission.expire' AND outcome = 'ok' AND tenant = '"+string(b.tenants[n].ID)+"' AND subject = '"+id+"'"); n != 1 {
				t.Errorf("%d audit entries, want 1", n)
			}
		}
		if s := b.want(t, 1, bad.ID, exchange.Rejected); len(s.Problems) == 0 {
			t.Error("the verdict is gone")
		}
		// Another round changes nothing, nor does the tenant's own deletion.
		b.pass(t, 0)
		s, err := b.Delete(ctx, b.scope(t, 1), bad.ID)
		if err != nil || s.DeletedFor != "retention" || b.count(t, "audit_entries WHERE verb = 'submission.expire'") != 2 {
			t.Errorf("deleted again: %+v, %v", s, err)
		}
		b.want(t, 0, fresh.ID, exchange.Accepted)
		b.pass(t, 9*day)
		if s, err := b.UnscopedSubmission(ctx, fresh.ID); err != nil || s.DeletedAt == nil || s.State != exchange.Accepted {
			t.Errorf("the fresh file after its time: %+v, %v", s, err)
		}
		if list, err := b.UnscopedAccepted(ctx, b.DB, "tagged-values", date, nil, b.now()); err != nil || len(list) != 0 {
			t.Errorf("runs could read %+v, %v", list, err)
		}
	})
}

func TestWhatIsHeldStays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.apply(t, keeping)
		held, free := b.send(t, 0, body("000001", "x,1")), b.send(t, 1, body("000002", "x,1"))
		b.turn(t, b.idle(t))
		h, err := b.control.UnscopedSetHold(ctx, "usr_admin", "tenant-1", "tagged-values", "a case")
		check(t, err)
		_, err = b.Delete(ctx, b.scope(t, 0), held.ID)
		if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "a case") {
			t.Errorf("its tenant deletes it: %v, want a conflict that says why", err)
		}
		if s := b.want(t, 0, held.ID, exchange.Accepted); !s.Held || s.DeletesAt != nil {
			t.Errorf("what is held: %+v", s)
		}
		going, err := b.UnscopedGoing(ctx, 30)
		check(t, err)
		if len(going) != 1 || going[0].Count != 1 || going[0].Held != 1 {
			t.Errorf("going: %+v, want one and one held", going)
		}
		b.pass(t, 30*day)
		b.want(t, 0, held.ID, exchange.Accepted)
		if s, err := b.UnscopedSubmission(ctx, free.ID); err != nil || s.DeletedAt == nil || s.Held {
			t.Errorf("the other tenant's: %+v, %v, want it deleted", s, err)
		}
		// A row that somebody changed in the database holds, and the round says so.
		if n, err := b.DB.Unscoped().Exec(ctx, `UPDATE holds SET dataset = 'other'`); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		if err := b.DeleteDue(ctx); !fault.Is(err, fault.Damaged) {
			t.Errorf("with a changed hold: %v, want damaged", err)
		}
		if s, err := b.UnscopedSubmission(ctx, held.ID); err != nil || !s.Held || s.DeletedAt != nil {
			t.Errorf("with a changed hold: %+v, %v", s, err)
		}
		if n, err := b.DB.Unscoped().Exec(ctx, `UPDATE holds SET dataset = 'tagged-values'`); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		// Of a suspended tenant too, things go once nothing holds them.
		_, err = b.control.UnscopedReleaseHold(ctx, "usr_admin", h.ID)
		check(t, err)
		_, err = b.control.UnscopedSuspend(ctx, "usr_admin", "tenant-1", "unpaid")
		check(t, err)
		b.pass(t, 0)
		if s, err := b.UnscopedSubmission(ctx, held.ID); err != nil || s.DeletedAt == nil {
			t.Errorf("after the release: %+v, %v, want it deleted", s, err)
		}
	})
}

func TestWhatIsStillNeededStays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.apply(t, keeping)
		s := b.send(t, 0, body("000001", "x,1"))
		b.pass(t, 30*day) // it was never validated: that comes first
		b.state(t, s.ID, exchange.Received)
		b.turn(t, b.idle(t))
		s = b.want(t, 0, s.ID, exchange.Accepted)
		for _, q := range []string{
			`INSERT INTO analyses (id, version, created_at, created_by) VALUES ('a', 1, 0, 'x')`,
			`INSERT INTO runs (id, analysis, version, date, state, job, started_by, created_at) VALUES ('run_1', 'a', 1, '2022-09-23', 'running', '', 'x', 0)`,
			`INSERT INTO run_inputs (run, tenant, organisation, dataset, submission, contract, object, commitment)
				SELECT 'run_1', tenant, 'o', dataset, id, 1, accepted_object, commitment FROM submissions`,
		} {
			_, err := b.DB.Unscoped().Exec(ctx, q)
			check(t, err)
		}
		b.pass(t, 0)
		if got := b.want(t, 0, s.ID, exchange.Accepted); got.DeletedAt != nil {
			t.Error("a file was pulled away from a run")
		}
		_, err := b.DB.Unscoped().Exec(ctx, `UPDATE runs SET state = 'failed'`)
		check(t, err)
		b.pass(t, 0)
		if got := b.want(t, 0, s.ID, exchange.Accepted); got.DeletedAt == nil {
			t.Error("it stayed after the run")
		}
		b.sound(t)
	})
}

// A file stays until the period that it is for has closed, and for a run of its date
// that has not taken its snapshot yet.
func TestAFileStaysUntilItsPeriodHasClosed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		closes := time.Date(2022, 10, 5, 12, 0, 0, 0, time.UTC)
		b.stop(time.Date(2022, 9, 1, 0, 0, 0, 0, time.UTC))
		b.apply(t, dataset+"cadence: monthly\ndue: {after_days: 5, at: '12:00', zone: UTC}\nretention: {days: 3}\n")
		s := b.send(t, 0, body("000001", "x,1"))
		_, err := b.DB.Unscoped().Exec(ctx, `UPDATE submissions SET state = 'accepted'`) // no job runs by this clock
		check(t, err)
		b.stop(time.Date(2022, 10, 1, 0, 0, 0, 0, time.UTC))
		if going, err := b.UnscopedGoing(ctx, 1); err != nil || len(going) != 0 {
			t.Errorf("going: %+v, %v, want nothing", going, err)
		}
		deleted := func() bool {
			t.Helper()
			check(t, b.DeleteDue(ctx))
			found, err := b.UnscopedSubmission(ctx, s.ID)
			check(t, err)
			if found.DeletedAt == nil && (found.DeletesAt == nil || !found.DeletesAt.Equal(closes.Add(day))) {
				t.Errorf("goes at %v, want a day after %v", found.DeletesAt, closes)
			}
			return found.DeletedAt != nil
		}
		b.stop(closes.Add(day - time.Second))
		if deleted() {
			t.Fatal("it went before the cut-off")
		}
		for _, q := range []string{
			`INSERT INTO analyses (id, version, created_at, created_by) VALUES ('a', 1, 0, 'x')`,
			`INSERT INTO runs (id, analysis, version, date, state, job, started_by, created_at) VALUES ('run_1', 'a', 1, '2022-09-23', 'queued', '', 'x', 0)`,
		} {
			_, err := b.DB.Unscoped().Exec(ctx, q)
			check(t, err)
		}
		b.stop(closes.Add(day))
		if deleted() {
			t.Fatal("a file was pulled away from a run that waits")
		}
		_, err = b.DB.Unscoped().Exec(ctx, `UPDATE runs SET state = 'skipped'`)
		check(t, err)
		if !deleted() {
			t.Error("it stayed after the run")
		}
	})
}

// However much one tenant has that is held, the others' files go.
func TestAHoldIsNoReasonToKeepTheOthers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.apply(t, keeping)
		other := b.send(t, 1, body("000002", "x,1"))
		b.turn(t, b.idle(t))
		_, err := b.control.UnscopedSetHold(ctx, "usr_admin", "tenant-1", "", "a case")
		check(t, err)
		_, err = b.DB.Unscoped().Exec(ctx, `
			INSERT INTO submissions (id, tenant, dataset, dataset_version, date, revision, state, name, channel, size, object, accepted_object, commitment, job, received_at, submitted_by)
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20001)
			SELECT 'sub_' || i, $1, dataset, 1, date, i, 'accepted', name, channel, 1, 'obj', 'obj', commitment, '', 1, 'x' FROM n CROSS JOIN submissions WHERE id = $2`,
			string(b.tenants[0].ID), other.ID)
		check(t, err)
		b.pass(t, 30*day)
		if s, err := b.UnscopedSubmission(ctx, other.ID); err != nil || s.DeletedAt == nil {
			t.Errorf("the other's: %+v, %v, want it deleted", s, err)
		}
	})
}

// A key that is gone belongs to a tenant that is being erased: the round passes over
// what is left of it, and does the rest.
func TestAnErasureUnderWayIsNotInTheWay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, keeping)
		b.send(t, 0, body("000001", "x,1"))
		other := b.send(t, 1, body("000002", "x,1"))
		b.turn(t, b.idle(t))
		_, err := b.DB.For(b.tenants[0].ID).Exec(t.Context(), `UPDATE tenant_keys SET wrapped = NULL, destroyed_at = 1 WHERE tenant = $1`, string(b.tenants[0].ID))
		check(t, err)
		b.Keys.Forget(b.tenants[0].ID)
		b.pass(t, 30*day)
		if s, err := b.UnscopedSubmission(t.Context(), other.ID); err != nil || s.DeletedAt == nil {
			t.Errorf("the other's: %+v, %v, want it deleted", s, err)
		}
	})
}
