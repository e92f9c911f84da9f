package main

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"tributary/client"
)

// What the demo looks back on.
const (
	demoMonths = 6
	demoWeeks  = 6
)

// demoClock is a server's clock that is set back, so that what fills it seems to have
// happened over months. It goes on by itself, is never set back again, and ends at the
// true time.
type demoClock struct{ behind atomic.Int64 }

func (c *demoClock) now() time.Time { return time.Now().Add(-time.Duration(c.behind.Load())) }

// to sets it forward, unless that was before, and at most to the true time.
func (c *demoClock) to(at time.Time) {
	if behind := max(0, time.Since(at)); int64(behind) < c.behind.Load() {
		c.behind.Store(int64(behind))
	}
}

// demoBegan is when the first tenant came.
func demoBegan(now time.Time) time.Time {
	return time.Date(now.Year(), now.Month()-demoMonths, 8, 9, 12, 0, 0, time.UTC)
}

// after is a moment so many days and hours after the first of the month that follows one
// counted back from the last.
func (w *demoWorld) after(back, days, hours int) time.Time {
	return time.Date(w.now.Year(), w.now.Month()-time.Month(back), 1+days, hours, 7*days+hours, 11*hours, 0, time.UTC)
}

// month is the first day of a month, counted back from the last whole one.
func (w *demoWorld) month(back int) string {
	first := time.Date(w.now.Year(), w.now.Month(), 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, -1-back, 0).Format(time.DateOnly)
}

// week is the Monday of a week, counted back from the last whole one.
func (w *demoWorld) week(back int) string { return w.monday(back).Format(time.DateOnly) }

func (w *demoWorld) monday(back int) time.Time {
	sinceMonday := (int(w.now.Weekday()) + 6) % 7
	return time.Date(w.now.Year(), w.now.Month(), w.now.Day()-sinceMonday-7*(back+1), 0, 0, 0, 0, time.UTC)
}

// event is something that happens at a time.
type event struct {
	at   time.Time
	what string
	act  func(context.Context) error
}

// live has everything happen in the order of time, up to now.
func (w *demoWorld) live(ctx context.Context) error {
	var list []event
	for back := range demoMonths {
		list = append(list, w.monthly(back)...)
	}
	for back := range demoWeeks {
		list = append(list, w.weekly(back)...)
	}
	for back := range 7 * demoWeeks {
		list = append(list, w.daily(back))
	}
	slices.SortStableFunc(list, func(a, b event) int { return a.at.Compare(b.at) })
	for i, e := range list {
		w.clock.to(e.at)
		if err := e.act(ctx); err != nil {
			return fmt.Errorf("%s: %w", e.what, err)
		}
		if i%20 == 19 || i == len(list)-1 {
			w.out.note("%3d of %d: %s", i+1, len(list), e.what)
		}
	}
	w.clock.to(time.Now())
	if err := w.run(ctx, w.month(-1), "support-load"); err != nil { // somebody is too early
		return err
	}
	// From the next time on it does this by itself, in the morning after the day on which files are due.
	for _, s := range []client.NewSchedule{
		{ID: "monthly", Analyses: []string{"revenue-benchmark", "support-load"}, Cron: "0 6 6 * *", Zone: "Europe/Zurich"},
		{ID: "weekly", Analyses: []string{"service-times"}, Cron: "0 6 * * 4", Zone: "Europe/Zurich"},
	} {
		if _, err := w.admin.CreateSchedule(ctx, s); err != nil {
			return err
		}
	}
	return w.admin.FlushArchive(ctx) // which it does by itself after ten minutes
}

// monthly is what happens for a month once it is over: files come within four days, one on
// the day on which they are due, but late, and one after the cut-off and so after the runs.
func (w *demoWorld) monthly(back int) []event {
	list := []event{{w.after(back, 5, 4), "the analyses of " + w.month(back) + " ran", func(ctx context.Context) error {
		return w.run(ctx, w.month(back), "revenue-benchmark", "support-load")
	}}}
	for i, t := range w.tenants {
		at := w.after(back, (3*i+back)%4, 6+i)
		switch {
		case back < t.lateFor:
			continue
		case back > 0 && i == 2*back:
			at = w.after(back, 4, 19)
		case back > 0 && i == 2*back+1:
			at = w.after(back, 7, 9)
		}
		list = append(list, event{at, t.name + " sent its figures of " + w.month(back), func(ctx context.Context) error { return w.send(ctx, t, back) }})
	}
	return list
}

// weekly is what happens for a week: files come on Monday and Tuesday, and the analysis runs on Thursday.
func (w *demoWorld) weekly(back int) []event {
	monday := w.monday(back).AddDate(0, 0, 7)
	list := []event{{monday.Add(76*time.Hour + 11*time.Minute), "the analysis of the week of " + w.week(back) + " ran", func(ctx context.Context) error {
		return w.run(ctx, w.week(back), "service-times")
	}}}
	for i, t := range w.tenants {
		if t.decision != "accepted" || back < t.lateFor || t.kind == "POC" {
			continue
		}
		at := monday.Add(time.Duration(24*((i+back)%2)+6+i/2)*time.Hour + time.Duration(13*i)*time.Minute)
		list = append(list, event{at, t.name + " sent its week of " + w.week(back), func(ctx context.Context) error {
			return w.submit(ctx, t, "service", w.week(back), w.service(t, back), "accepted")
		}})
	}
	return list
}
