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
	Hidden []bool
}

// maxEarlier is how many earlier releases of a table can be taken into account.
const maxEarlier = 30

// A release differs from an earlier one by what joined, left or was corrected. The
// difference of two cells that are both shown is known, so it has to keep the rules
// as a cell of its own: not less than the minimum of organisations may have changed,
// and none of them may have changed by too much of it. If it does not keep them, the
// newer cell is hidden (Difference).
//
// Nor may a newer release help against an older one. So the contributions are taken
// apart into layers, each of those that are in the same releases with the same
// value, and a witness moves what is in one layer at a time: only cells that are
// hidden in all releases of that layer. Then every release stays as it was shown.
// Each cell that is hidden in an earlier release because of a rule needs such a witness
// too.

// view is a release with what was found of it.
type view struct {
	parts   []Part
	hidden  []bool
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
		g.addUp(cells)
	}
	return layers, nil
}

// leaf reports whether a cell is the sum of no others.
func (g *grid) leaf(cell int32) bool {
	n := g.Nodes[cell]
	return len(g.trees[0].children[n[0]])+len(g.trees[1].children[n[1]]) == 0
}

// addUp fills in the cells of totals from those at leaves.
func (g *grid) addUp(cells []Cell) {
	for cell, n := range g.Nodes {
		if g.leaf(int32(cell)) && len(cells[cell]) > 0 {
			for u := n[0]; u != Top; u = g.trees[0].parent[u] {
				for w := n[1]; w != Top; w = g.trees[1].parent[w] {
					if to := g.at(u, w); to >= 0 && int(to) != cell {
						cells[to] = append(cells[to], cells[cell]...)
					}
				}
			}
		}
	}
	for cell := range cells {
		if !g.leaf(int32(cell)) {
			cells[cell] = merge(cells[cell])
		}
	}
}

// difference is what changed in a cell between an earlier release and this one: of
// each participant by how much.
func difference(old, now Cell) Cell {
	changed := slices.Clone(now)
	for _, c := range old {
		c.Value = -c.Value // the mark of an overflow stays what it is
		changed = append(changed, c)
	}
	return slices.DeleteFunc(merge(changed), func(c Contribution) bool { return c.Value == 0 })
}

// Differs judges, for a cell that stands alone, the difference to the same cell of an
// earlier release which the recipient was shown. Release means that it may be shown
// this one too.
func Differs(rules Rules, old, now Cell) (Verdict, error) {
	changed := difference(old, now)
	if len(changed) == 0 {
		return Release, nil
	}
	j, err := Judge(rules, 0, []Cell{changed})
	if err != nil {
		return Unjudged, err
	}
	if j.Count(Release) < int64(len(changed)) {
		return Difference, nil
	}
	return Release, nil
}

// differences hides the cells whose difference to an earlier release would tell too
// much, and makes targets of them.
func (p *protector) differences() error {
	for release := 1; release < len(p.views); release++ {
		old := p.views[release]
		for part := range p.Parts {
			for cell := range p.Nodes {
				if old.hidden[cell] {
					continue
				}
				level, err := p.differenceLevel(release, part, []int32{int32(cell)})
				if err != nil {
					return err
				}
				if level == 0 {
					continue
				}
				p.hidden[cell], p.differs[cell] = true, true
				if w := p.views[0].weights[part][cell]; !w.overflow {
					p.targets = append(p.targets, target{part: part, cells: []int32{int32(cell)}, level: level, against: release})
				}
			}
		}
	}
	return nil
}

// differenceLevel is by how much the difference of a sum of cells to an earlier release
// has to be in doubt; 0 if it may be known.
func (p *protector) differenceLevel(release, part int, cells []int32) (int64, error) {
	var old, now Cell
	for _, cell := range cells {
		old = append(old, p.views[release].parts[part].Cells[cell]...)
		now = append(now, p.Parts[part].Cells[cell]...)
	}
	changed := difference(merge(old), merge(now))
	if len(changed) == 0 {
		return 0, nil
	}
	p.scratch.floor = 0
	w, _, err := p.scratch.weight(changed, 0, make([]Verdict, len(changed)))
	return w.level, err
}

// formerly makes targets of the cells that broke a rule in an earlier release and were
// hidden there.
func (p *protector) formerly() {
	for release := 1; release < len(p.views); release++ {
		for part := range p.Parts {
			for cell, w := range p.views[release].weights[part] {
				if w.level > 0 && !w.overflow && p.views[release].hidden[cell] {
					p.targets = append(p.targets, target{release: release, part: part, cells: []int32{int32(cell)}, level: w.level})
				}
			}
		}
	}
}

// newViews gathers the releases of a table, the one being made first.
func newViews(rules Rules, t *Table, earlier []Earlier) (*scratch, []view, error) {
	if len(earlier) > maxEarlier {
		return nil, nil, fmt.Errorf("%d earlier releases; at most %d can be taken into account", len(earlier), maxEarlier)
	}
	all := [][]Part{t.Parts}
	for i, e := range earlier {
		if len(e.Hidden) != len(t.Nodes) || len(e.Parts) != len(t.Parts) {
			return nil, nil, fmt.Errorf("earlier release %d is of another table", i)
		}
		for _, part := range e.Parts {
			if len(part.Cells) != len(t.Nodes) {
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
		if v.outcome, v.weights, err = weigh(b, parts); err != nil {
			return nil, nil, err
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
		for in, c := range cells {
			_, weights, err := weigh(b, []Part{{Floor: g.Parts[part].Floor, Cells: c}})
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
