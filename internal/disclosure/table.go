package disclosure

import (
	"cmp"
	"fmt"
	"slices"
)

// Dimension is the tree of one group column's values, or of several columns that
// lie within each other (region > country > city). Parent[i] is the node that node
// i belongs to and less than i, or Top for a node that belongs to none. Nodes
// without children are leaves. A total over all values is a node like any other,
// the parent of all of them.
type Dimension struct {
	Parent []int32
}

// Top is the parent of a node that is part of no total.
const Top = -1

// Table is a table with margins: cells at the crossings of one or two dimensions.
// A cell at a node that has children is the sum of the cells at these, in each
// dimension; a crossing without a cell has nobody's values.
type Table struct {
	Dimensions []Dimension
	Nodes      [][2]int32 // of each cell: its node in each dimension, 0 in one that is not there
	Parts      []Part     // the additive numbers that each cell shows; a mean shows a sum and a count
	Stay       []bool     // cells that are hidden whatever is in them; nil: none
}

// Part is one additive number of a table's cells.
type Part struct {
	Floor int64  // see Judge
	Cells []Cell // in the order of Table.Nodes
}

// Limits of a table.
const (
	maxDimensions = 2
	maxParts      = 64
)

// Complete makes a table from the cells at leaves: it adds those of every total
// above them. The cells that were given come first, in their order. Values that do
// not fit into an int64 become the smallest, which Judge calls an overflow.
func Complete(dimensions []Dimension, leaves [][2]int32, parts []Part) (*Table, error) {
	t := &Table{Dimensions: dimensions, Nodes: slices.Clone(leaves), Parts: make([]Part, len(parts))}
	for i, p := range parts {
		if len(p.Cells) != len(leaves) {
			return nil, fmt.Errorf("complete a table: part %d has %d cells at %d places", i, len(p.Cells), len(leaves))
		}
		t.Parts[i] = Part{Floor: p.Floor, Cells: slices.Clone(p.Cells)}
	}
	trees, err := grow(dimensions)
	if err != nil {
		return nil, err
	}
	at := make(map[[2]int32]int32, 2*len(leaves))
	for i, n := range leaves {
		for d, tree := range trees {
			if !tree.has(n[d]) || len(tree.children[n[d]]) > 0 {
				return nil, fmt.Errorf("complete a table: cell %d is at node %d of dimension %d, which is no leaf", i, n[d], d)
			}
		}
		if _, twice := at[n]; twice {
			return nil, fmt.Errorf("complete a table: two cells at %v", n)
		}
		at[n] = int32(i)
	}
	for _, n := range leaves {
		for u := n[0]; u != Top; u = trees[0].parent[u] {
			for w := n[1]; w != Top; w = trees[1].parent[w] {
				if _, there := at[[2]int32{u, w}]; !there {
					at[[2]int32{u, w}] = int32(len(t.Nodes))
					t.Nodes = append(t.Nodes, [2]int32{u, w})
				}
			}
		}
	}
	for p := range t.Parts {
		t.Parts[p].Cells = append(t.Parts[p].Cells, make([]Cell, len(t.Nodes)-len(leaves))...)
	}
	g, err := t.grid()
	if err != nil {
		return nil, fmt.Errorf("complete a table: %w", err)
	}
	for p := range t.Parts {
		if err := g.addUp(t.Parts[p].Cells); err != nil {
			return nil, fmt.Errorf("complete a table: %w", err)
		}
	}
	return t, nil
}

// addUp fills in the cells of totals from those at leaves: each from those right below
// it, so the finest first.
func (g *grid) addUp(cells []Cell) error {
	var totals []int32
	for cell := range g.Nodes {
		if !g.leaf(int32(cell)) {
			totals = append(totals, int32(cell))
		}
	}
	slices.SortFunc(totals, func(a, b int32) int {
		return cmp.Or(cmp.Compare(g.Nodes[b][0], g.Nodes[a][0]), cmp.Compare(g.Nodes[b][1], g.Nodes[a][1]))
	})
	var a adder
	for _, cell := range totals {
		d := 0
		if len(g.trees[0].children[g.Nodes[cell][0]]) == 0 {
			d = 1
		}
		for _, part := range g.parts(cell, d) {
			if err := a.add(cells[part]); err != nil {
				return err
			}
		}
		cells[cell] = a.take()
	}
	return nil
}

// adder adds up cells by participant.
type adder struct {
	has    []bool // by participant
	sums   []Contribution
	listed []int32 // participants
}

func (a *adder) add(cell Cell) error {
	for _, c := range cell {
		if c.Participant < 0 || c.Participant >= maxIndex {
			return fmt.Errorf("participant %d is not an index below %d", c.Participant, maxIndex)
		}
		if more := int(c.Participant) + 1 - len(a.has); more > 0 {
			a.has, a.sums = append(a.has, make([]bool, more)...), append(a.sums, make([]Contribution, more)...)
		}
		if !a.has[c.Participant] {
			a.has[c.Participant], a.sums[c.Participant] = true, c
			a.listed = append(a.listed, c.Participant)
			continue
		}
		a.sums[c.Participant].Value = add(a.sums[c.Participant].Value, c.Value)
	}
	return nil
}

// take returns the sum, in order of participant, and begins another.
func (a *adder) take() Cell {
	slices.Sort(a.listed)
	sum := make(Cell, len(a.listed))
	for i, p := range a.listed {
		sum[i], a.has[p] = a.sums[p], false
	}
	a.listed = a.listed[:0]
	return sum
}

// merge adds up what each participant has in a cell.
func merge(cell Cell) Cell {
	slices.SortFunc(cell, func(a, b Contribution) int { return cmp.Compare(a.Participant, b.Participant) })
	merged := cell[:0]
	for _, c := range cell {
		last := len(merged) - 1
		if last < 0 || merged[last].Participant != c.Participant {
			merged = append(merged, c)
			continue
		}
		merged[last].Value = add(merged[last].Value, c.Value)
	}
	return slices.Clip(merged)
}

// tree is a dimension with the ways down.
type tree struct {
	parent   []int32
	children [][]int32
	leaves   []int32 // all, so that those below one node stand side by side
	place    []int32 // of a leaf among these
	below    [][2]int32
}

func (t *tree) has(n int32) bool { return n >= 0 && int(n) < len(t.parent) }

// under lists the leaves at or below a node.
func (t *tree) under(n int32) []int32 { return t.leaves[t.below[n][0]:t.below[n][1]] }

// down lists the nodes from one to a node at or below it.
func (t *tree) down(from, to int32) []int32 {
	var path []int32
	for n := to; n != from; n = t.parent[n] {
		path = append(path, n)
	}
	path = append(path, from)
	slices.Reverse(path)
	return path
}

// grow makes the trees of a table, always two: one that is not there has one node.
func grow(dimensions []Dimension) ([maxDimensions]*tree, error) {
	var trees [maxDimensions]*tree
	if len(dimensions) < 1 || len(dimensions) > maxDimensions {
		return trees, fmt.Errorf("a table of %d dimensions", len(dimensions))
	}
	for d := range trees {
		parent := []int32{Top}
		if d < len(dimensions) {
			parent = dimensions[d].Parent
		}
		t := &tree{parent: parent, children: make([][]int32, len(parent)), place: make([]int32, len(parent)), below: make([][2]int32, len(parent))}
		var roots []int32
		for n, up := range parent {
			switch {
			case up == Top:
				roots = append(roots, int32(n))
			case up < 0 || int(up) >= n:
				return trees, fmt.Errorf("dimension %d: node %d has the parent %d", d, n, up)
			default:
				t.children[up] = append(t.children[up], int32(n))
			}
		}
		for _, r := range roots {
			t.walk(r)
		}
		trees[d] = t
	}
	return trees, nil
}

func (t *tree) walk(n int32) {
	from := int32(len(t.leaves))
	if len(t.children[n]) == 0 {
		t.place[n] = from
		t.leaves = append(t.leaves, n)
	}
	for _, c := range t.children[n] {
		t.walk(c)
	}
	t.below[n] = [2]int32{from, int32(len(t.leaves))}
}

// grid is a table with its trees and the way from a crossing to its cell.
type grid struct {
	*Table
	trees  [maxDimensions]*tree
	dense  []int32 // cell + 1 by crossing, if there are not too many of these
	sparse map[[2]int32]int32
}

// maxDense is how many crossings a table has at most that keeps a place for each.
const maxDense = 1 << 24

func (t *Table) grid() (*grid, error) {
	trees, err := grow(t.Dimensions)
	if err != nil {
		return nil, err
	}
	if len(t.Parts) < 1 || len(t.Parts) > maxParts {
		return nil, fmt.Errorf("a table of %d parts", len(t.Parts))
	}
	for p := range t.Parts {
		if len(t.Parts[p].Cells) != len(t.Nodes) {
			return nil, fmt.Errorf("part %d has %d cells at %d places", p, len(t.Parts[p].Cells), len(t.Nodes))
		}
	}
	if t.Stay != nil && len(t.Stay) != len(t.Nodes) {
		return nil, fmt.Errorf("it is said of %d of %d cells whether they stay hidden", len(t.Stay), len(t.Nodes))
	}
	g := &grid{Table: t, trees: trees}
	if n := len(trees[0].parent) * len(trees[1].parent); n <= maxDense {
		g.dense = make([]int32, n)
	} else {
		g.sparse = make(map[[2]int32]int32, len(t.Nodes))
	}
	for i, n := range t.Nodes {
		if !trees[0].has(n[0]) || !trees[1].has(n[1]) {
			return nil, fmt.Errorf("cell %d is at %v, which is not in the table", i, n)
		}
		if g.at(n[0], n[1]) >= 0 {
			return nil, fmt.Errorf("two cells at %v", n)
		}
		g.put(n, int32(i))
	}
	return g, nil
}

func (g *grid) put(n [2]int32, cell int32) {
	if g.dense != nil {
		g.dense[int(n[0])*len(g.trees[1].parent)+int(n[1])] = cell + 1
	} else {
		g.sparse[n] = cell + 1
	}
}

// at is the cell at a crossing, or -1.
func (g *grid) at(u, w int32) int32 {
	if g.dense != nil {
		return g.dense[int(u)*len(g.trees[1].parent)+int(w)] - 1
	}
	return g.sparse[[2]int32{u, w}] - 1
}

// above is the cell that a cell is a part of in a dimension, or -1.
func (g *grid) above(cell int32, d int) int32 {
	n := g.Nodes[cell]
	if n[d] = g.trees[d].parent[n[d]]; n[d] == Top {
		return -1
	}
	return g.at(n[0], n[1])
}

// parts lists the cells that add up to a cell in a dimension; none if it is at a leaf.
func (g *grid) parts(cell int32, d int) []int32 {
	n := g.Nodes[cell]
	var list []int32
	for _, c := range g.trees[d].children[n[d]] {
		n[d] = c
		if i := g.at(n[0], n[1]); i >= 0 {
			list = append(list, i)
		}
	}
	return list
}
