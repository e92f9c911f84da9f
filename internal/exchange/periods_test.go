package exchange_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/tenant"
)

// inputs are the submissions that a run through a moment would read; none: all.
func (b *bench) inputs(t *testing.T, through *time.Time) string {
	t.Helper()
	var ids []string
	check(t, b.DB.Transact(t.Context(), func(tx *meta.DB) error {
		list, err := b.UnscopedAccepted(t.Context(), tx, "tagged-values", date, through, b.now())
		ids = nil
		for _, i := range list {
			ids = append(ids, i.Submission)
		}
		return err
	}))
	return strings.Join(ids, " ")
}

// cut is a dataset that is due on the day after its date at noon in Zurich, with
// six hours of grace: its cut-off for date is 2022-09-24T16:00Z.
const cut = dataset + "cadence: daily\ndue: {after_days: 1, at: '12:00', zone: Europe/Zurich, grace: 6h}\n"

var cutOff = time.Date(2022, 9, 24, 16, 0, 0, 0, time.UTC)

func TestWhatRunsReadAtTheCutOff(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, cut)
		send := func(n int, id, value string, at time.Duration) string {
			t.Helper()
			b.stop(cutOff.Add(at))
			s := b.send(t, n, body(id, "x,"+value))
			b.turn(t, b.idle(t))
			return s.ID
		}
		want := func(what string, through time.Duration, ids ...string) {
			t.Helper()
			moment := cutOff.Add(through)
			if got := b.inputs(t, &moment); got != strings.Join(ids, " ") {
				t.Errorf("%s: got %q, want %q", what, got, ids)
			}
		}
		inTime := send(0, "000001", "1", 0)
		tooLate := send(1, "000002", "1", time.Microsecond)
		want("the last moment is in time, the next is not", 0, inTime)
		correction := send(0, "000001", "2", time.Hour)
		b.want(t, 0, inTime, exchange.Superseded)
		want("a correction after the cut-off does not hide what it corrects", 0, inTime)
		want("a later cut-off has it", time.Hour, sorted(b, correction, tooLate)...)
		if got, want := b.inputs(t, nil), strings.Join(sorted(b, correction, tooLate), " "); got != want {
			t.Errorf("without a cut-off: got %q, want %q", got, want)
		}
		b.stop(cutOff.Add(2 * time.Hour))
		_, err := b.Withdraw(t.Context(), b.scope(t, 0), correction)
		check(t, err)
		want("a late correction that is withdrawn changes nothing of what was in time", 0, inTime)
		want("what a withdrawn file had replaced does not come back", time.Hour, tooLate)
		_, err = b.Withdraw(t.Context(), b.scope(t, 0), inTime)
		check(t, err)
		want("what an earlier cut-off would read can be withdrawn too", 0)
	})
}

// sorted puts the first tenant's and the second's in the order of their tenants.
func sorted(b *bench, first, second string) []string {
	if b.tenants[0].ID < b.tenants[1].ID {
		return []string{first, second}
	}
	return []string{second, first}
}

func TestAReopenedPeriod(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, cut)
		b.stop(cutOff.Add(time.Hour))
		a, other := b.tenants[0].ID, b.tenants[1].ID
		late := b.send(t, 0, body("000001", "x,1")).ID
		b.send(t, 1, body("000002", "x,1"))
		b.turn(t, b.idle(t))
		wants := func(what, want string) {
			t.Helper()
			if got := b.inputs(t, &cutOff); got != want {
				t.Errorf("%s: got %q, want %q", what, got, want)
			}
		}
		wants("before", "")
		ask := exchange.NewReopening{Tenant: a, Dataset: "tagged-values", Date: date, Reason: "their <server> burned", Until: cutOff.Add(3 * time.Hour)}
		r, err := b.UnscopedReopen(t.Context(), "usr_admin", ask)
		check(t, err)
		wants("what came between the cut-off and the reopening", late)
		// A run does not wait for what comes after it began, as long as that is in time.
		begun := b.now()
		b.stop(begun.Add(time.Minute))
		later := b.send(t, 0, body("000001", "x,9")).ID
		pending := func(begun time.Time) int {
			t.Helper()
			ids, err := b.UnscopedPending(t.Context(), b.DB, "tagged-values", date, cutOff, begun)
			check(t, err)
			return len(ids)
		}
		if got, then := pending(begun), pending(b.now()); got != 0 || then != 1 {
			t.Errorf("waiting for %d files, want none, and one if it begins after that: %d", got, then)
		}
		b.turn(t, b.idle(t))
		if list, err := b.UnscopedAccepted(t.Context(), b.DB, "tagged-values", date, &cutOff, begun); err != nil || len(list) != 1 || list[0].Submission != late {
			t.Errorf("a run that began before reads %+v, %v, want %s", list, err, late)
		}
		wants("a run that begins after", later)
		b.stop(ask.Until)
		last := b.send(t, 0, body("000001", "x,2")).ID
		b.stop(ask.Until.Add(time.Microsecond))
		b.send(t, 0, body("000001", "x,3"))
		b.turn(t, b.idle(t))
		wants("what came at the reopening's end, and nothing after", last)

		ended := func(from, to time.Duration) int {
			t.Helper()
			list, err := b.UnscopedEndedReopenings(t.Context(), ask.Until.Add(from), ask.Until.Add(to))
			check(t, err)
			return len(list)
		}
		if ended(-time.Hour, -time.Microsecond) != 0 || ended(-time.Microsecond, 0) != 1 || ended(0, time.Hour) != 0 {
			t.Error("a reopening ends at its end, once")
		}
		if _, err := b.UnscopedEndReopening(t.Context(), "usr_admin", a, "tagged-values", date); !fault.Is(err, fault.Conflict) {
			t.Errorf("ending what has ended: %v", err)
		}

		ask.Until = b.now().Add(24 * time.Hour)
		_, err = b.UnscopedReopen(t.Context(), "usr_admin", ask)
		check(t, err)
		b.stop(b.now().Add(time.Hour))
		fourth := b.send(t, 0, body("000001", "x,4")).ID
		b.turn(t, b.idle(t))
		if _, err := b.UnscopedEndReopening(t.Context(), "usr_admin", other, "tagged-values", date); !fault.Is(err, fault.Conflict) {
			t.Errorf("ending another's: %v", err)
		}
		early, err := b.UnscopedEndReopening(t.Context(), "usr_admin", a, "tagged-values", date)
		check(t, err)
		if !early.Until.Equal(b.now()) || early.ClosedBy != "usr_admin" {
			t.Errorf("closed early: %+v", early)
		}
		b.stop(b.now().Add(time.Microsecond))
		b.send(t, 0, body("000001", "x,5"))
		b.turn(t, b.idle(t))
		wants("what came until it was closed early", fourth)

		// The row gives power, so nobody but the server makes one.
		_, err = b.DB.Unscoped().Exec(t.Context(), `UPDATE reopenings SET until = until + 1 WHERE id = $1`, r.ID)
		check(t, err)
		err = b.DB.Transact(t.Context(), func(tx *meta.DB) error {
			_, err := b.UnscopedAccepted(t.Context(), tx, "tagged-values", date, &cutOff, b.now())
			return err
		})
		if !fault.Is(err, fault.Damaged) {
			t.Errorf("a reopening that was prolonged behind our back: %v", err)
		}
		var found []string
		check(t, exchange.UnscopedVerify(t.Context(), b.DB, b.Keys, func(table string, id tenant.ID, row, _ string) { found = append(found, table+" "+string(id)+" "+row) }))
		if want := "reopenings " + string(a) + " " + r.ID; len(found) != 1 || found[0] != want {
			t.Errorf("verify found %q, want %q", found, want)
		}
	})
}

func TestReopeningsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.stop(cutOff.Add(-time.Hour))
		good := exchange.NewReopening{Tenant: b.tenants[0].ID, Dataset: "tagged-values", Date: date, Reason: "because", Until: cutOff.Add(time.Hour)}
		try := func(what string, kind fault.Kind, change func(*exchange.NewReopening)) {
			t.Helper()
			n := good
			change(&n)
			if _, err := b.UnscopedReopen(t.Context(), "usr_admin", n); !fault.Is(err, kind) {
				t.Errorf("%s: %v, want %s", what, err, kind)
			}
		}
		try("nothing is ever due", fault.Conflict, func(*exchange.NewReopening) {})
		b.apply(t, cut)
		try("no reason", fault.Invalid, func(n *exchange.NewReopening) { n.Reason = " " })
		try("a long reason", fault.Invalid, func(n *exchange.NewReopening) { n.Reason = strings.Repeat("x", 1001) })
		try("the past", fault.Invalid, func(n *exchange.NewReopening) { n.Until = b.now() })
		try("too far", fault.Invalid, func(n *exchange.NewReopening) { n.Until = b.now().AddDate(1, 1, 0) })
		try("open anyway", fault.Conflict, func(n *exchange.NewReopening) { n.Until = cutOff })
		try("no date", fault.Invalid, func(n *exchange.NewReopening) { n.Date = "soon" })
		try("no dataset", fault.NotFound, func(n *exchange.NewReopening) { n.Dataset = "none" })
		r, err := b.UnscopedReopen(t.Context(), "usr_admin", good) // a longer term, before the cut-off
		check(t, err)
		var sealed []byte
		check(t, b.DB.Unscoped().QueryRow(t.Context(), `SELECT reason FROM reopenings WHERE id = $1`, r.ID).Scan(&sealed))
		if strings.Contains(string(sealed), "because") {
			t.Error("the reason is not sealed")
		}
	})
}

func TestSubmissionsSayWhatTheirTimeMeans(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, cut)
		due := cutOff.Add(-6 * time.Hour)
		take := func(at time.Time, late, after bool, note string) exchange.Submission {
			t.Helper()
			b.stop(at)
			s := b.send(t, 0, body("000001", "x,"+at.Format("150405")))
			if s.Late != late || s.AfterCutOff != after || !s.DueAt.Equal(due) || !s.CutOffAt.Equal(cutOff) {
				t.Errorf("at %s: late %v after %v due %s cut-off %s, want %v %v", at, s.Late, s.AfterCutOff, s.DueAt, s.CutOffAt, late, after)
			}
			if got := strings.Join(s.Notes(), " "); note == "" && got != "" || !strings.Contains(got, note) {
				t.Errorf("at %s: notes %q, want %q", at, got, note)
			}
			return s
		}
		take(due, false, false, "")
		take(due.Add(time.Second), true, false, "after it was due, 2022-09-24 10:00 UTC")
		take(cutOff, true, false, "after it was due")
		last := take(cutOff.Add(time.Second), true, true, "after the cut-off, 2022-09-24 16:00 UTC")
		_, err := b.UnscopedReopen(t.Context(), "usr_admin", exchange.NewReopening{Tenant: b.tenants[0].ID, Dataset: "tagged-values", Date: date,
			Reason: "asked by phone", Until: cutOff.Add(time.Hour)})
		check(t, err)
		b.stop(cutOff.Add(2 * time.Hour))
		beyond := b.send(t, 0, body("000001", "x,9"))
		others := b.send(t, 1, body("000002", "x,9"))
		list, _, err := b.UnscopedSubmissions(t.Context(), "", exchange.SubmissionFilter{}, meta.Page{})
		check(t, err)
		own, _, err := b.Submissions(t.Context(), b.scope(t, 0), exchange.SubmissionFilter{}, meta.Page{})
		check(t, err)
		for _, s := range append(own, list...) {
			if want := s.ID == beyond.ID || s.ID == others.ID; s.AfterCutOff != want {
				t.Errorf("received at %s: after the cut-off is %v, want %v", s.ReceivedAt, s.AfterCutOff, want)
			}
		}
		if one, err := b.UnscopedSubmission(t.Context(), last.ID); err != nil || one.AfterCutOff {
			t.Errorf("one within the reopening: %v, %v", one.AfterCutOff, err)
		}
		gone, err := b.Withdraw(t.Context(), b.scope(t, 0), beyond.ID)
		check(t, err)
		if notes := strings.Join(gone.Notes(), " "); !strings.Contains(notes, "withdrawn after the cut-off") || strings.Contains(notes, "Scheduled") {
			t.Errorf("notes of what was withdrawn: %q", notes)
		}
	})
}

func TestTheSameBytesAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		send := func(n int, day, value string) exchange.Submission {
			t.Helper()
			as := named("in.csv")
			as.Date = day
			s, err := b.Submit(t.Context(), b.scope(t, n), as, strings.NewReader(body("00000"+string(rune('1'+n)), "x,"+value)))
			check(t, err)
			return s
		}
		first := send(0, date, "1")
		if first.DuplicateOf != "" {
			t.Errorf("the first is a duplicate of %s", first.DuplicateOf)
		}
		second := send(0, date, "1") // as who lost the answer to the first does
		if second.DuplicateOf != first.ID || len(second.Notes()) != 1 {
			t.Errorf("the second is a duplicate of %q, want %s; notes %q", second.DuplicateOf, first.ID, second.Notes())
		}
		b.turn(t, b.idle(t))
		if s := b.want(t, 0, second.ID, exchange.Accepted); s.DuplicateOf != first.ID {
			t.Errorf("once accepted it is a duplicate of %q", s.DuplicateOf)
		}
		for what, s := range map[string]exchange.Submission{"other bytes": send(0, date, "2"), "another date": send(0, "2022-09-22", "1"), "another's": send(1, date, "1")} {
			if s.DuplicateOf != "" {
				t.Errorf("%s: a duplicate of %s", what, s.DuplicateOf)
			}
		}
		bad := send(0, "2022-09-21", "1") // the rows have another date
		b.turn(t, b.idle(t))
		b.want(t, 0, bad.ID, exchange.Rejected)
		if s := send(0, "2022-09-21", "1"); s.DuplicateOf != "" {
			t.Errorf("what was rejected stands for nothing, and yet this is its duplicate: %s", s.DuplicateOf)
		}
	})
}

// TestDamageStopsNoNewFile sends a file after one that has been damaged.
func TestDamageStopsNoNewFile(t *testing.T) {
	t.Parallel()
	for what, damage := range map[string]string{
		"row is lost":       `DELETE FROM vault_objects WHERE kind = 'file'`,
		"digest is damaged": `UPDATE vault_objects SET digest = commitment`,
		"commitment is":     `UPDATE vault_objects SET commitment = digest`,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, b *bench) {
				var log strings.Builder
				b.Log = slog.New(slog.NewTextHandler(&log, nil))
				before := b.send(t, 0, body("000001", "x,1"))
				b.turn(t, b.idle(t))
				_, err := b.DB.Unscoped().Exec(t.Context(), damage)
				check(t, err)
				s := b.send(t, 0, body("000001", "x,1"))
				if s.DuplicateOf != "" {
					t.Errorf("a duplicate of %s, which nobody can know", s.DuplicateOf)
				}
				if !strings.Contains(log.String(), before.ID) {
					t.Errorf("the log has %q, want %s named", log.String(), before.ID)
				}
				b.turn(t, b.idle(t))
				b.want(t, 0, s.ID, exchange.Accepted)
				list, _, err := b.Submissions(t.Context(), b.scope(t, 0), exchange.SubmissionFilter{}, meta.Page{})
				if err != nil || len(list) != 2 || list[1].ID != before.ID || list[1].State != exchange.Superseded {
					t.Errorf("got %+v, %v, want the damaged one superseded", list, err)
				}
			})
		})
	}
}

// The time of a file is taken when it is written down, not before the wait for that.
func TestAFilesTimeIsThatOfItsRow(t *testing.T) {
	t.Parallel()
	b := newBench(t, metatest.Open(t, metatest.SQLite(t))) // where one writes at a time
	b.apply(t, cut)
	b.stop(cutOff)
	scope, got, failed := b.scope(t, 0), exchange.Submission{}, make(chan error, 1)
	check(t, b.DB.Transact(t.Context(), func(tx *meta.DB) error {
		_, err := tx.Unscoped().Exec(t.Context(), `UPDATE datasets SET id = id`)
		check(t, err)
		go func() {
			var err error
			got, err = b.Submit(t.Context(), scope, exchange.NewSubmission{Dataset: "tagged-values", Date: date, Name: "in.csv", Channel: "api", Size: -1}, strings.NewReader(body("000001", "x,1")))
			failed <- err
		}()
		for range 100 { // the bytes are there, and the row waits
			for b.stored(t) == 0 {
			}
		}
		b.stop(cutOff.Add(time.Second))
		return nil
	}))
	check(t, <-failed)
	if !got.ReceivedAt.Equal(cutOff.Add(time.Second)) || !got.AfterCutOff {
		t.Errorf("received at %v, after the cut-off: %v", got.ReceivedAt, got.AfterCutOff)
	}
}
