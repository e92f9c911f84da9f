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
	"tributary/internal/tenant"
)

// calendar is when the periods of an analysis close: when the last of its datasets
// that have a due time does.
type calendar struct {
	datasets []string            // all of the analysis
	due      []*contract.Dataset // those with a due time
	cadence  contract.Cadence    // the shortest of these

	participants map[tenant.ID]bool // whose files count; where runs are started
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

// sent lists the dates of a span for which those who take part in the analysis have
// sent something.
func (s *Schedules) sent(ctx context.Context, tx *meta.DB, c calendar, span contract.Period) ([]contract.Date, error) {
	var dates []contract.Date
	for _, name := range c.datasets {
		list, err := s.Exchange.UnscopedDates(ctx, tx, name, span.Start, span.End, c.participants)
		if err != nil {
			return nil, err
		}
		dates = append(dates, list...)
	}
	slices.Sort(dates)
	return slices.Compact(dates), nil
}

// of lists the dates that a period is run for: those for which something was
// sent and that were not run already, and if there is nothing the first that was
// not, so that what is missing shows.
func (s *Schedules) of(ctx context.Context, tx *meta.DB, c calendar, p contract.Period, done covered) ([]contract.Date, error) {
	dates, err := s.sent(ctx, tx, c, p)
	if err != nil {
		return nil, err
	}
	dates = slices.DeleteFunc(dates, done.has)
	for d := p.Start; len(dates) == 0 && d <= p.End; d++ {
		if !done.has(d) {
			dates = append(dates, d)
		}
	}
	return dates, nil
}

// part is a date that is run, and the dates around it that the run stands for: the
// parts of a period are all of it.
type part struct {
	date   contract.Date
	covers contract.Period
}

func parts(p contract.Period, dates []contract.Date) []part {
	var list []part
	for i, d := range dates {
		covers := contract.Period{Start: d, End: p.End}
		if i == 0 {
			covers.Start = p.Start
		}
		if i+1 < len(dates) {
			covers.End = dates[i+1] - 1
		}
		list = append(list, part{d, covers})
	}
	return list
}

// closed lists the dates of the periods that have closed and that the schedule has
// not run yet: those after the last date that it has, by which it goes on also if
// the cadence is another now, and after it was resumed. A schedule begins with the
// newest.
func (s *Schedules) closed(ctx context.Context, tx *meta.DB, n Schedule, v analysis.Analysis, c calendar, now time.Time) ([]part, error) {
	var err error
	if c.participants, err = s.Analyses.UnscopedParticipants(ctx, tx, v); err != nil {
		return nil, err
	}
	done, err := s.ran(ctx, tx, n.Name, v.Name, c, now)
	if err != nil {
		return nil, err
	}
	if c.cadence == contract.Irregular {
		return s.closedDates(ctx, tx, n, c, done, now)
	}
	newest, ok := c.newest(now)
	if !ok {
		return nil, nil
	}
	first := newest
	if len(done) > 0 {
		first = c.cadence.Period(done.last() + 1)
	}
	var list []part
	for p := first; p.Start <= newest.Start; p = c.cadence.Period(p.End + 1) {
		if n.missed(c.cutOff(p.Start)) {
			continue
		}
		dates, err := s.of(ctx, tx, c, p, done)
		if err != nil {
			return nil, err
		}
		list = append(list, parts(p, dates)...)
	}
	return list, nil
}

// missed reports whether a period that closed at a time did so while the schedule was
// paused, or before.
func (s Schedule) missed(cutOff time.Time) bool {
	return s.countsFrom != nil && !cutOff.After(*s.countsFrom)
}

// closedDates is closed where each date stands for itself.
func (s *Schedules) closedDates(ctx context.Context, tx *meta.DB, n Schedule, c calendar, done covered, now time.Time) ([]part, error) {
	from := contract.Date(0)
	if len(done) > 0 {
		from = done[0].Start
	}
	sent, err := s.sent(ctx, tx, c, contract.Period{Start: from, End: contract.DateOf(now.UTC()) + 1})
	if err != nil {
		return nil, err
	}
	var list []part
	for _, d := range sent {
		if at := c.cutOff(d); !at.After(now) && !n.missed(at) && !done.has(d) {
			list = append(list, part{d, contract.Period{Start: d, End: d}})
		}
	}
	if len(done) == 0 && len(list) > 1 {
		list = list[len(list)-1:]
	}
	return list, nil
}

// covered is what a schedule has run an analysis for: spans of dates, in order.
type covered []contract.Period

func (c covered) has(d contract.Date) bool {
	return slices.ContainsFunc(c, func(p contract.Period) bool { return p.Start <= d && d <= p.End })
}

func (c covered) last() contract.Date {
	last := c[0].End
	for _, p := range c {
		last = max(last, p.End)
	}
	return last
}

// ran lists the dates that a schedule has run an analysis for since their cut-off.
// What it did by a clock that was ahead of now does not count: it was before the
// cut-off.
func (s *Schedules) ran(ctx context.Context, tx *meta.DB, schedule, name string, c calendar, now time.Time) (covered, error) {
	rows, err := tx.Query(ctx, `SELECT date, covers_from, covers_to FROM schedule_runs
		WHERE schedule = $1 AND analysis = $2 AND reason = $3 AND early = 0 AND fired_at <= $4 ORDER BY date`, schedule, name, whenClosed, now)
	if err != nil {
		return nil, fmt.Errorf("list what %s has run: %w", schedule, err)
	}
	var list covered
	for rows.Next() {
		var date, from, to string
		if err := rows.Scan(&date, &from, &to); err != nil {
			return nil, fmt.Errorf("list what %s has run: %w", schedule, err)
		}
		p, err := span(date, from, to, c)
		if err != nil {
			return nil, fmt.Errorf("list what %s has run: %w", schedule, err)
		}
		list = append(list, p)
	}
	return list, nil
}

// span is what a run of a date stands for.
func span(date, from, to string, c calendar) (contract.Period, error) {
	d, err := contract.ParseDate(date)
	if err != nil || to == "" {
		return c.cadence.Period(d), err
	}
	start, err := contract.ParseDate(from)
	if err != nil {
		return contract.Period{}, err
	}
	end, err := contract.ParseDate(to)
	return contract.Period{Start: start, End: end}, err
}
