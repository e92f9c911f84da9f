package period

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/exchange/contract"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Filter narrows a list; empty fields do not.
type Filter struct {
	Dataset string
	Date    string // the period that this day is in
	From    string // or those from this day's on
	State   State
	Tenant  tenant.ID
}

// UnscopedStatuses lists how tenants stand in the periods of datasets: by dataset, the
// newest period first, and the tenant's slug.
func (c *Calendar) UnscopedStatuses(ctx context.Context, f Filter, page meta.Page) ([]Status, string, error) {
	return c.list(ctx, f, page)
}

// Statuses lists how the scope's tenant stands.
func (c *Calendar) Statuses(ctx context.Context, scope tenant.Scope, f Filter, page meta.Page) ([]Status, string, error) {
	if err := readable(ctx, scope); err != nil {
		return nil, "", err
	}
	f.Tenant = scope.Tenant()
	return c.list(ctx, f, page)
}

// StatusList is how statuses are searched and filtered. They are worked out, so they
// have one order.
var StatusList = meta.List[Status]{
	Columns: []meta.Column[Status]{
		{Name: "dataset", Kind: meta.Text, Opened: func(s Status) string { return s.Dataset }, Search: true},
		{Name: "tenant", Kind: meta.Text, Opened: func(s Status) string { return s.Slug }, Search: true},
		{Name: "date", Kind: meta.Text, Opened: func(s Status) string { return s.Date }, Search: true},
		{Name: "submission", Kind: meta.Text, Opened: func(s Status) string { return s.Submission }, Search: true},
		{Name: "state", Kind: meta.Choice, Opened: func(s Status) string { return string(s.State) },
			Values: []string{string(Due), string(Received), string(Validating), string(Rejected), string(Accepted), string(Late), string(Overdue), string(Missing)}},
	},
}

// some is how many periods of a dataset are looked at together.
const some = 16

func (c *Calendar) list(ctx context.Context, f Filter, page meta.Page) ([]Status, string, error) {
	at, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	picks, err := StatusList.Picks(page.View)
	if err != nil {
		return nil, "", err
	}
	behind, _, _ := strings.Cut(at.ID, " ")
	datasets, err := c.datasets(ctx, f)
	if err != nil {
		return nil, "", err
	}
	b, err := c.book(ctx, f.Tenant)
	if err != nil {
		return nil, "", err
	}
	var list []Status
	for _, d := range datasets {
		if page.After != "" && d.Name < behind {
			continue
		}
		periods, err := c.periods(d, f)
		if err != nil {
			return nil, "", err
		}
		if page.After != "" && d.Name == behind {
			periods = slices.DeleteFunc(periods, func(p Period) bool { return int64(p.days.Start) > at.At })
		}
		if len(periods) == 0 {
			continue
		}
		r, err := b.roll(ctx, d)
		if err != nil {
			return nil, "", err
		}
		for chunk := range slices.Chunk(periods, some) {
			found, err := r.statuses(ctx, chunk)
			if err != nil {
				return nil, "", err
			}
			for _, s := range found {
				if (f.State == "" || s.State == f.State) && picks(s) && (page.After == "" || after(s.position(), at)) {
					list = append(list, s)
				}
			}
			if len(list) > page.Size() {
				list, next := meta.Cut(list, page, Status.position)
				return list, next, nil
			}
		}
	}
	return list, "", nil
}

// position is the place of a status in lists.
func (s Status) position() meta.Position {
	return meta.Position{At: int64(s.days.Start), ID: s.Dataset + " " + s.Slug}
}

// after reports whether a place comes after another in lists.
func after(a, b meta.Position) bool {
	dataset, slug, _ := strings.Cut(a.ID, " ")
	dataset0, slug0, _ := strings.Cut(b.ID, " ")
	return cmp.Or(strings.Compare(dataset, dataset0), cmp.Compare(b.At, a.At), strings.Compare(slug, slug0)) > 0
}

// datasets lists those that a filter asks for, by name.
func (c *Calendar) datasets(ctx context.Context, f Filter) ([]exchange.Dataset, error) {
	if f.Dataset != "" {
		d, err := c.Exchange.Dataset(ctx, f.Dataset, 0)
		return []exchange.Dataset{d}, err
	}
	var all []exchange.Dataset
	for page := (meta.Page{Limit: 500}); ; {
		found, next, err := c.Exchange.Datasets(ctx, page)
		if err != nil {
			return nil, err
		}
		if all = append(all, found...); next == "" {
			return all, nil
		}
		page.After = next
	}
}

// book is what the answer to one question is looked up in, about all tenants or one.
type book struct {
	*Calendar
	only  tenant.ID
	using map[string][]analysis.Analysis // by dataset
	known map[tenant.ID]control.Tenant   // those that were met
}

func (c *Calendar) book(ctx context.Context, only tenant.ID) (*book, error) {
	using, err := c.Analyses.UnscopedUsing(ctx)
	return &book{Calendar: c, only: only, using: using, known: map[tenant.ID]control.Tenant{}}, err
}

// roll knows who is to send a dataset.
type roll struct {
	*book
	dataset exchange.Dataset
	parts   map[tenant.ID]analysis.Part
	first   map[tenant.ID]contract.Date // start of the first period for which something was accepted
}

func (b *book) roll(ctx context.Context, d exchange.Dataset) (*roll, error) {
	r := &roll{book: b, dataset: d, first: map[tenant.ID]contract.Date{}}
	var err error
	if r.parts, err = b.Analyses.UnscopedParts(ctx, b.only, b.using[d.Name]); err != nil {
		return nil, err
	}
	first, err := b.Exchange.UnscopedFirstDates(ctx, b.only, d.Name)
	if err != nil {
		return nil, err
	}
	for id, date := range first {
		day, err := contract.ParseDate(date)
		if err != nil {
			return nil, err
		}
		r.first[id] = d.Contract.Cadence.Period(day).Start
	}
	return r, nil
}

// meet finds tenants, by slug.
func (b *book) meet(ctx context.Context, ids map[tenant.ID]bool) ([]control.Tenant, error) {
	var strangers []tenant.ID
	for id := range ids {
		if _, known := b.known[id]; !known {
			strangers = append(strangers, id)
		}
	}
	found, err := b.Control.UnscopedTenantsIn(ctx, b.DB, strangers)
	if err != nil {
		return nil, err
	}
	maps.Copy(b.known, found)
	var list []control.Tenant
	for id := range ids {
		if t, ok := b.known[id]; ok {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b control.Tenant) int { return strings.Compare(a.Slug, b.Slug) })
	return list, nil
}

// owes reports whether a tenant is to send the dataset for a period: an active one
// that has accepted an analysis which uses it, from the first period that became due
// after that, and one that has had a file accepted, from that file's period on,
// unless it has declined since.
func (r *roll) owes(t control.Tenant, p Period) bool {
	if t.State != control.Active || r.dataset.Contract.Cadence == contract.Irregular {
		return false
	}
	part := r.parts[t.ID]
	end := (p.days.End + 1).Time()
	if p.DueAt != nil {
		end = *p.DueAt
	}
	if !part.Since.IsZero() && end.After(part.Since) {
		return true
	}
	first, sent := r.first[t.ID]
	return sent && p.days.Start >= first && !part.Declined
}

// statuses lists how tenants stand in periods that lie together, in the order of the
// periods and of slugs: those that owe something, and those that sent something.
func (r *roll) statuses(ctx context.Context, periods []Period) ([]Status, error) {
	newest, oldest := periods[0], periods[len(periods)-1]
	came, err := r.Exchange.UnscopedArrivals(ctx, r.only, r.dataset.Name, oldest.Date, newest.End)
	if err != nil {
		return nil, err
	}
	type place struct {
		tenant tenant.ID
		date   string
	}
	sent := map[place][]exchange.Arrival{}
	ids := map[tenant.ID]bool{}
	for id := range r.parts {
		ids[id] = true
	}
	for id := range r.first {
		ids[id] = true
	}
	for _, a := range came {
		day, err := contract.ParseDate(a.Date)
		if err != nil {
			return nil, err
		}
		at := place{a.Tenant, r.dataset.Contract.Cadence.Period(day).Start.String()}
		sent[at] = append(sent[at], a)
		ids[a.Tenant] = true
	}
	tenants, err := r.meet(ctx, ids)
	if err != nil {
		return nil, err
	}
	reopened, err := r.Exchange.UnscopedReopenedUntil(ctx, r.only, r.dataset.Name, oldest.Date, newest.Date)
	if err != nil {
		return nil, err
	}
	until := map[place]time.Time{}
	for _, o := range reopened {
		until[place{o.Tenant, o.Date}] = o.Until // in the order of the ends
	}
	now := r.Clock.Now()
	var list []Status
	for _, p := range periods {
		for _, t := range tenants {
			at := place{t.ID, p.Date}
			withdrawn := !slices.ContainsFunc(sent[at], func(a exchange.Arrival) bool { return a.State != exchange.Withdrawn })
			if withdrawn && !r.owes(t, p) {
				continue
			}
			s := Status{Period: p, Tenant: t.ID, Slug: t.Slug}
			if u, ok := until[at]; ok {
				s.ReopenedUntil = &u
			}
			s.judge(now, sent[at])
			list = append(list, s)
		}
	}
	return list, nil
}
