package analysis

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Plan is what a run that began now would take part with. Nothing of it is kept.
type Plan struct {
	Analysis      string
	Version       int64
	Date          string
	Quorum        int64
	Participants  []Participant // who would be in the snapshot
	Organisations int64         // that they belong to
	Missing       []Absent      // who takes part and would not be in it, or not with all
	Declined      int64         // tenants that have said no
	Enough        bool          // there is a quorum
	Release       string        // the run whose release stands for the same files; empty: there is none
	Outcome       string        // in words: what the run would come to, as far as files decide it
	Notes         []string      // what the run's log would say of whom it leaves out
	Rows, Bytes   int64         // of the accepted forms that would be read
}

// Participant is a tenant that would be in the snapshot.
type Participant struct {
	Tenant   tenant.ID
	Slug     string
	Datasets []string
}

// Absent says what a run would do without.
type Absent struct {
	Tenant  tenant.ID
	Slug    string
	Dataset string // empty: nothing of the tenant's
	Reason  string
}

// UnscopedPlan says of each analysis named what a run of its current version for a
// business date would take, by the same rules as a run. Nothing is stored, and no file
// is opened: what the gate would suppress only a run shows.
func (a *Analyses) UnscopedPlan(ctx context.Context, names []string, date string) ([]Plan, error) {
	if _, err := contract.ParseDate(date); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fault.New(fault.Invalid, "Name at least one analysis.")
	}
	var plans []Plan
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		plans = nil
		for _, name := range names {
			v, err := a.AnalysisIn(ctx, tx, name, 0)
			if err != nil {
				return err
			}
			x := &execution{Analyses: a, analysis: v, def: v.Definition, dry: true,
				run: Run{Analysis: v.Name, Version: v.Version, Date: date, CreatedAt: a.Clock.Now()}}
			p, err := x.plan(ctx, tx)
			if err != nil {
				return err
			}
			plans = append(plans, p)
		}
		return nil
	})
	return plans, err
}

func (x *execution) plan(ctx context.Context, tx *meta.DB) (Plan, error) {
	p := Plan{Analysis: x.run.Analysis, Version: x.run.Version, Date: x.run.Date, Quorum: int64(x.def.Quorum)}
	var err error
	if x.inputs, err = x.eligible(ctx, tx); err != nil {
		return p, err
	}
	x.number()
	p.Notes = x.remarks
	p.Organisations = int64(len(slices.Compact(slices.Sorted(slices.Values(x.owners)))))
	p.Enough = len(x.participants) >= x.def.Quorum && len(x.participants) > 0
	known, err := x.absent(ctx, tx, &p)
	if err != nil {
		return p, err
	}
	var ids []string
	for _, i := range x.inputs {
		if n := len(p.Participants); n == 0 || p.Participants[n-1].Tenant != i.Tenant {
			p.Participants = append(p.Participants, Participant{Tenant: i.Tenant, Slug: known[i.Tenant].Slug})
		}
		last := &p.Participants[len(p.Participants)-1]
		last.Datasets = append(last.Datasets, i.Dataset)
		ids = append(ids, i.Submission)
	}
	if p.Rows, p.Bytes, err = x.Exchange.UnscopedSizes(ctx, tx, ids); err != nil {
		return p, err
	}
	if err := x.foretell(ctx, tx, &p); err != nil {
		return p, err
	}
	slices.SortFunc(p.Participants, func(a, b Participant) int { return strings.Compare(a.Slug, b.Slug) })
	return p, nil
}

// foretell says what the run would come to.
func (x *execution) foretell(ctx context.Context, tx *meta.DB, p *Plan) error {
	switch {
	case !p.Enough:
		p.Outcome = fmt.Sprintf("Skipped: there are %d participants, and the quorum is %d.", len(x.participants), x.def.Quorum)
		return nil
	case p.Bytes > x.def.Limits.Memory:
		p.Outcome = fmt.Sprintf("Failed: the files take %d bytes, and the analysis's memory limit is %d.", p.Bytes, x.def.Limits.Memory)
		return nil
	}
	if err := x.released(ctx, tx, p); err != nil || p.Release != "" {
		return err
	}
	p.Outcome = "Run: the gate then decides what may be shown."
	return nil
}

// released looks for a release of the same snapshot, which would stand.
func (x *execution) released(ctx context.Context, tx *meta.DB, p *Plan) error {
	rows, err := tx.Query(ctx, `SELECT run, snapshot FROM releases WHERE analysis = $1 AND date = $2`, x.run.Analysis, x.run.Date)
	if err != nil {
		return fmt.Errorf("look for release: %w", err)
	}
	defer rows.Close()
	hash := x.hash()
	for rows.Next() {
		var run string
		var snapshot []byte
		if err := rows.Scan(&run, &snapshot); err != nil {
			return fmt.Errorf("look for release: %w", err)
		}
		if bytes.Equal(snapshot, hash) {
			p.Release, p.Outcome = run, fmt.Sprintf("Nothing new: the same files were released before, by run %s; its release stands.", run)
		}
	}
	return rows.Err()
}

// absent adds who has decided about the analysis and would not be in the snapshot, or
// not with every dataset, and returns those that are known.
func (x *execution) absent(ctx context.Context, tx *meta.DB, p *Plan) (map[tenant.ID]control.Tenant, error) {
	decisions, ids, err := x.decisions(ctx, tx, x.run.Analysis)
	if err != nil {
		return nil, err
	}
	known, err := x.Control.UnscopedTenantsIn(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	type part struct {
		tenant  tenant.ID
		dataset string
	}
	in := map[part]bool{}
	for _, i := range x.inputs {
		in[part{i.Tenant, i.Dataset}] = true
	}
	states := map[string]map[tenant.ID]exchange.State{}
	for _, dataset := range x.def.Datasets {
		if states[dataset], err = x.Exchange.UnscopedLatest(ctx, tx, dataset, x.run.Date); err != nil {
			return nil, err
		}
	}
	w := x.weigher(x.analysis)
	for _, id := range ids {
		t, there := known[id]
		s, err := w.standing(ctx, tx, decisions[id])
		switch {
		case err != nil:
			return nil, err
		case !there:
			continue
		case s.Decision == Declined:
			p.Declined++
			continue
		case t.State != control.Active:
			p.Missing = append(p.Missing, Absent{Tenant: id, Slug: t.Slug, Reason: "The tenant is " + string(t.State) + "."})
			continue
		case !s.Covers():
			p.Missing = append(p.Missing, Absent{Tenant: id, Slug: t.Slug, Reason: fmt.Sprintf("It has accepted version %d, which does not cover version %d.", s.For, x.run.Version)})
			continue
		}
		for _, dataset := range x.def.Datasets {
			if !in[part{id, dataset}] {
				p.Missing = append(p.Missing, Absent{Tenant: id, Slug: t.Slug, Dataset: dataset, Reason: lacks(states[dataset][id])})
			}
		}
	}
	slices.SortFunc(p.Missing, func(a, b Absent) int { return strings.Compare(a.Slug+" "+a.Dataset, b.Slug+" "+b.Dataset) })
	return known, nil
}

// lacks says why a tenant has no file that counts, by the state of its last one.
func lacks(last exchange.State) string {
	switch last {
	case "":
		return "It has sent nothing for this date."
	case exchange.Accepted:
		return "Its file was accepted under a version of the contract that has not the columns which the analysis uses."
	case exchange.Received, exchange.Validating:
		return "Its file is being validated."
	}
	return "Its last file was " + string(last) + "."
}
