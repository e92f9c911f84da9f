package schedule

import (
	"strings"
	"testing"
	"time"

	"tributary/internal/exchange"
)

func TestAPeriodThatWasReopenedRunsOnceMore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, b := w.join("tenant-a"), w.join("tenant-b")
		w.make(NewSchedule{Name: "noon", Analyses: []string{"daily", "monthly"}, Cron: "0 12 * * *"})
		w.make(NewSchedule{Name: "other", Analyses: []string{"monthly"}, Cron: "0 12 * * *"})
		w.make(NewSchedule{Name: "resting", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		w.at("2026-03-11T12:00:00Z")
		w.turn()
		_, err := w.Pause(ctx, "usr_admin", "resting")
		check(t, err)
		w.at("2026-03-11T13:00:00Z")
		reopen := func(until string) exchange.Reopening {
			t.Helper()
			r, err := w.Exchange.UnscopedReopen(ctx, "usr_admin", exchange.NewReopening{Tenant: a, Dataset: "daily", Date: "2026-03-10", Reason: "r", Until: moment(t, until)})
			check(t, err)
			return r
		}
		reopen("2026-03-11T18:00:00Z")
		_, err = w.Exchange.UnscopedReopen(ctx, "usr_admin", exchange.NewReopening{Tenant: b, Dataset: "daily", Date: "2026-03-10", Reason: "r", Until: moment(t, "2026-03-11T18:00:00Z")})
		check(t, err)
		w.at("2026-03-11T17:59:59Z")
		w.turn()
		w.at("2026-03-11T18:00:00Z")
		for n := 1; w.hands.crashes(n, func() { _, _ = w.once(ctx) }); n++ {
			w = w.restarted()
		}
		w.turn()
		w.restarted().turn()
		once := "2026-03-11T12:00 daily:2026-03-10 monthly:2026-02-01\n2026-03-11T18:00 reopened daily:2026-03-10\n2026-03-11T18:00 reopened daily:2026-03-10"
		w.wants("noon", once)
		w.wants("other", "2026-03-11T12:00 monthly:2026-02-01")
		w.wants("resting", "2026-03-11T12:00 daily:2026-03-10")
		if got := strings.Count(w.through("daily", "2026-03-10"), "2026-03-11T12:00:00Z by schedule:noon"); got != 2 {
			t.Errorf("%d runs by noon, want the first and one for both reopenings", got)
		}
		// Another reopening, which is closed early while the server is down.
		w.at("2026-03-11T19:00:00Z")
		reopen("2026-03-12T19:00:00Z")
		w.at("2026-03-11T20:00:00Z")
		_, err = w.Exchange.UnscopedEndReopening(ctx, "usr_admin", a, "daily", "2026-03-10")
		check(t, err)
		w.at("2026-03-11T23:00:00Z")
		w = w.restarted()
		w.turn()
		w.turn()
		w.wants("noon", once+"\n2026-03-11T20:00 reopened daily:2026-03-10")
		// A paused schedule does it when it goes on.
		_, err = w.Resume(ctx, "usr_admin", "resting")
		check(t, err)
		w.restarted().turn()
		w.wants("resting", "2026-03-11T12:00 daily:2026-03-10\n2026-03-11T18:00 reopened daily:2026-03-10\n2026-03-11T18:00 reopened daily:2026-03-10\n2026-03-11T20:00 reopened daily:2026-03-10")
		// One that ends before the period is run at all needs no run of its own.
		_, err = w.Exchange.UnscopedReopen(ctx, "usr_admin", exchange.NewReopening{Tenant: a, Dataset: "daily", Date: "2026-03-11", Reason: "r", Until: moment(t, "2026-03-12T13:00:00Z")})
		check(t, err)
		w.at("2026-03-12T14:00:00Z")
		w.turn()
		w.hands.set(w.hands.now.Add(time.Minute))
		w.turn()
		w.wants("other", "2026-03-11T12:00 monthly:2026-02-01\n2026-03-12T12:00")
		if got := w.fired("noon"); !strings.HasSuffix(got, "2026-03-12T12:00 daily:2026-03-11") {
			t.Errorf("fired:\n%s", got)
		}
	})
}

// TestAReopeningWhoseEndIsRecordedLate has one that was closed early come to light
// after another that ended later was dealt with.
func TestAReopeningWhoseEndIsRecordedLate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, b := w.join("tenant-a"), w.join("tenant-b")
		w.make(NewSchedule{Name: "noon", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		w.at("2026-03-11T12:00:00Z")
		w.turn()
		for _, n := range []exchange.NewReopening{{Tenant: a, Until: moment(t, "2026-03-11T18:00:00Z")}, {Tenant: b, Until: moment(t, "2026-03-12T18:00:00Z")}} {
			n.Dataset, n.Date, n.Reason = "daily", "2026-03-10", "r"
			_, err := w.Exchange.UnscopedReopen(ctx, "usr_admin", n)
			check(t, err)
		}
		w.at("2026-03-11T18:00:00Z")
		w.turn()
		w.at("2026-03-11T17:59:59Z") // when the other's end was read off the clock
		_, err := w.Exchange.UnscopedEndReopening(ctx, "usr_admin", b, "daily", "2026-03-10")
		check(t, err)
		w.at("2026-03-11T18:01:00Z")
		w.turn()
		w.restarted().turn()
		w.wants("noon", "2026-03-11T12:00 daily:2026-03-10\n2026-03-11T17:59 reopened daily:2026-03-10\n2026-03-11T18:00 reopened daily:2026-03-10")
	})
}
