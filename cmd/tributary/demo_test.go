package main

import (
	"testing"
	"time"
)

func TestDemoClockGoesForwardToNow(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(-90 * 24 * time.Hour)
	c := &demoClock{}
	c.behind.Store(int64(time.Since(began)))
	near := func(want time.Time) {
		t.Helper()
		if got := c.now().Sub(want); got < -time.Second || got > time.Minute {
			t.Errorf("the clock is %s off", got)
		}
	}
	near(began)
	later := began.Add(40 * 24 * time.Hour)
	c.to(later)
	near(later)
	c.to(began)
	near(later)
	c.to(time.Now().Add(time.Hour))
	near(time.Now())
}

func TestDemoLooksBackFromAnyDay(t *testing.T) {
	t.Parallel()
	for _, day := range []string{"2026-01-01", "2026-03-31", "2026-06-01", "2028-02-29", "2026-12-31"} {
		now, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		w := &demoWorld{now: now, tenants: demoTenants()}
		first := demoBegan(now).AddDate(0, 0, 16) // the last tenant has come
		for back := range demoMonths {
			month, err := time.Parse(time.DateOnly, w.month(back))
			if err != nil || month.Day() != 1 || month.AddDate(0, back+1, 0).Format("2006-01") != now.Format("2006-01") {
				t.Errorf("%s: month %d is %s", day, back, w.month(back))
			}
			for _, e := range w.monthly(back) {
				if e.at.Before(month.AddDate(0, 1, 0)) || e.at.Before(first) {
					t.Errorf("%s: %s at %s", day, e.what, e.at)
				}
			}
		}
		for back := range demoWeeks {
			if monday := w.monday(back); monday.Weekday() != time.Monday || now.Sub(monday) < 7*24*time.Hour*time.Duration(back+1) {
				t.Errorf("%s: week %d begins on %s", day, back, monday)
			}
		}
	}
}
