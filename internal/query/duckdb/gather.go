package duckdb

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"

	bindings "github.com/duckdb/duckdb-go-bindings"

	"tributary/internal/fault"
	"tributary/internal/query"
)

// gather collects the groups of all scans, one entry for each cell and source,
// joins the sources of a participant and writes the answer in its order. It
// sorts here and not in SQL because cells are few and known by number then,
// which costs a tenth of what DuckDB needs to sort texts.
type gather struct {
	spec    query.Spec
	cells   map[string]uint32 // number of a cell by its encoded key
	keys    [][]query.Value   // by number
	entries []entry
	partial []partial // len(Spec.Measures) for each entry
	buf     []byte
}

type entry struct {
	cell, source uint32
	count        int64
}

// partial is what one source has for a measure in a cell.
type partial struct {
	low     uint64 // of the sum, a hugeint; or the bits of the float
	high    int64
	n       int64 // values that are not null; of a sum just 1
	present bool
}

func newGather(spec query.Spec) *gather {
	return &gather{spec: spec, cells: map[string]uint32{}}
}

// visitor takes the rows of a scan: which file, group columns, aggregates,
// which begin at column first.
func (g *gather) visitor(s *scan, first int, a aggregates, uses []use) func(row int, columns []column) error {
	files := make(map[string]int, len(s.files))
	for i, file := range s.files {
		files[file] = i
	}
	group := make([]query.Column, len(s.spec.Groups))
	for i, name := range s.spec.Groups {
		group[i], _ = s.spec.Column(s.dataset, name)
	}
	guards := len(a.sql) - len(s.floats)
	return func(row int, columns []column) error {
		file := 0
		if s.fileName == "" {
			file = int(at[uint64](columns[0], row))
		} else if i, ok := files[string(columns[0].text(row))]; ok {
			file = i
		} else {
			file = -1
		}
		if columns[0].null(row) || file < 0 || file >= len(s.sources) {
			return errors.New("group of an unknown file")
		}
		if len(g.entries) >= g.spec.Limits.Rows {
			return fault.New(fault.TooLarge, "The result has more than %d rows (participants times cells). Group by fewer columns or filter.",
				g.spec.Limits.Rows)
		}
		cell, err := g.cell(group, columns[1:first], row)
		if err != nil {
			return err
		}
		values := columns[first:]
		for i, name := range s.floats {
			if guard := values[guards+i]; !guard.null(row) && at[bool](guard, row) {
				return fault.New(fault.Invalid, "Column %q of dataset %q has a value that is not a finite number.", name, s.dataset)
			}
		}
		g.entries = append(g.entries, entry{cell: cell, source: uint32(s.sources[file]), count: at[int64](values[0], row)})
		g.add(values, a, uses, row)
		return nil
	}
}

// add appends the measures of the newest entry.
func (g *gather) add(values []column, a aggregates, uses []use, row int) {
	at0 := len(g.partial)
	g.partial = slices.Grow(g.partial, len(g.spec.Measures))[:at0+len(g.spec.Measures)]
	clear(g.partial[at0:])
	for _, u := range uses {
		p := &g.partial[at0+u.measure]
		p.n, p.present = 1, true
		if u.count >= 0 {
			p.n = at[int64](values[u.count], row)
		}
		if u.sum < 0 {
			continue
		}
		if p.present = !values[u.sum].null(row); !p.present {
			p.n = 0
			continue
		}
		if a.types[u.sum].id == bindings.TypeDouble {
			p.low = math.Float64bits(at[float64](values[u.sum], row))
			continue
		}
		sum := at[[2]uint64](values[u.sum], row)
		p.low, p.high = sum[0], int64(sum[1])
	}
}

// cell finds the number of the row's cell, or gives it one.
func (g *gather) cell(group []query.Column, columns []column, row int) (uint32, error) {
	b := g.buf[:0]
	for i, c := range group {
		if columns[i].null(row) {
			b = append(b, 0)
			continue
		}
		b = append(b, 1)
		if c.Type == query.Text {
			text := columns[i].text(row)
			b = binary.AppendUvarint(b, uint64(len(text)))
			b = append(b, text...)
		} else {
			b = binary.NativeEndian.AppendUint64(b, uint64(integer(c, columns[i], row)))
		}
	}
	g.buf = b
	if number, ok := g.cells[string(b)]; ok {
		return number, nil
	}
	key := make([]query.Value, len(group))
	for i, c := range group {
		switch {
		case columns[i].null(row):
			key[i] = query.NullOf(c)
		case c.Type == query.Text:
			text := columns[i].text(row)
			if len(text) > query.MaxText {
				return 0, fault.New(fault.TooLarge, "Group column %q has a text of more than %d bytes.", c.Name, query.MaxText)
			}
			key[i] = query.TextOf(string(text))
		default:
			key[i] = query.Value{Type: c.Type, Scale: c.Scale, Int: integer(c, columns[i], row)}
		}
	}
	number := uint32(len(g.keys))
	g.cells[string(b)] = number
	g.keys = append(g.keys, key)
	return number, nil
}

func integer(c query.Column, col column, row int) int64 {
	switch c.Type {
	case query.Boolean:
		return int64(at[uint8](col, row))
	case query.Date:
		return int64(at[int32](col, row))
	}
	return at[int64](col, row)
}

// write gives the answer, but its end, to w.
func (g *gather) write(ctx context.Context, w *query.Writer) error {
	columns := make([]query.Column, len(g.spec.Measures))
	for i, m := range g.spec.Measures {
		if m.Column != "" {
			columns[i], _ = g.spec.Column(m.Dataset, m.Column)
		}
	}
	order := g.order()
	numbers := make([]query.Number, len(g.spec.Measures))
	cell := uint32(math.MaxUint32)
	for i := 0; i < len(order); {
		if err := ctx.Err(); err != nil {
			return err
		}
		newest := order[i]
		if g.entries[newest].cell != cell {
			cell = g.entries[newest].cell
			if err := w.Cell(g.keys[cell]); err != nil {
				return err
			}
		}
		participant := g.participant(newest)
		for i++; i < len(order) && g.entries[order[i]].cell == cell && g.participant(order[i]) == participant; i++ {
			if err := g.join(newest, order[i], columns); err != nil {
				return err
			}
		}
		if err := g.round(newest, columns, numbers); err != nil {
			return err
		}
		if err := w.Row(participant, g.entries[newest].count, numbers); err != nil {
			return err
		}
	}
	return nil
}

func (g *gather) participant(e uint32) int { return g.spec.Sources[g.entries[e].source].Participant }

// order sorts entries by key, participant and source. Cells and sources are
// numbers below a bound, so two stable counting sorts do.
func (g *gather) order() []uint32 {
	bySource := make([]uint32, len(g.spec.Sources))
	for i := range bySource {
		bySource[i] = uint32(i)
	}
	slices.SortStableFunc(bySource, func(a, b uint32) int {
		return cmp.Compare(g.spec.Sources[a].Participant, g.spec.Sources[b].Participant)
	})
	byKey := make([]uint32, len(g.keys))
	for i := range byKey {
		byKey[i] = uint32(i)
	}
	slices.SortFunc(byKey, func(a, b uint32) int { return query.CompareKeys(g.keys[a], g.keys[b]) })
	order := make([]uint32, len(g.entries))
	for i := range order {
		order[i] = uint32(i)
	}
	order = countingSort(order, bySource, func(e uint32) uint32 { return g.entries[e].source })
	return countingSort(order, byKey, func(e uint32) uint32 { return g.entries[e].cell })
}

// countingSort sorts entries by the place that what gives has in sorted; stable.
func countingSort(entries, sorted []uint32, what func(uint32) uint32) []uint32 {
	count := make([]int, len(sorted))
	for _, e := range entries {
		count[what(e)]++
	}
	next, start := make([]int, len(sorted)), 0
	for _, v := range sorted {
		next[v] = start
		start += count[v]
	}
	out := make([]uint32, len(entries))
	for _, e := range entries {
		v := what(e)
		out[next[v]] = e
		next[v]++
	}
	return out
}

// join adds the entry of a participant's next source to its first.
func (g *gather) join(to, from uint32, columns []query.Column) error {
	g.entries[to].count += g.entries[from].count
	n := len(columns)
	for i, c := range columns {
		a, b := &g.partial[int(to)*n+i], g.partial[int(from)*n+i]
		switch {
		case !b.present:
		case !a.present:
			*a = b
		case c.Type == query.Float && g.spec.Measures[i].Own != query.Count:
			a.low = math.Float64bits(math.Float64frombits(a.low) + math.Float64frombits(b.low))
			a.n += b.n
		default:
			low, carry := bits.Add64(a.low, b.low, 0)
			high, _ := bits.Add64(uint64(a.high), uint64(b.high), carry)
			if (a.high < 0) == (b.high < 0) && (int64(high) < 0) != (a.high < 0) {
				return g.overflow(i)
			}
			a.low, a.high = low, int64(high)
			a.n += b.n
		}
	}
	return nil
}

// round makes the numbers of an entry.
func (g *gather) round(e uint32, columns []query.Column, numbers []query.Number) error {
	for i, m := range g.spec.Measures {
		p := g.partial[int(e)*len(columns)+i]
		numbers[i] = query.Number{Present: p.present}
		if !p.present {
			continue
		}
		n, ok := p.n, false
		if m.Own == query.Sum {
			n = 1 // joined sources add theirs
		}
		switch {
		case m.Own == query.Count:
			numbers[i].Fixed, ok = multiply(p.n, powers[m.Scale])
		case columns[i].Type == query.Float:
			f := math.Float64frombits(p.low)
			if math.IsInf(f, 0) || math.IsNaN(f) {
				return g.overflow(i)
			}
			numbers[i].Fixed, ok = fixedFloat(f, n, m.Scale)
		default:
			numbers[i].Fixed, ok = fixed(p.high, p.low, n, columns[i].Scale, m.Scale)
		}
		if !ok {
			return g.overflow(i)
		}
	}
	return nil
}

func (g *gather) overflow(measure int) error {
	m := g.spec.Measures[measure]
	return fault.New(fault.Invalid,
		"A result of measure %q is too large to be written with %d digits after the point. Give the measure fewer.", m.Name, m.Scale)
}
