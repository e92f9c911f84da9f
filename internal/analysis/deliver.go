package analysis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tributary/internal/analysis/render"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/query"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

// Results are rendered a few at a time, which keeps the processors busy, and made
// durable many at a time, since the disk syncs many as fast as one.
const (
	renderers = 4
	syncs     = 128 // open files, of some 100 KB of buffers each
)

// delivery is what the results of a run have in common.
type delivery struct {
	release string
	date    time.Time
	spec    render.Spec // without the recipient's id
	ids     map[tenant.ID]string
	makers  sync.Pool // of *render.Maker
}

// deliverAll delivers to every participant, in the order of participants.
func (x *execution) deliverAll(ctx context.Context, o *outcome, release string) ([]exchange.NewResult, error) {
	d := delivery{release: release}
	var err error
	if d.date, err = time.Parse(time.DateOnly, x.run.Date); err != nil {
		return nil, fmt.Errorf("date of run: %w", err)
	}
	if d.ids, err = x.Control.UnscopedFirstExternalIDs(ctx, x.participants); err != nil {
		return nil, err
	}
	d.spec = x.layout(o, d.date, release)
	results := make([]exchange.NewResult, len(x.participants))
	for from := 0; from < len(results); from += syncs {
		x.job.Progress(ctx, "sealing results", int64(from), int64(len(results)))
		if err := x.deliverSome(ctx, &d, o, from, results[from:min(from+syncs, len(results))]); err != nil {
			x.discard(ctx, results)
			return nil, err
		}
	}
	return results, nil
}

// discard removes results that were sealed and will not be delivered: a run that
// finds no room tries again, and must not take what is left.
func (x *execution) discard(ctx context.Context, results []exchange.NewResult) {
	for _, r := range results {
		if r.Object.ID != "" {
			x.Vault.Discard(context.WithoutCancel(ctx), r.Object)
		}
	}
}

// deliverSome delivers to the participants from a number on.
func (x *execution) deliverSome(ctx context.Context, d *delivery, o *outcome, from int, results []exchange.NewResult) error {
	writers := make([]*vault.Writer, len(results))
	defer func() {
		for _, w := range writers {
			if w != nil {
				w.Abort() // nothing after Finish
			}
		}
	}()
	rendering, cancelled := errgroup.WithContext(ctx)
	rendering.SetLimit(renderers)
	for i := range results {
		rendering.Go(func() (err error) {
			if err := cancelled.Err(); err != nil { // another has failed
				return err
			}
			results[i], writers[i], err = x.render(ctx, d, o, from+i)
			return x.forRecipient(from+i, err)
		})
	}
	if err := rendering.Wait(); err != nil {
		return err
	}
	var syncing errgroup.Group
	for i, w := range writers {
		syncing.Go(func() error {
			object, err := w.Finish(ctx)
			if err == nil {
				results[i].Object = object
			}
			return x.forRecipient(from+i, err)
		})
	}
	return syncing.Wait()
}

func (x *execution) forRecipient(p int, err error) error {
	if err != nil {
		return fmt.Errorf("result of %s: %w", x.participants[p], err)
	}
	return nil
}

// layout is how every recipient's result looks.
func (x *execution) layout(o *outcome, date time.Time, release string) render.Spec {
	spec := render.Spec{Date: date, DateColumn: x.def.Output.DateColumn, DateFormat: x.def.Output.DateFormat, IDColumn: x.def.Output.IDColumn,
		OwnValues: x.def.OwnValue, OwnPrefix: x.def.Output.OwnPrefix, Marked: x.def.MarksResults(),
		Metadata: map[string]string{"tributary.analysis": x.run.Analysis, "tributary.version": fmt.Sprint(x.run.Version), "tributary.release": release}}
	for _, g := range x.def.Groups {
		c := x.groupColumn(g)
		spec.Groups = append(spec.Groups, render.Column{Name: g, Type: render.Type(c.Type), Scale: c.Scale})
	}
	if len(x.def.Totals) > 0 {
		spec.Groups = append(spec.Groups, render.Column{Name: x.def.Output.TotalColumn, Type: render.Text})
	}
	for _, m := range o.measures {
		c := render.Column{Name: m.Name, Type: render.Integer}
		if m.Decimals > 0 {
			c.Type, c.Scale = render.Decimal, m.Decimals
		}
		spec.Measures = append(spec.Measures, c)
	}
	return spec
}

// render makes one recipient's result and seals it into its output store. The
// writer, if there is one, has to be finished or aborted.
func (x *execution) render(ctx context.Context, d *delivery, o *outcome, p int) (exchange.NewResult, *vault.Writer, error) {
	id, ok := d.ids[x.participants[p]]
	if !ok {
		id = string(x.participants[p])
	}
	spec := d.spec
	spec.ExternalID = id
	maker, ok := d.makers.Get().(*render.Maker)
	if !ok {
		maker = new(render.Maker)
	}
	defer d.makers.Put(maker)
	t, err := maker.Table(spec, o.rows[p])
	if err != nil {
		return exchange.NewResult{}, nil, err
	}
	names := render.Names{Analysis: x.run.Analysis, Date: d.date, Participant: id, Dataset: x.def.Datasets[0]}
	name, err := render.FileName(x.def.Output.FileName, names, render.CSV)
	if fault.Is(err, fault.Invalid) { // the external id makes it too long
		names.Participant = string(x.participants[p])
		name, err = render.FileName(x.def.Output.FileName, names, render.CSV)
	}
	if err != nil {
		return exchange.NewResult{}, nil, err
	}
	n := exchange.NewResult{Release: d.release, Analysis: x.run.Analysis, Date: x.run.Date, Name: name[:len(name)-len(render.CSV)],
		Rows: int64(len(t.Rows)), Suppressed: o.suppressed[p], Marked: t.Marked}
	if keep := x.def.Retention; keep != nil {
		n.Days = keep.Days
	}
	w, err := x.Vault.Create(ctx, x.scopes[p], vault.Output, vault.Result)
	if err != nil {
		return n, nil, err
	}
	if err := maker.WriteCSV(w, t); err != nil {
		return n, w, err
	}
	n.CSVSize = w.Size()
	if err := maker.WriteParquet(w, t); err != nil {
		return n, w, err
	}
	return n, w, nil
}

func (x *execution) groupColumn(name string) query.Column {
	for dataset := range x.asked.Datasets {
		if c, err := x.asked.Column(dataset, name); err == nil {
			return c
		}
	}
	return query.Column{Name: name, Type: query.Text}
}
