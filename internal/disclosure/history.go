package disclosure

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// Earlier is a release that was made before of the same table: what it was made
// from, at the same places, and what of it was hidden. What was shown once is known
// for ever, to whoever it was shown.
type Earlier struct {
	Parts  []Part
	Hidden [][]bool // by part and cell; a part that it did not have has no contributions, and is hidden
}

// maxLayers is how many layers there can be: somebody whose values go back and forth
// from cell to cell and release to release must not cost more than this.
const maxLayers = 64

// maxEarlier is how many earlier releases of a table can be taken into account.
const maxEarlier = 30

// A release differs from an earlier one by what joined, left or was corrected. The
// difference of two cells that are both shown is known, and so is whatever follows
// from several of them: of four, the part that two have in common. So the
// contributions are taken apart into layers, each of those that are in the same
// releases with the same value, and combinations of layers that follow from what is
// shown (see follows for which) have to keep the rules as a cell of its own. If one does
// not, the newer cell is hidden (Difference).
//
// Nor may a newer release help against an older one. So a witness moves what is in one
// layer at a time, and only in cells that are hidden in all releases of that layer.
// Then every release stays as it was shown.
// Each cell that is hidden in an earlier release because of a rule needs such a witness
// too.

// view is a release with what was found of it.
type view struct {
	parts   []Part
	floors  [][]Cell // by part; nil where nothing is known
	hidden  [][]bool // by part and cell
	outcome [][]Outcome
	weights [][]weight // by part and cell
}

// layer is what is in the same releases: those of the bits of in, of which the first
// is the one being made.
type layer struct {
	in      uint64
	cells   []Cell
	weights []weight
}

// layersOf takes the contributions of a part apart by the releases that they are in.
func layersOf(g *grid, views []view, part int) (map[uint64][]Cell, error) {
	layers := map[uint64][]Cell{}
	type own struct {
		Contribution
		release int
	}
	var all []own
	for cell := range g.Nodes {
		if !g.leaf(int32(cell)) {
			continue
		}
		all = all[:0]
		for release := range views {
			for _, c := range views[release].parts[part].Cells[cell] {
				all = append(all, own{c, release})
			}
		}
		slices.SortFunc(all, func(a, b own) int {
			return cmp.Or(cmp.Compare(a.Participant, b.Participant), cmp.Compare(a.Value, b.Value), cmp.Compare(a.release, b.release))
		})
		for from := 0; from < len(all); {
			var in uint64
			to := from
			for ; to < len(all) && all[to].Participant == all[from].Participant && all[to].Value == all[from].Value; to++ {
				if all[to].Organisation != all[from].Organisation {
					return nil, fmt.Errorf("participant %d changed its organisation between releases", all[from].Participant)
				}
				in |= 1 << all[to].release
			}
			if layers[in] == nil {
				layers[in] = make([]Cell, len(g.Nodes))
			}
			layers[in][cell] = append(layers[in][cell], all[from].Contribution)
			from = to
		}
	}
	for _, cells := range layers {
		if err := g.addUp(cells); err != nil {
			return nil, err
		}
	}
	return layers, nil
}

// leaf reports whether a cell is the sum of no others.
func (g *grid) leaf(cell int32) bool {
	n := g.Nodes[cell]
	return len(g.trees[0].children[n[0]])+len(g.trees[1].children[n[1]]) == 0
}

// Differs judges, for a cell that stands alone, whether a recipient may be shown it
// beside those of earlier releases that it was shown. The verdict is Release or
// Difference; then there is the interval that follows for the cell if it is hidden, unless
// it cannot be computed. Cells of two organisations, where the rules let them be shown,
// tell each what the other has, so their difference tells nothing.
func Differs(rules Rules, floor int64, earlier []Cell, now Cell) (Verdict, []Interval, error) {
	t := &Table{Dimensions: []Dimension{{Parent: []int32{Top}}}, Nodes: make([][2]int32, 1), Parts: []Part{{Floor: floor, Cells: []Cell{now}}}}
	var list []Earlier
	for _, cell := range earlier {
		if owners(cell) <= 2 && owners(now) <= 2 {
			continue
		}
		list = append(list, Earlier{Parts: []Part{{Floor: floor, Cells: []Cell{cell}}}, Hidden: [][]bool{{false}}})
	}
	p, err := newProtector(rules, LeastCells, t, list)
	if err != nil {
		return Unjudged, nil, err
	}
	if err := p.differences(); err != nil {
		return Unjudged, nil, err
	}
	if p.hidden[0] {
		return Difference, p.intervals(0, []int32{0}), nil
	}
	return Release, nil, nil
}

// owners counts the organisations of a cell.
func owners(cell Cell) int {
	seen := map[int32]bool{}
	for _, c := range cell {
		seen[c.Organisation] = true
	}
	return len(seen)
}

// differences hides the cells that tell too much beside what was shown of them before,
// and makes targets of them.
func (p *protector) differences() error {
	for part := range p.Parts {
		for cell := range p.Nodes {
			before := p.shownBefore(part, int32(cell))
			level, err := p.derivedLevel(part, []int32{int32(cell)}, before)
			if err != nil {
				return err
			}
			if level == 0 {
				continue
			}
			p.hidden[cell], p.differs[cell] = true, true
			if w := p.views[0].weights[part][cell]; !w.overflow {
				p.targets = append(p.targets, target{part: part, cells: []int32{int32(cell)}, level: level, beside: before})
			}
		}
	}
	return nil
}

// shownBefore lists the earlier releases that show a cell, as bits.
func (p *protector) shownBefore(part int, cell int32) (in uint64) {
	for release := 1; release < len(p.views); release++ {
		if !p.views[release].hidden[part][cell] {
			in |= 1 << release
		}
	}
	return in
}

// derivedLevel is by how much a sum of cells has to be in doubt, if it was known in
// some earlier releases and something that follows from them and this one breaks a
// rule; 0 if nothing does.
func (p *protector) derivedLevel(part int, cells []int32, before uint64) (int64, error) {
	if before == 0 {
		return 0, nil
	}
	var sums []Cell
	var strata []stratum
	for _, l := range p.layers[part] {
		var sum Cell
		for _, cell := range cells {
			sum = append(sum, l.cells[cell]...)
		}
		if len(sum) > 0 && l.in&(before|1) != 0 {
			s := stratum{in: l.in, size: owners(sum), owner: nobody}
			if s.size == 1 {
				s.owner = sum[0].Organisation
			}
			sums, strata = append(sums, merge(slices.Clone(sum))), append(strata, s)
		}
	}
	level, floor := int64(0), p.Parts[part].Floor
	for _, row := range p.follows.from(strata, before|1) {
		var what, above Cell // of the values, and of what is above their floor
		for l, by := range row {
			for i, c := range sums[l] {
				if by != 0 {
					c.Value = times(c.Value, by)
					what = append(what, c)
					c.Value = times(add(sums[l][i].Value, -floor), by)
					above = append(above, c)
				}
			}
		}
		// Whose changes cancel out hides nobody, but who came or left with nothing is a
		// contributor like any other: alone it would be known to have nothing.
		changed := map[int32]bool{}
		for _, c := range what {
			changed[c.Participant] = changed[c.Participant] || c.Value != 0
		}
		same := map[int32]bool{}
		for _, c := range merge(what) {
			same[c.Participant] = c.Value == 0 && changed[c.Participant]
		}
		what = slices.DeleteFunc(merge(above), func(c Contribution) bool { return same[c.Participant] })
		if len(what) == 0 {
			continue
		}
		p.scratch.floor = 0
		w, _, err := p.scratch.weight(what, 0, make([]Verdict, len(what)))
		if err != nil {
			return 0, err
		}
		level = max(level, w.level)
	}
	return level, nil
}

// formerly makes targets of the cells that broke a rule in an earlier release and were
// hidden there.
func (p *protector) formerly() {
	for release := 1; release < len(p.views); release++ {
		for part := range p.Parts {
			for cell, w := range p.views[release].weights[part] {
				if w.level > 0 && !w.overflow && p.views[release].hidden[part][cell] {
					p.targets = append(p.targets, target{release: release, part: part, cells: []int32{int32(cell)}, level: w.level})
				}
			}
		}
	}
}

// newViews gathers the releases of a table, the one being made first.
func newViews(rules Rules, g *grid, earlier []Earlier) (*scratch, []view, error) {
	if len(earlier) > maxEarlier {
		return nil, nil, fmt.Errorf("%d earlier releases; at most %d can be taken into account", len(earlier), maxEarlier)
	}
	all := [][]Part{g.Parts}
	for i, e := range earlier {
		if len(e.Hidden) != len(g.Parts) || len(e.Parts) != len(g.Parts) {
			return nil, nil, fmt.Errorf("earlier release %d is of another table", i)
		}
		for n, part := range e.Parts {
			if len(part.Cells) != len(g.Nodes) || len(e.Hidden[n]) != len(g.Nodes) {
				return nil, nil, fmt.Errorf("earlier release %d is of another table", i)
			}
		}
		all = append(all, e.Parts)
	}
	var cells []Cell
	for _, parts := range all {
		for _, part := range parts {
			cells = append(cells, part.Cells...)
		}
	}
	b, _, err := newScratch(rules, 0, cells)
	if err != nil {
		return nil, nil, err
	}
	views := make([]view, len(all))
	for i, parts := range all {
		v := view{parts: parts}
		if v.outcome, v.weights, err = weigh(b, g, parts); err != nil {
			return nil, nil, err
		}
		for _, part := range parts {
			floors, err := g.floors(part)
			if err != nil {
				return nil, nil, err
			}
			v.floors = append(v.floors, floors)
		}
		if i > 0 {
			v.hidden = earlier[i-1].Hidden
		}
		views[i] = v
	}
	return b, views, nil
}

// newLayers takes each part apart. A table without earlier releases has one layer.
func newLayers(b *scratch, g *grid, views []view) ([][]layer, error) {
	layers := make([][]layer, len(g.Parts))
	for part := range g.Parts {
		if len(views) == 1 {
			layers[part] = []layer{{in: 1, cells: g.Parts[part].Cells, weights: views[0].weights[part]}}
			continue
		}
		cells, err := layersOf(g, views, part)
		if err != nil {
			return nil, err
		}
		if len(cells) > maxLayers {
			return nil, ErrInDoubt
		}
		for in, c := range cells {
			_, weights, err := weigh(b, g, []Part{{Floor: g.Parts[part].Floor, Cells: c}})
			if err != nil {
				return nil, err
			}
			layers[part] = append(layers[part], layer{in: in, cells: c, weights: weights[0]})
		}
		slices.SortFunc(layers[part], func(a, b layer) int { // what is in more releases first
			return cmp.Or(bits.OnesCount64(b.in)-bits.OnesCount64(a.in), cmp.Compare(a.in, b.in))
		})
	}
	return layers, nil
}
