package query

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"tributary/internal/fault"
)

// InMemory answers a query over rows in memory, as the engine of runs answers it over
// files: the same numbers to the last digit, which a test beside the engine compares. It
// is for whoever has rows and no accepted forms, and for rows whom nobody has to be kept
// from.
type InMemory struct {
	spec     Spec
	datasets map[string]*dataset
	cells    map[string]*group
	key      []byte
}

// dataset is what has to be done with each row of one.
type dataset struct {
	columns  []Column
	filters  []filter
	derived  []derivation
	groups   []int // where the values of a cell are, among columns and derived ones
	measures []measured
	values   []Value // of the row in hand: columns, then derived ones
	large    []bool  // derived ones that do not fit
}

// filter is one of the spec's with its column.
type filter struct {
	Filter
	at int
}

// measured is a measure with its column, -1 if it counts rows.
type measured struct {
	Measure
	number, at int
	float      bool
	scale      int
}

// group is what one participant has in one cell.
type group struct {
	participant int
	key         []Value
	count       int64
	parts       []partial
}

// partial is a number of a group before its rounding.
type partial struct {
	seen  bool // a row of its dataset
	n     int64
	low   uint64 // of the sum, 128 bits
	high  int64
	float float64 // of the sources before the present one
	own   float64 // of the present one
	of    int
	large bool
}

// NewInMemory begins an answer.
func NewInMemory(spec Spec) (*InMemory, error) {
	if err := spec.Check(); err != nil {
		return nil, err
	}
	a := &InMemory{spec: spec, datasets: map[string]*dataset{}, cells: map[string]*group{}}
	for name, columns := range spec.Datasets {
		d := &dataset{columns: columns}
		where := map[string]int{}
		for i, c := range columns {
			where[c.Name] = i
		}
		for _, of := range spec.Derived {
			if of.Dataset == name {
				where[of.Name] = len(columns) + len(d.derived)
				d.derived = append(d.derived, newDerivation(spec, of, columns))
			}
		}
		d.values, d.large = make([]Value, len(columns)+len(d.derived)), make([]bool, len(columns)+len(d.derived))
		for _, g := range spec.Groups {
			d.groups = append(d.groups, where[g])
		}
		for _, f := range spec.Filters {
			if f.Dataset == "" || f.Dataset == name {
				d.filters = append(d.filters, filter{f, where[f.Column]})
			}
		}
		for i, m := range spec.Measures {
			if m.Dataset != name {
				continue
			}
			of := measured{Measure: m, number: i, at: -1}
			if m.Column != "" {
				c, err := spec.Column(name, m.Column)
				if err != nil {
					return nil, err
				}
				of.at, of.float, of.scale = where[m.Column], c.Type == Float, c.Scale
			}
			d.measures = append(d.measures, of)
		}
		a.datasets[name] = d
	}
	return a, nil
}

// Add takes a row of one of the spec's sources: the values of the spec's columns of its
// dataset, in their order. It does not keep it. Rows of one source follow each other, and
// sources are in order.
func (a *InMemory) Add(source int, row []Value) error {
	of := a.spec.Sources[source]
	d := a.datasets[of.Dataset]
	if len(row) != len(d.columns) {
		return fault.New(fault.Internal, "A row of dataset %q has %d values, not %d.", of.Dataset, len(row), len(d.columns))
	}
	for _, f := range d.filters {
		if !f.passes(row[f.at]) {
			return nil
		}
	}
	copy(d.values, row)
	for i, c := range d.columns {
		if v := row[i]; c.Type == Float && (math.IsNaN(v.Float) || math.IsInf(v.Float, 0)) {
			return fault.New(fault.Invalid, "Column %q of dataset %q has a value that is not a finite number.", c.Name, of.Dataset)
		}
	}
	for i, derived := range d.derived {
		at := len(d.columns) + i
		d.values[at], d.large[at] = derived.value(row)
	}
	g, err := a.group(of.Participant, d)
	if err != nil {
		return err
	}
	g.count++
	for _, m := range d.measures {
		g.parts[m.number].add(source, m, d)
	}
	return nil
}

// add takes the number of the row in hand.
func (p *partial) add(source int, m measured, d *dataset) {
	if p.of != source { // each source's floats are added by themselves, as those of a file are
		p.float, p.own, p.of = p.float+p.own, 0, source
	}
	p.seen = true
	if m.at < 0 {
		p.n++
		return
	}
	v := d.values[m.at]
	p.large = p.large || d.large[m.at]
	if v.Null {
		return
	}
	p.n++
	switch {
	case m.Own == Count:
	case m.float:
		p.own += v.Float
	default:
		var carry uint64
		p.low, carry = bits.Add64(p.low, uint64(v.Int), 0)
		p.high += v.Int>>63 + int64(carry)
	}
}

// group finds what a participant has in the cell of the row in hand.
func (a *InMemory) group(participant int, d *dataset) (*group, error) {
	b := binary.AppendUvarint(a.key[:0], uint64(participant))
	for _, at := range d.groups {
		v := d.values[at]
		if v.Null {
			b = append(b, 0)
			continue
		}
		b = binary.AppendVarint(append(b, 1), v.Int)
		b = binary.AppendUvarint(b, uint64(len(v.Text)))
		b = append(b, v.Text...)
	}
	a.key = b
	if g := a.cells[string(b)]; g != nil {
		return g, nil
	}
	if len(a.cells) >= a.spec.Limits.Rows {
		return nil, fault.New(fault.TooLarge, "The result has more than %d rows (participants times cells).", a.spec.Limits.Rows)
	}
	g := &group{participant: participant, parts: make([]partial, len(a.spec.Measures))}
	for _, at := range d.groups {
		g.key = append(g.key, d.values[at])
	}
	a.cells[string(b)] = g
	return g, nil
}

// Rows gives the answer: cells in order, then participants.
func (a *InMemory) Rows() []Row {
	list := make([]Row, 0, len(a.cells))
	for _, g := range a.cells {
		row := Row{Participant: g.participant, Key: g.key, Count: g.count, Values: make([]Number, len(g.parts))}
		for i := range g.parts {
			m := a.spec.Measures[i]
			c, _ := a.spec.Column(m.Dataset, m.Column) // of a count of rows there is none
			row.Values[i] = g.parts[i].number(m, c)
		}
		list = append(list, row)
	}
	slices.SortFunc(list, func(a, b Row) int {
		return cmp.Or(CompareKeys(a.Key, b.Key), cmp.Compare(a.Participant, b.Participant))
	})
	return list
}

// number rounds.
func (p *partial) number(m Measure, c Column) Number {
	n, v, ok := p.n, Number{Present: p.seen && (p.n > 0 || p.large || m.Own == Count)}, false
	if !v.Present {
		return v
	}
	if m.Own == Sum {
		n = 1
	}
	switch {
	case p.large:
	case m.Own == Count:
		v.Fixed, ok = Fixed(0, uint64(n), 1, 0, m.Scale)
	case c.Type == Float:
		if sum := p.float + p.own; !math.IsInf(sum, 0) && !math.IsNaN(sum) {
			v.Fixed, ok = FixedFloat(sum, n, m.Scale)
		}
	default:
		v.Fixed, ok = Fixed(p.high, p.low, n, c.Scale, m.Scale)
	}
	if !ok {
		v.Fixed = TooLarge
	}
	return v
}

// passes reports whether a value passes.
func (f filter) passes(v Value) bool {
	switch {
	case v.Null:
		return false
	case len(f.Equals) > 0:
		return slices.ContainsFunc(f.Equals, func(w Value) bool { return Compare(v, w) == 0 })
	}
	return (f.From == nil || Compare(*f.From, v) <= 0) && (f.To == nil || Compare(v, *f.To) <= 0)
}
