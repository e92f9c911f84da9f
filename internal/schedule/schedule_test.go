package schedule

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
)

func days(n int64) *int64 { return &n }

func TestASchedulesLife(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		made := w.make(NewSchedule{Name: "morning", Analyses: []string{"daily"}, Cron: "0 7 * * 1-5", Zone: "Europe/Berlin"})
		if got := fmt.Sprint(made.Upcoming(3)); got != "[2026-03-11 06:00:00 +0000 UTC 2026-03-12 06:00:00 +0000 UTC 2026-03-13 06:00:00 +0000 UTC]" {
			t.Errorf("next: %s", got)
		}
		if _, err := w.Create(ctx, "usr_admin", NewSchedule{Name: "morning", Analyses: []string{"daily"}, Cron: "@daily"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("the same name again: %v", err)
		}
		w.make(NewSchedule{Name: "evening", Analyses: []string{"loose", "daily"}, Cron: "@daily", DateOffset: days(1)})
		list, next, err := w.Schedules.Schedules(ctx, meta.Page{Limit: 1})
		check(t, err)
		rest, last, err := w.Schedules.Schedules(ctx, meta.Page{Limit: 1, After: next})
		check(t, err)
		if len(list) != 1 || list[0].Name != "evening" || *list[0].DateOffset != 1 || len(rest) != 1 || rest[0].Name != "morning" || rest[0].DateOffset != nil || last != "" {
			t.Errorf("list: %+v then %+v", list, rest)
		}
		cron, zone := "30 8 * * *", "America/New_York"
		changed, err := w.Update(ctx, "usr_other", "morning", Change{Cron: &cron, Zone: &zone, DateOffset: days(0), Analyses: []string{"loose"}})
		check(t, err)
		found, err := w.Schedule(ctx, "morning")
		check(t, err)
		if !found.NextAt.Equal(moment(t, "2026-03-10T12:30:00Z")) || *found.DateOffset != 0 || found.ModifiedBy != "usr_other" || found.TimesModified != 1 || !changed.NextAt.Equal(*found.NextAt) {
			t.Errorf("changed: %+v", found)
		}
		paused, err := w.Pause(ctx, "usr_admin", "morning")
		check(t, err)
		if paused.NextAt != nil || len(paused.Upcoming(5)) != 0 {
			t.Errorf("paused: %+v", paused)
		}
		if _, err := w.Pause(ctx, "usr_admin", "morning"); !fault.Is(err, fault.Conflict) {
			t.Errorf("paused twice: %v", err)
		}
		w.at("2026-03-12T20:00:00Z")
		w.turn()
		w.wants("morning", "")
		resumed, err := w.Resume(ctx, "usr_admin", "morning")
		check(t, err)
		if !resumed.NextAt.Equal(moment(t, "2026-03-13T12:30:00Z")) {
			t.Errorf("resumed: next at %s", resumed.NextAt)
		}
		if _, err := w.Resume(ctx, "usr_admin", "morning"); !fault.Is(err, fault.Conflict) {
			t.Errorf("resumed twice: %v", err)
		}
		w.at("2026-03-13T12:30:00Z")
		w.turn()
		if _, err := w.Delete(ctx, "usr_admin", "morning"); err != nil {
			t.Error(err)
		}
		for what, err := range map[string]error{
			"find":    last1(w.Schedule(ctx, "morning")),
			"update":  last1(w.Update(ctx, "usr_admin", "morning", Change{Cron: &cron})),
			"pause":   last1(w.Pause(ctx, "usr_admin", "morning")),
			"delete":  last1(w.Delete(ctx, "usr_admin", "morning")),
			"firings": func() error { _, _, err := w.Firings(ctx, "morning", meta.Page{}); return err }(),
		} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s what was deleted: %v", what, err)
			}
		}
		var entries int64
		check(t, w.DB.Provider().QueryRow(ctx, `SELECT count(*) FROM audit_entries WHERE tenant = $1 AND subject = 'morning' AND verb LIKE 'schedule.%'`, "").Scan(&entries))
		if entries != 5 {
			t.Errorf("%d audit entries, want create, update, pause, resume, delete", entries)
		}
	})
}

func last1(_ Schedule, err error) error { return err }

func TestWhatIsNoSchedule(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			change func(n *NewSchedule)
			want   string
		}{
			{func(n *NewSchedule) { n.Name = "Not a slug" }, "cannot be a schedule's name"},
			{func(n *NewSchedule) { n.Name = "" }, "cannot be a schedule's name"},
			{func(n *NewSchedule) { n.Analyses = nil }, "1 to 100 analyses"},
			{func(n *NewSchedule) { n.Analyses = []string{"none"} }, `no analysis "none"`},
			{func(n *NewSchedule) { n.Analyses = []string{"daily", "daily"} }, "named twice"},
			{func(n *NewSchedule) { n.Analyses = []string{"daily", "loose"} }, "never close"},
			{func(n *NewSchedule) { n.Cron = "sometimes" }, "not a cron expression"},
			{func(n *NewSchedule) { n.Zone = "Nowhere" }, "not a time zone"},
			{func(n *NewSchedule) { n.DateOffset = days(-1) }, "0 to 3660 days"},
			{func(n *NewSchedule) { n.DateOffset = days(3661) }, "0 to 3660 days"},
		} {
			n := NewSchedule{Name: "s", Analyses: []string{"daily"}, Cron: "@daily"}
			c.change(&n)
			if _, err := w.Create(t.Context(), "usr_admin", n); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: got %v, want %q", n, err, c.want)
			}
		}
		w.make(NewSchedule{Name: "s", Analyses: []string{"daily"}, Cron: "@daily"})
		if _, err := w.Update(t.Context(), "usr_admin", "s", Change{Closed: true, DateOffset: days(1)}); !fault.Is(err, fault.Invalid) {
			t.Errorf("closed and an offset: %v", err)
		}
		if _, err := w.Update(t.Context(), "usr_admin", "s", Change{Analyses: []string{"loose"}}); !fault.Is(err, fault.Invalid) {
			t.Errorf("an analysis whose periods never close: %v", err)
		}
	})
}

func TestPeriodsRunOnceTheyHaveClosed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.join("tenant-a")
		w.accept(a, "monthly")
		w.make(NewSchedule{Name: "noon", Analyses: []string{"daily", "monthly"}, Cron: "0 12 * * *"})
		w.turn() // not due
		w.wants("noon", "")
		// The cut-off of the 10th is at noon of the 11th: the newest that has closed.
		w.at("2026-03-11T12:00:00Z")
		if next := w.turn(); !next.Equal(moment(t, "2026-03-11T12:00:15Z")) {
			t.Errorf("looks again at %s", next)
		}
		w.turn()
		w.wants("noon", "2026-03-11T12:00 daily:2026-03-10 monthly:2026-02-01")
		if got := w.through("daily", "2026-03-10"); got != "2026-03-11T12:00:00Z by schedule:noon" {
			t.Errorf("through: %s", got)
		}
		if got := w.through("monthly", "2026-02-01"); got != "2026-03-05T12:00:00Z by schedule:noon" {
			t.Errorf("through: %s", got)
		}
		// Down for three days: one firing does all days.
		w.at("2026-03-14T18:30:00Z")
		w = w.restarted()
		w.turn()
		w.wants("noon", `
			2026-03-11T12:00 daily:2026-03-10 monthly:2026-02-01
			2026-03-14T12:00 daily:2026-03-11 daily:2026-03-12 daily:2026-03-13`)
		list, _, err := w.Firings(t.Context(), "noon", meta.Page{})
		check(t, err)
		if !strings.Contains(list[0].Note, "from 2026-03-12T12:00:00Z on were missed") {
			t.Errorf("note: %q", list[0].Note)
		}
		// March closes on 5 April; it was sent for two dates.
		w.send(a, "monthly", "2026-03-31")
		w.send(a, "monthly", "2026-03-01")
		_, err = w.DB.For(a).Exec(t.Context(), `UPDATE submissions SET state = 'validating', accepted_object = '' WHERE tenant = $1 AND date = '2026-03-31'`, string(a))
		check(t, err) // it came in time, and has no verdict yet
		w.send(a, "monthly", "2026-04-01")
		w.at("2026-04-05T11:59:59Z")
		w.turn()
		w.at("2026-04-05T12:00:00Z")
		w.turn()
		if got := w.fired("noon"); !strings.HasSuffix(got, "2026-04-04T12:00"+dailies("2026-03-14", 21)+"\n2026-04-05T12:00 daily:2026-04-04 monthly:2026-03-01 monthly:2026-03-31") {
			t.Errorf("fired:\n%s", got)
		}
	})
}

func dailies(from string, n int) string {
	first, err := time.Parse(time.DateOnly, from)
	if err != nil {
		panic(err)
	}
	text := ""
	for i := range n {
		text += " daily:" + first.AddDate(0, 0, i).Format(time.DateOnly)
	}
	return text
}

func TestNothingHasClosed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.make(NewSchedule{Name: "often", Analyses: []string{"monthly"}, Cron: "0 * * * *"})
		w.at("2026-03-10T13:00:00Z")
		w.turn()
		w.at("2026-03-10T14:00:00Z")
		w.turn()
		w.wants("often", "2026-03-10T13:00 monthly:2026-02-01\n2026-03-10T14:00")
		list, _, err := w.Firings(t.Context(), "often", meta.Page{})
		check(t, err)
		if list[0].Note != "No period has closed that was not run yet." {
			t.Errorf("note: %q", list[0].Note)
		}
	})
}

func TestWhereEachDateStandsForItself(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.join("tenant-a")
		w.accept(a, "single")
		w.make(NewSchedule{Name: "s", Analyses: []string{"single"}, Cron: "0 12 * * *"})
		w.at("2026-03-11T12:00:00Z")
		w.turn()
		w.send(a, "single", "2026-03-02")
		w.send(a, "single", "2026-03-09")
		w.send(a, "single", "2026-03-11") // closes on the 12th at 6:00
		w.hands.set(moment(t, "2026-03-11T12:00:00Z").Add(time.Second))
		w.turn()
		w.at("2026-03-12T12:00:00Z")
		w.turn()
		w.send(a, "single", "2026-03-01")
		w.send(a, "single", "2026-03-12")
		w.at("2026-03-13T12:00:00Z")
		w.turn()
		w.wants("s", "2026-03-11T12:00\n2026-03-12T12:00 single:2026-03-11\n2026-03-13T12:00 single:2026-03-12")
	})
}

func TestTheCutOffIsThatOfTheLastDataset(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.analyse("both", "daily, loose, monthly")
		w.make(NewSchedule{Name: "s", Analyses: []string{"both"}, Cron: "0 12 * * *"})
		w.at("2026-03-11T12:00:00Z")
		w.turn()
		w.wants("s", "2026-03-11T12:00 both:2026-02-28") // a day, of the month that has closed
		if got := w.through("both", "2026-02-28"); !strings.HasPrefix(got, "2026-03-05T12:00:00Z") {
			t.Errorf("through: %s", got)
		}
	})
}

func TestDatesByTheClockOfTheZone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.make(NewSchedule{Name: "night", Analyses: []string{"loose"}, Cron: "30 0 * * *", Zone: "Europe/Berlin", DateOffset: days(1)})
		w.at("2026-03-10T23:30:00Z") // the 11th in Berlin
		w.turn()
		w.turn()
		w.wants("night", "2026-03-10T23:30 loose:2026-03-10")
		if got := w.through("loose", "2026-03-10"); got != "none by schedule:night" {
			t.Errorf("through: %s", got)
		}
	})
}

func TestTimesThatWereMissed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.make(NewSchedule{Name: "daily", Analyses: []string{"loose"}, Cron: "0 6 * * *", DateOffset: days(0)})
		w.at("2026-03-13T05:00:00Z")
		w.restarted().turn()
		w.wants("daily", "2026-03-11T06:00 loose:2026-03-11\n2026-03-12T06:00 loose:2026-03-12")
		w.at("2026-04-30T05:00:00Z") // 48 times since
		w.restarted().turn()
		list, _, err := w.Firings(t.Context(), "daily", meta.Page{})
		check(t, err)
		if len(list) != 2+catchUp || !list[0].At.Equal(moment(t, "2026-04-29T06:00:00Z")) || !list[catchUp-1].At.Equal(moment(t, "2026-04-06T06:00:00Z")) {
			t.Errorf("%d firings, from %s to %s", len(list), list[len(list)-1].At, list[0].At)
		}
		if want := "The times from 2026-03-13T06:00:00Z to before 2026-04-06T06:00:00Z were missed and are left out: no more than 24 are made up for."; list[catchUp-1].Note != want || list[0].Note != "" {
			t.Errorf("notes: %q, %q", list[catchUp-1].Note, list[0].Note)
		}
		w.turn()
		again, _, err := w.Firings(t.Context(), "daily", meta.Page{})
		check(t, err)
		if len(again) != len(list) {
			t.Errorf("%d firings after another round, want %d", len(again), len(list))
		}
	})
}

// TestACrashAtAnyMoment ends the program at each of the moments of a round at which
// it asks for the time or for something random, and starts it again.
func TestACrashAtAnyMoment(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.make(NewSchedule{Name: "a", Analyses: []string{"daily", "monthly"}, Cron: "0 12 * * *"})
		w.make(NewSchedule{Name: "b", Analyses: []string{"loose", "daily"}, Cron: "0 0,12 * * *", DateOffset: days(1)})
		day := moment(t, "2026-03-11T12:00:00Z")
		var a, b []string
		crashed := 0
		for n := 1; ; n++ {
			w.hands.set(day)
			was := w.hands.crashes(n, func() { _, _ = w.once(t.Context()) })
			w = w.restarted()
			w.turn()
			a = append(a, day.Format("2006-01-02T15:04")+" daily:"+day.AddDate(0, 0, -1).Format(time.DateOnly))
			if n == 1 {
				a[0] += " monthly:2026-02-01"
			}
			if day.Day() == 5 {
				a[n-1] += " monthly:" + day.AddDate(0, -1, -4).Format(time.DateOnly)
			}
			b = append(b, fmt.Sprint(day))
			day = day.AddDate(0, 0, 1)
			if !was {
				break
			}
			crashed++
		}
		if crashed < 20 {
			t.Errorf("it crashed %d times only", crashed)
		}
		w.wants("a", strings.Join(a, "\n"))
		list, next, err := w.Firings(t.Context(), "b", meta.Page{Limit: 500})
		for next != "" {
			var more []Firing
			check(t, err)
			more, next, err = w.Firings(t.Context(), "b", meta.Page{Limit: 500, After: next})
			list = append(list, more...)
		}
		check(t, err)
		if want := 2 * len(b); len(list) != want {
			t.Errorf("b fired %d times, want %d", len(list), want)
		}
		for _, f := range list {
			if len(f.Runs) != 2 {
				t.Errorf("%s: %d runs, want 2", f.At, len(f.Runs))
			}
		}
	})
}

func TestRoundsAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.make(NewSchedule{Name: "a", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		w.make(NewSchedule{Name: "b", Analyses: []string{"loose"}, Cron: "0 * * * *", DateOffset: days(0)})
		w.at("2026-03-11T12:00:00Z")
		var rounds sync.WaitGroup
		for range 6 {
			other := w.restarted()
			rounds.Go(func() {
				for range 3 {
					if _, err := other.once(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		rounds.Wait()
		w.wants("a", "2026-03-11T12:00 daily:2026-03-10")
		if got := strings.Count(w.fired("b"), "loose"); got != 24 {
			t.Errorf("b: %d runs, want 24", got)
		}
	})
}

func TestTheClockIsSet(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.make(NewSchedule{Name: "hourly", Analyses: []string{"loose"}, Cron: "0 * * * *", DateOffset: days(0)})
		w.make(NewSchedule{Name: "noon", Analyses: []string{"daily"}, Cron: "0 12 * * *"})
		seen := map[string]int{}
		for _, step := range []string{
			"2026-03-10T13:00:00Z", "2026-03-10T12:00:00Z", "2026-03-10T13:00:00Z", "2026-03-10T12:30:00Z", // an hour back
			"2026-03-10T15:10:00Z", "2026-03-10T14:20:00Z", "2026-03-10T15:30:00Z", "2026-03-10T16:00:00Z", // two hours forward
			"2026-03-11T12:00:00Z", "2026-03-10T12:00:00Z", "2026-03-11T12:00:00Z", "2026-03-11T13:00:00Z", // a day
			"2027-04-14T12:30:00Z", "2026-03-11T14:00:00Z", "2026-03-12T12:00:00Z", // 400 days ahead, and right again
		} {
			w.at(step)
			w.turn()
			w = w.restarted()
			w.turn()
		}
		list, _, err := w.Firings(t.Context(), "hourly", meta.Page{Limit: 500})
		check(t, err)
		for _, f := range list {
			seen[f.At.Format(time.RFC3339)]++
			if len(f.Runs) != 1 {
				t.Errorf("%s: %d runs", f.At, len(f.Runs))
			}
		}
		for at, n := range seen {
			if n != 1 {
				t.Errorf("%s fired %d times", at, n)
			}
		}
		for at := moment(t, "2026-03-10T13:00:00Z"); !at.After(moment(t, "2026-03-12T12:00:00Z")); at = at.Add(time.Hour) {
			if seen[at.Format(time.RFC3339)] != 1 {
				t.Errorf("%s was lost", at)
			}
		}
		if len(seen) != 48+catchUp {
			t.Errorf("%d times, want 48 and the last %d of those that the clock jumped over", len(seen), catchUp)
		}
		cron := "30 * * * *"
		for _, name := range []string{"hourly", "noon"} {
			changed, err := w.Update(t.Context(), "usr_admin", name, Change{Cron: &cron})
			check(t, err)
			if !changed.NextAt.Equal(moment(t, "2026-03-12T12:30:00Z")) {
				t.Errorf("%s: next at %s", name, changed.NextAt)
			}
		}
		// Of what was run by a clock that was ahead too, only the run at its time counts.
		w.counts("noon", "daily:2026-03-10 at 2026-03-11T12:00", "daily:2026-03-11 at 2026-03-12T12:00")
	})
}

func TestAnAnalysisThatCannotRunHoldsUpNobody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.analyse("gone", "daily")
		w.analyse("broken", "daily")
		w.make(NewSchedule{Name: "s", Analyses: []string{"gone", "broken", "daily", "monthly"}, Cron: "0 12 * * *"})
		for _, q := range []string{`DELETE FROM analysis_versions WHERE analysis = 'gone'`, `DELETE FROM analyses WHERE id = 'gone'`,
			`UPDATE analysis_versions SET source = 'nothing' WHERE analysis = 'broken'`} {
			_, err := w.DB.Exec(ctx, q)
			check(t, err)
		}
		w = w.forgetful()
		w.apply("monthly", "cadence: monthly\n") // never due any more
		w.at("2026-03-11T12:00:00Z")
		w.turn()
		w.wants("s", "2026-03-11T12:00 daily:2026-03-10")
		list, _, err := w.Firings(ctx, "s", meta.Page{})
		check(t, err)
		for _, want := range []string{`gone: There is no analysis "gone".`, `broken: The stored version 1 of analysis "broken" is damaged.`, `monthly: No dataset of the analysis "monthly" has a due time`} {
			if !strings.Contains(list[0].Note, want) {
				t.Errorf("note %q, want %q in it", list[0].Note, want)
			}
		}
	})
}
