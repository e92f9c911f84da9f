package analysis

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"tributary/internal/analysis/definition"
	"tributary/internal/disclosure"
	"tributary/internal/query"
)

// block is the cells that totals connect: those with the same values of the groups
// that have no totals.
type block struct {
	dimensions []disclosure.Dimension
	cells      []int         // of the table
	leaves     [][2]int32    // the nodes of each
	nodes      [2][]node     // what is at a node
	free       []query.Value // values of all groups; those that have totals are null
}

// node is a value of the coarsest groups of a dimension.
type node struct {
	key []query.Value // as many as there are groups with one value
}

// protect adds the totals to a table, judges all of it together, and hides what could
// be computed. Measures that share a part are hidden together.
func (x *execution) protect(ctx context.Context, t *table, o *outcome) (*table, error) {
	all := &table{spec: t.spec, limit: t.limit, cells: make([][]disclosure.Cell, len(t.cells))}
	judgements := make([]*disclosure.Judgement, len(t.cells))
	for part := range judgements {
		judgements[part] = &disclosure.Judgement{}
	}
	earlier := x.earlierCells(t)
	for _, b := range x.blocks(t) {
		first := len(all.keys)
		for _, parts := range o.families {
			whole, err := x.complete(t, t.cells, b, parts)
			if err != nil {
				return nil, err
			}
			before, err := x.completeEarlier(t, earlier, b, parts, whole)
			if err != nil {
				return nil, err
			}
			for _, n := range whole.Nodes {
				key, over := x.keyOf(b, n)
				whole.Stay = append(whole.Stay, slices.ContainsFunc(parts, func(part int) bool { return x.stays(t.spec.Measures[part], key, over) }))
			}
			p, err := disclosure.Protect(ctx, x.gateRules(), x.cost(), whole, before...)
			if err != nil {
				return nil, fmt.Errorf("protect %s: %w", t.spec.Measures[parts[0]].Name, err)
			}
			for cell, hidden := range p.Hidden {
				key, over := x.keyOf(b, whole.Nodes[cell])
				for _, part := range parts {
					if hidden {
						o.hidden = append(o.hidden, x.digest(x.run.Analysis, t.spec.Measures[part], key, over)...)
					}
				}
			}
			if !x.tried { // a trial is attacked otherwise
				if err := o.attack.look(x.gateRules(), whole, p, before); err != nil {
					return nil, err
				}
			}
			if len(all.keys) == first {
				if int64(first+len(whole.Nodes)) > t.limit {
					return nil, t.tooLarge()
				}
				for _, n := range whole.Nodes {
					key, over := x.keyOf(b, n)
					all.keys, all.over = append(all.keys, key), append(all.over, over)
				}
			}
			for i, part := range parts {
				all.cells[part] = append(all.cells[part], whole.Parts[i].Cells...)
				judgements[part].Cells = append(judgements[part].Cells, p.Judgements[i].Cells...)
			}
		}
	}
	o.hidden = inOrder(o.hidden)
	for m := range o.measures {
		for _, part := range o.measures[m].parts {
			o.measures[m].judgements = append(o.measures[m].judgements, judgements[part])
		}
	}
	return all, nil
}

// families lists the parts of measures that share any, or that are sums of the same
// columns, together: a sum could be computed from another that has a little beside it.
func families(measures []measure) [][]int {
	type family struct{ parts, measures []int }
	var list []family
	related := func(m measure, f family) bool {
		return slices.ContainsFunc(f.measures, func(o int) bool {
			other := measures[o]
			return slices.ContainsFunc(m.parts, func(part int) bool { return slices.Contains(other.parts, part) }) ||
				other.Dataset == m.Dataset && slices.ContainsFunc(m.reads, func(name string) bool { return slices.Contains(other.reads, name) })
		})
	}
	for i, m := range measures {
		joined := family{slices.Clone(m.parts), []int{i}}
		list = slices.DeleteFunc(list, func(f family) bool {
			if !related(m, f) {
				return false
			}
			joined.parts, joined.measures = append(joined.parts, f.parts...), append(joined.measures, f.measures...)
			return true
		})
		slices.Sort(joined.parts)
		joined.parts = slices.Compact(joined.parts)
		list = append(list, joined)
	}
	parts := make([][]int, len(list))
	for i, f := range list {
		parts[i] = f.parts
	}
	return parts
}

func (x *execution) cost() disclosure.Cost {
	if x.def.Rules.Suppress == definition.LeastValue {
		return disclosure.LeastValue
	}
	return disclosure.LeastCells
}

// blocks divides a table by the groups without totals, in order of their values, and
// makes the trees of those with.
func (x *execution) blocks(t *table) []*block {
	dimensions := make([][]int, len(x.def.Totals))
	inside := map[int]bool{}
	for d, names := range x.def.Totals {
		for _, name := range names {
			at := slices.Index(x.def.Groups, name)
			dimensions[d] = append(dimensions[d], at)
			inside[at] = true
		}
	}
	var list []*block
	byFree := map[string]*block{}
	nodes := map[string]int32{}
	for cell, key := range t.keys {
		free := slices.Clone(key)
		for at := range free {
			if inside[at] {
				free[at] = query.Value{Type: free[at].Type, Scale: free[at].Scale, Null: true}
			}
		}
		id := encoded(free, nil)
		b := byFree[id]
		if b == nil {
			b = &block{free: free, dimensions: make([]disclosure.Dimension, len(dimensions))}
			for d := range dimensions {
				b.dimensions[d].Parent, b.nodes[d] = []int32{disclosure.Top}, []node{{}}
			}
			byFree[id] = b
			list = append(list, b)
		}
		var leaf [2]int32
		for d, groups := range dimensions {
			at := int32(0)
			var path []query.Value
			for _, g := range groups {
				path = append(path, key[g])
				name := fmt.Sprint(d, id, encoded(path, nil))
				next, known := nodes[name]
				if !known {
					next = int32(len(b.nodes[d]))
					nodes[name] = next
					b.nodes[d] = append(b.nodes[d], node{key: slices.Clone(path)})
					b.dimensions[d].Parent = append(b.dimensions[d].Parent, at)
				}
				at = next
			}
			leaf[d] = at
		}
		b.cells, b.leaves = append(b.cells, cell), append(b.leaves, leaf)
	}
	return list
}

// encoded writes values so that different ones are different.
func encoded(values []query.Value, b []byte) string {
	for _, v := range values {
		if v.Null {
			b = append(b, 'n')
			continue
		}
		b = binary.AppendVarint(append(b, 'v'), v.Int)
		b = binary.AppendUvarint(b, uint64(len(v.Text)))
		b = append(b, v.Text...)
	}
	return string(b)
}

// complete adds the totals of some parts of a block.
func (x *execution) complete(t *table, cells [][]disclosure.Cell, b *block, parts []int) (*disclosure.Table, error) {
	list := make([]disclosure.Part, len(parts))
	for i, part := range parts {
		floor, err := x.floor(t, part)
		if err != nil {
			return nil, err
		}
		list[i].Floor = floor
		for _, cell := range b.cells {
			list[i].Cells = append(list[i].Cells, cells[part][cell])
		}
	}
	return disclosure.Complete(b.dimensions, b.leaves, list)
}

// completeEarlier does so for each of the earlier releases, with what they hid.
func (x *execution) completeEarlier(t *table, earlier [][][]disclosure.Cell, b *block, parts []int, whole *disclosure.Table) (before []disclosure.Earlier, err error) {
	for i, part := range parts {
		if whole.Parts[i].Floor, err = x.floorOf(t, earlier, part); err != nil {
			return nil, err
		}
	}
	for e, cells := range earlier {
		was, err := x.complete(t, cells, b, parts)
		if err != nil {
			return nil, err
		}
		f := x.before.releases[e]
		hidden := make([][]bool, len(parts))
		for i, part := range parts {
			was.Parts[i].Floor = whole.Parts[i].Floor
			for _, n := range whole.Nodes {
				key, over := x.keyOf(b, n)
				hidden[i] = append(hidden[i], !f.had[nameOf(t.spec.Measures[part])] || hides(f.hidden, x.digest(f.analysis, t.spec.Measures[part], key, over)))
			}
		}
		before = append(before, disclosure.Earlier{Parts: was.Parts, Hidden: hidden})
	}
	return before, nil
}

// inOrder sorts digests.
func inOrder(digests []byte) []byte {
	return bytes.Join(slices.SortedFunc(slices.Chunk(digests, digestSize), bytes.Compare), nil)
}

// keyOf is the key of a cell of a block, and the groups that it is a total over.
func (x *execution) keyOf(b *block, n [2]int32) (key []query.Value, over string) {
	key = slices.Clone(b.free)
	var names []string
	for d, groups := range x.def.Totals {
		values := b.nodes[d][n[d]].key
		for i, name := range groups {
			if i < len(values) {
				key[slices.Index(x.def.Groups, name)] = values[i]
			} else {
				names = append(names, name)
			}
		}
	}
	return key, strings.Join(names, ", ")
}
