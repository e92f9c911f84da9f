package analysis

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"tributary/internal/analysis/definition"
	"tributary/internal/disclosure"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/query"
	"tributary/internal/tenant"
)

// Trial puts releases of a definition before the gate as runs do, each beside those
// before it, with no server and nothing that is kept: for authors who want to see what a
// definition would show, and for tests.
type Trial struct {
	def     *definition.Definition
	columns map[string]definition.Columns
	before  *[]triedRelease
}

// triedRelease is what a ledger keeps of a release, with what went into it.
type triedRelease struct {
	def          *definition.Definition
	contributors map[string]Contributor
	hidden       []byte
}

// Contributor is a participant of a trial with its rows: one for each cell, in any order,
// with the numbers of Parts.
type Contributor struct {
	Name, Organisation string
	Rows               []query.Row
}

// Tried is what the gate decided of a release. Numbers of participants in cells are
// indices of Participants.
type Tried struct {
	Withheld     string // why nothing may be released; empty: something may
	Participants []string
	Owners       []string // of each, its organisation
	Groups       []string
	Keys         [][]query.Value
	Over         []string // by cell: the groups that it is a total over; nil without totals
	Measures     []TriedMeasure
	Utility      []Utility
	Reasons      map[string]int64
	cells        [][]disclosure.Cell
	floors       []int64
}

// TriedMeasure is a measure with its parts: a ratio has two.
type TriedMeasure struct {
	definition.Measure
	Parts      []int
	judgements []*disclosure.Judgement
}

// NewTrial makes a trial of a definition. columns are those of its datasets.
func NewTrial(d *definition.Definition, columns map[string]definition.Columns) *Trial {
	return &Trial{def: d, columns: columns, before: &[]triedRelease{}}
}

// Beside makes a trial of another definition of the same datasets, whose releases are
// judged beside those of this one, and the other way round. A contributor's rows are
// those of each definition's own Parts.
func (t *Trial) Beside(d *definition.Definition) *Trial {
	return &Trial{def: d, columns: t.columns, before: t.before}
}

func (t *Trial) execution() (*execution, query.Spec) {
	x := &execution{Analyses: &Analyses{Config: Config{Keys: new(keys.Ring)}}, def: t.def, tried: true, run: Run{Analysis: t.def.Name, Date: "trial"}}
	s := query.Spec{Groups: t.def.Groups}
	x.numbers(&s, t.columns)
	return x, s
}

// Spec is what a run would ask of the rows of so many participants. Each has a source for
// each of the definition's datasets, in their order.
func (t *Trial) Spec(participants int) (query.Spec, error) {
	_, s := t.execution()
	s.Participants, s.Datasets = participants, map[string][]query.Column{}
	s.Limits = query.Limits{Memory: query.MinMemory, Rows: query.MaxRows}
	for dataset, names := range t.def.Uses() {
		slices.Sort(names)
		s.Datasets[dataset] = []query.Column{}
		for _, name := range names {
			c, ok := t.columns[dataset].Find(name)
			if !ok {
				return s, fault.New(fault.Invalid, "Dataset %q has no column %q, which the analysis uses.", dataset, name)
			}
			s.Datasets[dataset] = append(s.Datasets[dataset], query.Column{Name: name, Type: query.Type(c.Type), Scale: c.Scale})
		}
	}
	for _, f := range t.def.Filters {
		q, err := filterOf(f, t.columns[f.Dataset])
		if err != nil {
			return s, err
		}
		s.Filters = append(s.Filters, q)
	}
	for p := range participants {
		for _, dataset := range t.def.Datasets {
			s.Sources = append(s.Sources, query.Source{Dataset: dataset, Participant: p, Input: len(s.Sources)})
		}
	}
	return s, s.Check()
}

// Parts lists the numbers that a row has.
func (t *Trial) Parts() []query.Measure {
	_, s := t.execution()
	return s.Measures
}

// Column says in words which column a part is of: one that is calculated, as what.
func (t *Trial) Column(part int) string {
	_, s := t.execution()
	m := s.Measures[part]
	i := slices.IndexFunc(s.Derived, func(d query.Derived) bool { return d.Dataset == m.Dataset && d.Name == m.Column })
	if i < 0 {
		return m.Column
	}
	var words []string
	for _, of := range s.Derived[i].Terms {
		text := strings.Join(of.Over, " * ")
		if of.Times != 1 {
			text = fmt.Sprint(of.Times, " * ", text)
		}
		for _, name := range of.Under {
			text += " / " + name
		}
		words = append(words, text)
	}
	text := strings.Join(words, " + ")
	if by := s.Derived[i].By; by != 1 {
		text = fmt.Sprintf("(%s) / %d", text, by)
	}
	return text
}

// Window is where the values of a quantile of n lie, counted from the smallest.
func (t *Trial) Window(quantile, n int) (from, to int) {
	x, _ := t.execution()
	return x.gateRules().Around(quantile, n)
}

// Release puts the next release before the gate.
func (t *Trial) Release(contributors []Contributor) (*Tried, error) {
	x, spec := t.execution()
	now := triedRelease{def: t.def, contributors: map[string]Contributor{}}
	for _, c := range contributors {
		if _, twice := now.contributors[c.Name]; twice || c.Name == "" || c.Organisation == "" {
			return nil, fmt.Errorf("participant %q is there twice, or has no name or organisation", c.Name)
		}
		slices.SortFunc(c.Rows, func(a, b query.Row) int { return query.CompareKeys(a.Key, b.Key) })
		now.contributors[c.Name] = c
		x.participants = append(x.participants, tenant.ID(c.Name))
	}
	slices.Sort(x.participants)
	for _, id := range x.participants {
		x.owners = append(x.owners, now.contributors[string(id)].Organisation)
	}
	var rows []earlierRelease
	var before []triedRelease
	for n, b := range *t.before {
		if has := x.relation(b.def); has.any {
			rows = append(rows, earlierRelease{run: fmt.Sprintf("release %d", n+1), analysis: b.def.Name, other: other{b.def, has}, hidden: b.hidden})
			before = append(before, b)
		}
	}
	if withheld := x.comparable(rows); withheld != "" {
		return &Tried{Withheld: withheld}, nil
	}
	if err := t.lookBack(x, spec, rows, before, now.contributors); err != nil {
		return nil, err
	}
	var ordered []Contributor
	for _, id := range x.participants {
		ordered = append(ordered, now.contributors[string(id)])
	}
	tab, err := t.table(spec, ordered)
	if err != nil {
		return nil, err
	}
	tried, hidden, err := x.try(tab)
	if err != nil {
		return nil, err
	}
	if now.hidden = hidden; tried.Withheld == "" {
		*t.before = append(*t.before, now)
	}
	return tried, nil
}

// lookBack notes what was released before, and what those had who have something else
// now. Of who was in a release of another definition alone, or has changed, the rows are
// those of that one, whose parts are all among this one's or leave some empty.
func (t *Trial) lookBack(x *execution, spec query.Spec, rows []earlierRelease, before []triedRelease, now map[string]Contributor) error {
	var versions []Contributor
	for n, e := range rows {
		f := former{run: e.run, analysis: e.analysis, def: e.def, had: e.has.parts, same: map[tenant.ID]bool{}, hidden: e.hidden}
		for name, c := range before[n].contributors {
			mine, err := t.translated(before[n].def, c, spec)
			if err != nil {
				return err
			}
			if known, takesPart := now[name]; takesPart && alike(mine, known, x.common(e.has.parts)) {
				f.same[tenant.ID(name)] = true
				continue
			}
			f.versions = append(f.versions, len(versions))
			versions = append(versions, mine)
			x.before.versions = append(x.before.versions, sentVersion{tenant: tenant.ID(name), organisation: c.Organisation})
		}
		x.before.releases = append(x.before.releases, f)
	}
	if len(versions) == 0 {
		return nil
	}
	again, err := t.table(spec, versions)
	x.before.again = []*table{again}
	return err
}

// common lists which of the run's parts another has.
func (x *execution) common(had map[partName]bool) []bool {
	var list []bool
	for _, m := range x.asked.Measures {
		list = append(list, had[nameOf(m)])
	}
	return list
}

// translated is what a contributor had for one definition, by this one's parts.
func (t *Trial) translated(of *definition.Definition, c Contributor, spec query.Spec) (Contributor, error) {
	if of == t.def {
		return c, nil
	}
	_, theirs := t.Beside(of).execution()
	rows := make([]query.Row, len(c.Rows))
	for n, r := range c.Rows {
		rows[n] = query.Row{Key: r.Key, Values: make([]query.Number, len(spec.Measures))}
		for part, m := range spec.Measures {
			if at := slices.IndexFunc(theirs.Measures, func(o query.Measure) bool { return nameOf(o) == nameOf(m) }); at >= 0 {
				rows[n].Values[part] = r.Values[at]
			}
		}
	}
	c.Rows = rows
	return c, nil
}

// alike reports whether a participant has sent the same, in some of its parts.
func alike(a, b Contributor, parts []bool) bool {
	return a.Organisation == b.Organisation && slices.EqualFunc(a.Rows, b.Rows, func(a, b query.Row) bool {
		for part, counts := range parts {
			if counts && a.Values[part] != b.Values[part] {
				return false
			}
		}
		return query.CompareKeys(a.Key, b.Key) == 0
	})
}

// table gathers rows by cell, as the engine gives them.
func (t *Trial) table(spec query.Spec, contributors []Contributor) (*table, error) {
	var rows []query.Row
	for p, c := range contributors {
		for _, r := range c.Rows {
			if len(r.Key) != len(spec.Groups) || len(r.Values) != len(spec.Measures) {
				return nil, fmt.Errorf("a row of %s has %d groups and %d numbers", c.Name, len(r.Key), len(r.Values))
			}
			r.Participant = p
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b query.Row) int {
		return cmp.Or(query.CompareKeys(a.Key, b.Key), cmp.Compare(a.Participant, b.Participant))
	})
	spec.Participants = len(contributors)
	tab := newTable(spec, t.def.Limits.Cells)
	for n, r := range rows {
		if n > 0 && rows[n-1].Participant == r.Participant && query.CompareKeys(rows[n-1].Key, r.Key) == 0 {
			return nil, fmt.Errorf("%s has two rows of one cell", contributors[r.Participant].Name)
		}
		if err := tab.add(r); err != nil {
			return nil, err
		}
	}
	return tab, nil
}

// try has the gate judge a table.
func (x *execution) try(tab *table) (*Tried, []byte, error) {
	o, err := x.judge(context.Background(), tab)
	if err != nil {
		return nil, nil, err
	}
	r := &Tried{Withheld: o.withheld, Groups: x.def.Groups, Utility: o.utility, Reasons: o.reasons, Owners: x.owners}
	for _, id := range x.participants {
		r.Participants = append(r.Participants, string(id))
	}
	if o.withheld != "" {
		return r, nil, nil
	}
	r.Keys, r.Over, r.cells = o.table.keys, o.table.over, o.table.cells
	for part := range r.cells {
		floor, err := x.floor(o.table, part)
		if err != nil {
			return nil, nil, err
		}
		r.floors = append(r.floors, floor)
	}
	for _, m := range o.measures {
		r.Measures = append(r.Measures, TriedMeasure{m.Measure, m.parts, m.judgements})
	}
	return r, o.hidden, nil
}

// Contributions are what is in a cell of a part, less what everybody knows each value to
// be at least. What does not fit is left out: its cells are shown to nobody.
func (r *Tried) Contributions(part, cell int) []disclosure.Contribution {
	list := slices.Clone(r.cells[part][cell])
	list = slices.DeleteFunc(list, func(c disclosure.Contribution) bool { return c.Value == query.TooLarge })
	for i := range list {
		list[i].Value -= r.floors[part]
	}
	return list
}

// Shown lists the participants that get a measure's cell.
func (r *Tried) Shown(m TriedMeasure, cell int) []int32 {
	of := measure{parts: m.Parts, judgements: m.judgements}
	var list []int32
	for i, c := range r.cells[m.Parts[0]][cell] {
		if v, _, whole := of.verdict(&table{cells: r.cells}, cell, i); whole && v.Released() {
			list = append(list, c.Participant)
		}
	}
	return list
}

// Verdicts counts a measure's cells by the verdict of the contributor who is worst off.
func (r *Tried) Verdicts(m TriedMeasure) map[disclosure.Verdict]int {
	of := measure{parts: m.Parts, judgements: m.judgements}
	counts := map[disclosure.Verdict]int{}
	for cell := range r.Keys {
		worst := disclosure.Unjudged
		for i := range r.cells[m.Parts[0]][cell] {
			v, _, whole := of.verdict(&table{cells: r.cells}, cell, i)
			if whole && (worst == disclosure.Unjudged || worst == disclosure.Release || !v.Released() && v < worst) {
				worst = v
			}
		}
		if worst != disclosure.Unjudged {
			counts[worst]++
		}
	}
	return counts
}
