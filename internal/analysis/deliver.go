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

// deliveries is how many results are sealed at a time. It is more than there are
// processors, since each spends most of its time waiting for the disk to sync,
// and the disk syncs many as fast as one.
const deliveries = 16

// delivery is what the results of a run have in common.
type delivery struct {
	release string
	date    time.Time
	spec    render.Spec // without the recipient's id
	ids     map[tenant.ID]string
	parquet sync.Pool // of *render.ParquetWriter
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
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(deliveries)
	for p, id := range x.participants {
		x.job.Progress(ctx, "sealing results", int64(p), int64(len(x.participants)))
		group.Go(func() error {
			if err := ctx.Err(); err != nil { // another has failed
				return err
			}
			var err error
			if results[p], err = x.deliver(ctx, &d, o, p); err != nil {
				return fmt.Errorf("result of %s: %w", id, err)
			}
			return nil
		})
	}
	return results, group.Wait()
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
	for _, m := range o.measures {
		c := render.Column{Name: m.Name, Type: render.Integer}
		if m.Decimals > 0 {
			c.Type, c.Scale = render.Decimal, m.Decimals
		}
		spec.Measures = append(spec.Measures, c)
	}
	return spec
}

// deliver renders one recipient's result and seals it into its output store.
func (x *execution) deliver(ctx context.Context, d *delivery, o *outcome, p int) (exchange.NewResult, error) {
	id, ok := d.ids[x.participants[p]]
	if !ok {
		id = string(x.participants[p])
	}
	spec := d.spec
	spec.ExternalID = id
	t, err := render.New(spec, o.rows[p])
	if err != nil {
		return exchange.NewResult{}, err
	}
	names := render.Names{Analysis: x.run.Analysis, Date: d.date, Participant: id, Dataset: x.def.Datasets[0]}
	name, err := render.FileName(x.def.Output.FileName, names, render.CSV)
	if fault.Is(err, fault.Invalid) { // the external id makes it too long
		names.Participant = string(x.participants[p])
		name, err = render.FileName(x.def.Output.FileName, names, render.CSV)
	}
	if err != nil {
		return exchange.NewResult{}, err
	}
	n := exchange.NewResult{Release: d.release, Analysis: x.run.Analysis, Date: x.run.Date, Name: name[:len(name)-len(render.CSV)],
		Rows: int64(len(t.Rows)), Suppressed: o.suppressed[p], Marked: t.Marked}
	n.Object, n.CSVSize, err = x.seal(ctx, d, p, t)
	return n, err
}

// seal writes both forms of a result into one object.
func (x *execution) seal(ctx context.Context, d *delivery, p int, t *render.Table) (vault.Object, int64, error) {
	w, err := x.Vault.Create(ctx, x.scopes[p], vault.Output, vault.Result)
	if err != nil {
		return vault.Object{}, 0, err
	}
	if err := render.WriteCSV(w, t); err != nil {
		w.Abort()
		return vault.Object{}, 0, err
	}
	csvSize := w.Size()
	parquet, ok := d.parquet.Get().(*render.ParquetWriter)
	if !ok {
		parquet = render.NewParquetWriter(t)
	}
	if err := parquet.Write(w, t); err != nil {
		w.Abort()
		return vault.Object{}, 0, err
	}
	d.parquet.Put(parquet)
	object, err := w.Finish(ctx)
	return object, csvSize, err
}

func (x *execution) groupColumn(name string) query.Column {
	for _, columns := range x.columnsOf {
		for _, c := range columns {
			if c.Name == name {
				return c
			}
		}
	}
	return query.Column{Name: name, Type: query.Text}
}
