package disclosure

import (
	"cmp"
	"fmt"
	"slices"
)

// Cost is what hiding a cell is taken to cost.
type Cost uint8

// The costs.
const (
	LeastCells Cost = iota // as few cells as can be
	LeastValue             // as little of the first part's value as can be
)

// Protection is what of a table may be shown. A cell is shown to all its
// contributors or to none.
type Protection struct {
	Judgements []*Judgement // of each part; a cell that is hidden in one is hidden in all
	Hidden     []bool       // by cell
	Witnesses  []Witness
}

// Witness proves that what is hidden stays in doubt: the table as it is, and the
// same with Moves added to it, agree in everything that is shown and known, and
// differ in the sum of Cells by Level at least. Cells is one cell that breaks a
// rule, or several hidden ones whose sum follows from what is shown and breaks one.
type Witness struct {
	Part   int
	Cells  []int32
	Level  int64
	Victim int32 // the organisation whose value it protects, or nobody in particular (-1)
	Moves  []Move
}

// Move changes a cell by so much, in units of its part.
type Move struct {
	Cell int32
	By   int64
}

// Protect judges the cells of a table and hides further ones until each that
// breaks a rule is in doubt by its protection level to any coalition of
// contributors which is given all that is shown. If it cannot be done it says so;
// then nothing of the table may be shown.
//
// Every attacker knows its own values, who contributed to which cell, and that no
// value is below the part's floor (of values with signs: that none is larger, by
// its absolute value, than what is there). Where a total is shown, the sum of the
// hidden cells below it follows, so that sum has to keep the rules as well.
//
// The search is a heuristic in the manner of the hypercube method (Handbook on
// Statistical Disclosure Control, section 4.4.3): what is taken from one cell is
// given to another below the same total, in each dimension. What it finds is
// checked by Audit, so nothing rests on it but the number of cells hidden.
func Protect(rules Rules, cost Cost, t *Table) (*Protection, error) {
	p, err := newProtector(rules, cost, t)
	if err != nil {
		return nil, err
	}
	p.primaries()
	if err := p.cover(); err != nil {
		return nil, err
	}
	p.tidy()
	if err := p.cover(); err != nil { // of sums that tidying left with fewer cells
		return nil, err
	}
	found := p.protection()
	if err := Audit(rules, t, found); err != nil {
		return nil, fmt.Errorf("protect: %w", err)
	}
	return found, nil
}

// primaries hides the cells that break a rule, and makes targets of them, those that
// need the most first.
func (p *protector) primaries() {
	for part := range p.weights {
		for cell, w := range p.weights[part] {
			if w.level == 0 {
				continue
			}
			p.hidden[cell] = true
			if !w.overflow { // all totals above overflow too, so nothing follows for it
				p.targets = append(p.targets, target{part: part, cells: []int32{int32(cell)}, level: w.level})
			}
		}
	}
	slices.SortStableFunc(p.targets, func(a, b target) int { return cmp.Compare(b.level, a.level) })
}

// target is a sum of cells that has to stay in doubt.
type target struct {
	part      int
	cells     []int32
	level     int64
	witnesses []Witness
}

// relation is a cell that is shown and adds up from others.
type relation struct {
	cell int32
	d    int
}

type protector struct {
	*grid
	rules   Rules
	scratch *scratch
	outcome [][]Outcome
	weights [][]weight // by part and cell
	cost    []int64
	hidden  []bool
	targets []target
	checked map[relation]int // how many of its cells were hidden when it was last looked at
}

func newProtector(rules Rules, cost Cost, t *Table) (*protector, error) {
	if err := rules.Check(); err != nil {
		return nil, err
	}
	g, err := t.grid()
	if err != nil {
		return nil, err
	}
	p := &protector{grid: g, rules: rules, hidden: make([]bool, len(t.Nodes)), cost: make([]int64, len(t.Nodes)),
		checked: map[relation]int{}}
	if p.scratch, p.outcome, p.weights, err = weigh(rules, t); err != nil {
		return nil, err
	}
	for cell := range p.cost {
		p.cost[cell] = 1
		if cost == LeastValue {
			p.cost[cell] += int64(magnitude(p.outcome[0][cell].Sum) >> 20)
		}
	}
	return p, nil
}

// weigh judges and weighs every cell of every part.
func weigh(rules Rules, t *Table) (*scratch, [][]Outcome, [][]weight, error) {
	var all []Cell
	for _, part := range t.Parts {
		all = append(all, part.Cells...)
	}
	b, _, err := newScratch(rules, 0, all)
	if err != nil {
		return nil, nil, nil, err
	}
	outcomes, weights := make([][]Outcome, len(t.Parts)), make([][]weight, len(t.Parts))
	for i, part := range t.Parts {
		b.floor = part.Floor
		outcomes[i], weights[i] = make([]Outcome, len(part.Cells)), make([]weight, len(part.Cells))
		typical := typical(part)
		for cell, c := range part.Cells {
			if weights[i][cell], outcomes[i][cell], err = b.weight(c, typical, make([]Verdict, len(c))); err != nil {
				return nil, nil, nil, fmt.Errorf("part %d, cell %d: %w", i, cell, err)
			}
		}
	}
	return b, outcomes, weights, nil
}

// typical is the median over a part's cells of the largest absolute value in each.
func typical(part Part) int64 {
	var list []int64
	for _, cell := range part.Cells {
		var largest int64
		for _, c := range cell {
			if c.Value != -c.Value || c.Value == 0 { // the smallest number is the mark of an overflow
				largest = max(largest, int64(magnitude(c.Value)))
			}
		}
		if largest > 0 {
			list = append(list, largest)
		}
	}
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// cover finds witnesses for every target that lacks them, and makes targets of
// unions, until nothing new comes up: each round hides more, so it ends. A target
// stays when more cells of its sum are hidden: they may follow from elsewhere.
func (p *protector) cover() error {
	for at := 0; ; {
		for ; at < len(p.targets); at++ {
			if t := &p.targets[at]; t.witnesses == nil {
				if err := p.prove(t, true); err != nil {
					return err
				}
			}
		}
		if err := p.findUnions(); err != nil {
			return err
		}
		if at == len(p.targets) {
			return nil
		}
	}
}

// findUnions makes a target of the hidden cells below each shown total whose sum,
// which follows, does not keep the rules.
func (p *protector) findUnions() error {
	count := map[relation]int{}
	var order []relation
	for cell, hidden := range p.hidden {
		if !hidden {
			continue
		}
		for d := range p.Dimensions {
			if up := p.above(int32(cell), d); up >= 0 && !p.hidden[up] {
				r := relation{up, d}
				if count[r]++; count[r] == 1 {
					order = append(order, r)
				}
			}
		}
	}
	for _, r := range order {
		if count[r] == p.checked[r] {
			continue
		}
		p.checked[r] = count[r]
		for part := range p.Parts {
			t, bad, err := p.union(r, part)
			if err != nil {
				return err
			}
			if bad {
				p.targets = append(p.targets, t)
			}
		}
	}
	return nil
}

// union judges the sum of the hidden cells of a relation as a cell.
func (p *protector) union(r relation, part int) (target, bool, error) {
	t := target{part: part}
	var sum Cell
	for _, i := range p.parts(r.cell, r.d) {
		if p.hidden[i] {
			t.cells = append(t.cells, i)
			sum = append(sum, p.Parts[part].Cells[i]...)
		}
	}
	if len(t.cells) < 2 {
		return t, false, nil // its cell is judged already
	}
	sum = merge(sum)
	p.scratch.floor = p.Parts[part].Floor
	if p.scratch.floor > 0 { // somebody in several cells has so many floors
		p.scratch.floor = 0
		sum = p.aboveFloor(t.cells, part)
	}
	w, _, err := p.scratch.weight(sum, 0, make([]Verdict, len(sum)))
	t.level = w.level
	return t, w.level > 0 && !w.overflow, err
}

// aboveFloor adds up what there is in cells above what everybody knows.
func (p *protector) aboveFloor(cells []int32, part int) Cell {
	var sum Cell
	for _, i := range cells {
		for _, c := range p.Parts[part].Cells[i] {
			c.Value -= p.Parts[part].Floor
			sum = append(sum, c)
		}
	}
	return merge(sum)
}

func (p *protector) protection() *Protection {
	found := &Protection{Hidden: p.hidden}
	for i := range p.Parts {
		j := &Judgement{Cells: p.outcome[i]}
		for cell := range j.Cells {
			for at, v := range j.Cells[cell].Verdicts {
				if p.hidden[cell] && v.Released() {
					v = Secondary
					j.Cells[cell].Verdicts[at] = v
				}
				j.counts[v]++
			}
		}
		found.Judgements = append(found.Judgements, j)
	}
	for _, t := range p.targets {
		found.Witnesses = append(found.Witnesses, t.witnesses...)
	}
	return found
}
