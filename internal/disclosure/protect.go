package disclosure

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
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

// Witness proves that what is hidden stays in doubt: the releases as they are, and the
// same with Moves added to them, agree in everything that is shown and known, and
// differ in the sum of Cells by Level at least. Cells is one cell that breaks a
// rule, or several hidden ones whose sum follows from what is shown and breaks one. If
// that is more than one cell at leaves, each Victim has a witness of its own, in which
// it is at leaves where the victim has something that they change so: who is in which
// cell is known.
type Witness struct {
	Release int // that Cells are of: 0 is this one, 1 the first of the earlier ones
	Part    int
	Cells   []int32
	Level   int64
	Beside  uint64 // the earlier releases that the sum would follow from, as bits
	Victim  int32  // the organisation whose value it protects, or nobody in particular (-1)
	Moves   []Move
}

// Move changes what is in a cell by so much, in units of its part, in all releases
// of the bits of In: what is there with the same value in these and in no others.
type Move struct {
	Cell int32
	By   int64
	In   uint64
}

// Protect judges the cells of a table and hides further ones until each that
// breaks a rule is in doubt by its protection level to any coalition of
// contributors which is given all that is shown, here and in the earlier releases.
// If it cannot be done the error is ErrInDoubt; then nothing of the table may be shown.
// It ends with the context's error soon after that is done.
//
// Every attacker knows its own values, who contributed to which cell and when
// that was changed, and that no value is below the part's floor (of values with
// signs: that none is larger, by its absolute value, than what is there). Where a
// total is shown, the sum of the hidden cells below it follows, so that sum has to
// keep the rules as well.
//
// The search is a heuristic in the manner of the hypercube method (Handbook on
// Statistical Disclosure Control, section 4.4.3): what is taken from one cell is
// given to another below the same total, in each dimension. What it finds is
// checked by Audit, so nothing rests on it but the number of cells hidden.
func Protect(ctx context.Context, rules Rules, cost Cost, t *Table, earlier ...Earlier) (*Protection, error) {
	p, err := newProtector(rules, cost, t, earlier)
	if err != nil {
		return nil, err
	}
	p.ended = ctx.Err
	if err := p.protect(); err != nil {
		return nil, err
	}
	found := p.protection()
	if err := Audit(rules, t, found, earlier...); err != nil {
		return nil, fmt.Errorf("protect: %w", err)
	}
	return found, nil
}

func (p *protector) protect() error {
	p.primaries()
	if err := p.differences(); err != nil {
		return err
	}
	p.formerly()
	slices.SortStableFunc(p.targets, func(a, b target) int { return cmp.Compare(b.level, a.level) })
	if err := p.cover(); err != nil {
		return err
	}
	p.tidy()
	if err := p.ended(); err != nil {
		return err
	}
	return p.cover() // of sums that tidying left with fewer cells
}

// breaks reports whether a cell breaks a rule by itself.
func (p *protector) breaks(cell int32) bool {
	for part := range p.Parts {
		if p.views[0].weights[part][cell].level > 0 {
			return true
		}
	}
	return false
}

// target is a sum of cells of a release that has to stay in doubt.
type target struct {
	release   int
	part      int
	cells     []int32
	level     int64
	beside    uint64 // the earlier releases that it would follow from, as bits
	witnesses []Witness
}

// relation is a cell of a release that adds up from others.
type relation struct {
	release int
	part    int
	cell    int32
	d       int
}

type protector struct {
	*grid
	rules   Rules
	scratch *scratch
	views   []view    // releases, the one being made first
	layers  [][]layer // by part
	cost    []int64
	hidden  []bool // in the release being made
	differs []bool // what is hidden there for its difference
	targets []target
	follows follows
	ended   func() error     // says that nobody waits for the search any more
	checked map[relation]int // how many of its cells were hidden when it was last looked at
}

func newProtector(rules Rules, cost Cost, t *Table, earlier []Earlier) (*protector, error) {
	if err := rules.Check(); err != nil {
		return nil, err
	}
	g, err := t.grid()
	if err != nil {
		return nil, err
	}
	p := &protector{grid: g, rules: rules, hidden: make([]bool, len(t.Nodes)), differs: make([]bool, len(t.Nodes)), cost: make([]int64, len(t.Nodes)),
		follows: follows{}, checked: map[relation]int{}, ended: func() error { return nil }}
	if p.scratch, p.views, err = newViews(rules, g, earlier); err != nil {
		return nil, err
	}
	p.views[0].hidden = slices.Repeat([][]bool{p.hidden}, len(t.Parts))
	if p.layers, err = newLayers(p.scratch, g, p.views); err != nil {
		return nil, err
	}
	p.price(cost)
	return p, nil
}

// price says what hiding each cell costs: one, and with LeastValue its value, in units
// so large that no sum of them overflows.
func (p *protector) price(cost Cost) {
	shift := 0
	for _, out := range p.views[0].outcome[0] {
		shift = max(shift, bits.Len64(magnitude(out.Sum))-40)
	}
	for cell := range p.cost {
		p.cost[cell] = 1
		if cost == LeastValue {
			p.cost[cell] += int64(magnitude(p.views[0].outcome[0][cell].Sum) >> shift)
		}
	}
}

// weigh judges and weighs every cell of every part.
func weigh(b *scratch, g *grid, parts []Part) ([][]Outcome, [][]weight, error) {
	outcomes, weights := make([][]Outcome, len(parts)), make([][]weight, len(parts))
	defer func() { b.floors = nil }()
	for i, part := range parts {
		floors, err := g.floors(part)
		if err != nil {
			return nil, nil, err
		}
		b.floor = part.Floor
		outcomes[i], weights[i] = make([]Outcome, len(part.Cells)), make([]weight, len(part.Cells))
		typical := typical(part)
		total := 0
		for _, c := range part.Cells {
			total += len(c)
		}
		all := make([]Verdict, total)
		for cell, c := range part.Cells {
			verdicts := all[:len(c):len(c)]
			all = all[len(c):]
			if b.floors = nil; floors != nil {
				b.floors = floors[cell]
			}
			if weights[i][cell], outcomes[i][cell], err = b.weight(c, typical, verdicts); err != nil {
				return nil, nil, fmt.Errorf("part %d, cell %d: %w", i, cell, err)
			}
		}
	}
	return outcomes, weights, nil
}

// floors is what everybody knows each contribution of a part to be at least: in a total
// as many floors as there are leaves below it where the participant has something.
// It is nil if nothing is known.
func (g *grid) floors(part Part) ([]Cell, error) {
	if part.Floor == 0 {
		return nil, nil
	}
	floors := make([]Cell, len(part.Cells))
	for cell := range floors {
		if g.leaf(int32(cell)) {
			floors[cell] = slices.Clone(part.Cells[cell])
			for i := range floors[cell] {
				floors[cell][i].Value = part.Floor
			}
		}
	}
	if err := g.addUp(floors); err != nil {
		return nil, err
	}
	for cell := range floors {
		if !slices.EqualFunc(floors[cell], part.Cells[cell], func(a, b Contribution) bool { return a.Participant == b.Participant }) {
			return nil, fmt.Errorf("cell %d is not the sum of those below it", cell)
		}
	}
	return floors, nil
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

// stays reports whether a cell is hidden whatever is in it.
func (p *protector) stays(cell int32) bool { return p.Stay != nil && p.Stay[cell] }

// primaries hides the cells that break a rule, and makes targets of them.
func (p *protector) primaries() {
	for part := range p.Parts {
		for cell, w := range p.views[0].weights[part] {
			level := w.level
			if p.stays(int32(cell)) {
				level = min(max(level, 1, ceiling(usualPercent, uint64(w.largest), 100)), maxLevel)
				p.differs[cell] = true
			}
			if level == 0 {
				continue
			}
			p.hidden[cell] = true
			if !w.overflow && len(p.Parts[part].Cells[cell]) > 0 { // all totals above overflow too, so nothing follows for it
				p.targets = append(p.targets, target{part: part, cells: []int32{int32(cell)}, level: level})
			}
		}
	}
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
// which follows, does not keep the rules, or the difference of which does not.
func (p *protector) findUnions() error {
	for release := range p.views {
		for part := range p.Parts {
			for _, r := range p.partlyShown(release, part) {
				list, err := p.unions(r)
				if err != nil {
					return err
				}
				p.targets = append(p.targets, list...)
			}
		}
	}
	return nil
}

// partlyShown lists the totals of a release that are shown while some of what is below
// them is hidden, if that has changed.
func (p *protector) partlyShown(release, part int) []relation {
	seen := map[relation]bool{}
	var order []relation
	hidden := p.views[release].hidden[part]
	for cell := range hidden {
		if !hidden[cell] {
			continue
		}
		for d := range p.Dimensions {
			if up := p.above(int32(cell), d); up >= 0 && !hidden[up] {
				r := relation{release, part, up, d}
				if !seen[r] {
					seen[r] = true
					if n := len(p.hiddenBelow(r)); n != p.checked[r] {
						p.checked[r] = n
						order = append(order, r)
					}
				}
			}
		}
	}
	return order
}

// unions judges the sum of what is hidden below a total as a cell, and what follows
// of it from earlier releases.
func (p *protector) unions(r relation) ([]target, error) {
	var list []target
	cells := p.hiddenBelow(r)
	if len(cells) > 1 { // one is judged already
		t, bad, err := p.union(r.release, r.part, cells)
		if err != nil {
			return nil, err
		}
		if bad {
			list = append(list, t)
		}
	}
	if before := p.shownBefore(r.part, r.cell); r.release == 0 && before > 0 {
		for release := 1; release < len(p.views); release++ {
			if before>>release&1 == 1 {
				cells = append(cells, p.hiddenBelow(relation{release, r.part, r.cell, r.d})...)
			}
		}
		slices.Sort(cells)
		if cells = slices.Compact(cells); len(cells) < 2 {
			return list, nil
		}
		level, err := p.derivedLevel(r.part, cells, before)
		if err != nil {
			return nil, err
		}
		if level > 0 {
			list = append(list, target{part: r.part, cells: cells, level: level, beside: before})
		}
	}
	return list, nil
}

// hiddenBelow lists what is hidden below a total in one dimension. Of a hidden total
// among it the cells that are shown can be taken off, so what is hidden of it counts in
// its place.
func (p *protector) hiddenBelow(r relation) []int32 {
	var list []int32
	hidden := p.views[r.release].hidden[r.part]
	for _, cell := range p.parts(r.cell, r.d) {
		switch below := p.parts(cell, r.d); {
		case !hidden[cell]:
		case len(below) == 0:
			list = append(list, cell)
		default:
			list = append(list, p.hiddenBelow(relation{r.release, r.part, cell, r.d})...)
		}
	}
	return list
}

// union judges the sum of some cells.
func (p *protector) union(release, part int, cells []int32) (target, bool, error) {
	w, err := p.weighSum(release, part, cells)
	return target{release: release, part: part, cells: cells, level: w.level}, w.level > 0 && !w.overflow, err
}

// weighSum weighs the sum of some cells of a release, above what everybody knows of them.
func (p *protector) weighSum(release, part int, cells []int32) (weight, error) {
	var sum Cell
	of := p.views[release].parts[part]
	for _, i := range cells {
		sum = append(sum, of.Cells[i]...)
		if floors := p.views[release].floors[part]; floors != nil {
			for _, c := range floors[i] {
				c.Value = -c.Value
				sum = append(sum, c)
			}
		}
	}
	sum = merge(sum)
	p.scratch.floor = 0
	w, _, err := p.scratch.weight(sum, 0, make([]Verdict, len(sum)))
	return w, err
}

func (p *protector) protection() *Protection {
	found := &Protection{Hidden: p.hidden}
	for i := range p.Parts {
		j := &Judgement{Cells: p.views[0].outcome[i]}
		for cell := range j.Cells {
			for at, v := range j.Cells[cell].Verdicts {
				if p.hidden[cell] && v.Released() {
					v = Secondary
					if p.differs[cell] {
						v = Difference
					}
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
