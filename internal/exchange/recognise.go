package exchange

import (
	"context"

	"tributary/internal/exchange/contract"
	"tributary/internal/exchange/parse"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// Recognised is what a file would be taken for.
type Recognised struct {
	Name   string
	Folder Folder // empty where that is not known
	// Problem says why the file could not be sent so, or would be rejected for its name
	// or its size alone. Empty: nothing is known to be wrong.
	Problem string
}

// RecogniseFiles says what files would be taken for by their names and, where it is said, by
// their dataset and date, before anything of them is sent. Sizes are in bytes; negative:
// not known.
func (x *Exchange) RecogniseFiles(ctx context.Context, scope tenant.Scope, files []Upload) ([]Recognised, error) {
	if err := scope.Check(ctx, tenant.Write, tenant.Submissions); err != nil {
		return nil, err
	}
	ids, err := x.Tenants.ExternalIDs(ctx, scope)
	if err != nil {
		return nil, err
	}
	all := make([]Recognised, len(files))
	for i, f := range files {
		all[i] = Recognised{Name: f.Name, Folder: f.Folder}
		if err := x.recognise(ctx, f, ids, &all[i].Folder); err != nil {
			if fault.Is(err, fault.Internal) {
				return nil, err
			}
			all[i].Problem = fault.Message(err)
		}
	}
	return all, nil
}

// recognise completes what a file is for, and refuses it as it would be refused later.
func (x *Exchange) recognise(ctx context.Context, f Upload, ids []string, folder *Folder) error {
	if err := checkName(f.Name); err != nil {
		return err
	}
	meant, err := x.meant(ctx, f.Folder, f.Name)
	if err != nil {
		return err
	}
	*folder = meant
	d, err := x.Dataset(ctx, meant.Dataset, 0)
	if err != nil {
		return err
	}
	date, err := contract.ParseDate(meant.Date)
	if err != nil {
		return err
	}
	if err := d.Contract.CheckFileName(f.Name, date, ids); err != nil {
		return err
	}
	switch limit := d.Contract.Limits.Bytes; {
	case f.Length == 0:
		return errEmpty
	case f.Length > limit:
		return tooLarge(d.Name, limit)
	}
	return nil
}

// Template is a dataset's template with its name, for a business date (empty: one of the
// period before this one) and one of the scope's tenant's ids.
func (x *Exchange) Template(ctx context.Context, scope tenant.Scope, dataset, date string) (name string, text []byte, err error) {
	ids, err := x.Tenants.ExternalIDs(ctx, scope)
	if err != nil {
		return "", nil, err
	}
	id := ""
	if len(ids) > 0 {
		id = ids[0]
	}
	return x.template(ctx, dataset, date, id)
}

// UnscopedTemplate is Template for nobody's ids.
func (x *Exchange) UnscopedTemplate(ctx context.Context, dataset, date string) (name string, text []byte, err error) {
	return x.template(ctx, dataset, date, "")
}

func (x *Exchange) template(ctx context.Context, dataset, date, participant string) (string, []byte, error) {
	d, err := x.Dataset(ctx, dataset, 0)
	if err != nil {
		return "", nil, err
	}
	cadence := d.Contract.Cadence
	day := cadence.Period(cadence.Period(contract.DateOf(x.Clock.Now().UTC())).Start - 1).Start
	if date != "" {
		if day, err = contract.ParseDate(date); err != nil {
			return "", nil, err
		}
	}
	text, err := parse.Template(d.Contract, day, participant)
	return d.Contract.ExampleName(day, participant), text, err
}
