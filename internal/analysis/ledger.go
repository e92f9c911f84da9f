package analysis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tributary/internal/analysis/definition"
	"tributary/internal/audit"
	"tributary/internal/disclosure"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/query"
	"tributary/internal/sandbox"
	"tributary/internal/tenant"
)

// A date may be released more than once: late, corrected and withdrawn files join the
// next run. What its recipients learn is the difference, so the gate judges a release
// beside all that the analysis released for the date before. No values are kept for
// that: of who is in a release with the same files its values are those of now, and
// of who changed its files the run reads the earlier ones again.

// ledger is what the analysis released for the run's date before.
type ledger struct {
	runs     []string // that made the releases, recalled or not: what was downloaded is known
	releases []former
	versions []sentVersion
	table    *table // what the versions have, by version instead of participant
}

// names lists the runs whose releases were judged beside this one.
func (l ledger) names() []string {
	var list []string
	for _, f := range l.releases {
		list = append(list, f.run)
	}
	return list
}

// former is an earlier release with the same cells as this one.
type former struct {
	run      string
	def      *definition.Definition
	had      map[partName]bool  // what that measured
	same     map[tenant.ID]bool // who is in both with the same files
	versions []int              // of those who are not
	hidden   []byte             // digests of cells, in order; see hides
}

// partName is what a part measures.
type partName struct {
	dataset, column string
	own             query.Own
}

// remember notes what the definition of each earlier release measured.
func (x *execution) remember() {
	for n := range x.before.releases {
		f := &x.before.releases[n]
		y, spec := &execution{Analyses: x.Analyses, def: f.def}, query.Spec{Datasets: x.asked.Datasets}
		y.numbers(&spec, x.declared)
		f.had = map[partName]bool{}
		for _, m := range spec.Measures {
			f.had[nameOf(m)] = true
		}
	}
}

func nameOf(m query.Measure) partName { return partName{m.Dataset, m.Column, m.Own} }

// sentVersion is what one tenant had sent when a release was made, if it is not what
// it has sent now.
type sentVersion struct {
	tenant       tenant.ID
	organisation string
	inputs       []RunInput
}

// file is one tenant's part in one dataset.
type file struct{ dataset, submission string }

// lookBack finds what was released before, and whose earlier files have to be read
// again. It says why nothing can be released, if so.
func (x *execution) lookBack(ctx context.Context) (withheld string, err error) {
	err = x.DB.Transact(ctx, func(tx *meta.DB) error {
		x.before, withheld = ledger{}, ""
		rows, err := x.earlier(ctx, tx)
		if err != nil {
			return err
		}
		now := filesOf(x.inputs)
		for _, e := range rows {
			x.before.runs = append(x.before.runs, e.run)
			v, err := x.AnalysisIn(ctx, tx, x.run.Analysis, e.version)
			if err != nil {
				return err
			}
			if !sameCells(v.Definition, x.def) {
				withheld = fmt.Sprintf("Run %s released this date under version %d of the analysis, which had other groups, filters or totals, so the two cannot be compared.", e.run, e.version)
				return nil
			}
			if err := x.compare(ctx, tx, e, v.Definition, now); err != nil {
				return err
			}
		}
		if len(x.before.releases) > maxReleases {
			withheld = fmt.Sprintf("This date was released %d times before; more cannot be judged together.", len(x.before.releases))
			return nil
		}
		withheld, err = x.mayReadAgain(ctx, tx)
		return err
	})
	return withheld, err
}

// maxReleases is how many releases of one date are judged together.
const maxReleases = 30

// earlierRelease is a row of a release.
type earlierRelease struct {
	run     string
	version int64
	inputs  []ManifestInput
	hidden  []byte
}

// earlier lists the releases of the analysis for the run's date.
func (x *execution) earlier(ctx context.Context, tx *meta.DB) ([]earlierRelease, error) {
	rows, err := tx.Query(ctx, `
		SELECT r.run, r.version, r.manifest, r.signature, COALESCE(h.cells, $3) FROM releases r LEFT JOIN release_hidden h ON h.release = r.id
		WHERE r.analysis = $1 AND r.date = $2 ORDER BY r.id`, x.run.Analysis, x.run.Date, []byte{})
	if err != nil {
		return nil, fmt.Errorf("list releases of %s: %w", x.run.Analysis, err)
	}
	var list []earlierRelease
	for rows.Next() {
		var e earlierRelease
		var manifest, signature []byte
		if err := rows.Scan(&e.run, &e.version, &manifest, &signature, &e.hidden); err != nil {
			return nil, fmt.Errorf("list releases of %s: %w", x.run.Analysis, err)
		}
		m, err := signedManifest(x.Keys, manifest, signature)
		if err != nil {
			return nil, err
		}
		if m.Run != e.run || m.Version != e.version || m.Hidden != digestOf(e.hidden) {
			return nil, fault.New(fault.Damaged, "What the release of run %q was made from, or hid, is not what its manifest says.", e.run)
		}
		e.inputs = m.Inputs
		list = append(list, e)
	}
	return list, nil
}

// digestOf is what a manifest says of the cells that were hidden; of none, nothing.
func digestOf(hidden []byte) string {
	if len(hidden) == 0 {
		return ""
	}
	sum := sha256.Sum256(hidden)
	return hex.EncodeToString(sum[:])
}

// compare notes whose files of an earlier release are not those of now.
func (x *execution) compare(ctx context.Context, tx *meta.DB, e earlierRelease, def *definition.Definition, now map[tenant.ID]map[file]bool) error {
	inputs, err := x.Analyses.inputs(ctx, tx, e.run)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(inputs, e.inputs, func(i RunInput, m ManifestInput) bool {
		return i.Tenant == m.Tenant && i.Dataset == m.Dataset && i.Submission == m.Submission && hex.EncodeToString(i.Commitment) == m.Commitment
	}) {
		return fault.New(fault.Damaged, "The stored snapshot of run %q is not the one that its manifest names.", e.run)
	}
	f := former{run: e.run, def: def, same: map[tenant.ID]bool{}, hidden: e.hidden}
	sent := filesOf(inputs)
	for from := 0; from < len(inputs); {
		to := from
		for to < len(inputs) && inputs[to].Tenant == inputs[from].Tenant {
			to++
		}
		v := sentVersion{inputs[from].Tenant, inputs[from].Organisation, inputs[from:to]}
		if p := x.index(v.tenant); maps.Equal(sent[v.tenant], now[v.tenant]) && x.owners[p] == v.organisation {
			f.same[v.tenant] = true
		} else {
			f.versions = append(f.versions, x.version(v))
		}
		from = to
	}
	x.before.releases = append(x.before.releases, f)
	return nil
}

// version is the number of what a tenant had sent.
func (x *execution) version(v sentVersion) int {
	for n, known := range x.before.versions {
		if known.tenant == v.tenant && known.organisation == v.organisation && slices.EqualFunc(known.inputs, v.inputs, func(a, b RunInput) bool { return a.Submission == b.Submission && a.Dataset == b.Dataset }) {
			return n
		}
	}
	x.before.versions = append(x.before.versions, v)
	return len(x.before.versions) - 1
}

func filesOf(inputs []RunInput) map[tenant.ID]map[file]bool {
	list := map[tenant.ID]map[file]bool{}
	for _, i := range inputs {
		if list[i.Tenant] == nil {
			list[i.Tenant] = map[file]bool{}
		}
		list[i.Tenant][file{i.Dataset, i.Submission}] = true
	}
	return list
}

// sameCells reports whether two versions of a definition divide the same rows into the
// same cells, with the same totals, so that their releases can be compared cell by cell.
// The order in which something is written does not matter.
func sameCells(a, b *definition.Definition) bool {
	return cellsOf(a) == cellsOf(b)
}

// cellsOf writes down how a definition divides rows into cells.
func cellsOf(d *definition.Definition) string {
	filters := map[string][]string{}
	for _, f := range d.Filters {
		filters[f.Dataset+"\x00"+f.Column] = append(slices.Sorted(slices.Values(f.Equals)), "from", f.From, "to", f.To)
	}
	totals := map[string]bool{} // each as it is nested
	for _, t := range d.Totals {
		totals[strings.Join(t, "\x00")] = true
	}
	groups := map[string]string{} // what is behind each name
	for _, dataset := range d.Datasets {
		for _, g := range d.Groups {
			groups[dataset+"\x00"+g] = d.Meaning(dataset, g)
		}
	}
	text, err := json.Marshal([]any{slices.Sorted(slices.Values(d.Datasets)), groups, filters, totals})
	if err != nil {
		panic("analysis: " + err.Error()) // texts only
	}
	return string(text)
}

// mayReadAgain checks that the earlier files may be read: of tenants that take part
// still. Each of them finds in its log that they were.
func (x *execution) mayReadAgain(ctx context.Context, tx *meta.DB) (withheld string, err error) {
	if len(x.before.versions) == 0 {
		return "", nil
	}
	byTenant, _, err := x.decisions(ctx, tx, x.run.Analysis)
	if err != nil {
		return "", err
	}
	var ids []tenant.ID
	for _, v := range x.before.versions {
		ids = append(ids, v.tenant)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	tenants, err := x.takingPart(ctx, tx, x.analysis, byTenant, ids)
	if err != nil {
		return "", err
	}
	gone := 0
	for _, id := range ids {
		if _, takes := tenants[id]; !takes {
			gone++
		}
	}
	if gone > 0 {
		return fmt.Sprintf("Participants of an earlier release of this date that take no part any more: %d. Their files may not be read again, so it cannot be shown that the difference would not tell what they had sent.", gone), nil
	}
	for _, v := range x.before.versions {
		for _, i := range v.inputs {
			if err := x.Audit.Append(ctx, tx, audit.Entry{Tenant: i.Tenant, Actor: x.run.ID, Verb: "run.grant", Subject: i.Submission, Outcome: "ok",
				Details: map[string]any{"analysis": x.run.Analysis, "version": x.run.Version, "date": x.run.Date, "compared": true}}); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

// floorOf is the floor of a part, if the earlier releases keep to it as well.
func (x *execution) floorOf(t *table, earlier [][][]disclosure.Cell, part int) (int64, error) {
	floor, err := x.floor(t, part)
	for e := range earlier {
		for _, cell := range earlier[e][part] {
			for _, c := range cell {
				floor = min(floor, max(c.Value, 0))
			}
		}
	}
	return floor, err
}

// readAgain aggregates the earlier files as those of now. If one of them is gone, it
// says why nothing can be released.
func (x *execution) readAgain(ctx context.Context, spec query.Spec) (withheld string, err error) {
	x.remember()
	versions := x.before.versions
	if len(versions) == 0 {
		return "", nil
	}
	spec.Participants, spec.Sources = len(versions), nil
	var inputs []RunInput
	var scopes []tenant.Scope
	for n, v := range versions {
		scope, err := x.Policy.WorkScope(policy.Work{Template: policy.RunGrant, Tenant: v.tenant, Actor: x.run.ID, Permissions: reads(v.inputs), For: runTimeout})
		if err != nil {
			return "", fmt.Errorf("grant of %s: %w", v.tenant, err)
		}
		for _, i := range v.inputs {
			d, err := x.Exchange.Dataset(ctx, i.Dataset, i.Contract)
			if err != nil {
				return "", err
			}
			if used, err := x.columns(d); fault.Is(err, fault.Conflict) || err == nil && !slices.Equal(used, spec.Datasets[i.Dataset]) {
				return "An earlier release of this date was made from files with other columns, so the two cannot be compared.", nil
			} else if err != nil {
				return "", err
			}
			spec.Sources = append(spec.Sources, query.Source{Dataset: i.Dataset, Participant: n, Input: len(inputs)})
			inputs, scopes = append(inputs, i), append(scopes, scope)
		}
	}
	if len(inputs) > sandbox.MaxInputs {
		return fmt.Sprintf("Earlier releases of this date were made from %d files that have changed since; %d can be read again.", len(inputs), sandbox.MaxInputs), nil
	}
	x.before.table = newTable(spec, x.def.Limits.Cells)
	_, err = x.aggregate(ctx, spec, inputs, scopes, x.before.table.add, func() error { return nil })
	if fault.Is(err, fault.Conflict) {
		return "A file that an earlier release of this date was made from is gone, so it cannot be shown that the difference would not tell what was in it.", nil
	}
	return "", err
}

func reads(inputs []RunInput) []tenant.Permission {
	var list []tenant.Permission
	for _, i := range inputs {
		list = append(list, tenant.Permission{Verb: tenant.Read, Resource: tenant.VaultInput.One(i.Object)})
	}
	return list
}

// earlierCells are the cells of the earlier releases, by release, then part, then cell
// of t, which gets those that only they have.
func (x *execution) earlierCells(t *table) [][][]disclosure.Cell {
	if len(x.before.releases) == 0 {
		return nil
	}
	at := map[string]int{}
	for n, key := range t.keys {
		at[encoded(key, nil)] = n
	}
	var place []int // in t, of the cells of what was read again
	if again := x.before.table; again != nil {
		for _, key := range again.keys {
			n, known := at[encoded(key, nil)]
			if !known {
				n = len(t.keys)
				at[encoded(key, nil)] = n
				t.keys = append(t.keys, key)
				for part := range t.cells {
					t.cells[part] = append(t.cells[part], nil)
				}
			}
			place = append(place, n)
		}
	}
	who, owner := x.everybody()
	all := make([][][]disclosure.Cell, len(x.before.releases))
	for e, f := range x.before.releases {
		all[e] = make([][]disclosure.Cell, len(t.cells))
		for part := range t.cells {
			cells := make([]disclosure.Cell, len(t.keys))
			if all[e][part] = cells; !f.had[nameOf(t.spec.Measures[part])] {
				continue
			}
			for n, cell := range t.cells[part] {
				for _, c := range cell {
					if f.same[x.participants[c.Participant]] {
						cells[n] = append(cells[n], c)
					}
				}
			}
			for m, n := range place {
				for _, c := range x.before.table.cells[part][m] {
					if v := int(c.Participant); slices.Contains(f.versions, v) {
						cells[n] = append(cells[n], disclosure.Contribution{Participant: who[v], Organisation: owner[v], Value: c.Value})
					}
				}
			}
		}
	}
	return all
}

// everybody numbers the tenants of the versions beside the participants, and their
// organisations: who is the same has the same number.
func (x *execution) everybody() (who, owner []int32) {
	numbers := map[string]int32{}
	for p, n := range x.organisationIndex() {
		numbers[x.owners[p]] = n
	}
	type one struct {
		tenant       tenant.ID
		organisation string
	}
	known := map[one]int32{}
	for p, id := range x.participants {
		known[one{id, x.owners[p]}] = int32(p)
	}
	for _, v := range x.before.versions {
		o, is := numbers[v.organisation]
		if !is {
			o = int32(len(numbers))
			numbers[v.organisation] = o
		}
		p, is := known[one{v.tenant, v.organisation}]
		if !is {
			p = int32(len(known))
			known[one{v.tenant, v.organisation}] = p
		}
		who, owner = append(who, p), append(owner, o)
	}
	return who, owner
}

// differs hides, of cells that stand alone, those that tell too much beside what was
// shown of them before. It takes it that every contributor was shown what anybody was.
// What is more than a sum is hidden wherever the cell has changed.
func (x *execution) differs(t *table, earlier [][][]disclosure.Cell, o *outcome) error {
	if earlier == nil {
		return nil
	}
	rules := x.gateRules()
	for part := range t.cells {
		floor, err := x.floorOf(t, earlier, part)
		if err != nil {
			return err
		}
		for n, now := range t.cells[part] {
			var before []disclosure.Cell
			for e := range earlier {
				if cell := earlier[e][part][n]; len(cell) > 0 && !sameContributions(cell, now) && !x.before.releases[e].hides(x.digest(t.spec.Measures[part], t.keys[n], "")) {
					before = append(before, cell)
				}
			}
			if len(before) == 0 || len(now) == 0 {
				continue
			}
			v, err := disclosure.Differs(rules, floor, before, now)
			if err != nil {
				return err
			}
			for m := range o.measures {
				of := &o.measures[m]
				at := slices.Index(of.parts, part)
				if at >= 0 && (!v.Released() || of.Function == definition.Variance || of.Function == definition.Quantile) {
					of.judgements[at].Hide(n, disclosure.Difference)
				}
			}
		}
	}
	return nil
}

// alone checks that nothing was released for the date since the run looked back.
func (x *execution) alone(ctx context.Context, tx *meta.DB) error {
	rows, err := x.earlier(ctx, tx)
	if err != nil {
		return err
	}
	var runs []string
	for _, e := range rows {
		runs = append(runs, e.run)
	}
	if !slices.Equal(runs, x.before.runs) {
		return fault.New(fault.Unavailable, "The date was released by another run meanwhile, so this one is judged again.")
	}
	return nil
}
