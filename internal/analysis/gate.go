package analysis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tributary/internal/analysis/definition"
	"tributary/internal/analysis/render"
	"tributary/internal/disclosure"
	"tributary/internal/fault"
	"tributary/internal/query"
)

// table gathers the engine's answer by cell: for each cell and part of a measure the
// contributions in order of participant.
type table struct {
	spec  query.Spec
	limit int64         // cells
	thins bool          // beyond the limit, cells that one participant alone is in may go: they are shown to nobody
	gone  map[int]int64 // by participant: how many of its did
	keys  [][]query.Value
	cells [][]disclosure.Cell // by part, then by cell
	over  []string            // by cell, of a table with totals: the groups that it is a total over, or nothing
}

func newTable(spec query.Spec, limit int64) *table {
	return &table{spec: spec, limit: limit, cells: make([][]disclosure.Cell, len(spec.Measures)), gone: map[int]int64{}}
}

// add takes the next row; rows come sorted by key, then participant.
func (t *table) add(r query.Row) error {
	if n := len(t.keys); n == 0 || query.CompareKeys(t.keys[n-1], r.Key) != 0 {
		if int64(n) >= t.limit && !t.thin() {
			return t.tooLarge()
		}
		t.keys = append(t.keys, r.Key)
		for m := range t.cells {
			t.cells[m] = append(t.cells[m], make(disclosure.Cell, 0, min(t.spec.Participants, 8)))
		}
	}
	last := len(t.keys) - 1
	for m, v := range r.Values {
		if v.Present {
			t.cells[m][last] = append(t.cells[m][last], disclosure.Contribution{Participant: int32(r.Participant), Value: v.Fixed})
		}
	}
	return nil
}

// thin takes out the cells that one participant alone is in. It reports whether that
// made room worth the work.
func (t *table) thin() bool {
	if !t.thins {
		return false
	}
	kept := 0
	for n := range t.keys {
		alone, several := -1, false
		for m := range t.cells {
			for _, c := range t.cells[m][n] {
				several = several || alone >= 0 && alone != int(c.Participant)
				alone = int(c.Participant)
			}
		}
		if !several {
			t.gone[alone]++
			continue
		}
		t.keys[kept] = t.keys[n]
		for m := range t.cells {
			t.cells[m][kept] = t.cells[m][n]
		}
		kept++
	}
	made := len(t.keys) - kept
	t.keys = t.keys[:kept]
	for m := range t.cells {
		t.cells[m] = t.cells[m][:kept]
	}
	return made > 0 && int64(made) >= t.limit/10
}

func (t *table) tooLarge() error {
	return fault.New(fault.TooLarge, "The result has more than the %d cells of the analysis's limit. Group by fewer columns, filter, or raise limits.cells.", t.limit)
}

// measure is one that can be computed, and what the gate said of it.
type measure struct {
	definition.Measure
	parts      []int                   // of the engine's answer: a ratio has two; then those that it is judged on as well
	reads      []string                // columns behind sums, to know which measures have to do with each other
	judgements []*disclosure.Judgement // of each part
}

// outcome is what the gate decided.
type outcome struct {
	measures   []measure      // in the order of the definition
	rows       [][]render.Row // by participant
	suppressed []int64        // by participant: cells and measures it contributed to and does not get
	reasons    map[string]int64
	released   int64   // pairs of cell and recipient
	cells      int     // totals included
	families   [][]int // parts, see families
	attack     Attack
	before     map[cellOf]bool // cells without totals that an earlier release showed
	hidden     []byte          // digests of the cells of such a table that are hidden, in order
	utility    []Utility       // by measure
	table      *table          // what was judged, with its totals
	withheld   string          // why nothing may be released; empty: something may
	spare      []render.Value
}

// cellOf is a cell of a measure.
type cellOf struct{ measure, cell int }

// judge puts every measure of every cell before the gate, for each recipient.
func (x *execution) judge(ctx context.Context, t *table) (*outcome, error) {
	o := &outcome{measures: slices.Clone(x.measures), rows: make([][]render.Row, len(x.participants)), suppressed: make([]int64, len(x.participants)), reasons: map[string]int64{},
		utility: make([]Utility, len(x.measures)), before: map[cellOf]bool{}}
	organisation := x.organisationIndex()
	for _, cells := range t.cells {
		for _, cell := range cells {
			for i := range cell {
				cell[i].Organisation = organisation[cell[i].Participant]
			}
		}
	}
	o.families = families(o.measures)
	var err error
	if len(x.def.Totals) > 0 {
		t, err = x.protect(ctx, t, o)
	} else {
		earlier := x.earlierCells(t) // first, since it adds cells that only they have
		if err = x.judgeAlone(t, o); err == nil {
			if err = x.differs(t, earlier, o); err == nil {
				x.hideAlone(t, o)
			}
		}
	}
	if errors.Is(err, disclosure.ErrInDoubt) {
		o.withheld = "A hidden value could be computed from the totals, or from what was released before, and nothing was found that could be hidden against it. Nothing was released."
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	for p, n := range t.gone {
		if p >= 0 {
			o.suppressed[p] += n * int64(len(o.measures))
			o.reasons[disclosure.Minimum.String()] += n * int64(len(o.measures))
		}
	}
	o.table, o.cells = t, len(t.keys)
	rows := make([]render.Row, len(x.participants))
	for cell := range t.keys {
		clear(rows)
		if err := x.cellRows(t, o, cell, rows); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// beside reports whether something is shown of a cell that says something of a measure
// in it: another of its family.
func (o *outcome) beside(m, cell int) bool {
	for _, family := range o.families {
		for n := range o.measures {
			of := &o.measures[n]
			if n == m || !slices.Contains(family, o.measures[m].parts[0]) || !slices.Contains(family, of.parts[0]) {
				continue
			}
			if slices.ContainsFunc(of.judgements[0].Cells[cell].Verdicts, disclosure.Verdict.Released) {
				return true
			}
		}
	}
	return false
}

// gateRules are the definition's, and those of what is released beside it, as the gate
// has them.
func (x *execution) gateRules() disclosure.Rules {
	r := x.def.Rules
	for _, f := range x.before.releases {
		r = r.And(f.def.Rules)
	}
	return disclosure.Rules{MinContributors: r.MinContributors, PPercent: r.PPercent, QPercent: r.QPercent, Coalition: r.Coalition,
		Dominance: disclosure.Dominance{N: r.Dominance.N, K: r.Dominance.K}}
}

// floor is what everybody knows each value of a part to be at least: where it counts
// rows, one of them, at the part's scale.
func (x *execution) floor(t *table, part int) (int64, error) {
	if !x.counted[part] {
		return 0, nil
	}
	return disclosure.Mean(1, 1, 0, t.spec.Measures[part].Scale)
}

// judgeAlone judges cells that no totals connect, measure by measure.
func (x *execution) judgeAlone(t *table, o *outcome) error {
	rules := x.gateRules()
	for m := range o.measures {
		of := &o.measures[m]
		for _, part := range of.parts {
			floor, err := x.floor(t, part)
			if err != nil {
				return fmt.Errorf("judge %s: %w", of.Name, err)
			}
			var j *disclosure.Judgement
			if of.Function == definition.Quantile {
				j, err = disclosure.Quantile(rules, floor, of.Quantile, t.cells[part])
			} else {
				j, err = disclosure.Judge(rules, floor, t.cells[part])
			}
			if err == nil && of.Function == definition.Variance {
				err = disclosure.Spread(rules, t.cells[part], j)
			}
			if err != nil {
				return fmt.Errorf("judge %s: %w", of.Name, err)
			}
			of.judgements = append(of.judgements, j)
		}
	}
	return x.judgeTogether(t, o)
}

// organisationIndex numbers the participants' organisations.
func (x *execution) organisationIndex() []int32 {
	numbers := map[string]int32{}
	index := make([]int32, len(x.owners))
	for p, owner := range x.owners {
		n, ok := numbers[owner]
		if !ok {
			n = int32(len(numbers))
			numbers[owner] = n
		}
		index[p] = n
	}
	return index
}

// cellRows adds a cell's row to the table of each recipient that may have it.
// rows has an empty one for each participant.
func (x *execution) cellRows(t *table, o *outcome, cell int, rows []render.Row) error {
	key := t.renderKey(cell)
	for m := range o.measures {
		of := &o.measures[m]
		value, err := of.value(t, cell)
		before := o.utility[m]
		seen := o.utility[m].cell(of.Name)
		for i, c := range t.cells[of.parts[0]][cell] {
			verdict, parts, whole := of.verdict(t, cell, i)
			if !whole {
				continue // it has no value in the other part
			}
			r := &rows[c.Participant]
			if r.Values == nil {
				r.Key, r.Values = key, o.nulls(len(o.measures))
				if x.def.OwnValue {
					r.Own = o.nulls(len(o.measures))
				}
			}
			own, ownErr := of.own(t, parts)
			switch {
			case !verdict.Released():
			case errors.Is(err, disclosure.ErrOverflow), errors.Is(ownErr, disclosure.ErrOverflow):
				verdict = disclosure.Overflow // what cannot be written hides its cell; it must not stop the run for all
			case errors.Is(err, disclosure.ErrUndefined):
				verdict = disclosure.Undefined
			case err != nil:
				return fmt.Errorf("measure %s: %w", of.Name, err)
			case ownErr != nil && !errors.Is(ownErr, disclosure.ErrUndefined):
				return fmt.Errorf("measure %s: %w", of.Name, ownErr)
			}
			seen(c.Value, verdict.Released())
			if !verdict.Released() {
				o.suppressed[c.Participant]++
				o.reasons[verdict.String()]++
				continue
			}
			o.released++
			r.Values[m] = render.Value{Int: value}
			if x.def.OwnValue && ownErr == nil {
				r.Own[m] = render.Value{Int: own}
			}
		}
		if now := o.utility[m]; len(x.def.Totals) == 0 && now.Cells > before.Cells {
			shown := now.Shown > before.Shown
			o.attack.alone(shown, !shown && (o.before[cellOf{m, cell}] || o.beside(m, cell)))
		}
	}
	for p, r := range rows {
		if slices.ContainsFunc(r.Values, func(v render.Value) bool { return !v.Null }) {
			o.rows[p] = append(o.rows[p], r)
		}
	}
	return nil
}

// verdict says whether the i-th contributor of a measure's first part may have a cell,
// and what it has in each part; whole is false if it has nothing in one.
func (m *measure) verdict(t *table, cell, i int) (v disclosure.Verdict, own []int64, whole bool) {
	first := t.cells[m.parts[0]][cell][i]
	v, own = m.judgements[0].Cells[cell].Verdicts[i], []int64{first.Value}
	for n, part := range m.parts[1:] {
		at, found := slices.BinarySearchFunc(t.cells[part][cell], first.Participant, func(c disclosure.Contribution, p int32) int { return int(c.Participant) - int(p) })
		if !found {
			return v, nil, false
		}
		own = append(own, t.cells[part][cell][at].Value)
		if v.Released() {
			v = m.judgements[n+1].Cells[cell].Verdicts[at]
		}
	}
	return v, own, true
}

// value is a measure's of a cell, for whoever may have it.
func (m *measure) value(t *table, cell int) (int64, error) {
	out, scale := m.judgements[0].Cells[cell], t.spec.Measures[m.parts[0]].Scale
	switch m.Function {
	case definition.Mean, definition.Quantile:
		return disclosure.Mean(out.Sum, max(int64(out.Participants), 1), scale, m.Decimals)
	case definition.Ratio, definition.WeightedMean:
		by := m.judgements[1].Cells[cell]
		return disclosure.Ratio(out.Sum, by.Sum, scale, t.spec.Measures[m.parts[1]].Scale, m.Decimals)
	case definition.Variance:
		return disclosure.Variance(t.cells[m.parts[0]][cell], scale, m.Decimals)
	}
	return disclosure.Mean(out.Sum, 1, scale, m.Decimals)
}

// own is a participant's own value, of what it has in each part.
func (m *measure) own(t *table, parts []int64) (int64, error) {
	scale := t.spec.Measures[m.parts[0]].Scale
	if m.Function == definition.Ratio || m.Function == definition.WeightedMean {
		return disclosure.Ratio(parts[0], parts[1], scale, t.spec.Measures[m.parts[1]].Scale, m.Decimals)
	}
	return disclosure.Mean(parts[0], 1, scale, m.Decimals)
}

// nulls returns n nulls. There are many short lists of them, so they are cut from
// long ones.
func (o *outcome) nulls(n int) []render.Value {
	if len(o.spare) < n {
		o.spare = slices.Repeat([]render.Value{{Null: true}}, 1024*n)
	}
	list := o.spare[:n:n]
	o.spare = o.spare[n:]
	return list
}

func (t *table) renderKey(cell int) []render.Value {
	key := t.keys[cell]
	list := make([]render.Value, len(key), len(key)+1)
	for i, v := range key {
		list[i] = render.Value{Null: v.Null, Text: v.Text, Int: v.Int}
	}
	if t.over != nil {
		list = append(list, render.Value{Null: t.over[cell] == "", Text: t.over[cell]})
	}
	return list
}
