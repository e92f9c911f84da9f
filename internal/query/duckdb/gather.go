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

// gather collects the groups of all scans, joins the sources of a participant
// and writes the answer in its order. It sorts here and not in SQL because
// cells are few and known by number then, which costs a tenth of what DuckDB
// needs to sort texts; and it keeps each source's groups together, because
// walking memory in order is most of what makes it fast.
type gather struct {
	spec    query.Spec
	columns []query.Column    // of Spec.Measures
	cells   map[string]uint32 // number of a cell by its encoded key
	keys    [][]query.Value   // by number
	size    []int             // groups of a cell, by number
	sources []groups          // of Spec.Sources
	rows    int               // in all sources
	buf     []byte
}

// groups are what one source has, or the whole answer, in which who is set.
type groups struct {
	cell    []uint32
	who     []uint32  // participants
	count   []int64   // rows
	partial []partial // len(Spec.Measures) for each group
}

// partial is a measure of one participant in one cell before its rounding.
type partial struct {
	low  uint64 // of the sum, a hugeint; or the bits of the float
	high int64
	n    int64 // values that are not null; of a sum just 1; absent if there is no number; or beyond
}

const (
	absent = -1
	beyond = -2 // a row has a value that does not fit
)

func newGather(spec query.Spec) *gather {
	g := &gather{
		spec: spec, cells: map[string]uint32{}, sources: make([]groups, len(spec.Sources)),
		columns: make([]query.Column, len(spec.Measures)),
	}
	for i, m := range spec.Measures {
		if m.Column != "" {
			g.columns[i], _ = spec.Column(m.Dataset, m.Column)
		}
	}
	return g
}

// visitor takes the rows of a scan: which file, group columns, aggregates,
// which begin at column first.
func (g *gather) visitor(s *scan, first int, a aggregates, uses []use, scanned []int64) func(row int, columns []column) error {
	group := make([]query.Column, len(s.spec.Groups))
	for i, name := range s.spec.Groups {
		group[i], _ = s.spec.Column(s.dataset, name)
	}
	guards := len(a.sql) - len(s.floats)
	return func(row int, columns []column) error {
		source := s.source(columns[0], row)
		if source < 0 {
			return errors.New("group of an unknown file")
		}
		if g.rows >= g.spec.Limits.Rows {
			return g.tooMany()
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
		to := &g.sources[source]
		to.cell = append(to.cell, cell)
		count := at[int64](values[0], row)
		to.count = append(to.count, count)
		if len(s.filters) == 0 {
			scanned[source] += count
		}
		to.add(values, len(g.spec.Measures), a, uses, row)
		g.size[cell]++
		g.rows++
		return nil
	}
}

// tooMany says whose file has most of the answer's rows.
func (g *gather) tooMany() error {
	most := 0
	for i := range g.sources {
		if len(g.sources[i].cell) > len(g.sources[most].cell) {
			most = i
		}
	}
	return fault.New(fault.TooLarge, "The result has more than %d rows (participants times cells); %d of them are from participant %d of this run, of dataset %q. Group by fewer columns, filter, or have that file corrected.",
		g.spec.Limits.Rows, len(g.sources[most].cell), g.spec.Sources[most].Participant, g.spec.Sources[most].Dataset)
}

// add appends the measures of the newest group.
func (s *groups) add(values []column, measures int, a aggregates, uses []use, row int) {
	first := len(s.partial)
	for range measures {
		s.partial = append(s.partial, partial{n: absent})
	}
	for _, u := range uses {
		p := &s.partial[first+u.measure]
		if u.tooLarge >= 0 && !values[u.tooLarge].null(row) && at[bool](values[u.tooLarge], row) {
			p.n = beyond
			continue
		}
		if u.sum >= 0 && values[u.sum].null(row) {
			continue
		}
		p.n = 1
		if u.count >= 0 {
			p.n = at[int64](values[u.count], row)
		}
		if u.sum < 0 {
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
	g.size = append(g.size, 0)
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
	order := make([]uint32, len(g.keys))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return query.CompareKeys(g.keys[a], g.keys[b]) })
	begin, next := make([]int, len(g.keys)), make([]int, len(g.keys))
	place := 0
	for _, cell := range order {
		begin[cell], next[cell] = place, place
		place += g.size[cell]
	}
	all, err := g.collect(begin, next)
	if err != nil {
		return err
	}
	numbers := make([]query.Number, len(g.spec.Measures))
	for _, cell := range order {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.Cell(g.keys[cell]); err != nil {
			return err
		}
		for i := begin[cell]; i < next[cell]; i++ {
			g.round(all.partial[i*len(numbers):], numbers)
			if err := w.Row(int(all.who[i]), all.count[i], numbers); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect moves the groups of all sources to their places: cell by cell from
// begin, in order of participant. It joins the sources of a participant, in
// their order, and leaves in next where each cell ends.
func (g *gather) collect(begin, next []int) (groups, error) {
	order := make([]int, len(g.sources))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(g.spec.Sources[a].Participant, g.spec.Sources[b].Participant)
	})
	n := len(g.spec.Measures)
	all := groups{who: make([]uint32, g.rows), count: make([]int64, g.rows), partial: make([]partial, g.rows*n)}
	for _, source := range order {
		from, who := g.sources[source], uint32(g.spec.Sources[source].Participant)
		g.sources[source] = groups{}
		for i, cell := range from.cell {
			to := next[cell]
			values := from.partial[i*n : i*n+n]
			if last := to - 1; last >= begin[cell] && all.who[last] == who {
				all.count[last] += from.count[i]
				if err := g.join(all.partial[last*n:last*n+n], values); err != nil {
					return groups{}, err
				}
				continue
			}
			all.who[to], all.count[to] = who, from.count[i]
			copy(all.partial[to*n:], values)
			next[cell]++
		}
	}
	return all, nil
}

// join adds the measures of a participant's next source to those before.
func (g *gather) join(to, from []partial) error {
	for i := range to {
		a, b := &to[i], from[i]
		switch {
		case b.n == absent:
		case a.n == absent:
			*a = b
		case a.n == beyond || b.n == beyond:
			a.n = beyond
		case g.columns[i].Type == query.Float && g.spec.Measures[i].Own != query.Count:
			a.low = math.Float64bits(math.Float64frombits(a.low) + math.Float64frombits(b.low))
			a.n += b.n
		default:
			low, carry := bits.Add64(a.low, b.low, 0)
			high, _ := bits.Add64(uint64(a.high), uint64(b.high), carry)
			if (a.high < 0) == (b.high < 0) && (int64(high) < 0) != (a.high < 0) {
				return errors.New("a sum has more than 128 bits")
			}
			a.low, a.high = low, int64(high)
			a.n += b.n
		}
	}
	return nil
}

// round makes the numbers of a group.
func (g *gather) round(from []partial, numbers []query.Number) {
	for i := range numbers {
		p, m, scale := &from[i], &g.spec.Measures[i], g.columns[i].Scale
		numbers[i] = query.Number{Present: p.n != absent}
		if p.n == absent {
			continue
		}
		n, ok := p.n, false
		if m.Own == query.Sum {
			n = 1 // joined sources add theirs
		}
		switch {
		case p.n == beyond:
		case m.Own == query.Count:
			numbers[i].Fixed, ok = query.Fixed(0, uint64(n), 1, 0, m.Scale)
		case g.columns[i].Type == query.Float:
			if f := math.Float64frombits(p.low); !math.IsInf(f, 0) && !math.IsNaN(f) {
				numbers[i].Fixed, ok = query.FixedFloat(f, n, m.Scale)
			}
		default:
			numbers[i].Fixed, ok = query.Fixed(p.high, p.low, n, scale, m.Scale)
		}
		if !ok {
			numbers[i].Fixed = query.TooLarge
		}
	}
}
