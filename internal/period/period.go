// Package period says who owes which file by when: for each period of a dataset,
// and each tenant that is to send it, whether the file is due, there, late or
// missing. It keeps nothing: contracts, submissions and reopenings are the
// exchange's, who takes part in what is package analysis's.
package period

import (
	"context"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/tenant"
)

// Config is what a Calendar needs; all fields but Notices are required.
type Config struct {
	DB       *meta.DB
	Exchange *exchange.Exchange
	Analyses *analysis.Analyses
	Control  *control.Control
	Notices  *notify.Notices // nil: nobody is told
	Clock    clock.Clock
}

// Calendar follows the periods of all datasets.
type Calendar struct{ Config }

// New makes a calendar.
func New(cfg Config) *Calendar { return &Calendar{cfg} }

// Period is the span of days that one submission to a dataset covers, by its
// current contract. Its name is its first day.
type Period struct {
	Dataset  string
	Date     string // first day, YYYY-MM-DD
	End      string // last day
	Label    string // such as 2024-02
	DueAt    *time.Time
	CutOffAt *time.Time

	days contract.Period
}

// State is how a tenant stands in a period.
type State string

// The states. A file that is there has its submission's; Late is one that was
// accepted and had come after it was due.
const (
	Due        State = "due" // not there, and not overdue yet
	Received   State = "received"
	Validating State = "validating"
	Rejected   State = "rejected" // and nothing else came; until the cut-off
	Accepted   State = "accepted"
	Late       State = "late"
	Overdue    State = "overdue" // due, and not past the cut-off
	Missing    State = "missing" // past the cut-off
)

// Status is a tenant's state in a period.
type Status struct {
	Period
	Tenant        tenant.ID
	Slug          string
	State         State
	ReopenedUntil *time.Time // of the reopening that ends last, whether it has ended or not
	Submission    string     // what stands, or was rejected, or is being validated
	ReceivedAt    *time.Time
}

// judge says how a tenant stands that has sent these, in order, for the period.
func (s *Status) judge(now time.Time, came []exchange.Arrival) {
	var stands, last *exchange.Arrival
	inTime := false
	for i, a := range came {
		switch a.State {
		case exchange.Accepted:
			stands, inTime = &came[i], inTime || !a.Late
		case exchange.Superseded: // a correction that comes late makes nobody late
			inTime = inTime || !a.Late
		case exchange.Received, exchange.Validating, exchange.Rejected:
			last = &came[i]
		}
	}
	end := s.CutOffAt
	if end != nil && s.ReopenedUntil != nil && s.ReopenedUntil.After(*end) {
		end = s.ReopenedUntil
	}
	over := end != nil && now.After(*end)
	switch {
	case stands != nil && inTime:
		s.State = Accepted
	case stands != nil:
		s.State = Late
	case last != nil && (last.State != exchange.Rejected || !over):
		stands, s.State = last, State(last.State)
	case over:
		s.State = Missing
	case s.DueAt != nil && now.After(*s.DueAt):
		s.State = Overdue
	default:
		s.State = Due
	}
	if stands != nil {
		s.Submission, s.ReceivedAt = stands.Submission, &stands.ReceivedAt
	}
}

func of(d exchange.Dataset, day contract.Date) Period {
	c := d.Contract
	p := Period{Dataset: d.Name, Label: c.Cadence.Label(day), days: c.Cadence.Period(day)}
	p.Date, p.End = p.days.Start.String(), p.days.End.String()
	if due, ok := c.DueAt(day); ok {
		end, _ := c.CutOff(day)
		p.DueAt, p.CutOffAt = &due, &end
	}
	return p
}

// Bounds of what is listed of one dataset.
const (
	maxOpen    = 100 // periods that are not over, where nothing is said of time
	maxPeriods = 400
)

// periods lists a dataset's that the filter asks for, the newest first. Where it says
// nothing of time these are the ones that have begun and are not past their cut-off,
// and the last that is.
func (c *Calendar) periods(d exchange.Dataset, f Filter) ([]Period, error) {
	if f.Date != "" {
		day, err := contract.ParseDate(f.Date)
		if err != nil {
			return nil, err
		}
		return []Period{of(d, day)}, nil
	}
	if d.Contract.Cadence == contract.Irregular {
		return nil, nil // there is no next one
	}
	now := c.Clock.Now()
	from := contract.Date(0)
	if f.From != "" {
		var err error
		if from, err = contract.ParseDate(f.From); err != nil {
			return nil, err
		}
	}
	var list []Period
	for day := contract.DateOf(now); day.Valid(); {
		p := of(d, day)
		if f.From != "" && p.days.End < from {
			break
		}
		if len(list) == maxPeriods {
			return nil, fault.New(fault.Invalid, "Dataset %q has more than %d periods since %s. Ask from a later day, or for one period by its date.", d.Name, maxPeriods, f.From)
		}
		list = append(list, p)
		over := p.days.End < contract.DateOf(now)
		if p.CutOffAt != nil {
			over = now.After(*p.CutOffAt)
		}
		if f.From == "" && (over || len(list) == maxOpen) {
			break
		}
		day = p.days.Start - 1
	}
	return list, nil
}

// Summary is a period as a whole.
type Summary struct {
	Period
	Counts     map[State]int64 // tenants in each state
	Reopenings []exchange.Reopening
}

// UnscopedPeriod returns the period of a dataset that a date is in, with how many
// tenants stand how, and every reopening.
func (c *Calendar) UnscopedPeriod(ctx context.Context, dataset, date string) (Summary, error) {
	return c.summary(ctx, "", dataset, date)
}

// Period is UnscopedPeriod of the scope's tenant alone.
func (c *Calendar) Period(ctx context.Context, scope tenant.Scope, dataset, date string) (Summary, error) {
	if err := readable(ctx, scope); err != nil {
		return Summary{}, err
	}
	return c.summary(ctx, scope.Tenant(), dataset, date)
}

func (c *Calendar) summary(ctx context.Context, id tenant.ID, dataset, date string) (Summary, error) {
	s := Summary{Counts: map[State]int64{}}
	d, err := c.Exchange.Dataset(ctx, dataset, 0)
	if err != nil {
		return s, err
	}
	day, err := contract.ParseDate(date)
	if err != nil {
		return s, err
	}
	s.Period = of(d, day)
	if s.Reopenings, err = c.Exchange.UnscopedReopenings(ctx, id, dataset, s.Date, s.Date); err != nil {
		return s, err
	}
	b, err := c.book(ctx, id)
	if err != nil {
		return s, err
	}
	r, err := b.roll(ctx, d)
	if err != nil {
		return s, err
	}
	statuses, err := r.statuses(ctx, []Period{s.Period})
	for _, t := range statuses {
		s.Counts[t.State]++
	}
	return s, err
}

// readable checks that a scope reaches what a tenant's own periods are made of.
func readable(ctx context.Context, scope tenant.Scope) error {
	if err := scope.Check(ctx, tenant.Read, tenant.Submissions); err != nil {
		return err
	}
	return scope.Check(ctx, tenant.Read, tenant.Acceptances)
}
