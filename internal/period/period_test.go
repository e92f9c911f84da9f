package period_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/period"
)

// monthly is due on the 5th at noon in Zurich, and cut off two days later.
const monthly = "cadence: monthly\ndue: {after_days: 5, at: '12:00', zone: Europe/Zurich, grace: 2d}"

// Of February 2026: the 5th of March, in winter time.
var (
	due    = at("2026-03-05T11:00:00Z")
	cutOff = at("2026-03-07T11:00:00Z")
)

func (b *bench) state(tb testing.TB, n int, dataset, date string) period.State {
	tb.Helper()
	list, _, err := b.Statuses(tb.Context(), b.scope(tb, n), period.Filter{Dataset: dataset, Date: date}, meta.Page{})
	check(tb, err)
	switch len(list) {
	case 0:
		return "nothing"
	case 1:
		return list[0].State
	}
	tb.Fatalf("%d lines for one period: %s", len(list), table(list))
	return ""
}

func TestStatesAroundDueAndCutOff(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.now = at("2026-02-01T00:00:00Z")
		b.dataset(t, "sales", monthly)
		b.analysis(t, "means", "sales")
		b.join(t, 1)
		b.decide(t, "means", analysis.Accepted, 0)
		want := func(now time.Time, states ...period.State) {
			t.Helper()
			b.now = now
			if got := b.state(t, 0, "sales", "2026-02-17"); got != states[0] {
				t.Errorf("%s: got %s, want %s", now, got, states[0])
			}
		}
		want(at("2026-02-01T00:00:00Z"), period.Due)
		want(due, period.Due)
		want(due.Add(time.Microsecond), period.Overdue)
		want(cutOff, period.Overdue)
		want(cutOff.Add(time.Microsecond), period.Missing)

		b.came(t, 0, "sales", "2026-02-01", due, exchange.Received)
		want(cutOff.Add(time.Hour), period.Received)
		change := func(state exchange.State) {
			t.Helper()
			_, err := b.DB.For(b.tenants[0].ID).Exec(t.Context(), `UPDATE submissions SET state = $1, validated_at = 1, error_count = $2 WHERE tenant = $3`,
				string(state), state == exchange.Rejected, string(b.tenants[0].ID))
			check(t, err)
		}
		change(exchange.Validating)
		want(due, period.Validating)
		change(exchange.Rejected)
		want(cutOff, period.Rejected)
		want(cutOff.Add(time.Microsecond), period.Missing)
		change(exchange.Withdrawn)
		want(due, period.Due)
		want(cutOff.Add(time.Hour), period.Missing)
		change(exchange.Accepted)
		want(cutOff.Add(time.Hour), period.Accepted)

		// A correction that comes late makes nobody late.
		change(exchange.Superseded)
		b.came(t, 0, "sales", "2026-02-01", cutOff.Add(time.Hour), exchange.Accepted)
		want(cutOff.Add(2*time.Hour), period.Accepted)
		// Another period, another state: a file after its due time.
		b.came(t, 0, "sales", "2026-01-31", due, exchange.Accepted)
		if got := b.state(t, 0, "sales", "2026-01-01"); got != period.Late {
			t.Errorf("January: got %s, want late", got)
		}
	})
}

func TestAReopenedPeriodIsNotMissingYet(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.now = at("2026-02-01T00:00:00Z")
		b.dataset(t, "sales", monthly)
		b.analysis(t, "means", "sales")
		b.join(t, 2)
		b.decide(t, "means", analysis.Accepted, 0, 1)
		b.now = cutOff.Add(time.Hour)
		end := cutOff.Add(24 * time.Hour)
		_, err := b.Exchange.UnscopedReopen(t.Context(), "usr_admin", exchange.NewReopening{Tenant: b.tenants[0].ID, Dataset: "sales", Date: "2026-02-20", Reason: "a fire", Until: end})
		check(t, err)
		if a, other := b.state(t, 0, "sales", "2026-02-01"), b.state(t, 1, "sales", "2026-02-01"); a != period.Overdue || other != period.Missing {
			t.Errorf("reopened: got %s and %s, want overdue and missing", a, other)
		}
		s, err := b.Period(t.Context(), b.scope(t, 0), "sales", "2026-02-03")
		check(t, err)
		if len(s.Reopenings) != 1 || s.Reopenings[0].Reason != "a fire" || s.Date != "2026-02-01" || s.End != "2026-02-28" || s.Counts[period.Overdue] != 1 || len(s.Counts) != 1 {
			t.Errorf("what the tenant sees: %+v", s)
		}
		s, err = b.Period(t.Context(), b.scope(t, 1), "sales", "2026-02-03")
		check(t, err)
		if len(s.Reopenings) != 0 || s.Counts[period.Missing] != 1 || len(s.Counts) != 1 {
			t.Errorf("what another sees: %+v", s)
		}
		s, err = b.UnscopedPeriod(t.Context(), "sales", "2026-02-03")
		check(t, err)
		if len(s.Reopenings) != 1 || s.Counts[period.Overdue] != 1 || s.Counts[period.Missing] != 1 {
			t.Errorf("what the provider sees: %+v", s)
		}
		b.now = end.Add(time.Microsecond)
		if got := b.state(t, 0, "sales", "2026-02-01"); got != period.Missing {
			t.Errorf("after its end: got %s, want missing", got)
		}
	})
}

func TestWhoIsToSend(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.now = at("2026-01-15T00:00:00Z")
		b.dataset(t, "sales", monthly)
		b.analysis(t, "means", "sales")
		b.analysis(t, "sums", "sales")
		b.join(t, 7)
		b.decide(t, "means", analysis.Accepted, 0, 4)
		b.decide(t, "means", analysis.Declined, 1, 3, 5)
		b.decide(t, "sums", analysis.Accepted, 5) // one yes is enough
		b.came(t, 2, "sales", "2025-12-31", b.now, exchange.Accepted)
		b.came(t, 3, "sales", "2025-12-31", b.now, exchange.Accepted) // and wants no more of it
		b.came(t, 6, "sales", "2026-01-31", b.now, exchange.Rejected)
		_, err := b.Control.UnscopedSuspend(t.Context(), "usr_admin", "t0004", "unpaid")
		check(t, err)
		b.now = at("2026-03-01T00:00:00Z")
		got := table(b.all(t, period.Filter{From: "2025-11-01"}, 2))
		want := strings.Join([]string{
			"sales 2026-03-01 t0000 due", "sales 2026-03-01 t0002 due", "sales 2026-03-01 t0005 due",
			"sales 2026-02-01 t0000 due", "sales 2026-02-01 t0002 due", "sales 2026-02-01 t0005 due",
			"sales 2026-01-01 t0000 missing", "sales 2026-01-01 t0002 missing", "sales 2026-01-01 t0005 missing", "sales 2026-01-01 t0006 missing",
			// Due on the 5th of January, before anybody had accepted anything.
			"sales 2025-12-01 t0002 late", "sales 2025-12-01 t0003 late", ""}, "\n")
		if got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		// A version that widens what was accepted has no yes until somebody gives it one.
		_, _, err = b.Analyses.UnscopedApply(t.Context(), "usr_admin", []byte(
			"analysis: means\ndatasets: [sales]\ngroups: [Tag]\nmeasures: [{name: Value, function: sum, column: Value, decimals: 0}, {name: Rows, function: count}]\n"))
		check(t, err)
		if got := b.state(t, 0, "sales", "2026-02-01"); got != "nothing" {
			t.Errorf("of who has not accepted the current version: %s", got)
		}
	})
}

func TestPeriodsThatAreListed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.now = at("2024-01-01T00:00:00Z")
		cadences := map[string]string{"d": "daily", "w": "weekly", "m": "monthly", "q": "quarterly", "y": "yearly", "n": "none"}
		for name, cadence := range cadences {
			b.dataset(t, name, "cadence: "+cadence+"\ndue: {after_days: 1, at: '12:00', grace: 12h}")
			b.analysis(t, "uses-"+name, name)
		}
		b.dataset(t, "e", "cadence: monthly") // never due
		b.analysis(t, "uses-e", "e")
		b.join(t, 1)
		for _, name := range []string{"d", "w", "m", "q", "y", "n", "e"} {
			b.decide(t, "uses-"+name, analysis.Accepted, 0)
		}
		b.now = at("2024-03-01T12:00:01Z") // in a leap year; what was due at noon is overdue
		got := table(b.all(t, period.Filter{}, 3))
		want := strings.Join([]string{
			"d 2024-03-01 t0000 due", "d 2024-02-29 t0000 overdue", "d 2024-02-28 t0000 missing",
			"e 2024-03-01 t0000 due", "e 2024-02-01 t0000 due",
			"m 2024-03-01 t0000 due", "m 2024-02-01 t0000 overdue", "m 2024-01-01 t0000 missing",
			"q 2024-01-01 t0000 due", "q 2023-10-01 t0000 missing",
			"w 2024-02-26 t0000 due", "w 2024-02-19 t0000 missing",
			"y 2024-01-01 t0000 due", "y 2023-01-01 t0000 missing", ""}, "\n")
		if got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		for _, c := range []struct {
			f    period.Filter
			want int
		}{
			{period.Filter{Dataset: "d", From: "2024-02-27"}, 4},
			{period.Filter{Dataset: "m", From: "2024-01-31"}, 3},
			{period.Filter{Date: "2024-01-01"}, 5}, // a day of each, and the quarter's and the year's; not of a dataset that has no periods
			{period.Filter{Dataset: "d", Date: "2100-01-01"}, 1},
			{period.Filter{State: period.Missing}, 5},
		} {
			if list := b.all(t, c.f, 0); len(list) != c.want+map[bool]int{true: 1}[c.f.Date == "2024-01-01"] {
				t.Errorf("%+v: got %d lines, want %d:\n%s", c.f, len(list), c.want, table(list))
			}
		}
		for _, f := range []period.Filter{{Date: "soon"}, {From: "2024-02-30"}, {Dataset: "d", From: "1990-01-01"}} {
			if _, _, err := b.UnscopedStatuses(t.Context(), f, meta.Page{}); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v, want invalid", f, err)
			}
		}
		if _, _, err := b.UnscopedStatuses(t.Context(), period.Filter{Dataset: "none"}, meta.Page{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("no such dataset: %v", err)
		}
	})
}

func TestPagesNeitherSkipNorRepeatAndTenantsSeeThemselves(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.now = at("2026-02-01T00:00:00Z")
		b.join(t, 5)
		for n := range 3 {
			b.dataset(t, fmt.Sprint("set-", n), "cadence: daily\ndue: {at: '12:00', zone: Europe/Zurich}")
			b.analysis(t, fmt.Sprint("uses-", n), fmt.Sprint("set-", n))
			b.decide(t, fmt.Sprint("uses-", n), analysis.Accepted, 0, 1, 2, 3, 4)
		}
		b.came(t, 1, "set-1", "2026-02-10", at("2026-02-10T12:00:00Z"), exchange.Accepted)
		b.now = at("2026-03-05T13:00:00Z")
		f := period.Filter{From: "2026-02-01"}
		whole := b.all(t, f, 500)
		if want := 3 * 5 * (28 + 5); len(whole) != want {
			t.Fatalf("%d lines, want %d", len(whole), want)
		}
		for _, size := range []int{1, 7, 100} {
			if got := b.all(t, f, size); table(got) != table(whole) {
				t.Errorf("in pages of %d it is another list", size)
			}
		}
		f.Tenant = b.tenants[1].ID
		mine := table(b.all(t, f, 500))
		f.Tenant = b.tenants[2].ID // which is ignored
		list, _, err := b.Statuses(t.Context(), b.scope(t, 1), f, meta.Page{Limit: 500})
		check(t, err)
		if got := table(list); got != mine || len(list) != len(whole)/5 || strings.Count(got, "t0001") != len(list) {
			t.Errorf("one's own: %d lines, want the provider's of that tenant:\n%s", len(list), got)
		}
		if n := strings.Count(mine, "late"); n != 1 {
			t.Errorf("%d late, want 1", n)
		}
		if _, _, err := b.UnscopedStatuses(t.Context(), f, meta.Page{After: "x"}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a cursor that no list returned: %v", err)
		}
	})
}

// What asking costs with a thousand tenants and a hundred datasets that all send.
func BenchmarkPeriods(b *testing.B) {
	db, err := meta.Open(b.Context(), meta.Config{URL: "sqlite:" + b.TempDir() + "/control.db"})
	check(b, err)
	defer db.Close()
	w := newBench(b, db)
	w.now = at("2026-01-01T00:00:00Z")
	w.join(b, 1000)
	for n := range 100 {
		w.dataset(b, fmt.Sprintf("set-%03d", n), monthly)
		w.analysis(b, fmt.Sprintf("uses-%03d", n), fmt.Sprintf("set-%03d", n))
	}
	check(b, db.Transact(b.Context(), func(tx *meta.DB) error {
		for n := range 100 {
			for k := range w.tenants {
				for _, month := range []string{"2025-12-01", "2026-01-01", "2026-02-01"} {
					w.sent++
					if _, err := tx.For(w.tenants[k].ID).Exec(b.Context(), `
						INSERT INTO submissions (id, tenant, dataset, dataset_version, date, revision, state, name, channel, size, object, accepted_object, commitment, received_at, validated_at, error_count, submitted_by)
						VALUES ($1, $2, $3, 1, $4, 1, 'accepted', $5, 'api', 1, 'o', 'a', $5, 1, 1, 0, 'usr_1')`,
						fmt.Sprint("sub_", w.sent), string(w.tenants[k].ID), fmt.Sprintf("set-%03d", n), month, []byte("x")); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}))
	for n := range 100 {
		for k := 0; k < len(w.tenants); k += 10 {
			w.decide(b, fmt.Sprintf("uses-%03d", n), analysis.Accepted, k)
		}
	}
	w.now = at("2026-03-08T00:00:00Z")
	for name, f := range map[string]period.Filter{"first page": {}, "one dataset": {Dataset: "set-050", Date: "2026-02-01"}, "all missing": {State: period.Missing}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _, err := w.UnscopedStatuses(b.Context(), f, meta.Page{Limit: 500})
				check(b, err)
			}
		})
	}
	b.Run("a tenant's own", func(b *testing.B) {
		s := w.scope(b, 500)
		for b.Loop() {
			_, _, err := w.Statuses(b.Context(), s, period.Filter{}, meta.Page{Limit: 500})
			check(b, err)
		}
	})
}
