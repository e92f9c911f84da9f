package analysis

import (
	"context"
	"fmt"
	"slices"

	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/query"
	"tributary/internal/sandbox"
	"tributary/internal/tenant"
)

// readAgain aggregates the earlier files as those of now, for each definition that
// they were read for no more than that read of them. If one of them is gone, it says why
// nothing can be released.
func (x *execution) readAgain(ctx context.Context, spec query.Spec) (withheld string, err error) {
	files := 0
	for _, v := range x.before.versions {
		files += len(v.inputs)
	}
	if files > sandbox.MaxInputs {
		return fmt.Sprintf("Earlier releases of this date were made from %d files that have changed since; %d can be read again.", files, sandbox.MaxInputs), nil
	}
	for n, f := range x.before.releases {
		if slices.ContainsFunc(x.before.releases[:n], func(o former) bool { return o.analysis == f.analysis && o.version == f.version }) {
			continue
		}
		if withheld, err = x.readFor(ctx, spec, f); withheld != "" || err != nil {
			return withheld, err
		}
	}
	return "", nil
}

// readFor aggregates the files that one definition read, and that have changed since.
func (x *execution) readFor(ctx context.Context, spec query.Spec, f former) (withheld string, err error) {
	all := newTable(spec, x.def.Limits.Cells)
	all.spec.Participants = len(x.before.versions)
	one, parts := f.asked(spec)
	one.Participants = len(x.before.versions)
	var inputs []RunInput
	var scopes []tenant.Scope
	for n, v := range x.before.versions {
		if v.analysis != f.analysis || v.version != f.version {
			continue
		}
		scope, err := x.Policy.WorkScope(policy.Work{Template: policy.RunGrant, Tenant: v.tenant, Actor: x.run.ID, Permissions: reads(v.inputs), For: runTimeout})
		if err != nil {
			return "", fmt.Errorf("grant of %s: %w", v.tenant, err)
		}
		for _, i := range v.inputs {
			d, err := x.Exchange.Dataset(ctx, i.Dataset, i.Contract)
			if err != nil {
				return "", err
			}
			if used, err := columnsUsed(d, namesOf(one.Datasets[i.Dataset])); fault.Is(err, fault.Conflict) || err == nil && !slices.Equal(used, one.Datasets[i.Dataset]) {
				return "An earlier release of this date was made from files with other columns, so the two cannot be compared.", nil
			} else if err != nil {
				return "", err
			}
			one.Sources = append(one.Sources, query.Source{Dataset: i.Dataset, Participant: n, Input: len(inputs)})
			inputs, scopes = append(inputs, i), append(scopes, scope)
		}
	}
	if len(inputs) == 0 {
		return "", nil
	}
	_, err = x.aggregate(ctx, one, inputs, scopes, func(r query.Row) error {
		values := make([]query.Number, len(spec.Measures))
		for n, part := range parts {
			values[part] = r.Values[n]
		}
		r.Values = values
		return all.add(r)
	}, func() error { return nil })
	if fault.Is(err, fault.Conflict) {
		return "A file that an earlier release of this date was made from is gone, so it cannot be shown that the difference would not tell what was in it.", nil
	}
	x.before.again = append(x.before.again, all)
	return "", err
}

// asked is what of a question an earlier definition asked as well: its measures, with
// their places in the question, and the columns that it reads.
func (f former) asked(spec query.Spec) (one query.Spec, parts []int) {
	one = query.Spec{Groups: spec.Groups, Filters: spec.Filters, Limits: spec.Limits, Datasets: map[string][]query.Column{}}
	for part, m := range spec.Measures {
		if f.had[nameOf(m)] {
			one.Measures, parts = append(one.Measures, m), append(parts, part)
		}
	}
	uses := f.def.Uses()
	for dataset, columns := range spec.Datasets {
		one.Datasets[dataset] = slices.DeleteFunc(slices.Clone(columns), func(c query.Column) bool { return !slices.Contains(uses[dataset], c.Name) })
	}
	for _, d := range spec.Derived {
		if !slices.ContainsFunc(append(d.Inputs(), d.Needs...), func(name string) bool { return !slices.Contains(uses[d.Dataset], name) }) {
			one.Derived = append(one.Derived, d)
		}
	}
	return one, parts
}

func namesOf(columns []query.Column) []string {
	var list []string
	for _, c := range columns {
		list = append(list, c.Name)
	}
	return list
}

func reads(inputs []RunInput) []tenant.Permission {
	var list []tenant.Permission
	for _, i := range inputs {
		list = append(list, tenant.Permission{Verb: tenant.Read, Resource: tenant.VaultInput.One(i.Object)})
	}
	return list
}
