package schedule

import (
	"strings"
	"testing"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/exchange"
	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// counted is what counts of what a schedule ran: each date with when it was fired.
func (w *world) counted(name string) string {
	w.t.Helper()
	rows, err := w.DB.Query(w.t.Context(), `SELECT l.analysis, l.date, l.fired_at FROM schedule_runs l JOIN runs r ON r.id = l.run WHERE l.schedule = $1 AND l.early = 0 ORDER BY l.fired_at, l.analysis, l.date`, name)
	check(w.t, err)
	var list []string
	for rows.Next() {
		var analysis, date string
		var at time.Time
		check(w.t, rows.Scan(&analysis, &date, &at))
		list = append(list, analysis+":"+date+" at "+at.Format("2006-01-02T15:04"))
	}
	return strings.Join(list, "\n")
}

func (w *world) counts(name string, want ...string) {
	w.t.Helper()
	if got := w.counted(name); got != strings.Join(want, "\n") {
		w.t.Errorf("what counts of %s:\n%s\nwant:\n%s", name, got, strings.Join(want, "\n"))
	}
}

// TestAClockThatWasAheadForAMoment has the clock three days ahead while schedules
// fire. When it is right again they go on as if that had not been.
func TestAClockThatWasAheadForAMoment(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.make(NewSchedule{Name: "noon", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		w.make(NewSchedule{Name: "offset", Analyses: []string{"loose"}, Cron: "0 12 * * *", DateOffset: days(1)})
		w.make(NewSchedule{Name: "resting", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		w.at("2026-03-11T12:00:00Z")
		w.turn()
		w.at("2026-03-14T13:00:00Z")
		w.turn()
		w.counts("noon", "daily:2026-03-10 at 2026-03-11T12:00", "daily:2026-03-11 at 2026-03-14T13:00", "daily:2026-03-12 at 2026-03-14T13:00", "daily:2026-03-13 at 2026-03-14T13:00")
		_, err := w.Pause(t.Context(), "usr_admin", "resting")
		check(t, err)
		w.at("2026-03-11T12:05:00Z")
		w = w.restarted()
		w.turn()
		for name, want := range map[string]string{"noon": "daily:2026-03-10 at 2026-03-11T12:00", "offset": "loose:2026-03-10 at 2026-03-11T12:00", "resting": "daily:2026-03-10 at 2026-03-11T12:00"} {
			w.counts(name, want)
		}
		warnings := strings.Join(w.Warnings(t.Context()), "\n")
		for _, want := range []string{`the schedule "noon" fired up to 2026-03-14T13:00:00Z, which is in the future`, "tributary schedule firings noon"} {
			if !strings.Contains(warnings, want) {
				t.Errorf("warnings: %q, want %q in them", warnings, want)
			}
		}
		list, _, err := w.Firings(t.Context(), "noon", meta.Page{Limit: 500})
		check(t, err)
		if list[0].Note != tooEarly || len(list[0].Runs) != 3 || list[1].Note != "" {
			t.Errorf("firings: %+v", list)
		}
		// At each time once, over restarts, crashes and the hour by which the clock was wrong.
		var noon, offset []string
		for day := moment(t, "2026-03-11T12:00:00Z"); !day.After(moment(t, "2026-03-16T12:00:00Z")); day = day.AddDate(0, 0, 1) {
			w.hands.set(day.Add(time.Second))
			if w.hands.crashes(12, func() { _, _ = w.once(t.Context()) }) {
				w = w.restarted()
			}
			w.turn()
			w.hands.set(day.Add(2 * time.Hour))
			w.turn()
			before, at := day.AddDate(0, 0, -1).Format(time.DateOnly), day.Format("2006-01-02T15:04")
			noon, offset = append(noon, "daily:"+before+" at "+at), append(offset, "loose:"+before+" at "+at)
		}
		w.counts("noon", noon...)
		w.counts("offset", offset...)
		if list := w.Warnings(t.Context()); len(list) != 0 {
			t.Errorf("warnings: %q", list)
		}
		_, err = w.Resume(t.Context(), "usr_admin", "resting")
		check(t, err)
		w.at("2026-03-17T12:00:00Z")
		w.turn()
		w.counts("resting", "daily:2026-03-10 at 2026-03-11T12:00", "daily:2026-03-16 at 2026-03-17T12:00")
		for name, want := range map[string]int{"noon": 7, "offset": 7} { // the early ones were taken over
			list, _, err := w.Firings(t.Context(), name, meta.Page{Limit: 500})
			check(t, err)
			for _, f := range list {
				if len(f.Runs) != 1 || f.Note != "" {
					t.Errorf("%s fired %+v", name, f)
				}
			}
			if len(list) != want {
				t.Errorf("%s fired %d times, want %d", name, len(list), want)
			}
		}
	})
}

// TestAClockThatWasAheadForADay has one go back to a day after it went wrong: what
// should have been meanwhile is made up for.
func TestAClockThatWasAheadForADay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.make(NewSchedule{Name: "noon", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		w.at("2026-03-11T12:00:00Z")
		w.turn()
		w.at("2026-03-14T13:00:00Z") // it is 3 days ahead
		w.turn()
		w.make(NewSchedule{Name: "future", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		_, err := w.Pause(ctx, "usr_admin", "noon")
		check(t, err)
		_, err = w.Resume(ctx, "usr_admin", "noon")
		check(t, err)
		w.at("2026-03-12T13:00:00Z")
		w.turn()
		w.at("2026-03-13T12:00:00Z")
		w.turn()
		// That it was resumed says that nothing before is made up for, whenever it was.
		w.counts("noon", "daily:2026-03-10 at 2026-03-11T12:00", "daily:2026-03-12 at 2026-03-13T12:00")
		w.counts("future")
		if got := strings.Join(w.Warnings(ctx), "\n"); !strings.Contains(got, `the schedule "future" was made at 2026-03-14T13:00:00Z, which is in the future, so it does not fire until then: set the clock`) {
			t.Errorf("warnings: %q", got)
		}
	})
	each(t, func(t *testing.T, w *world) {
		w.make(NewSchedule{Name: "noon", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		w.at("2026-03-14T13:00:00Z")
		w.turn()
		w.at("2026-03-12T13:00:00Z")
		w.turn()
		w.counts("noon", "daily:2026-03-11 at 2026-03-12T13:00")
		w.at("2026-03-13T12:00:00Z")
		w.turn()
		w.counts("noon", "daily:2026-03-11 at 2026-03-12T13:00", "daily:2026-03-12 at 2026-03-13T12:00")
	})
}

// TestAClockThatHasForgottenTheTime is set to long ago, as on a machine that starts
// without a battery. Nothing fires, and nothing fires again.
func TestAClockThatHasForgottenTheTime(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.make(NewSchedule{Name: "hourly", Analyses: []string{"loose"}, Cron: "0 * * * *", DateOffset: days(0)})
		w.make(NewSchedule{Name: "noon", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		w.at("2026-03-11T12:00:00Z")
		w.turn()
		before := w.counted("hourly") + w.counted("noon")
		w.at("1970-01-01T00:00:10Z")
		w.restarted().turn()
		if got := w.Warnings(t.Context()); len(got) != 2 || !strings.Contains(got[1], "set the clock of this server right") {
			t.Errorf("warnings: %q", got)
		}
		w.at("2026-03-11T12:30:00Z")
		w.restarted().turn()
		if got := w.counted("hourly") + w.counted("noon"); got != before {
			t.Errorf("what counts:\n%s\nwant:\n%s", got, before)
		}
	})
}

func TestAReopeningThatAClockEndedTooEarly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.join("tenant-a")
		w.make(NewSchedule{Name: "noon", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		w.at("2026-03-11T12:00:00Z")
		w.turn()
		w.at("2026-03-11T12:30:00Z")
		_, err := w.Exchange.UnscopedReopen(t.Context(), "usr_admin", exchange.NewReopening{Tenant: a, Dataset: "daily", Date: "2026-03-10", Reason: "r", Until: moment(t, "2026-03-11T18:00:00Z")})
		check(t, err)
		w.at("2026-03-20T00:00:00Z")
		w.turn()
		w.at("2026-03-11T12:31:00Z")
		w.turn()
		w.counts("noon", "daily:2026-03-10 at 2026-03-11T12:00")
		w.at("2026-03-11T21:00:00Z") // long after
		w.restarted().turn()
		w.restarted().turn()
		w.counts("noon", "daily:2026-03-10 at 2026-03-11T12:00", "daily:2026-03-10 at 2026-03-11T21:00")
	})
}

// TestAnotherCadence has a dataset's cadence change and change back: every date is
// run for once.
func TestAnotherCadence(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const daily, monthly = "cadence: daily\ndue: {after_days: 1, at: '06:00', grace: 6h}\n", "cadence: monthly\ndue: {after_days: 5, at: '12:00'}\n"
		a := w.join("tenant-a")
		w.accept(a, "daily")
		w.make(NewSchedule{Name: "noon", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		w.at("2026-03-11T12:00:00Z")
		w.turn()
		w.apply("daily", monthly)
		for _, date := range []string{"2026-03-10", "2026-03-20", "2026-03-31"} { // the first was run
			w.send(a, "daily", date)
		}
		for _, at := range []string{"2026-03-12T12:00:00Z", "2026-04-04T12:00:00Z", "2026-04-05T12:00:00Z", "2026-04-06T12:00:00Z", "2026-05-05T12:00:00Z"} {
			w.at(at)
			w.turn()
		}
		w.counts("noon", "daily:2026-03-10 at 2026-03-11T12:00", "daily:2026-03-20 at 2026-04-05T12:00", "daily:2026-03-31 at 2026-04-05T12:00", "daily:2026-04-01 at 2026-05-05T12:00")
		w.apply("daily", daily)
		w.at("2026-05-06T12:00:00Z")
		w.turn()
		if got, want := strings.Count(w.counted("noon"), " at 2026-05-06T12:00"), 5; got != want || !strings.Contains(w.counted("noon"), "daily:2026-05-01 at 2026-05-06T12:00") {
			t.Errorf("%d days, want %d from 1 May:\n%s", got, want, w.counted("noon"))
		}
		w.at("2026-05-07T12:00:00Z")
		w.turn()
		w.apply("daily", monthly) // again, before May has closed
		for _, at := range []string{"2026-05-08T12:00:00Z", "2026-06-05T12:00:00Z", "2026-06-06T12:00:00Z"} {
			w.at(at)
			w.turn()
		}
		if got := w.counted("noon"); !strings.HasSuffix(got, "daily:2026-05-05 at 2026-05-06T12:00\ndaily:2026-05-06 at 2026-05-07T12:00\ndaily:2026-05-07 at 2026-06-05T12:00") {
			t.Errorf("what counts:\n%s", got)
		}
	})
}

func TestWhatARunStandsFor(t *testing.T) {
	t.Parallel()
	p := contract.Monthly.Period(contract.DateOf(moment(t, "2026-03-10T00:00:00Z")))
	day := func(n int) contract.Date { return p.Start + contract.Date(n-1) }
	list := parts(p, []contract.Date{day(5), day(9)})
	if len(list) != 2 || list[0].covers != (contract.Period{Start: day(1), End: day(8)}) || list[1].covers != (contract.Period{Start: day(9), End: day(31)}) {
		t.Errorf("parts: %+v", list)
	}
}

// TestOnlyThoseWhoTakePartCauseRuns has files of tenants that have agreed to nothing,
// have declined or are suspended.
func TestOnlyThoseWhoTakePartCauseRuns(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		in, out, no, gone := w.join("tenant-in"), w.join("tenant-out"), w.join("tenant-no"), w.join("tenant-gone")
		w.accept(in, "monthly")
		w.decide(no, "monthly", analysis.Declined)
		w.accept(gone, "monthly")
		w.make(NewSchedule{Name: "noon", Analyses: []string{"monthly"}, Cron: "0 12 * * *"})
		w.at("2026-03-12T12:00:00Z")
		w.turn()
		for id, date := range map[tenant.ID]string{in: "2026-03-02", out: "2026-03-03", no: "2026-03-04", gone: "2026-03-05"} {
			w.send(id, "monthly", date)
		}
		_, err := w.ctl.UnscopedSuspend(t.Context(), "usr_admin", string(gone), "unpaid")
		check(t, err)
		w.at("2026-04-05T12:00:00Z")
		w.turn()
		w.counts("noon", "monthly:2026-02-01 at 2026-03-12T12:00", "monthly:2026-03-02 at 2026-04-05T12:00")
	})
}

func TestAScheduleThatCannotBeRead(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for name, harm := range map[string]string{"zone": `zone = 'Nowhere'`, "cron": `cron = 'sometimes'`, "analyses": `analyses = '{'`,
			"other": `analyses = '["monthly"]'`, "time": `cron = '1 1 * * *'`, "state": `state = 'paused'`, "offset": `date_offset = 0`, "blank": `mac = NULL`} {
			w.make(NewSchedule{Name: name, Analyses: []string{"daily"}, Cron: "0 12 * * *"})
			_, err := w.DB.Exec(ctx, `UPDATE schedules SET `+harm+` WHERE id = $1`, name)
			check(t, err)
			cron := "@daily"
			for what, err := range map[string]error{
				"show":   last1(w.Schedule(ctx, name)),
				"update": last1(w.Update(ctx, "usr_admin", name, Change{Cron: &cron})),
				"pause":  last1(w.Pause(ctx, "usr_admin", name)),
				"resume": last1(w.Resume(ctx, "usr_admin", name)),
			} {
				if !fault.Is(err, fault.Damaged) || !strings.Contains(fault.Message(err), `"`+name+`" is damaged, so it does not fire and cannot be changed. Delete it and create it again.`) {
					t.Errorf("%s, %s: %v", name, what, err)
				}
			}
			if got := strings.Join(w.Warnings(ctx), "\n"); !strings.Contains(got, `"`+name+`" is damaged`) {
				t.Errorf("warnings: %q", got)
			}
			var found []string
			check(t, UnscopedVerify(ctx, w.DB, w.Keys, func(table string, _ tenant.ID, row, _ string) { found = append(found, table+" "+row) }))
			if len(found) != 1 || found[0] != "schedules "+name {
				t.Errorf("found %q", found)
			}
			w.at("2026-03-11T12:00:00Z")
			w.turn()
			w.counts(name)
			w.at(begin)
			gone, err := w.Delete(ctx, "usr_admin", name)
			check(t, err)
			if gone.Name != name || len(gone.Upcoming(5)) != 0 {
				t.Errorf("deleted: %+v", gone)
			}
			w.make(NewSchedule{Name: name, Analyses: []string{"daily"}, Cron: "0 12 * * *"})
			_, err = w.Delete(ctx, "usr_admin", name)
			check(t, err)
		}
	})
}
