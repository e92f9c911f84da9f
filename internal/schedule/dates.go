package schedule

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/meta"
)

// calendar is when the periods of an analysis close: when the last of its datasets
// that have a due time does.
type calendar struct {
	datasets []string            // all of the analysis
	due      []*contract.Dataset // those with a due time
	cadence  contract.Cadence    // the shortest of these
}

// cadences lists them from the shortest to the longest. Where each date stands for
// itself there are the periods that something was sent for.
var cadences = []contract.Cadence{contract.Daily, contract.Weekly, contract.Monthly, contract.Quarterly, contract.Yearly, contract.Irregular}

// calendar returns that of a version of an analysis, by the current contracts. It
// is Invalid if none of the datasets has a due time.
func (s *Schedules) calendar(ctx context.Context, tx *meta.DB, v analysis.Analysis) (calendar, error) {
	c := calendar{datasets: v.Definition.Datasets, cadence: contract.Irregular}
	for _, name := range c.datasets {
		d, err := s.Exchange.DatasetIn(ctx, tx, name, 0)
		if err != nil {
			return c, err
		}
		if d.Contract.Due == nil {
			continue
		}
		c.due = append(c.due, d.Contract)
		if slices.Index(cadences, d.Contract.Cadence) < slices.Index(cadences, c.cadence) {
			c.cadence = d.Contract.Cadence
		}
	}
	if len(c.due) == 0 {
		return c, fault.New(fault.Invalid, "No dataset of the analysis %q has a due time, so its periods never close. Say how many days before the day of the firing the business date lies.", v.Name)
	}
	return c, nil
}

// cutOff is when the period that a date is in closes.
func (c calendar) cutOff(date contract.Date) time.Time {
	var last time.Time
	for _, d := range c.due {
		if at, ok := d.CutOff(date); ok && at.After(last) {
			last = at
		}
	}
	return last
}

// newest returns the last period that has closed.
func (c calendar) newest(now time.Time) (contract.Period, bool) {
	for p := c.cadence.Period(contract.DateOf(now.UTC()) + 1); p.Start.Valid(); p = c.cadence.Period(p.Start - 1) {
		if !c.cutOff(p.Start).After(now) {
			return p, true
		}
	}
	return contract.Period{}, false
}

// sent lists the dates of a span for which something was accepted.
func (s *Schedules) sent(ctx context.Context, tx *meta.DB, c calendar, span contract.Period) ([]contract.Date, error) {
	var dates []contract.Date
	for _, name := range c.datasets {
		list, err := s.Exchange.UnscopedDates(ctx, tx, name, span.Start, span.End)
		if err != nil {
			return nil, err
		}
		dates = append(dates, list...)
	}
	slices.Sort(dates)
	return slices.Compact(dates), nil
}

// of lists the dates that a period is run for: those for which something was
// accepted, and if there is nothing its first day, so that what is missing shows.
func (s *Schedules) of(ctx context.Context, tx *meta.DB, c calendar, p contract.Period) ([]contract.Date, error) {
	dates, err := s.sent(ctx, tx, c, p)
	if err == nil && len(dates) == 0 {
		dates = append(dates, p.Start)
	}
	return dates, err
}

// closed lists the dates of the periods that have closed and that the schedule has
// not run yet: those after the newest that it has, by which it goes on also if the
// cadence is another now, and after it was resumed. A schedule begins with the newest.
func (s *Schedules) closed(ctx context.Context, tx *meta.DB, n Schedule, v analysis.Analysis, c calendar, now time.Time) ([]contract.Date, error) {
	ran, err := s.ran(ctx, tx, n.Name, v.Name)
	if err != nil {
		return nil, err
	}
	if c.cadence == contract.Irregular {
		return s.closedDates(ctx, tx, n, c, ran, now)
	}
	newest, ok := c.newest(now)
	if !ok {
		return nil, nil
	}
	first := newest
	if len(ran) > 0 {
		first = c.cadence.Period(ran[len(ran)-1])
	}
	var dates []contract.Date
	for p := first; p.Start <= newest.Start; p = c.cadence.Period(p.End + 1) {
		if n.missed(c.cutOff(p.Start)) || slices.ContainsFunc(ran, func(d contract.Date) bool { return p.Start <= d && d <= p.End }) {
			continue
		}
		list, err := s.of(ctx, tx, c, p)
		if err != nil {
			return nil, err
		}
		dates = append(dates, list...)
	}
	return dates, nil
}

// missed reports whether a period that closed at a time did so while the schedule was
// paused, or before.
func (s Schedule) missed(cutOff time.Time) bool {
	return s.countsFrom != nil && !cutOff.After(*s.countsFrom)
}

// closedDates is closed where each date stands for itself.
func (s *Schedules) closedDates(ctx context.Context, tx *meta.DB, n Schedule, c calendar, ran []contract.Date, now time.Time) ([]contract.Date, error) {
	sent, err := s.sent(ctx, tx, c, contract.Period{Start: 0, End: contract.DateOf(now.UTC()) + 1})
	if err != nil {
		return nil, err
	}
	var dates []contract.Date
	for _, d := range sent {
		if at := c.cutOff(d); !at.After(now) && !n.missed(at) && (len(ran) == 0 || d > ran[0] && !slices.Contains(ran, d)) {
			dates = append(dates, d)
		}
	}
	if len(ran) == 0 && len(dates) > 1 {
		dates = dates[len(dates)-1:]
	}
	return dates, nil
}

// ran lists the dates that a schedule has run an analysis for since their cut-off,
// in order.
func (s *Schedules) ran(ctx context.Context, tx *meta.DB, schedule, name string) ([]contract.Date, error) {
	rows, err := tx.Query(ctx, `SELECT date FROM schedule_runs WHERE schedule = $1 AND analysis = $2 AND reason = $3 ORDER BY date`, schedule, name, whenClosed)
	if err != nil {
		return nil, fmt.Errorf("list what %s has run: %w", schedule, err)
	}
	defer rows.Close()
	var list []contract.Date
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("list what %s has run: %w", schedule, err)
		}
		d, err := contract.ParseDate(text)
		if err != nil {
			return nil, fmt.Errorf("list what %s has run: %w", schedule, err)
		}
		list = append(list, d)
	}
	return list, rows.Err()
}
